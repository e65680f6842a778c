"""The page of statistics: proposals, the share that people approved, and the results of scans."""

from __future__ import annotations

import uuid
from datetime import timedelta
from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from fleet.access import Permission
from fleet.core import clock
from fleet.engine.agents import lookup
from fleet.features.drafts.states import LEFT_OUT, DraftsBy
from fleet.features.drafts.stats import queries as draft_stats
from fleet.web.auth import TheDeps, needs
from fleet.web.rendering import render
from fleet.web.requests.form_types import Maybe, Name

router = APIRouter()
_ROWS = 100


class DraftWindow(StrEnum):
    """How far back."""

    DAY = "1d"
    WEEK = "7d"
    MONTH = "30d"

    @property
    def span(self) -> timedelta:
        """How long that is."""
        return timedelta(days=int(self.value.removesuffix("d")))

    @property
    def words(self) -> str:
        """What it is called."""
        return "the last day" if self is DraftWindow.DAY else f"the last {self.span.days} days"


@router.get("/drafts/stats", dependencies=[needs(Permission.DRAFTS_VIEW)])
def stats(request: Request, deps: TheDeps, *, by: Maybe[DraftsBy] = None, since: Maybe[DraftWindow] = None,
          agent: Annotated[Name, Query()] = "") -> Response:  # fmt: skip
    """Show how drafts fare, of all agents or of one."""
    by, since = by or DraftsBy.AGENT, since or DraftWindow.WEEK
    found = draft_stats.stats(deps, by, since=clock.now() - since.span, agent=agent or None, limit=_ROWS)
    known = (
        lookup.names(deps.db, [uuid.UUID(one.key) for one in found.items if one.key]) if by is DraftsBy.AGENT else {}
    )
    return render(
        request,
        "drafts/draft_stats.html",
        found=found,
        by=by,
        since=since,
        agent=agent,
        bys=DraftsBy,
        windows=DraftWindow,
        rows=_ROWS,
        names={str(agent_id): named for agent_id, named in known.items()},
        left_out=LEFT_OUT,
    )
