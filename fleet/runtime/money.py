"""What people ask and say about money. Called by the doors; the loop's own dealings with it are in `paying`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from fleet.agents import queries as agent_queries
from fleet.core.db import Tx
from fleet.core.errors import NotFound
from fleet.runtime.deps import Deps
from fleet.spending import ledger, queries
from fleet.spending.budgets import ALL, Budget, Period, Scope, begins, forecast
from fleet.spending.queries import By, Sum


@dataclass(frozen=True, slots=True)
class Costs:
    """What was spent since a moment, summed, and how today is going. Amounts in microusd."""

    since: datetime
    sums: Sequence[Sum]
    total: int
    today: int
    forecast_today: int
    budgets: Sequence[Budget]


def costs(deps: Deps, by: By, *, for_: timedelta, limit: int = 100) -> Costs:
    """Return the costs of the last while, and of today (UTC)."""
    with deps.db.transaction() as tx:
        now = tx.now()
        since = now - for_
        today = queries.spent_since(tx, begins(Period.DAY, now))
        return Costs(
            since, queries.sums(tx, by, since=since, limit=limit), queries.spent_since(tx, since), today,
            forecast(today, now), ledger.list_budgets(tx),
        )  # fmt: skip


def budgets(deps: Deps) -> list[Budget]:
    """Return every budget as it stands now."""
    with deps.db.transaction() as tx:
        return ledger.list_budgets(tx)


def set_budget(deps: Deps, scope: Scope, name: str | None, period: Period, microusd: int, *, by: str) -> bool:
    """Limit what a scope may spend in a period; False if it is so already. Raises NotFound, InvalidInput."""
    with deps.db.transaction() as tx:
        return ledger.set_budget(tx, scope, _key(deps, tx, scope, name), period, microusd, by=by)


def remove_budget(deps: Deps, scope: Scope, name: str | None, period: Period, *, by: str) -> None:
    """Lift a limit. Raises NotFound."""
    with deps.db.transaction() as tx:
        ledger.remove_budget(tx, scope, _key(deps, tx, scope, name), period, by=by)


def allow(deps: Deps, scope: Scope, name: str | None, period: Period, microusd: int, *, by: str, reason: str,
          had_microusd: int | None = None) -> Budget:  # fmt: skip
    """Let a scope spend more in its current period. Raises NotFound; Conflict if it had not been allowed `had_microusd`
    before."""
    with deps.db.transaction() as tx:
        key = _key(deps, tx, scope, name)
        return ledger.allow(tx, scope, key, period, microusd, by=by, reason=reason, had_microusd=had_microusd)


def _key(deps: Deps, tx: Tx, scope: Scope, name: str | None) -> str:
    """Return the key of what a person named."""
    if name is None or scope is Scope.FLEET:
        return name or ALL
    if any(one.scope is scope and one.key == name for one in ledger.list_budgets(tx)):
        return name  # what it names may be gone; its budget can be lifted all the same
    if scope is Scope.AGENT:
        return str(agent_queries.named(tx, name).id)
    if scope is Scope.PERSONA and name not in {persona.id for persona in deps.personas}:
        raise NotFound(f"There is no persona {name!r}.", fix="`fleet persona list` shows them.")
    return name


@dataclass(frozen=True, slots=True)
class Spending:
    """What was spent in the last days of UTC, today included. Amounts in microusd; `days` holds thirty of them."""

    days: Sequence[tuple[date, int]]
    sums: Sequence[Sum]
    forecast_today: int
    budgets: Sequence[Budget]

    def last(self, days: int) -> int:
        """Return what the last so many days cost."""
        return sum(amount for _, amount in self.days[-days:])


_DAYS_SHOWN = 30


def spending(deps: Deps, by: By, *, days: int, limit: int = 100) -> Spending:
    """Return the costs of the last thirty days by day, and of the last `days` summed."""
    with deps.db.transaction() as tx:
        now = tx.now()
        midnight = begins(Period.DAY, now)
        starts = [midnight - timedelta(days=back) for back in reversed(range(_DAYS_SHOWN))]
        spent = queries.spent_by_day(tx, starts)
        amounts = [(start.date(), amount) for start, amount in zip(starts, spent, strict=True)]
        sums = queries.sums(tx, by, since=midnight - timedelta(days=days - 1), limit=limit)
        return Spending(amounts, sums, forecast(amounts[-1][1], now), ledger.list_budgets(tx))
