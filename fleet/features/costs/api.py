"""The API of costs and budgets. Amounts in millionths of a US dollar."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Self

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field, model_validator

from fleet.access import Permission, Principal
from fleet.engine.agents import lookup
from fleet.engine.deps import Deps
from fleet.engine.points import verbs
from fleet.features.costs import commands as cost_commands
from fleet.features.costs import verbs as cost_verbs
from fleet.spending import budgets as money
from fleet.spending.budgets import ALL, Budget, Period, Scope
from fleet.spending.groups import SpendingBy
from fleet.web.auth import TheDeps, needs
from fleet.web.openapi import ASKED
from fleet.web.requests.cursors import MOST
from fleet.web.requests.fields import Body, Moment, prose, taken, whole

router = APIRouter(prefix="/costs", tags=["costs"])
budgets = APIRouter(prefix="/budgets", tags=["budgets"])

_MOST_MICROUSD = 10**12
Microusd = Annotated[int, whole(0, _MOST_MICROUSD), Field(examples=[2_500_000])]
Dollars = Annotated[
    str,
    Field(
        max_length=40,
        strict=True,
        examples=["2.50"],
        description="the same in dollars, as text with at most six decimals",
    ),
]
Key = Annotated[
    str,
    Path(max_length=100, description="username, organisation, persona or provider; * for the fleet", examples=["*"]),
]
Editor = Annotated[Principal, needs(Permission.BUDGETS_EDIT)]


class SumOut(BaseModel):
    """Calls to models that have something in common."""

    key: str | None = Field(description="what they have in common; null for calls without it")
    name: str | None = Field(description="the agent's username, in sums by agent")
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
    key: str = Field(description="the id of an agent or organisation, a persona, a provider; * for the fleet")
    name: str | None = Field(description="of an agent its username, of an organisation its name")
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
    by: SpendingBy
    sums: list[SumOut]
    total_microusd: int
    today_microusd: int
    forecast_today_microusd: int
    budgets: list[BudgetOut]


class CostsQuery(Body):
    """How to sum, and over how many days."""

    by: SpendingBy = SpendingBy.PROVIDER
    days: Annotated[int, Field(ge=1, le=366)] = 7
    since: Annotated[Moment, Field(description="from this moment, instead of `days`")] | None = None
    limit: Annotated[int, Field(ge=1, le=MOST)] = 100


class Budgets(BaseModel):
    """Every budget."""

    items: list[BudgetOut]


class NewLimit(Body):
    """How much may be spent in a period: in microdollars or in dollars."""

    microusd: Microusd | None = None
    limit_usd: Dollars | None = None

    @model_validator(mode="after")
    def _one_amount(self) -> Self:
        _check_amount(self.microusd, self.limit_usd, "limit_usd")
        return self

    @property
    def amount(self) -> int:
        """Return the amount in microdollars. Raises InvalidInput."""
        return _amount(self.microusd, self.limit_usd)


class More(Body):
    """How much more may be spent in the current period, in microdollars or in dollars, and why."""

    microusd: Microusd | None = None
    more_usd: Dollars | None = None
    reason: Annotated[str, prose(300)] = ""

    @model_validator(mode="after")
    def _one_amount(self) -> Self:
        _check_amount(self.microusd, self.more_usd, "more_usd")
        return self

    @property
    def amount(self) -> int:
        """Return the amount in microdollars. Raises InvalidInput."""
        return _amount(self.microusd, self.more_usd)


def _check_amount(microusd: int | None, dollars: str | None, name: str) -> None:
    if (microusd is None) == (dollars is None):
        raise ValueError(f"give the amount once, as microusd or as {name}")


def _amount(microusd: int | None, dollars: str | None) -> int:
    return money.microusd(dollars) if dollars is not None else microusd or 0


@router.get("", dependencies=[needs(Permission.COSTS_VIEW)])
def costs(deps: TheDeps, *, which: Annotated[CostsQuery, Query()]) -> CostsOut:
    """Return the cost of model calls by group; days in order, other groups by cost."""
    found = cost_commands.costs(
        deps, which.by, for_=timedelta(days=which.days), since=which.since, limit=which.limit
    )  # fmt: skip
    keys = [one.key for one in found.sums] if which.by is SpendingBy.AGENT else []
    names = lookup.usernames(deps.db, keys)
    return CostsOut(
        since=found.since, by=which.by,
        sums=[taken(SumOut, one, name=names.get(one.key or "")) for one in found.sums],
        total_microusd=found.total, today_microusd=found.today, forecast_today_microusd=found.forecast_today,
        budgets=_budgets(deps, found.budgets),
    )  # fmt: skip


@budgets.get("", dependencies=[needs(Permission.COSTS_VIEW)])
def list_budgets(deps: TheDeps) -> Budgets:
    """Return all budgets with their current use."""
    return Budgets(items=_budgets(deps, cost_commands.budgets(deps)))


@budgets.put("/{scope}/{key}/{period}", responses=ASKED)
def set_limit(deps: TheDeps, *, scope: Scope, key: Key, period: Period, body: NewLimit, who: Editor) -> BudgetOut:
    """Limit what the fleet, an organisation, a persona, an agent or a provider may spend in a day or a month (UTC)."""
    cost_verbs.set_limit(deps, who, scope, _name(scope, key), period=period, microusd=body.amount)
    return _budgets(deps, [cost_commands.budget(deps, scope, _name(scope, key), period)])[0]


@budgets.delete("/{scope}/{key}/{period}", status_code=204, responses=ASKED)
def remove_limit(deps: TheDeps, *, scope: Scope, key: Key, period: Period, who: Editor) -> None:
    """Remove a budget."""
    verbs.perform(deps, who, "budget", "delete", scope=scope, name=_name(scope, key), period=period)


@budgets.post("/{scope}/{key}/{period}/allow", responses=ASKED)
def allow(deps: TheDeps, *, scope: Scope, key: Key, period: Period, body: More, who: Editor) -> BudgetOut:
    """Raise a budget for its current period; the limit itself stays."""
    name = _name(scope, key)
    more = {"microusd": body.amount, "reason": body.reason}
    raised: Budget = verbs.perform(deps, who, "budget", "override", scope=scope, name=name, period=period, **more)
    return _budgets(deps, [raised])[0]


def _budgets(deps: Deps, found: Sequence[Budget]) -> list[BudgetOut]:
    names: Mapping[str, str] = lookup.scope_names(deps.db, [(one.scope, one.key) for one in found])
    return [taken(BudgetOut, one, name=names.get(one.key)) for one in found]


def _name(scope: Scope, key: str) -> str | None:
    return None if scope is Scope.FLEET and key == ALL else key
