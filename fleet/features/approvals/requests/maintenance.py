"""Timed steps of requests: announce, remind, escalate and expire open ones; delete those settled long ago.

Called by the approval agent's ticks and by prune in `fleet.engine`, inside their transactions.
"""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from fleet.core.db import Tx
from fleet.features.approvals import rules as ruling
from fleet.features.approvals.models import DecisionRow, RequestRow
from fleet.features.approvals.queries import lock
from fleet.features.approvals.request import COLUMNS, Request, as_request
from fleet.features.approvals.requests.moves import record, settle, tell
from fleet.features.approvals.rules import Person, Step
from fleet.features.approvals.states import DecisionKind, RequestState

_BY = Person("fleet:approvals")
_LEAST_DAYS = 14
"""The shortest retention of requests: without its request, a dead letter of the last week would be asked about
again.
"""


def due(tx: Tx, now: datetime, *, limit: int = 500) -> list[Request]:
    """Return the open requests with a step due (`rules.step_due`), longest waiting first."""
    query = sa.select(*COLUMNS).where(RequestRow.next_step_at <= now).order_by(RequestRow.next_step_at).limit(limit)
    return [as_request(row) for row in tx.execute(query)]


def take(tx: Tx, request_id: uuid.UUID, step: Step, now: datetime) -> Request | None:
    """Take one step with a request, and return it; None if it is settled or the step is no longer due."""
    request = lock(tx, request_id)
    if request.is_settled or ruling.step_due(request.times, now) is not step:
        return None
    if step is Step.EXPIRE:
        record(tx, request, DecisionKind.EXPIRE, _BY, None)
        return settle(tx, request, RequestState.EXPIRED, _BY, "no decision in time")
    if step is Step.ESCALATE:
        record(tx, request, DecisionKind.ESCALATE, _BY, f"to {', '.join(request.escalate_to)}")
    taken = _marked(tx, request, step, now)
    if step is not Step.ANNOUNCE:  # that it was requested is an event already
        tell(tx, taken, "escalated" if step is Step.ESCALATE else "reminder")
    return taken


def _marked(tx: Tx, request: Request, step: Step, now: datetime) -> Request:
    """Record a step and the time of the next one. The end is announced to those to whom the beginning was announced."""
    after = replace(
        request.times, announced=True, reminded_at=now if step is Step.REMIND else request.reminded_at,
        escalated=request.times.escalated or step is Step.ESCALATE,
    )  # fmt: skip
    values: dict[str, Any] = {
        "announced_at": request.announced_at or now,
        "reminded_at": after.reminded_at,
        "escalated_at": request.escalated_at or (now if after.escalated else None),
        "next_step_at": ruling.next_step_at(after),
    }
    if step is Step.ESCALATE:
        values["approvers"] = list(dict.fromkeys([*request.approvers, *request.escalate_to]))
    tx.execute(sa.update(RequestRow).where(RequestRow.id == request.id).values(**values))
    return lock(tx, request.id)


def prune(tx: Tx, *, days: int, limit: int) -> int:
    """Delete requests that were settled long ago, with the record of their decisions; return how many requests."""
    age = sa.literal(timedelta(days=max(days, _LEAST_DAYS)), sa.Interval)
    cutoff = sa.select(sa.func.clock_timestamp()).scalar_subquery() - age
    # A settled request is older than its end: with this condition the index on the creation leads to the oldest.
    old = sa.select(RequestRow.id).where(RequestRow.created_at < cutoff, RequestRow.settled_at < cutoff)
    victims = list(tx.session.scalars(old.order_by(RequestRow.created_at).limit(limit)))
    if not victims:
        return 0
    # The table of decisions refuses every change except this one, in a transaction that declares itself as prune.
    tx.execute(sa.text("SELECT set_config('fleet.prunes', 'decisions', true)"))
    tx.execute(sa.delete(DecisionRow).where(DecisionRow.request_id.in_(victims)))
    tx.execute(sa.text("SELECT set_config('fleet.prunes', '', true)"))
    return tx.execute(sa.delete(RequestRow).where(RequestRow.id.in_(victims))).rowcount
