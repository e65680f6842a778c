"""Commands and queries about money, for people. The loop's part is in `budget_guard`."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from fleet.access import audit, organisations
from fleet.core.db import Tx
from fleet.core.errors import InvalidInput, NotFound
from fleet.engine import controls, registry
from fleet.engine.agents import commands
from fleet.engine.agents import queries as agent_queries
from fleet.engine.agents.commands import first_tick_at
from fleet.engine.deps import Deps
from fleet.engine.jobs import snooze
from fleet.features.personas.service import personas_of
from fleet.llm import registry as models
from fleet.spending import ledger, queries
from fleet.spending.budgets import ALL, Budget, Period, Scope, begins, forecast
from fleet.spending.groups import SpendingBy
from fleet.spending.queries import CallSum


@dataclass(frozen=True, slots=True)
class CostReport:
    """What was spent since a moment, summed, and how today is going. Amounts in microusd."""

    since: datetime
    sums: Sequence[CallSum]
    total: int
    today: int
    forecast_today: int
    budgets: Sequence[Budget]


def costs(deps: Deps, by: SpendingBy, *, for_: timedelta, since: datetime | None = None,
          limit: int = 100) -> CostReport:  # fmt: skip
    """Return the costs since a moment, or else of the last while, and of today (UTC)."""
    with deps.db.transaction() as tx:
        now = tx.now()
        since = since or now - for_
        today = queries.spent_since(tx, begins(Period.DAY, now))
        return CostReport(
            since, queries.sums(tx, by, since=since, limit=limit), queries.spent_since(tx, since), today,
            forecast(today, now), ledger.list_budgets(tx),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class AgentCosts:
    """The spending of an agent within `DAYS` days, today (UTC) among them, and its budgets. Amounts in microusd."""

    today: int
    total: int
    by_day: Sequence[CallSum]
    by_model: Sequence[CallSum]
    by_purpose: Sequence[CallSum]
    budgets: Sequence[Budget]


DAYS = 7


def costs_of(deps: Deps, name: str) -> AgentCosts:
    """Return an agent's costs, by its username or id, even of a deleted one. Raises NotFound."""
    with deps.db.transaction() as tx:
        agent_id = agent_queries.named(tx, name, include_deleted=True).id
        today = begins(Period.DAY, tx.now())
        since = today - timedelta(days=DAYS - 1)
        by_day, by_model, by_purpose = (
            queries.sums(tx, by, since=since, agent_id=agent_id)
            for by in (SpendingBy.DAY, SpendingBy.MODEL, SpendingBy.PURPOSE)
        )
        own = [one for one in ledger.list_budgets(tx) if (one.scope, one.key) == (Scope.AGENT, str(agent_id))]
    spent = {one.key: one.microusd for one in by_day}
    return AgentCosts(
        spent.get(today.date().isoformat(), 0), sum(spent.values()), _all_days(today, by_day), by_model, by_purpose, own
    )  # fmt: skip


def _all_days(today: datetime, by_day: Sequence[CallSum]) -> list[CallSum]:
    """Return one sum for each day, oldest first, including days without spending."""
    known = {one.key: one for one in by_day}
    days = [(today - timedelta(days=back)).date().isoformat() for back in range(DAYS - 1, -1, -1)]
    return [known.get(day) or CallSum(day, 0, 0, 0, 0, 0, 0, 0, 0) for day in days]


def budgets(deps: Deps) -> list[Budget]:
    """Return every budget and its use now."""
    with deps.db.transaction() as tx:
        return ledger.list_budgets(tx)


def budget(deps: Deps, scope: Scope, name: str | None, period: Period) -> Budget:
    """Return one budget and its use now. Raises NotFound."""
    found = find(deps, scope, name, period)
    if found is None:
        with deps.db.transaction() as tx:
            raise ledger.unknown(scope, _key(deps, tx, scope, name), period)
    return found


def find(deps: Deps, scope: Scope, name: str | None, period: Period) -> Budget | None:
    """Return one budget and its use now, or None. Raises NotFound for an unknown name."""
    with deps.db.transaction() as tx:
        wanted = (scope, _key(deps, tx, scope, name), period)
        return next((one for one in ledger.list_budgets(tx) if (one.scope, one.key, one.period) == wanted), None)


def set_budget(deps: Deps, scope: Scope, name: str | None, period: Period, microusd: int, *, by: str) -> bool:
    """Set a scope's limit for a period; False if it is set already. Raises NotFound, InvalidInput."""
    with deps.db.transaction() as tx:
        key = _key(deps, tx, scope, name)
        _end_waits(tx)
        before = _limit(tx, scope, key, period)
        changed = ledger.set_budget(tx, scope, key, period, microusd, by=by, about=about(tx, scope, key))
        _end_old_pauses(tx, scope, key, by=by)
        audit.note_change(tx, "budget.set", _target(scope, name, period), before, {"microusd": microusd})
        return changed


def remove_budget(deps: Deps, scope: Scope, name: str | None, period: Period, *, by: str) -> None:
    """Lift a limit. Raises NotFound."""
    with deps.db.transaction() as tx:
        key = _key(deps, tx, scope, name)
        _end_waits(tx)
        before = _limit(tx, scope, key, period)
        ledger.remove_budget(tx, scope, key, period, by=by, about=about(tx, scope, key))
        _end_old_pauses(tx, scope, key, by=by)
        audit.note(tx, "budget.removed", _target(scope, name, period), before=before)


