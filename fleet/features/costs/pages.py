"""The page of costs: by day, by scope and purpose, the forecast for today, and the budgets."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from fleet.access import Permission
from fleet.engine.agents import lookup
from fleet.engine.agents.models import AgentRow
from fleet.engine.deps import Deps
from fleet.features.costs import commands as cost_commands
from fleet.spending.groups import SpendingBy
from fleet.web.auth import TheDeps, needs
from fleet.web.rendering import render
from fleet.web.requests.form_types import Maybe

router = APIRouter()
_ROWS = 100
BYS = {
    SpendingBy.PROVIDER: "provider",
    SpendingBy.MODEL: "model",
    SpendingBy.AGENT: "agent",
    SpendingBy.PERSONA: "persona",
    SpendingBy.PURPOSE: "kind",
    SpendingBy.OUTCOME: "outcome",
}
"""What sums may be by, as people call it."""


class CostWindow(StrEnum):
    """How far back, in days of UTC."""

    TODAY = "today"
    WEEK = "week"
    MONTH = "month"

    @property
    def days(self) -> int:
        """How many days, today included."""
        return {CostWindow.TODAY: 1, CostWindow.WEEK: 7, CostWindow.MONTH: 30}[self]

    @property
    def words(self) -> str:
        """What it is called."""
        return "today" if self is CostWindow.TODAY else f"the last {self.days} days"


@router.get("/costs", dependencies=[needs(Permission.COSTS_VIEW)])
def costs(
    request: Request, deps: TheDeps, *, by: Maybe[SpendingBy] = None, since: Maybe[CostWindow] = None
) -> Response:
    """Show the costs."""
    by, since = by or SpendingBy.PROVIDER, since or CostWindow.WEEK
    found = cost_commands.spending(deps, by, days=since.days, limit=_ROWS)
    agents = [one.key for one in found.sums if by is SpendingBy.AGENT]
    return render(
        request, "costs/costs.html", found=found, by=by, since=since, bys=BYS, windows=CostWindow, rows=_ROWS,
        names=lookup.scope_names(deps.db, [(one.scope, one.key) for one in found.budgets]),
        agents=lookup.usernames(deps.db, agents),
    )  # fmt: skip


def agent_tab(deps: Deps, agent: AgentRow, _: str) -> dict[str, Any]:
    """Show the tab "costs" of an agent's page."""
    return {"costs": cost_commands.costs_of(deps, str(agent.id)), "days": cost_commands.DAYS}
