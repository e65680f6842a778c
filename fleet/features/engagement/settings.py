"""Settings of this feature: which accounts are measured."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from fleet.core.settings import ANY_SCOPE


class EngagementSettings(BaseModel):
    """What is measured."""

    measure_engagement: Annotated[bool, ANY_SCOPE] = Field(
        True, description="read the counts of published posts and the followers of accounts from their networks"
    )
