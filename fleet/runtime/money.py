"""What people ask and say about money. Called by the doors; the loop's own dealings with it are in `paying`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from fleet.access import audit
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


def budget(deps: Deps, scope: Scope, name: str | None, period: Period) -> Budget:
    """Return one budget as it stands now. Raises NotFound."""
    with deps.db.transaction() as tx:
        key = _key(deps, tx, scope, name)
        found = [one for one in ledger.list_budgets(tx) if (one.scope, one.key, one.period) == (scope, key, period)]
    if not found:
        raise NotFound(f"There is no such budget: {scope} {name or ''} {period}.")
    return found[0]


def set_budget(deps: Deps, scope: Scope, name: str | None, period: Period, microusd: int, *, by: str) -> None:
    """Limit what a scope may spend in a period. Raises NotFound, InvalidInput."""
    with deps.db.transaction() as tx:
        key = _key(deps, tx, scope, name)
        before = _limit(tx, scope, key, period)
        ledger.set_budget(tx, scope, key, period, microusd, by=by)
        audit.note_change(tx, "budget.set", _target(scope, name, period), before, {"microusd": microusd})


def remove_budget(deps: Deps, scope: Scope, name: str | None, period: Period, *, by: str) -> None:
    """Lift a limit. Raises NotFound."""
    with deps.db.transaction() as tx:
        key = _key(deps, tx, scope, name)
        before = _limit(tx, scope, key, period)
        ledger.remove_budget(tx, scope, key, period, by=by)
        audit.note(tx, "budget.removed", _target(scope, name, period), before=before)


def allow(deps: Deps, scope: Scope, name: str | None, period: Period, microusd: int, *, by: str, reason: str) -> Budget:
    """Let a scope spend more in its current period. Raises NotFound."""
    with deps.db.transaction() as tx:
        budget = ledger.allow(tx, scope, _key(deps, tx, scope, name), period, microusd, by=by, reason=reason)
        after = {"microusd": microusd, "reason": reason}
        audit.note(tx, "budget.allowed", _target(scope, name, period), after=after)
        return budget


def _limit(tx: Tx, scope: Scope, key: str, period: Period) -> dict[str, int]:
    """Return the limit that stands, for the audit log; nothing where none does."""
    limits = {(one.scope, one.key, one.period): one.limit_microusd for one in ledger.list_budgets(tx)}
    found = limits.get((scope, key, period))
    return {} if found is None else {"microusd": found}


def _target(scope: Scope, name: str | None, period: Period) -> str:
    """Return how the audit log names a budget."""
    return f"budget:{scope}:{ALL if name is None else name}:{period}"


def _key(deps: Deps, tx: Tx, scope: Scope, name: str | None) -> str:
    """Return the key of what a person named."""
    if name is None or scope is Scope.FLEET:
        return name or ALL
    if scope is Scope.AGENT:
        return str(agent_queries.named(tx, name).id)
    if scope is Scope.PERSONA and name not in {persona.id for persona in deps.personas}:
        raise NotFound(f"There is no persona {name!r}.", fix="`fleet persona list` shows them.")
    return name
