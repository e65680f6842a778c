"""Events: what happened, append-only, written in the transaction of the change itself.

The activity feed is a view of this table; `up`'s live line, `activity --follow`, webhooks and other agents read it from
a position. Ids are assigned before COMMIT, so reading "id > last" would miss events of slow transactions; a position is
therefore (transaction id, event id), and only transactions older than every running one are read.
"""

from __future__ import annotations

import functools
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from fleet.core.db import Base, Database, Tx
from fleet.core.db.sql import NOW, Statement
from fleet.core.db.visibility import Rows, own_text, seen
from fleet.core.masking import mask_all
from fleet.core.subjects import matches

# Rows are only appended, and pruned at the other end: frequent vacuums let new rows reuse the space of old ones.
APPENDED = {"autovacuum_vacuum_scale_factor": 0.05, "autovacuum_vacuum_insert_scale_factor": 0.05}
_SETTLED_BELOW = sa.text("pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
_OF_AGENT = seen("agents", "seen.id = events.agent_id")
# Of events without an agent, members see those of the whole fleet's controls, and of their organisation.
_OF_ALL = "subject LIKE 'control.%' AND coalesce(payload->>'scope', 'fleet') = 'fleet'"
_OF_OWN = own_text("payload->>'organisation'")
_EVENTS = Rows(
    f"CASE WHEN agent_id IS NULL THEN ({_OF_ALL}) OR ({_OF_OWN}) ELSE {_OF_AGENT} END",
    f"agent_id IS NULL OR {_OF_AGENT}",
)
YET_TO_COME: sa.ColumnElement[int] = sa.literal_column("pg_snapshot_xmax(pg_current_snapshot())::text::bigint")
"""The first transaction id that this server has not assigned to a visible transaction."""


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
        sa.Index("ix_events_subject", "subject", "id"),
        sa.Index("ix_events_job", "job_id", postgresql_where=sa.text("job_id IS NOT NULL")),
        {"postgresql_with": APPENDED, **_EVENTS.args},
    )


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """The position of a reader. `Position()` is before all events."""

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
    .values(occurred_at=NOW, **{name: sa.bindparam(name) for name in ("subject", "agent_id", "job_id", "payload")})
)


def emit(tx: Tx, subject: str, *, agent_id: uuid.UUID | None = None, job_id: uuid.UUID | None = None,
         **payload: Any) -> None:  # fmt: skip
    """Record an event, in the transaction of the change that it reports. Secrets are removed from its texts."""
    tx.run(_EMIT, subject=subject, agent_id=agent_id, job_id=job_id, payload=mask_all(payload))


def emit_many(tx: Tx, rows: list[dict[str, Any]]) -> None:
    """Record many events at once; each row has subject, agent_id, job_id and payload."""
    if rows:
        tx.execute(sa.insert(EventRow).inline().values(occurred_at=tx.sql_now), mask_all(rows))


def read_after(tx: Tx, position: Position, *, only: Sequence[str] = (), but: Sequence[str] = (),
               limit: int = 500) -> list[Event]:  # fmt: skip
    """Return the settled events after `position`, oldest first. No event is missed or returned twice.

    `only` are the subjects to read, `but` those to leave out; each may end in `*`.
    """
    rows = tx.run(_following(tuple(only), tuple(but)), txid=position.txid, id=position.id, limit=limit)
    return [_event(row) for row in rows]


def poll(db: Database, position: Position, *, but: Sequence[str] = (), limit: int = 500) -> list[Event]:
    """Return what `read_after` does, in one round trip: for readers that ask again and again. Raises Unavailable."""
    rows = db.run(_following((), tuple(but)), txid=position.txid, id=position.id, limit=limit)
    return [_event(row) for row in rows]


@functools.lru_cache(16)
def _following(only: tuple[str, ...], but: tuple[str, ...]) -> Statement:
    txid, id_, limit = (sa.bindparam(name, type_=sa.BigInteger()) for name in ("txid", "id", "limit"))
    later = sa.tuple_(EventRow.txid, EventRow.id) > sa.tuple_(txid, id_)
    wanted = [sa.or_(*(~one for one in _all_but(only)))] if only else []
    query = sa.select(*_TOLD).where(later, EventRow.txid < _SETTLED_BELOW, *wanted, *_all_but(but))
    return Statement(query.order_by(EventRow.txid, EventRow.id).limit(limit), prepared=False)


def of_ids(tx: Tx, ids: Sequence[int]) -> dict[Position, Event]:
    """Return events by position; those that were pruned are left out."""
    query = sa.select(*_TOLD).where(EventRow.id == sa.func.any(sa.literal(list(ids), sa.ARRAY(sa.BigInteger))))
    return {event.position: event for event in map(_event, tx.execute(query))}


def tail_position(tx: Tx) -> Position:
    """Return the position after the newest event."""
    return Position(txid=tx.scalar(sa.select(_SETTLED_BELOW)) - 1, id=2**62)


def are_from_elsewhere(tx: Tx) -> bool:
    """Return whether events have transaction ids that this server has not reached: they were written on another
    server.
    """
    return bool(tx.scalar(sa.select(sa.func.coalesce(sa.func.max(EventRow.txid), 0) >= YET_TO_COME)))


def put_first(tx: Tx, *, limit: int) -> int:
    """Put the first `limit` events below all positions to come, in the order that they have; return how many."""
    first = sa.select(EventRow.id).where(EventRow.txid > 0).order_by(EventRow.txid, EventRow.id).limit(limit)
    moved = sa.update(EventRow).where(EventRow.id.in_(first.with_for_update(skip_locked=True))).values(txid=0)
    return tx.execute(moved.execution_options(synchronize_session=False)).rowcount


