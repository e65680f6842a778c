"""The entries of all sources in one order: pages of a list, and the first ones of each day or hour."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from fleet.access import Principal
from fleet.core.db import Tx
from fleet.engine.deps import Deps
from fleet.engine.points.calendar_source import CalendarEntry, CalendarFilter, CalendarSource, sources

_TIME = sa.DateTime(timezone=True)


class Place(NamedTuple):
    """The place of an entry in the order of all: pages of a list end there."""

    at: datetime
    source: str
    id: uuid.UUID

    @classmethod
    def read(cls, said: str) -> Place:
        """Parse what `str` wrote. Raises ValueError."""
        at, source, entry_id = said.split(" ")
        moment = datetime.fromisoformat(at)
        if moment.tzinfo is None:
            raise ValueError("no zone")
        return cls(moment, source, uuid.UUID(entry_id))

    def __str__(self) -> str:
        return f"{self.at.isoformat()} {self.source} {self.id}"


@dataclass(frozen=True, slots=True)
class SourcedEntry:
    """An entry and the source that it comes from."""

    source: CalendarSource
    entry: CalendarEntry

    @property
    def place(self) -> Place:
        """Its place in the order of all."""
        return Place(self.entry.at, self.source.name, self.entry.id)


@dataclass(slots=True)
class Cell:
    """A day or an hour: its first entries, and how many there are."""

    entries: list[SourcedEntry] = field(default_factory=list)
    total: int = 0

    @property
    def more(self) -> int:
        """How many are not among the first ones."""
        return self.total - len(self.entries)


def page(
    deps: Deps, who: Principal, which: CalendarFilter, *, limit: int, after: Place | None = None
) -> tuple[list[SourcedEntry], Place | None]:
    """Return entries in order, and the place to continue from. An entry that has just gone leaves the page shorter."""
    shown = _shown(who)
    if not shown:
        return [], None
    if after is not None:
        which = replace(which, start=max(which.start, after.at))
    keys = _keys(shown, which)
    here = sa.tuple_(keys.c.at, keys.c.source, keys.c.id)
    query = sa.select(keys.c.source, keys.c.id, keys.c.at).order_by(keys.c.at, keys.c.source, keys.c.id)
    if after is not None:
        place = sa.tuple_(
            sa.literal(after.at, _TIME), sa.literal(after.source, sa.String), sa.literal(after.id, sa.Uuid)
        )
        query = query.where(here > place)
    with deps.db.transaction() as tx:
        rows = tx.execute(query.limit(limit + 1)).all()
        found = _load(deps, tx, shown, ((row.source, row.id) for row in rows[:limit]))
    listed = [found[row.source, row.id] for row in rows[:limit] if (row.source, row.id) in found]
    last = rows[limit - 1] if len(rows) > limit else None
    return listed, None if last is None else Place(last.at, last.source, last.id)


def cells(deps: Deps, who: Principal, which: CalendarFilter, bounds: Sequence[datetime], *, most: int) -> list[Cell]:
    """Return the cells between neighbours of `bounds`: the first `most` entries of each, and how many there are.

    One statement counts and picks; only what is shown is read further, so 10,000 entries cost their keys alone.
    """
    found = [Cell() for _ in bounds[1:]]
    shown = _shown(who)
    if not shown:
        return found
    keys = _keys(shown, replace(which, start=bounds[0], end=bounds[-1]))
    number = sa.func.width_bucket(keys.c.at, sa.literal(list(bounds), ARRAY(_TIME))).label("number")
    numbered = sa.select(keys.c.source, keys.c.id, keys.c.at, number).subquery("numbered")
    ranked = sa.select(
        numbered.c.source, numbered.c.id, numbered.c.number,
        sa.func.count().over(partition_by=numbered.c.number).label("total"),
        sa.func.row_number().over(
            partition_by=numbered.c.number, order_by=(numbered.c.at, numbered.c.source, numbered.c.id)
        ).label("rank"),
    ).subquery("ranked")  # fmt: skip
    query = sa.select(ranked).where(ranked.c.rank <= most).order_by(ranked.c.number, ranked.c.rank)
    with deps.db.transaction() as tx:
        rows = tx.execute(query).all()
        loaded = _load(deps, tx, shown, ((row.source, row.id) for row in rows))
    for row in rows:
        cell = found[row.number - 1]
        cell.total = row.total
        if (row.source, row.id) in loaded:
            cell.entries.append(loaded[row.source, row.id])
    return found


def entry(deps: Deps, source: CalendarSource, entry_id: uuid.UUID) -> CalendarEntry | None:
    """Return one entry; None if it is gone, or if the caller does not see its row."""
    with deps.db.transaction() as tx:
        return next(iter(source.load(deps, tx, [entry_id])), None)


def _shown(who: Principal) -> Mapping[str, CalendarSource]:
    return {one.name: one for one in sources() if who.may(one.permission)}


def _keys(shown: Mapping[str, CalendarSource], which: CalendarFilter) -> sa.Subquery:
    parts: list[sa.Select[str, uuid.UUID, datetime, str]] = []
    for name, one in shown.items():
        keys = one.keys(which).subquery(f"keys_{len(parts)}")
        parts.append(sa.select(sa.literal(name, sa.String).label("source"), keys.c.id, keys.c.at, keys.c.layer))
    return sa.union_all(*parts).subquery("keys")


def _load(
    deps: Deps, tx: Tx, shown: Mapping[str, CalendarSource], keys: Iterable[tuple[str, uuid.UUID]]
) -> Mapping[tuple[str, uuid.UUID], SourcedEntry]:
    wanted: dict[str, list[uuid.UUID]] = {}
    for name, entry_id in keys:
        wanted.setdefault(name, []).append(entry_id)
    return {
        (name, found.id): SourcedEntry(shown[name], found)
        for name, ids in wanted.items()
        for found in shown[name].load(deps, tx, ids)
    }
