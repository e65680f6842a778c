"""Settings of this feature: rules for texts and pictures before they are published."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from fleet.core.settings import ANY_SCOPE, FLEET_ONLY, CommaSeparated


class PublishingSettings(BaseModel):
    """Settings of the checks before publication."""

    banned_words: Annotated[CommaSeparated, ANY_SCOPE] = Field(
        (), description="words that agents never publish, besides the shipped ones, separated by commas"
    )
    link_hosts: Annotated[CommaSeparated, ANY_SCOPE] = Field(
        (), description="hosts that texts may link to, where the surface has links"
    )
    own_likeness: Annotated[float, ANY_SCOPE] = Field(
        0.7, ge=0.7, le=1, description="similarity to an earlier text of the same agent from which a text is refused"
    )
    shared_likeness: Annotated[float, ANY_SCOPE] = Field(
        0.85, ge=0.7, le=1, description="similarity to a text of another agent from which a text is refused"
    )
    recent_texts: Annotated[int, FLEET_ONLY] = Field(
        5000, ge=0, le=100_000, description="newest texts that a new one must not repeat"
    )
    check_images: Annotated[bool, FLEET_ONLY] = Field(
        True, description="check each picture of a workflow before it is posted"
    )
