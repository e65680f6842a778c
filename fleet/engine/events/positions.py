"""Positions: how far each reader of events has read. Every change is one guarded UPDATE that reports whether it
happened.

A position advances in the transaction that processes the events up to it; a reader that starts from an old position
changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, mapped_column

from fleet.core import events
from fleet.core.db import Base, Tx
from fleet.core.db.visibility import NONE
from fleet.core.errors import InvalidInput, NotFound
from fleet.core.events import Event, EventRow, Position

_CLOCK = sa.func.clock_timestamp()


class ReaderRow(Base):
    """How far a reader of events has come: the webhooks, and each subscriber in code."""

    __tablename__ = "event_readers"

    name: Mapped[str] = mapped_column(sa.String(80), primary_key=True)
    txid: Mapped[int] = mapped_column(sa.BigInteger)
    event_id: Mapped[int] = mapped_column(sa.BigInteger)
    moved_at: Mapped[datetime] = mapped_column(sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"))
    parked: Mapped[int] = mapped_column(server_default=sa.text("0"))  # events that were given up
    last_error: Mapped[str | None] = mapped_column(sa.String(500))

    __table_args__ = NONE.args


@dataclass(frozen=True, slots=True)
class Reader:
    """A reader and its position. `parked` counts the events that were given up."""

    name: str
    at: Position
    moved_at: datetime
    parked: int
    last_error: str | None


def forget(tx: Tx, name: str) -> None:
    """Forget a position."""
    tx.execute(sa.delete(ReaderRow).where(ReaderRow.name == name).execution_options(synchronize_session=False))


def standing(tx: Tx, name: str) -> Position:
    """Return a reader's position; a new reader begins with the events from now on."""
    found = tx.execute(sa.select(ReaderRow.txid, ReaderRow.event_id).where(ReaderRow.name == name)).one_or_none()
    if found is not None:
        return Position(*found)
    here = events.tail_position(tx)
    new = insert(ReaderRow).values(name=name, txid=here.txid, event_id=here.id).on_conflict_do_nothing()
    tx.execute(new)
    return Position(*tx.execute(sa.select(ReaderRow.txid, ReaderRow.event_id).where(ReaderRow.name == name)).one())


def advance(tx: Tx, name: str, before: Position, after: Position) -> bool:
    """Advance a reader; False if its position is not the one that the caller read from."""
    here = (ReaderRow.name == name, ReaderRow.txid == before.txid, ReaderRow.event_id == before.id)
    moved = sa.update(ReaderRow).where(*here).values(txid=after.txid, event_id=after.id, moved_at=_CLOCK)
    return tx.execute(moved.execution_options(synchronize_session=False)).rowcount == 1


def take(tx: Tx, name: str, *, only: Sequence[str], limit: int) -> list[Event]:
    """Return the next events of some subjects for a reader, and advance it past them.

    Empty, too, when another process has read them meanwhile.
    """
    at, tail = standing(tx, name), events.tail_position(tx)
    found = list(events.read_after(tx, at, only=only, limit=limit))
    reached = found[-1].position if len(found) == limit else max(at, tail, *(one.position for one in found))
    return found if reached != at and advance(tx, name, at, reached) else []


def park(tx: Tx, name: str, before: Position, after: Position, why: str) -> bool:
    """Advance a reader past an event that it cannot handle; False if its position is not the one that the caller read
    from.
    """
    if not advance(tx, name, before, after):
        return False
    counted = {"parked": ReaderRow.parked + 1, "last_error": why[:500]}
    tx.execute(sa.update(ReaderRow).where(ReaderRow.name == name).values(**counted))
    return True


def reset(tx: Tx, name: str, to: Position) -> Position:
    """Set a reader back to a position, to read again from there; return the old one. Raises NotFound."""
    row = tx.session.scalars(sa.select(ReaderRow).where(ReaderRow.name == name).with_for_update()).one_or_none()
    if row is None:
        raise NotFound(
            "No subscriber has read events under this name yet.", fix="`fleet events subscribers` shows who does."
        )
    stood = Position(row.txid, row.event_id)
    row.txid, row.event_id, row.moved_at = to.txid, to.id, tx.now()
    return stood


def are_from_elsewhere(tx: Tx) -> bool:
    """Return whether a reader's position lies beyond this server's transactions: it was written on another server."""
    return bool(tx.scalar(sa.select(sa.func.coalesce(sa.func.max(ReaderRow.txid), 0) >= events.YET_TO_COME)))


def put_first(tx: Tx) -> None:
    """Keep readers' places among events that all have the transaction id 0 (`events.put_first`)."""
    stands = sa.tuple_(ReaderRow.txid, ReaderRow.event_id)
    before_the_next = (
        sa.select(sa.func.min(EventRow.id) - 1)
        .where(sa.tuple_(EventRow.txid, EventRow.id) > stands)
        .correlate(ReaderRow)
        .scalar_subquery()
    )
    newest = sa.select(sa.func.max(EventRow.id)).scalar_subquery()
    # A reader at 0 was placed there before this process was killed.
    moved = sa.update(ReaderRow).where(ReaderRow.txid > 0)
    moved = moved.values(txid=0, event_id=sa.func.coalesce(before_the_next, newest, 0))
    tx.execute(moved.execution_options(synchronize_session=False))


def listed(tx: Tx) -> list[Reader]:
    """Return all readers by name."""
    rows = tx.session.scalars(sa.select(ReaderRow).order_by(ReaderRow.name))
    return [Reader(row.name, Position(row.txid, row.event_id), row.moved_at, row.parked, row.last_error)
            for row in rows]  # fmt: skip


def written(position: Position) -> str:
    """Return a position as people and programs write it."""
    return f"{position.txid}-{position.id}"


def read(text: str) -> Position:
    """Return the position that is written so. Raises InvalidInput."""
    txid, dash, event_id = text.strip().partition("-")
    plain = all(part.isascii() and part.isdigit() and len(part) <= 19 for part in (txid, event_id))
    if not dash or not plain or max(int(txid), int(event_id)) >= 2**63:
        raise InvalidInput(f"{text[:60]!r} is no position.", fix="It is written TXID-ID; 0-0 is before everything.")
    return Position(int(txid), int(event_id))
