"""Statistics of drafts: counted by agent, kind, topic or day, with the results of scans."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from fleet.access import Permission
from fleet.core import clock
from fleet.engine.agents import lookup
from fleet.engine.agents.lookup import Names
from fleet.features.drafts.states import DraftsBy
from fleet.features.drafts.stats import queries as draft_stats
from fleet.features.drafts.stats.tally import DraftTally as Counted
from fleet.web.auth import TheDeps, needs
from fleet.web.requests.cursors import MOST
from fleet.web.requests.fields import Body, Moment, line, taken

router = APIRouter(prefix="/drafts", tags=["drafts"])
_USUALLY = timedelta(days=7)


class DraftTallyOut(BaseModel):
    """Drafts of one group, counted by their results."""

    key: str | None = Field(description="what they have in common; null for drafts without it")
    name: str | None = Field(description="what people call that: by agent its username, else the key")
    proposed: int
    waiting: int
    approved: int
    edited: int = Field(description="of the approved, those that people had put words of their own into")
    rejected: int
    expired: int
    withdrawn: int
    agreed: float | None = Field(description="the share of the decided ones that were approved")


class ScansOut(BaseModel):
    """Results of scans."""

    done: int
    idle: int = Field(description="of the done, those that found nothing new and asked no model")
    failed: int
    new_posts: int
    drafts: int
    dropped: dict[str, int] = Field(description="what was proposed and became no draft, by why")
    left_out: dict[str, int] = Field(description="posts that scans left out, once for each scan, by reason")


class DraftStats(BaseModel):
    """What happened since a moment."""

    since: datetime
    by: DraftsBy
    items: list[DraftTallyOut]
    total: DraftTallyOut
    scans: ScansOut


class StatsQuery(Body):
    """How to group, which agents, since when; by default a week."""

    by: DraftsBy = DraftsBy.AGENT
    since: Moment | None = None
    agent: Annotated[str, line(60), Field(description="username or id")] | None = None
    limit: Annotated[int, Field(ge=1, le=MOST)] = 100


@router.get("/stats", dependencies=[needs(Permission.DRAFTS_VIEW)])
def stats(deps: TheDeps, *, which: Annotated[StatsQuery, Query()]) -> DraftStats:
    """Return statistics of drafts; days in order, other groups by size."""
    since = which.since or clock.now() - _USUALLY
    found = draft_stats.stats(deps, which.by, since=since, agent=which.agent, limit=which.limit)
    known = (
        lookup.names(deps.db, [UUID(one.key) for one in found.items if one.key]) if which.by is DraftsBy.AGENT else {}
    )
    return DraftStats(
        since=found.since, by=which.by, items=[_view(one, known) for one in found.items], total=_view(found.total, {}),
        scans=taken(ScansOut, found.scans),
    )  # fmt: skip


def _view(one: Counted, known: Names) -> DraftTallyOut:
    return taken(
        DraftTallyOut, one, name=(lookup.username(known, UUID(one.key)) if known and one.key else None) or one.key
    )
