"""Settings of this feature: which experiments run, and whether every post is measured."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from fleet.core.settings import ANY_SCOPE, CommaSeparated


class ExperimentsSettings(BaseModel):
    """What is tried out."""

    experiments: CommaSeparated = Field(
        (), description="experiments that are on: names of shipped ones or paths to files, separated by commas"
    )
    measure_posts: Annotated[bool, ANY_SCOPE] = Field(
        False, description="measure likes and comments of every post after 1, 24 and 72 h, also without an experiment"
    )
