"""Deliveries: one event for one subscription each, with the receiver's response. Their state is their jobs'."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from fleet.core.db import Tx
from fleet.features.webhooks.models import DeliveryRow

_CLOCK = sa.func.clock_timestamp()
# Joined by id: the columns of a job that a list shows are read by the table's name.
_JOBS = sa.table(
    "jobs", sa.column("id", sa.Uuid), sa.column("state", sa.String), sa.column("attempts", sa.Integer),
    sa.column("error", sa.Text), sa.column("held", sa.String), sa.column("next_attempt_at", sa.DateTime(timezone=True)),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Delivery:
    """One delivery in a list. `status` and `answer` are of the last try; `why` says why it waits."""

    job_id: uuid.UUID
    subject: str
    position: str
    created_at: datetime
    tried_at: datetime | None
    status: int | None
    answer: str | None
    took_ms: int | None
    state: str
    attempts: int
    why: str | None
    next_attempt_at: datetime


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of one try."""

    status: int | None
    answer: str
    took_ms: int


def add(tx: Tx, rows: Sequence[tuple[uuid.UUID, uuid.UUID, str, str]]) -> None:
    """Record deliveries by (job, subscription, subject, position); existing ones stay as they are.

    A subscription that was removed a moment ago has none.
    """
    if rows:
        names = ("job", "subscription", "subject", "position")
        tx.execute(_ADD, [dict(zip(names, row, strict=True)) for row in rows])


_ADD = sa.text("""
INSERT INTO hook_deliveries (job_id, subscription_id, subject, position)
SELECT :job, id, :subject, :position FROM hook_subscriptions WHERE id = :subscription
ON CONFLICT DO NOTHING
""")


def note(tx: Tx, job_id: uuid.UUID, tried: Tried) -> None:
    """Record the receiver's last response."""
    values = {"tried_at": _CLOCK, "status": tried.status, "answer": tried.answer[:500], "took_ms": tried.took_ms}
    changed = sa.update(DeliveryRow).where(DeliveryRow.job_id == job_id).values(**values)
    tx.execute(changed.execution_options(synchronize_session=False))


def page(tx: Tx, subscription_id: uuid.UUID, *, state: str | None = None, limit: int = 50,
         before: uuid.UUID | None = None) -> list[Delivery]:  # fmt: skip
    """Return a subscription's deliveries newest first; `before` is the last job of the page above."""
    where = [DeliveryRow.subscription_id == subscription_id]
    if state is not None:
        where.append(_JOBS.c.state == _written_out(state))
    if before is not None:
        place = sa.select(DeliveryRow.created_at, DeliveryRow.job_id).where(DeliveryRow.job_id == before)
        where.append(sa.tuple_(DeliveryRow.created_at, DeliveryRow.job_id) < place.scalar_subquery())
    query = (
        sa.select(
            DeliveryRow.job_id, DeliveryRow.subject, DeliveryRow.position, DeliveryRow.created_at,
            DeliveryRow.tried_at, DeliveryRow.status, DeliveryRow.answer, DeliveryRow.took_ms,
            _JOBS.c.state, _JOBS.c.attempts, sa.func.coalesce(_JOBS.c.held, _JOBS.c.error), _JOBS.c.next_attempt_at,
        )
        .join(_JOBS, _JOBS.c.id == DeliveryRow.job_id)
        .where(*where)
        .order_by(DeliveryRow.created_at.desc(), DeliveryRow.job_id.desc())
        .limit(limit)
    )  # fmt: skip
    return [Delivery(*row) for row in tx.execute(query)]


def _written_out(state: str) -> sa.BindParameter[str]:
    """Return a state as a literal in the SQL: a placeholder would hide the index of dead letters."""
    return sa.bindparam(None, state, literal_execute=True)


def failed(tx: Tx, subscription_id: uuid.UUID, *, limit: int = 1000) -> list[uuid.UUID]:
    """Return the jobs of a subscription's deliveries that are dead letters, oldest first."""
    query = (
        sa.select(DeliveryRow.job_id)
        .join(_JOBS, _JOBS.c.id == DeliveryRow.job_id)
        .where(DeliveryRow.subscription_id == subscription_id, _JOBS.c.state == _written_out("dead"))
        .order_by(DeliveryRow.created_at)
        .limit(limit)
    )
    return list(tx.session.scalars(query))


def refused_for_now(tx: Tx, job_ids: Sequence[uuid.UUID]) -> set[uuid.UUID]:
    """Return those of some deliveries whose receiver answered that it is busy, perhaps with a Retry-After."""
    busy = sa.select(DeliveryRow.job_id).where(DeliveryRow.job_id.in_(job_ids), DeliveryRow.status.in_((429, 503)))
    return set(tx.session.scalars(busy))


@dataclass(frozen=True, slots=True)
class LastFailure:
    """The last failure of a webhook, and when the next of its failed deliveries is tried again, if one is."""

    at: datetime
    subject: str
    status: int | None
    words: str
    next_at: datetime | None


def trouble(tx: Tx, subscription_id: uuid.UUID) -> LastFailure | None:
    """Return the last failure among a subscription's newest thousand deliveries that are not done; None without one."""
    newest = (
        sa.select(DeliveryRow.job_id)
        .where(DeliveryRow.subscription_id == subscription_id)
        .order_by(DeliveryRow.created_at.desc(), DeliveryRow.job_id.desc())
        .limit(1000)
        .subquery()
    )
    waits = sa.and_(_JOBS.c.state == "ready", _JOBS.c.attempts > 0)
    words = sa.func.coalesce(sa.func.nullif(DeliveryRow.answer, ""), _JOBS.c.error, "")
    query = (
        sa.select(
            DeliveryRow.tried_at, DeliveryRow.subject, DeliveryRow.status, words,
            sa.func.min(_JOBS.c.next_attempt_at).filter(waits).over(),
        )
        .join(newest, newest.c.job_id == DeliveryRow.job_id)
        .join(_JOBS, _JOBS.c.id == DeliveryRow.job_id)
        .where(DeliveryRow.tried_at.is_not(None), sa.or_(waits, _JOBS.c.state == "dead"))
        .order_by(DeliveryRow.tried_at.desc())
        .limit(1)
    )  # fmt: skip
    row = tx.execute(query).one_or_none()
    return None if row is None else LastFailure(*row)


def counts(tx: Tx, subscription_id: uuid.UUID) -> dict[str, int]:
    """Return how many of a subscription's newest thousand deliveries are in each state."""
    newest = (
        sa.select(DeliveryRow.job_id)
        .where(DeliveryRow.subscription_id == subscription_id)
        .order_by(DeliveryRow.created_at.desc(), DeliveryRow.job_id.desc())
        .limit(1000)
        .subquery()
    )
    query = sa.select(_JOBS.c.state, sa.func.count()).join(newest, newest.c.job_id == _JOBS.c.id)
    return dict(tx.execute(query.group_by(_JOBS.c.state)).tuples().all())
