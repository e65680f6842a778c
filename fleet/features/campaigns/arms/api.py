"""The results of a campaign's variants, for programs and its page: /api/v1/campaigns/ID/arms."""

from __future__ import annotations

import uuid
from enum import IntEnum
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from fleet.access import Permission
from fleet.engine.points.effect_size import EffectVerdict
from fleet.features.campaigns import queries
from fleet.features.campaigns.arms import results
from fleet.features.campaigns.arms.results import ArmResult
from fleet.web.auth import TheDeps, needs
from fleet.web.requests.fields import Body, taken

router = APIRouter(tags=["campaigns"])


class ReadingAge(IntEnum):
    """An age of posts at which the feature experiments reads them, in hours."""

    HOUR = 1
    DAY = 24
    THREE_DAYS = 72


class ArmsQuery(Body):
    """At which age."""

    age_h: Annotated[ReadingAge, Field(description="hours after a post at which it was measured")] = ReadingAge.DAY


class ArmOut(BaseModel):
    """A variant of a campaign's message, and how it compares with the first."""

    name: str = Field(examples=["A"])
    message: str = Field(description="its text, or its topic")
    items: int = Field(description="items that have it; edited, cancelled and rejected ones are left out")
    published: int
    measured: int
    mean: float | None = Field(description="likes and comments of a post, without those of agents")
    verdict: EffectVerdict
    words: str
    difference: float | None = Field(description="of the mean, to the first variant")
    low: float | None = Field(description="of the 95 % interval of the difference; all intervals hold together")
    high: float | None


class ArmsOut(BaseModel):
    """The results of the variants of a campaign; none for one without variants."""

    age_h: int
    enough: int = Field(description="measured posts of both variants that a verdict needs")
    items: list[ArmOut]


@router.get("/campaigns/{campaign_id}/arms", dependencies=[needs(Permission.DRAFTS_VIEW)])
def show_arms(deps: TheDeps, campaign_id: uuid.UUID, *, which: Annotated[ArmsQuery, Query()]) -> ArmsOut:
    """Return the results of the variants of a campaign."""
    with deps.db.transaction() as tx:
        found = results.results(tx, queries.campaign(tx, campaign_id), age_h=which.age_h)
    return ArmsOut(age_h=which.age_h, enough=results.ENOUGH, items=[arm_out(one) for one in found])


def arm_out(one: ArmResult) -> ArmOut:
    """Return a result for programs."""
    at = one.interval
    return taken(
        ArmOut, one, difference=None if at is None else at.difference, low=None if at is None else at.low,
        high=None if at is None else at.high,
    )  # fmt: skip
