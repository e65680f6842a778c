"""Settings of this feature: scans of supervised agents, and how many drafts may wait."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from fleet.core.settings import FLEET_ONLY, FLEET_OR_AGENT


class DraftsSettings(BaseModel):
    """Settings of scans and drafts."""

    scan_feeds: Annotated[bool, FLEET_OR_AGENT] = Field(True, description="whether supervised agents scan their feeds")
    scan_items: Annotated[int, FLEET_OR_AGENT] = Field(50, ge=1, le=50, description="newest posts that one scan reads")
    undecided_drafts: Annotated[int, FLEET_ONLY] = Field(
        20, ge=0, le=10_000, description="undecided drafts of one agent, at most; then it is not scanned. 0: no limit"
    )
    scan_concurrency: Annotated[int, FLEET_ONLY] = Field(
        5, ge=1, le=1000, description="scans of the whole fleet at a time"
    )