def allow(deps: Deps, scope: Scope, name: str | None, period: Period, microusd: int, *, by: str, reason: str,
          had_microusd: int | None = None) -> Budget:  # fmt: skip
    """Let a scope spend more in its current period. Raises NotFound, InvalidInput for an amount of zero.

    Raises Conflict if it had not been allowed `had_microusd` before.
    """
    refuse_nothing(microusd)
    with deps.db.transaction() as tx:
        key = _key(deps, tx, scope, name)
        _end_waits(tx)
        budget = ledger.allow(
            tx, scope, key, period, microusd, by=by, reason=reason, had_microusd=had_microusd,
            about=about(tx, scope, key),
        )  # fmt: skip
        after = {"microusd": microusd, "reason": reason}
        audit.note(tx, "budget.allowed", _target(scope, name, period), after=after)
        _end_old_pauses(tx, scope, key, by=by)
        return budget


def about(tx: Tx, scope: Scope, key: str) -> dict[str, Any]:
    """Return what events say of a budget besides: the organisation, whose members see them, and its name."""
    if scope is not Scope.ORGANISATION:
        return {}
    return {"organisation": key, "organisation_name": organisations.names(tx).get(key, key)}


def refuse_nothing(microusd: int) -> None:
    """Raise InvalidInput for an amount that raises nothing."""
    if microusd <= 0:
        raise InvalidInput("An amount of $0.00 raises nothing.", fix="Write dollars, such as 2.50.")


def _end_waits(tx: Tx) -> None:
    """Make the jobs that may wait for a budget due now; to be called before anything else is locked."""
    snooze.free_held(tx, registry.current().kinds(lambda job: job.asks_model))


def _end_old_pauses(tx: Tx, scope: Scope, key: str, *, by: str) -> None:
    """End the pauses that earlier versions set for a spent budget; this version sets none."""
    if scope in (Scope.FLEET, Scope.PERSONA):
        controls.end_pause_of_budget(tx, scope, key, by=by)
    elif scope is Scope.AGENT:
        agent_id = uuid.UUID(key)
        reasons = tuple(f"The {period.each} budget of agent {key} (" for period in Period)
        commands.resume_paused_for(tx, agent_id, reasons, first_tick_at=first_tick_at(tx))


def _limit(tx: Tx, scope: Scope, key: str, period: Period) -> dict[str, int]:
    """Return the limit in force, for the audit log; empty if there is none."""
    limits = {(one.scope, one.key, one.period): one.limit_microusd for one in ledger.list_budgets(tx)}
    found = limits.get((scope, key, period))
    return {} if found is None else {"microusd": found}


def _target(scope: Scope, name: str | None, period: Period) -> str:
    """Return how the audit log names a budget."""
    return f"budget:{scope}:{ALL if name is None else name}:{period}"


def _key(deps: Deps, tx: Tx, scope: Scope, name: str | None) -> str:
    """Return the key of a scope that a person named."""
    if name is None or scope is Scope.FLEET:
        return name or ALL
    if any(one.scope is scope and one.key == name for one in ledger.list_budgets(tx)):
        return name  # the named object may be gone; its budget can be removed all the same
    if scope is Scope.AGENT:
        return str(agent_queries.named(tx, name).id)
    if scope is Scope.ORGANISATION:
        return str(organisations.named(tx, name).id)
    if scope is Scope.PERSONA:
        return personas_of(deps).get(name).id
    if scope is Scope.PROVIDER and name not in (known := _providers()):
        raise NotFound(f"There is no provider {name!r}.", fix=f"Known: {', '.join(sorted(known))}.")
    return name


def _providers() -> set[str]:
    """Return the providers of models, and those that features register at `costs.providers`."""
    return {*models.MODELS, *(name for names in registry.current().extensions("costs.providers") for name in names)}


@dataclass(frozen=True, slots=True)
class Spending:
    """What was spent in the last days of UTC, today included. Amounts in microusd; `days` holds thirty of them."""

    days: Sequence[tuple[date, int]]
    sums: Sequence[CallSum]
    forecast_today: int
    budgets: Sequence[Budget]

    def last(self, days: int) -> int:
        """Return the costs of the last so many days."""
        return sum(amount for _, amount in self.days[-days:])


_DAYS_SHOWN = 30


def spending(deps: Deps, by: SpendingBy, *, days: int, limit: int = 100) -> Spending:
    """Return the costs of the last thirty days by day, and of the last `days` summed."""
    with deps.db.transaction() as tx:
        now = tx.now()
        midnight = begins(Period.DAY, now)
        starts = [midnight - timedelta(days=back) for back in reversed(range(_DAYS_SHOWN))]
        spent = queries.spent_by_day(tx, starts[0])
        amounts = [(start.date(), spent.get(start.date(), 0)) for start in starts]
        sums = queries.sums(tx, by, since=midnight - timedelta(days=days - 1), limit=limit)
        return Spending(amounts, sums, forecast(amounts[-1][1], now), ledger.list_budgets(tx))
