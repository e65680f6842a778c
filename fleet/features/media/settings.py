"""Settings of this feature: the allowed sources of pictures, and their store."""

from __future__ import annotations

from pydantic import Field

from fleet.core.settings import CommaSeparated, CommaSeparatedHosts
from fleet.images.object_settings import ObjectSettings

PICTURE_HOSTS = ("upload.wikimedia.org", "images.unsplash.com", "images.pexels.com", "live.staticflickr.com")
"""Libraries of pictures. These hosts do not show request URLs to others, so a model cannot leak data through one."""


class MediaSettings(ObjectSettings):
    """Settings of fetching and storing pictures from public addresses."""

    media_timeout_s: float = Field(20.0, ge=1, le=300, description="time limit for fetching one picture")
    media_http: bool = Field(False, description="fetch pictures by plain http too")
    media_hosts: CommaSeparated = Field(
        PICTURE_HOSTS,
        description="hosts that drafts' pictures may come from, separated by commas; * for any public one",
    )
    media_allow: CommaSeparatedHosts = Field(
        (),
        examples=["HOST:PORT"],
        description="HOST:PORT of this machine that pictures may come from; for tests and sandboxes only",
    )
