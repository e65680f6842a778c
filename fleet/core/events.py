"""Events: what happened, append-only, written in the transaction that made it so.

The activity feed is a view of this table; `up`'s live line, `activity --follow`, webhooks and other agents read it
from a position. Ids are handed out before COMMIT, so reading "id > last" would miss events of slow transactions; a
position is therefore (transaction id, event id), and only transactions older than every running one are read.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from fleet.core.db import Base, Statement, Tx

_SETTLED_BELOW = sa.text("pg_snapshot_xmin(pg_current_snapshot())::text::bigint")


class EventRow(Base):
    """One event. `txid` is the id of the transaction that wrote it."""

    __tablename__ = "events"

    id: Mapped[int] = mapped_column(sa.BigInteger, sa.Identity(), primary_key=True)
    txid: Mapped[int] = mapped_column(sa.BigInteger, server_default=sa.text("pg_current_xact_id()::text::bigint"))
    occurred_at: Mapped[datetime] = mapped_column(
        sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()")
    )
    subject: Mapped[str] = mapped_column(sa.String(80))
    agent_id: Mapped[uuid.UUID | None]
    job_id: Mapped[uuid.UUID | None]
    payload: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=sa.text("'{}'::jsonb"))

    __table_args__ = (
        sa.Index("ix_events_position", "txid", "id"),
        sa.Index("ix_events_agent", "agent_id", "id"),
        sa.Index("ix_events_job", "job_id", postgresql_where=sa.text("job_id IS NOT NULL")),
        sa.Index("ix_events_occurred_at", "occurred_at"),
    )


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """Where a reader stands. `Position()` is before everything."""

    txid: int = 0
    id: int = 0


@dataclass(frozen=True, slots=True)
class Event:
    """One event as readers see it."""

    position: Position
    occurred_at: datetime
    subject: str
    agent_id: uuid.UUID | None
    job_id: uuid.UUID | None
    payload: Mapping[str, Any]


_EMIT = Statement(
    sa.insert(EventRow)
    .inline()
    .values({name: sa.bindparam(name) for name in ("subject", "agent_id", "job_id", "payload")})
)


def emit(tx: Tx, subject: str, *, agent_id: uuid.UUID | None = None, job_id: uuid.UUID | None = None,
         **payload: Any) -> None:  # fmt: skip
    """Record that something happened, in the transaction in which it happens."""
    tx.run(_EMIT, subject=subject, agent_id=agent_id, job_id=job_id, payload=payload)


def emit_many(tx: Tx, rows: list[dict[str, Any]]) -> None:
    """Record many events at once; each row has subject, agent_id, job_id and payload."""
    if rows:
        tx.execute(sa.insert(EventRow), rows)


def read_after(tx: Tx, position: Position, *, limit: int = 500) -> list[Event]:
    """Return the settled events after `position`, oldest first. No event is ever missed or seen twice."""
    query = (
        sa.select(EventRow)
        .where(
            sa.tuple_(EventRow.txid, EventRow.id) > sa.tuple_(sa.literal(position.txid), sa.literal(position.id)),
            EventRow.txid < _SETTLED_BELOW,
        )
        .order_by(EventRow.txid, EventRow.id)
        .limit(limit)
    )
    return [_event(row) for row in tx.session.scalars(query)]


def tail_position(tx: Tx) -> Position:
    """Return the position from which a reader sees only what comes after now."""
    return Position(txid=tx.scalar(sa.select(_SETTLED_BELOW)) - 1, id=2**62)


@dataclass(frozen=True, slots=True)
class Tally:
    """How often something was said: `number` sums the payloads' own `number` where one event stands for several."""

    subject: str
    kind: str | None
    number: int


_TALLY = sa.text("""
WITH page AS MATERIALIZED (
    SELECT txid, id, subject, payload FROM events
    WHERE (txid, id) > (:txid, :id) AND txid < pg_snapshot_xmin(pg_current_snapshot())::text::bigint
    ORDER BY txid, id LIMIT :limit)
SELECT subject, payload->>'kind' AS kind, max(ARRAY[txid, id]) AS last,
       sum(CASE WHEN jsonb_typeof(payload->'number') = 'number' THEN (payload->>'number')::numeric ELSE 1 END) AS number
FROM page GROUP BY subject, kind
""")


def tally_after(tx: Tx, position: Position, *, limit: int = 50_000) -> tuple[list[Tally], Position]:
    """Count the settled events after `position` by subject and kind; return the counts and how far they reach.

    At most `limit` events are read: whoever has fallen behind catches up with the next calls.
    """
    rows = list(tx.execute(_TALLY, {"txid": position.txid, "id": position.id, "limit": limit}))
    reached = max((Position(*row.last) for row in rows), default=position)
    return [Tally(row.subject, row.kind, int(row.number)) for row in rows], reached


def latest(tx: Tx, *, agent_id: uuid.UUID | None = None, job_id: uuid.UUID | None = None,
           subjects: tuple[str, ...] = (), since: datetime | None = None, limit: int = 50,
           offset: int = 0) -> list[Event]:  # fmt: skip
    """Return events newest first. A subject may end in `*`, which stands for any ending."""
    query = sa.select(EventRow).order_by(EventRow.id.desc()).limit(limit).offset(offset)
    if agent_id is not None:
        query = query.where(EventRow.agent_id == agent_id)
    if job_id is not None:
        query = query.where(EventRow.job_id == job_id)
    if since is not None:
        query = query.where(EventRow.occurred_at >= since)
    if subjects:
        query = query.where(sa.or_(*(_matches(subject) for subject in subjects)))
    return [_event(row) for row in tx.session.scalars(query)]


def _matches(subject: str) -> sa.ColumnElement[bool]:
    if subject.endswith("*"):
        return EventRow.subject.startswith(subject[:-1], autoescape=True)
    return EventRow.subject == subject


def _event(row: EventRow) -> Event:
    return Event(Position(row.txid, row.id), row.occurred_at, row.subject, row.agent_id, row.job_id, row.payload)
