"""What calls to models cost: by day, by whom and what for, how today will end, and the budgets."""

from __future__ import annotations

import uuid
from enum import StrEnum

from fastapi import APIRouter, Request
from fastapi.responses import Response

from fleet.access import Permission
from fleet.features.agents import commands as people
from fleet.features.controls.pages import names_of
from fleet.features.costs import commands as money
from fleet.spending.queries import By
from fleet.web.auth import TheDeps, needs
from fleet.web.form_types import Maybe
from fleet.web.rendering import render

router = APIRouter()
_ROWS = 100
BYS = {By.PROVIDER: "provider", By.MODEL: "model", By.AGENT: "agent", By.PERSONA: "persona", By.PURPOSE: "kind",
       By.OUTCOME: "outcome"}  # fmt: skip
"""What sums may be by, as people call it."""


class Window(StrEnum):
    """How far back, in days of UTC."""

    TODAY = "today"
    WEEK = "week"
    MONTH = "month"

    @property
    def days(self) -> int:
        """How many days, today included."""
        return {Window.TODAY: 1, Window.WEEK: 7, Window.MONTH: 30}[self]

    @property
    def words(self) -> str:
        """What it is called."""
        return "today" if self is Window.TODAY else f"the last {self.days} days"


@router.get("/costs", dependencies=[needs(Permission.COSTS_VIEW)])
def costs(request: Request, deps: TheDeps, *, by: Maybe[By] = None, since: Maybe[Window] = None) -> Response:
    """Show what was spent."""
    by, since = by or By.PROVIDER, since or Window.WEEK
    found = money.spending(deps, by, days=since.days, limit=_ROWS)
    known = people.names(deps, [uuid.UUID(one.key) for one in found.sums if one.key and by is By.AGENT])
    return render(
        request, "costs/costs.html", found=found, by=by, since=since, bys=BYS, windows=Window, rows=_ROWS,
        names=names_of(deps, [], list(found.budgets)),
        agents={str(agent_id): named.username for agent_id, named in known.items()},
    )  # fmt: skip
