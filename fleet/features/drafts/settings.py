"""Settings of this feature: scans of supervised agents, and how many drafts may wait."""

from __future__ import annotations

from pydantic import BaseModel, Field


class DraftsSettings(BaseModel):
    """Settings of scans and drafts."""

    scan_feeds: bool = Field(True, description="whether supervised agents scan their feeds")
    scan_items: int = Field(50, ge=1, le=50, description="newest posts that one scan reads")
    undecided_drafts: int = Field(
        20, ge=0, le=10_000, description="undecided drafts of one agent, at most; then it is not scanned. 0: no limit"
    )
    scan_concurrency: int = Field(5, ge=1, le=1000, description="scans of the whole fleet at a time")