@dataclass(frozen=True, slots=True)
class EventTally:
    """How often a subject occurred: `number` sums the payloads' own `number` where one event stands for several."""

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


def tally_after(tx: Tx, position: Position, *, limit: int = 50_000) -> tuple[list[EventTally], Position]:
    """Count the settled events after `position` by subject and kind; return the counts and how far they reach.

    At most `limit` events are read: a reader that is behind catches up with the next calls.
    """
    rows = list(tx.execute(_TALLY, {"txid": position.txid, "id": position.id, "limit": limit}))
    reached = max((Position(*row.last) for row in rows), default=position)
    return [EventTally(row.subject, row.kind, int(row.number)) for row in rows], reached


def latest(tx: Tx, *, agent_id: uuid.UUID | None = None, job_id: uuid.UUID | None = None,
           subjects: tuple[str, ...] = (), but: Sequence[str] = (), since: datetime | None = None,
           before: int | None = None, limit: int = 50) -> list[Event]:  # fmt: skip
    """Return events newest first, of some subjects or of all but some. A subject may end in `*`, for any ending.

    `before` is an event's id: the page that follows that event. Each page costs the same, however far down it is.
    """
    given = {"agent_id": agent_id, "job_id": job_id, "before": before}
    values: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    wanted = _spelled_out(tx, subjects)
    if subjects and not wanted:
        return []
    of_one = agent_id is not None or job_id is not None
    query = _latest_of(frozenset(values), tuple(but), len(wanted) if of_one else bool(wanted), of_one=of_one)
    values |= {f"subject_{n}": name for n, name in enumerate(wanted)} if of_one else {"subjects": wanted}
    events = [_event(row) for row in tx.run(query, limit=limit, **values)]
    # Ids grow with time, so events that are too old are at the end: no index on the time is needed.
    return events if since is None else [event for event in events if event.occurred_at >= since]


@functools.lru_cache(64)
def _latest_of(given: frozenset[str], but: tuple[str, ...], subjects: int, *, of_one: bool) -> Statement:
    """Return the statement for a page of events, cached by the shape of the filter: building it takes longer than
    running it.

    With an agent or job, its events are few and are filtered by subject. Without one, the statement takes at most one
    page of each subject from an index. Scanning all events from the newest would be as quick for a frequent subject,
    but would read the whole table for a rare one.
    """
    limit = sa.bindparam("limit", type_=sa.BigInteger())
    where = [*_all_but(but), *(_GIVEN[name] for name in sorted(given))]
    query = sa.select(*_TOLD).order_by(EventRow.id.desc())
    if of_one or not subjects:
        wanted = [sa.bindparam(f"subject_{n}", type_=sa.String()) for n in range(subjects)]
        own = [EventRow.subject.in_(wanted)] if wanted else []
        return Statement(query.where(*where, *own).limit(limit), prepared=False)
    asked = sa.func.unnest(sa.bindparam("subjects", type_=ARRAY(sa.String()))).table_valued("subject").render_derived()
    newest = sa.select(EventRow.id).where(EventRow.subject == asked.c.subject, *where).order_by(EventRow.id.desc())
    each = newest.limit(limit).lateral()
    some = sa.select(each.c.id).select_from(asked.join(each, sa.true())).subquery()
    page = sa.select(some.c.id).order_by(some.c.id.desc()).limit(limit).subquery()
    return Statement(query.join(page, page.c.id == EventRow.id), prepared=False)


_GIVEN: dict[str, sa.ColumnElement[bool]] = {
    "agent_id": EventRow.agent_id == sa.bindparam("agent_id", type_=sa.Uuid()),
    "job_id": EventRow.job_id == sa.bindparam("job_id", type_=sa.Uuid()),
    "before": EventRow.id < sa.bindparam("before", type_=sa.BigInteger()),
}


def _all_but(subjects: Sequence[str]) -> list[sa.ColumnElement[bool]]:
    return [
        ~EventRow.subject.startswith(one[:-1], autoescape=True) if one.endswith("*") else EventRow.subject != one
        for one in subjects
    ]


def _spelled_out(tx: Tx, subjects: Sequence[str]) -> list[str]:
    """Return the subjects in use that match; there are some dozens, each found by one step in the index."""
    if not any(subject.endswith("*") for subject in subjects):
        return list(subjects)
    known = [row.subject for row in tx.run(_USED)]
    return [name for name in known if any(matches(name, subject) for subject in subjects)]


def _used() -> Statement:
    first = sa.select(sa.func.min(EventRow.subject).label("subject")).cte("used", recursive=True)
    following = sa.select(sa.func.min(EventRow.subject)).where(EventRow.subject > first.c.subject).scalar_subquery()
    used = first.union_all(sa.select(following).where(first.c.subject.is_not(None)))
    return Statement(sa.select(used.c.subject).where(used.c.subject.is_not(None)))


_USED = _used()
_TOLD = (
    EventRow.txid, EventRow.id, EventRow.occurred_at, EventRow.subject, EventRow.agent_id, EventRow.job_id,
    EventRow.payload,
)  # fmt: skip


def _event(row: Any) -> Event:
    return Event(Position(row.txid, row.id), row.occurred_at, row.subject, row.agent_id, row.job_id, row.payload)


def prune(tx: Tx, *, days: int, limit: int) -> int:
    """Delete the oldest events, if they are past their retention; return how many."""
    oldest = sa.select(EventRow.id).order_by(EventRow.id).limit(limit).scalar_subquery()
    cutoff = tx.sql_now - sa.literal(timedelta(days=days), sa.Interval)
    # The oldest first, then their age: a search by age would step over every young event in the last batch.
    gone = sa.delete(EventRow).where(EventRow.id.in_(oldest), EventRow.occurred_at < cutoff)
    return tx.execute(gone.execution_options(synchronize_session=False)).rowcount
