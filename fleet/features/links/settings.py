"""Settings of this feature: the address of short links, and the sources of conversions."""

from __future__ import annotations

from pydantic import BaseModel, Field, field_validator

from fleet.core.settings import CommaSeparated
from fleet.features.links.rules import checked_target


class LinksSettings(BaseModel):
    """Short links."""

    links_url: str = Field(
        "",
        max_length=200,
        examples=["https://go.example.com"],
        description="public address of short links, if it is not FLEET_WEB_URL",
    )
    links_sources: CommaSeparated = Field(
        (),
        description="sources of incoming webhooks that report conversions, as {code, value}, separated by commas",
    )

    @field_validator("links_url")
    @classmethod
    def _is_address(cls, value: str) -> str:
        return checked_target(value).rstrip("/") if value else ""
