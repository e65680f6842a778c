"""The API of costs and budgets. Amounts in millionths of a US dollar."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from fleet.access import Permission, Principal
from fleet.features.costs import commands as cost_commands
from fleet.spending.budgets import ALL, Period, Scope
from fleet.spending.queries import SpendingBy
from fleet.web.auth import TheDeps, needs
from fleet.web.requests.cursors import MOST
from fleet.web.requests.fields import Body, prose, taken, whole

router = APIRouter(prefix="/costs", tags=["costs"])
budgets = APIRouter(prefix="/budgets", tags=["budgets"])

_MOST_MICROUSD = 10**12
Amount = Annotated[int, whole(0, _MOST_MICROUSD), Field(examples=[2_500_000])]
Key = Annotated[str, Path(max_length=100, description="username, persona or provider; * for the fleet", examples=["*"])]
Editor = Annotated[Principal, needs(Permission.BUDGETS_EDIT)]


class SumOut(BaseModel):
    """Calls to models that have something in common."""

    key: str | None = Field(description="what they have in common; null for calls without it")
    calls: int
    failed: int
    input_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    output_tokens: int
    microusd: int
    latency_ms: int = Field(description="of all calls together")


class BudgetOut(BaseModel):
    """A limit and how much of it is used in the current period."""

    scope: Scope
    key: str
    period: Period
    limit_microusd: int
    allowance_microusd: int = Field(description="what people added for this period")
    spent_microusd: int
    reserved_microusd: int = Field(description="set aside for calls under way")
    left_microusd: int
    spent_at: datetime | None = Field(description="since when calls do not fit, in this period; null while they do")


class CostsOut(BaseModel):
    """What was spent since a moment, and how today (UTC) is going."""

    since: datetime
    sums: list[SumOut]
    total_microusd: int
    today_microusd: int
    forecast_today_microusd: int
    budgets: list[BudgetOut]


class CostsQuery(Body):
    """How to sum, and over how many days."""

    by: SpendingBy = SpendingBy.PROVIDER
    days: Annotated[int, Field(ge=1, le=366)] = 7
    limit: Annotated[int, Field(ge=1, le=MOST)] = 100


class Budgets(BaseModel):
    """Every budget."""

    items: list[BudgetOut]


class NewLimit(Body):
    """How much may be spent in a period."""

    microusd: Amount


class More(Body):
    """How much more may be spent in the current period, and why."""

    microusd: Amount
    reason: Annotated[str, prose(200, least=1)]


@router.get("", dependencies=[needs(Permission.COSTS_VIEW)])
def costs(deps: TheDeps, *, which: Annotated[CostsQuery, Query()]) -> CostsOut:
    """Return the cost of model calls by group; days in order, other groups by cost."""
    found = cost_commands.costs(deps, which.by, for_=timedelta(days=which.days), limit=which.limit)
    return CostsOut(
        since=found.since, sums=[taken(SumOut, one) for one in found.sums], total_microusd=found.total,
        today_microusd=found.today, forecast_today_microusd=found.forecast_today,
        budgets=[taken(BudgetOut, one) for one in found.budgets],
    )  # fmt: skip


@budgets.get("", dependencies=[needs(Permission.COSTS_VIEW)])
def list_budgets(deps: TheDeps) -> Budgets:
    """Return all budgets with their current use."""
    return Budgets(items=[taken(BudgetOut, one) for one in cost_commands.budgets(deps)])


@budgets.put("/{scope}/{key}/{period}")
def set_limit(deps: TheDeps, *, scope: Scope, key: Key, period: Period, body: NewLimit, who: Editor) -> BudgetOut:
    """Limit what the fleet, a persona, an agent or a provider may spend in a day or a month (UTC)."""
    cost_commands.set_budget(deps, scope, _name(scope, key), period, body.microusd, by=who.by)
    return taken(BudgetOut, cost_commands.budget(deps, scope, _name(scope, key), period))


@budgets.delete("/{scope}/{key}/{period}", status_code=204)
def remove_limit(deps: TheDeps, *, scope: Scope, key: Key, period: Period, who: Editor) -> None:
    """Remove a budget."""
    cost_commands.remove_budget(deps, scope, _name(scope, key), period, by=who.by)


@budgets.post("/{scope}/{key}/{period}/allow")
def allow(deps: TheDeps, *, scope: Scope, key: Key, period: Period, body: More, who: Editor) -> BudgetOut:
    """Raise a budget for its current period; the limit itself stays."""
    name = _name(scope, key)
    return taken(
        BudgetOut, cost_commands.allow(deps, scope, name, period, body.microusd, by=who.by, reason=body.reason)
    )  # fmt: skip


def _name(scope: Scope, key: str) -> str | None:
    return None if scope is Scope.FLEET and key == ALL else key
