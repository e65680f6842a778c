"""Budgets: scope, beginning and end of the period, and whether an amount still fits. Pure.

Called by `fleet.spending.ledger`. Periods are days and months of UTC, so that they are the same wherever a worker runs.
Money is integer millionths of a US dollar.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from fleet.core.errors import FleetError, InvalidInput

ALL = "*"
_MOST_DOLLARS = 1_000_000
_DOLLARS = re.compile(r"-?(?:[0-9]{1,12}(?:\.[0-9]{0,6})?|\.[0-9]{1,6})", re.A)
SETTLED_SOON = timedelta(minutes=1)
"""When to retry a call that failed only because of amounts reserved for other calls."""


class Scope(StrEnum):
    """Whom a budget covers."""

    FLEET = "fleet"
    ORGANISATION = "organisation"
    PERSONA = "persona"
    AGENT = "agent"
    PROVIDER = "provider"


class Period(StrEnum):
    """How long a budget lasts before it is full again."""

    DAY = "day"
    MONTH = "month"

    @property
    def each(self) -> str:
        """The adjective of the period: a daily budget."""
        return "daily" if self is Period.DAY else "monthly"

    @property
    def now(self) -> str:
        """How people call the current period."""
        return "today" if self is Period.DAY else "this month"


@dataclass(frozen=True, slots=True)
class Spender:
    """The scopes that pay for a call: agent, persona and so on, and its purpose."""

    agent_id: uuid.UUID | None
    persona_id: str | None
    job_id: uuid.UUID | None
    purpose: str
    organisation_id: uuid.UUID | None = None

    def keys(self, provider: str) -> dict[Scope, str]:
        """Return the key under which each scope would have a budget for a call to this provider."""
        keys = {Scope.FLEET: ALL, Scope.PROVIDER: provider}
        if self.organisation_id is not None:
            keys[Scope.ORGANISATION] = str(self.organisation_id)
        if self.persona_id is not None:
            keys[Scope.PERSONA] = self.persona_id
        if self.agent_id is not None:
            keys[Scope.AGENT] = str(self.agent_id)
        return keys


@dataclass(frozen=True, slots=True)
class Budget:
    """A limit and the used part of it in the current period. `allowance_microusd` is what a person added to it.

    `spent_at` is when a call first did not fit in this period; raising the limit or adding to it clears it.
    """

    scope: Scope
    key: str
    period: Period
    limit_microusd: int
    allowance_microusd: int
    spent_microusd: int
    reserved_microusd: int
    spent_at: datetime | None = None

    @property
    def left_microusd(self) -> int:
        """What may still be reserved; never below zero."""
        used = self.spent_microusd + self.reserved_microusd
        return max(0, self.limit_microusd + self.allowance_microusd - used)

    def will_fit(self, microusd: int) -> bool:
        """Say whether an amount fits once the calls under way are settled, even if they cost nothing."""
        return self.spent_microusd + microusd <= self.limit_microusd + self.allowance_microusd

    def words(self) -> str:
        """Return the message for people when a call does not fit."""
        limit = dollars(self.limit_microusd + self.allowance_microusd)
        aside = f", {dollars(self.reserved_microusd)} set aside" if self.reserved_microusd else ""
        return (
            f"The {self.period.each} budget of {whose(self.scope, self.key)} ({limit}) has too little left for this"
            f" call: {dollars(self.spent_microusd)} spent{aside}."
        )


class BudgetSpent(FleetError):
    """A call does not fit into a budget. `until` is when to retry.

    `is_passing` says that only amounts reserved for running calls are in the way: the budget is not spent.
    """

    def __init__(self, budget: Budget, until: datetime, *, is_passing: bool = False) -> None:
        super().__init__(budget.words(), fix=f"`fleet budgets allow` adds to it {budget.period.now}.")
        self.budget = budget
        self.until = until
        self.is_passing = is_passing


def begins(period: Period, now: datetime) -> datetime:
    """Return when the period that holds `now` began."""
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight if period is Period.DAY else midnight.replace(day=1)


def ends(period: Period, now: datetime) -> datetime:
    """Return when the period that holds `now` ends and the next begins."""
    start = begins(period, now)
    if period is Period.DAY:
        return start + timedelta(days=1)
    return (start + timedelta(days=32)).replace(day=1)


def first_spent(budgets: Iterable[Budget], microusd: int, now: datetime) -> BudgetSpent | None:
    """Return why an amount does not fit, or None if it fits into all budgets.

    A provider's budget counts last: if another one is spent too, another provider does not help. Among the rest the one
    whose period ends last decides. Budgets that lack only reserved amounts count after all others.
    """
    over = [budget for budget in budgets if budget.left_microusd < microusd]
    if not over:
        return None
    spent = [budget for budget in over if not budget.will_fit(microusd)]
    worst = max(spent or over, key=lambda budget: (budget.scope is not Scope.PROVIDER, ends(budget.period, now)))
    until = ends(worst.period, now)
    return BudgetSpent(worst, until if spent else min(until, now + SETTLED_SOON), is_passing=not spent)


def forecast(spent_microusd: int, now: datetime) -> int:
    """Return what today (UTC) will have cost at its end at its average rate so far, in microusd.

    In the first tenth of the day the rate is unreliable: what was spent counts as a tenth of the day's cost at most.
    """
    gone = max(0.1, (now - begins(Period.DAY, now)) / timedelta(days=1))
    return round(spent_microusd / gone)


def whose(scope: Scope, key: str | None) -> str:
    """Return the scope of a budget as text."""
    return "the fleet" if scope is Scope.FLEET else f"{scope} {key}"


def dollars(microusd: int) -> str:
    """Return an amount for people: cents where they matter, more digits where they alone are there."""
    amount = microusd / 1_000_000
    whole, _, part = f"{amount:,.2f}".partition(".") if amount >= 1 else f"{amount:.6f}".partition(".")
    return f"${whole}.{part.rstrip('0').ljust(2, '0')}"


def microusd(amount: str) -> int:
    """Return an amount that a person typed in dollars, such as `2.50`, exactly. Raises InvalidInput."""
    from decimal import Decimal

    written = amount.strip().removeprefix("$")
    if not _DOLLARS.fullmatch(written):
        raise InvalidInput(
            f"{amount!r} is not an amount.", fix="Write dollars with at most six decimals, such as 2.50."
        )
    value = Decimal(written)
    if value < 0:
        raise InvalidInput(f"The amount must be positive: {amount} is negative.", fix="Write dollars, such as 2.50.")
    if value > _MOST_DOLLARS:
        raise InvalidInput(f"{amount} is more than the largest amount, {_MOST_DOLLARS:,} dollars.")
    return int(value * 1_000_000)
