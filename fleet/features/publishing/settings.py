"""Settings of this feature: rules for texts and pictures before they are published."""

from __future__ import annotations

from pydantic import BaseModel, Field

from fleet.core.settings import CommaSeparated


class PublishingSettings(BaseModel):
    """Settings of the checks before publication."""

    banned_words: CommaSeparated = Field(
        (), description="words that agents never publish, besides the shipped ones, separated by commas"
    )
    link_hosts: CommaSeparated = Field((), description="hosts that texts may link to, where the surface has links")
    recent_texts: int = Field(5000, ge=0, le=100_000, description="newest texts that a new one must not repeat")
    check_images: bool = Field(True, description="check each picture of a workflow before it is posted")
