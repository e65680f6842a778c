"""The ledger of money: reserve an amount before a call, settle it after, and record every call.

Called by `fleet.engine` inside its transactions. An amount is reserved in the budgets that cover the call, under their
rows' locks, so that any number of workers together stay within them. If the worker died, the amount counts as spent:
the call may have been made and billed.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from fleet.core import events, ids
from fleet.core.db import Tx
from fleet.core.db.sql import Statement
from fleet.core.errors import Conflict, InvalidInput, NotFound
from fleet.llm.base import Usage
from fleet.spending.budgets import ALL, Budget, Period, Scope, Spender, begins, first_spent, whose
from fleet.spending.days import folded_until
from fleet.spending.models import BudgetRow, CallRow, ReservationRow

_CLOCK = sa.func.clock_timestamp()
_LONGEST_PERIOD_DAYS = 31
About = Mapping[str, Any]
NOTHING: About = MappingProxyType({})
_AGENTS_OF = sa.text("SELECT id FROM agents WHERE organisation_id = :organisation").columns(id=sa.Uuid)


@dataclass(frozen=True, slots=True)
class Reservation:
    """An amount set aside for one call. `id` is None where no budget covers it."""

    id: uuid.UUID | None
    spender: Spender
    provider: str
    microusd: int


def reserve(tx: Tx, spender: Spender, provider: str, microusd: int, *, lease_s: float) -> Reservation:
    """Set aside the most that a call can cost. Raises BudgetSpent if it does not fit into every budget."""
    rows = _covering(tx, spender.keys(provider))
    if not rows or microusd == 0:
        return Reservation(None, spender, provider, microusd)
    now = tx.now()
    for row in rows:
        _roll_over(row, now)
    spent = first_spent([_budget(row) for row in rows], microusd, now)
    if spent is not None:
        raise spent
    for row in rows:
        row.reserved_microusd += microusd
    reservation = Reservation(ids.new(), spender, provider, microusd)
    tx.execute(
        sa.insert(ReservationRow).values(
            id=reservation.id, agent_id=spender.agent_id, persona_id=spender.persona_id,
            organisation_id=spender.organisation_id, provider=provider, microusd=microusd,
            until=_CLOCK + sa.func.make_interval(0, 0, 0, 0, 0, 0, sa.cast(lease_s, sa.Double)),
        )
    )  # fmt: skip
    return reservation


def fits(tx: Tx, spender: Spender, provider: str, microusd: int) -> bool:
    """Say whether an amount could be set aside now; locks and changes nothing."""
    now, keys = tx.now(), spender.keys(provider)
    covering = [one for one in list_budgets(tx) if keys.get(one.scope) == one.key]
    return microusd == 0 or first_spent(covering, microusd, now) is None


def mark_spent(tx: Tx, budget: Budget, microusd: int) -> bool:
    """Note that a call did not fit; True for the first one of the period, unless more was allowed meanwhile."""
    row = _locked(tx, budget.scope, budget.key, budget.period)
    if row is None:
        return False
    _roll_over(row, tx.now())
    if row.spent_at is not None or _budget(row).will_fit(microusd):
        return False
    row.spent_at = tx.now()
    return True


def settle(tx: Tx, reservation: Reservation, calls: Iterable[Usage]) -> None:
    """Record the calls that were made and charge their cost in place of the reserved amount."""
    calls = list(calls)
    record(tx, reservation.spender, calls)
    cost = sum(call.microusd for call in calls)
    if reservation.id is None:  # no budget covered the call when it began; one may by now
        if cost:
            _charge(tx, reservation, set_aside=0, cost=cost)
        return
    gone = sa.delete(ReservationRow).where(ReservationRow.id == reservation.id)
    if tx.execute(gone).rowcount == 1:
        _charge(tx, reservation, set_aside=reservation.microusd, cost=cost)


def record(tx: Tx, spender: Spender, calls: Iterable[Usage]) -> None:
    """Write a row for each call. Existing budgets are charged by `settle`; a later budget counts these rows."""
    rows = [
        {
            "agent_id": spender.agent_id, "persona_id": spender.persona_id, "job_id": spender.job_id,
            "purpose": spender.purpose, "provider": call.provider, "model": call.model, "outcome": call.outcome,
            "input_tokens": call.input_tokens, "cache_read_tokens": call.cache_read_tokens,
            "cache_write_tokens": call.cache_write_tokens, "output_tokens": call.output_tokens,
            "microusd": call.microusd, "latency_ms": call.latency_ms, "batch": call.batch,
        }
        for call in calls
    ]  # fmt: skip
    if rows:
        tx.execute(sa.insert(CallRow), rows)


_ABANDONED = (
    sa.select(ReservationRow.id).where(ReservationRow.until < _CLOCK).limit(1).with_for_update(skip_locked=True)
)
_TAKE_ABANDONED = Statement(
    sa.delete(ReservationRow)
    .where(ReservationRow.id == _ABANDONED.scalar_subquery())
    .returning(
        ReservationRow.agent_id,
        ReservationRow.persona_id,
        ReservationRow.organisation_id,
        ReservationRow.provider,
        ReservationRow.microusd,
    )
)


def charge_abandoned(tx: Tx) -> bool:
    """Charge one reserved amount that was never settled; False when there is none. For the sweep.

    One in a transaction: budgets' rows are locked in order, and a second amount would break that order.
    """
    row = tx.run(_TAKE_ABANDONED).fetchone()
    if row is None:
        return False
    spender = Spender(row.agent_id, row.persona_id, None, "", row.organisation_id)
    lost = Reservation(None, spender, row.provider, row.microusd)
    _charge(tx, lost, set_aside=row.microusd, cost=row.microusd)
    return True


def prune_calls(tx: Tx, *, days: int, limit: int) -> int:
    """Delete some of the calls older than `days` that are summed by day.

    Calls that the budget of a month may still count stay.
    """
    cutoff = _CLOCK - sa.literal(timedelta(days=max(days, _LONGEST_PERIOD_DAYS)), sa.Interval)
    is_old, is_folded = CallRow.called_at < cutoff, CallRow.called_at < folded_until(tx)
    victims = sa.select(CallRow.id).where(is_old, is_folded).limit(limit).subquery()
    return tx.execute(sa.delete(CallRow).where(CallRow.id == victims.c.id)).rowcount


def _charge(tx: Tx, reservation: Reservation, *, set_aside: int, cost: int) -> None:
    now = tx.now()
    for row in _covering(tx, reservation.spender.keys(reservation.provider)):
        _roll_over(row, now)
        # A budget that was set in the very moment in which the amount was set aside may know nothing of it.
        row.reserved_microusd = max(0, row.reserved_microusd - set_aside)
        row.spent_microusd += cost


def set_budget(
    tx: Tx, scope: Scope, key: str, period: Period, limit_microusd: int, *, by: str, about: About = NOTHING
) -> bool:
    """Set a limit; False if it is set already. The cost of its period so far is summed from the recorded calls, and its
    reserved amount from those of running calls, so that settling them does not release amounts of other budgets.

    `about` are further fields of the event. Raises InvalidInput.
    """
    _check(scope, key)
    start = begins(period, tx.now())
    values = {"limit_microusd": limit_microusd, "spent_at": None, "set_by": by[:100], "set_at": _CLOCK}
    made = insert(BudgetRow).values(
        scope=scope, key=key, period=period, period_start=start,
        spent_microusd=_sum(tx, CallRow, scope, key, CallRow.called_at >= start),
        reserved_microusd=_sum(tx, ReservationRow, scope, key), **values,
    )  # fmt: skip
    differs = BudgetRow.limit_microusd != limit_microusd
    put = made.on_conflict_do_update(index_elements=["scope", "key", "period"], set_=values, where=differs)
    if tx.scalar(put.returning(BudgetRow.key)) is None:
        return False
    events.emit(tx, "budget.set", scope=scope, key=key, period=period, microusd=limit_microusd, by=by, **about)
    return True


def remove_budget(tx: Tx, scope: Scope, key: str, period: Period, *, by: str, about: About = NOTHING) -> None:
    """Lift a limit. Raises NotFound."""
    gone = sa.delete(BudgetRow).where(BudgetRow.scope == scope, BudgetRow.key == key, BudgetRow.period == period)
    if tx.execute(gone).rowcount == 0:
        raise unknown(scope, key, period)
    events.emit(tx, "budget.removed", scope=scope, key=key, period=period, by=by, **about)


def allow(tx: Tx, scope: Scope, key: str, period: Period, more_microusd: int, *, by: str, reason: str,
          had_microusd: int | None = None, about: About = NOTHING) -> Budget:  # fmt: skip
    """Add to a scope's limit for the current period: an action of a person, recorded.

    `had_microusd` is the amount added before, as the person saw it; if it has changed, this is a double click or
    another person was quicker. Raises NotFound, Conflict.
    """
    row = _locked(tx, scope, key, period)
    if row is None:
        raise unknown(scope, key, period)
    _roll_over(row, tx.now())
    refuse_unseen(had_microusd, row.allowance_microusd)
    row.allowance_microusd += more_microusd
    row.spent_at = None
    events.emit(
        tx, "budget.allowed", scope=scope, key=key, period=period, microusd=more_microusd, by=by, reason=reason,
        **about,
    )  # fmt: skip
    return _budget(row)


def refuse_unseen(had_microusd: int | None, now_microusd: int) -> None:
    """Raise Conflict if what had been added to a budget is no longer what a person saw."""
    if had_microusd not in (None, now_microusd):
        raise Conflict("This budget was raised in the meantime.", fix="Look at what it has now, then raise it again.")


def list_budgets(tx: Tx) -> list[Budget]:
    """Return every budget and its use in the current period."""
    rows = list(tx.session.scalars(sa.select(BudgetRow).order_by(BudgetRow.scope, BudgetRow.key, BudgetRow.period)))
    now = tx.now()
    for row in rows:
        tx.session.expunge(row)  # rolled over for the reader's eyes only
        _roll_over(row, now)
    return [_budget(row) for row in rows]


def _locked(tx: Tx, scope: Scope, key: str, period: Period) -> BudgetRow | None:
    query = sa.select(BudgetRow).where(BudgetRow.scope == scope, BudgetRow.key == key, BudgetRow.period == period)
    return tx.session.scalars(query.with_for_update().execution_options(populate_existing=True)).one_or_none()


def _covering(tx: Tx, keys: Mapping[Scope, str]) -> list[BudgetRow]:
    """Lock the budgets of these scopes, always in the same order, so that no two workers wait for each other."""
    query = (
        sa.select(BudgetRow)
        .where(sa.tuple_(BudgetRow.scope, BudgetRow.key).in_([(str(scope), key) for scope, key in keys.items()]))
        .order_by(BudgetRow.scope, BudgetRow.key, BudgetRow.period)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return list(tx.session.scalars(query))


def _roll_over(row: BudgetRow, now: datetime) -> None:
    """Begin a new period where the old one is over. What is set aside stays so: its calls are yet to be charged."""
    start = begins(Period(row.period), now)
    if row.period_start < start:
        row.period_start, row.spent_microusd, row.allowance_microusd, row.spent_at = start, 0, 0, None


def _budget(row: BudgetRow) -> Budget:
    return Budget(
        Scope(row.scope), row.key, Period(row.period), row.limit_microusd, row.allowance_microusd, row.spent_microusd,
        row.reserved_microusd, row.spent_at,
    )  # fmt: skip


def _sum(tx: Tx, of: type[CallRow] | type[ReservationRow], scope: Scope, key: str,
         *where: sa.ColumnElement[bool]) -> int:  # fmt: skip
    """Return the sum of all rows that a scope covers, in microusd."""
    match scope:
        case Scope.AGENT:
            where = (*where, of.agent_id == uuid.UUID(key))
        case Scope.PERSONA:
            where = (*where, of.persona_id == key)
        case Scope.PROVIDER:
            where = (*where, of.provider == key)
        case Scope.ORGANISATION if of is ReservationRow:
            where = (*where, ReservationRow.organisation_id == uuid.UUID(key))
        case Scope.ORGANISATION:  # calls belong where their agent does
            where = (*where, of.agent_id.in_(_AGENTS_OF.bindparams(organisation=uuid.UUID(key))))
    return int(tx.scalar(sa.select(sa.func.coalesce(sa.func.sum(of.microusd), 0)).where(*where)))


def _check(scope: Scope, key: str) -> None:
    if (key == ALL) != (scope is Scope.FLEET):
        raise InvalidInput("The budget of the fleet takes no name." if scope is Scope.FLEET else f"Which {scope}?")
    if scope in (Scope.AGENT, Scope.ORGANISATION):
        try:
            uuid.UUID(key)
        except ValueError:
            raise InvalidInput(f"{key!r} is no id of an {scope}.") from None


def unknown(scope: Scope, key: str, period: Period) -> NotFound:
    """Return the error for a scope without a budget."""
    return NotFound(f"There is no {period.each} budget of {whose(scope, key)}.",
                    fix="`fleet budgets list` shows them all.")  # fmt: skip
