"""Queries about agents, reading only. Called by `fleet.engine` and, through it, by entry points."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from fleet.core.db import Tx
from fleet.core.errors import NotFound
from fleet.engine.agents import config
from fleet.engine.agents.models import AgentRow
from fleet.engine.agents.status import AgentStatus


@dataclass(frozen=True, slots=True)
class AgentFilter:
    """Which agents; empty fields filter nothing."""

    status: AgentStatus | None = None
    persona_id: str | None = None
    text: str | None = None
    kind: str | None = None
    autonomy: str | None = None
    owner: str | None = None
    include_deleted: bool = False
    only_deleted: bool = False

    @property
    def is_gathered(self) -> bool:
        """Return whether the query collects all matches before it cuts a page of them.

        A persona's usernames lie together, and a rare text may match none: walking through the index of usernames until
        a page is full would read nearly every agent, in a random order.
        """
        return self.persona_id is not None or self.owner is not None or bool(self.text)


def get(tx: Tx, agent_id: uuid.UUID, *, include_deleted: bool = False) -> AgentRow:
    """Return one agent. Raises NotFound."""
    row = tx.session.get(AgentRow, agent_id)
    if row is None or (row.deleted_at is not None and not include_deleted):
        raise NotFound(f"There is no agent {agent_id}.", fix="`fleet agents list` shows them all.")
    return row


def named(tx: Tx, name: str, *, include_deleted: bool = False) -> AgentRow:
    """Return the agent with this username or id. Raises NotFound."""
    try:
        return get(tx, uuid.UUID(name), include_deleted=include_deleted)
    except ValueError:
        pass
    row = tx.session.scalars(sa.select(AgentRow).where(AgentRow.username == name)).one_or_none()
    if row is None or (row.deleted_at is not None and not include_deleted):
        raise NotFound(f"There is no agent called {name!r}.", fix="`fleet agents list` shows their usernames.")
    return row


def page(tx: Tx, which: AgentFilter, *, limit: int = 20, offset: int = 0) -> tuple[list[AgentRow], int]:
    """Return the result of `find`, and how many agents match in all."""
    if not which.is_gathered:
        return find(tx, which, limit=limit, offset=offset), count(tx, which)
    some = _gathered(_where(which))
    total = sa.select(sa.func.count()).select_from(some).scalar_subquery()  # no second query
    rows = tx.execute(_page_of(some, limit, offset).add_columns(total)).all()
    return [row[0] for row in rows], rows[0][1] if rows else count(tx, which)


def find(tx: Tx, which: AgentFilter, *, limit: int = 20, offset: int = 0, after: str | None = None,
         before: str | None = None) -> list[AgentRow]:  # fmt: skip
    """Return the agents that match, by username.

    `after` and `before` are usernames: the page that follows or precedes that agent. Each page costs the same, however
    far down it is.
    """
    where = _where(which)
    if after is not None:
        where.append(AgentRow.username > after)
    if before is not None:
        where.append(AgentRow.username < before)
    down = before is not None
    if which.is_gathered:
        query = _page_of(_gathered(where), limit, offset, down=down)
    else:
        query = sa.select(AgentRow).where(*where).order_by(AgentRow.username.desc() if down else AgentRow.username)
        query = query.limit(limit).offset(offset)
    rows = list(tx.session.scalars(query))
    return rows[::-1] if down else rows


def _gathered(where: Sequence[sa.ColumnElement[bool]]) -> sa.CTE:
    return sa.select(AgentRow.id, AgentRow.username).where(*where).cte("some").prefix_with("MATERIALIZED")


def _page_of(some: sa.CTE, limit: int, offset: int, *, down: bool = False) -> sa.Select[Any]:
    place = some.c.username.desc() if down else some.c.username
    page = sa.select(some).order_by(place).limit(limit).offset(offset).subquery("page")
    order = page.c.username.desc() if down else page.c.username
    return sa.select(AgentRow).join(page, page.c.id == AgentRow.id).order_by(order)


# A CHECK says that deleted agents are idle, and there is an index of idle ones.
_DELETED = sa.select(sa.func.count()).where(AgentRow.status == AgentStatus.IDLE, AgentRow.deleted_at.is_not(None))


def count(tx: Tx, which: AgentFilter) -> int:
    """Return how many agents match."""
    if which == AgentFilter():
        # The column for deletion is at the far end of the row: reading it in all rows takes four times as long as
        # counting all rows and the few deleted ones.
        everyone = sa.select(sa.func.count()).select_from(AgentRow).scalar_subquery()
        return int(tx.scalar(sa.select(everyone - _DELETED.scalar_subquery())) or 0)
    return int(tx.scalar(sa.select(sa.func.count()).select_from(AgentRow).where(*_where(which))) or 0)


def next_ids(tx: Tx, which: AgentFilter, statuses: Sequence[AgentStatus], *, usernames: Sequence[str] | None = None,
             sleepers: bool = False, after: uuid.UUID | None = None, limit: int = 1000,
             lock: bool = True) -> list[uuid.UUID]:  # fmt: skip
    """Lock and return agents that match and have one of the statuses, in the order of their ids.

    `usernames` narrows the selection; `sleepers` adds agents that are paused until a moment; `after` is the last id of
    the batch before. Without `lock` they are only read.
    """
    query = sa.select(AgentRow.id).where(*_crowd(which, statuses, usernames, sleepers))
    if after is not None:
        query = query.where(AgentRow.id > after)
    query = query.order_by(AgentRow.id).limit(limit)
    return list(tx.session.scalars(query.with_for_update() if lock else query))


def size(tx: Tx, which: AgentFilter, statuses: Sequence[AgentStatus], *, usernames: Sequence[str] | None = None,
         sleepers: bool = False) -> int:  # fmt: skip
    """Return how many agents `next_ids` would return in all its batches."""
    where = _crowd(which, statuses, usernames, sleepers)
    return int(tx.scalar(sa.select(sa.func.count()).select_from(AgentRow).where(*where)) or 0)


def _crowd(which: AgentFilter, statuses: Sequence[AgentStatus], usernames: Sequence[str] | None,
           sleepers: bool) -> list[sa.ColumnElement[bool]]:  # fmt: skip
    named = [] if usernames is None else [AgentRow.username.in_(usernames)]
    standing: sa.ColumnElement[bool] = AgentRow.status.in_(statuses)
    if sleepers:
        standing = sa.or_(standing, sa.and_(AgentRow.status == AgentStatus.PAUSED, AgentRow.paused_until.is_not(None)))
    return [*_where(which), standing, *named]


@dataclass(frozen=True, slots=True)
class Census:
    """How many agents there are by (persona, status), and how much all agents ever did by kind, deleted ones too."""

    agents: Mapping[tuple[str, str], int]
    totals: Mapping[str, int]


def census(tx: Tx) -> Census:
    """Count agents and sum their totals in one scan, by persona; agents without a persona count as "-"."""
    actions = config.counted_actions()
    totals = {kind: sa.func.sum(sa.cast(AgentRow.totals[kind], sa.BigInteger)) for kind in actions}
    living = sa.func.count().filter(AgentRow.deleted_at.is_(None))
    query = sa.select(AgentRow.persona_id, AgentRow.status, living, *totals.values())
    rows = tx.execute(query.group_by(AgentRow.persona_id, AgentRow.status)).all()
    return Census(
        {(str(persona or "-"), status): number for persona, status, number, *_ in rows if number},
        {kind: int(sum(row[3 + at] or 0 for row in rows)) for at, kind in enumerate(totals)},
    )


@dataclass(frozen=True, slots=True)
class AgentTally:
    """How many agents match a filter, and how many living ones there are by (persona, status)."""

    matching: int
    living: Mapping[tuple[str | None, str], int]

    def of_persona(self, persona_id: str | None) -> int:
        """Return how many living agents a persona has."""
        return sum(number for (persona, _), number in self.living.items() if persona == persona_id)


def tally(tx: Tx, which: AgentFilter) -> AgentTally:
    """Count the agents that match, and all that are not deleted, in one scan."""
    match = sa.and_(sa.true(), *_where(which))
    living = AgentRow.deleted_at.is_(None)
    counts = (sa.func.count().filter(match), sa.func.count().filter(living))
    query = sa.select(AgentRow.persona_id, AgentRow.status, *counts).group_by(AgentRow.persona_id, AgentRow.status)
    rows = tx.execute(query).all()
    there = {(persona, str(status)): int(number) for persona, status, _, number in rows if number}
    return AgentTally(sum(int(row[2]) for row in rows), there)


def counts_by_status(tx: Tx) -> dict[str, int]:
    """Return how many agents there are by status, in one scan."""
    rows = tx.execute(sa.select(AgentRow.status, sa.func.count()).group_by(AgentRow.status))
    found = {status: int(number) for status, number in rows}
    if AgentStatus.IDLE in found:
        found[AgentStatus.IDLE] -= int(tx.scalar(_DELETED) or 0)
    return found


def usernames(tx: Tx) -> frozenset[str]:
    """Return every username ever given, deleted agents' too: they stay taken."""
    return frozenset(tx.session.scalars(sa.select(AgentRow.username)))


def overdue_s(tx: Tx) -> float | None:
    """Return by how many seconds the most overdue agent is late for its tick; None if no agent is."""
    # The earliest time of all, late or not, is the first entry of an index; the earliest late one may be none of many.
    late = sa.extract("epoch", sa.func.clock_timestamp() - sa.func.min(AgentRow.next_tick_at))
    value = tx.scalar(sa.select(late).where(AgentRow.status == AgentStatus.RUNNING))
    return None if value is None or value <= 0 else float(value)


def _where(which: AgentFilter) -> list[sa.ColumnElement[bool]]:
    where: list[sa.ColumnElement[bool]] = []
    if which.status is not None:
        where.append(AgentRow.status == which.status)
    if which.persona_id is not None:
        where.append(AgentRow.persona_id == which.persona_id)
    if which.kind is not None:
        where.append(AgentRow.kind == which.kind)
    if which.autonomy is not None:
        where.append(AgentRow.autonomy == which.autonomy)
    if which.owner is not None:
        where.append(AgentRow.owner == which.owner)
    if which.text:
        # Not ILIKE, which folds case letter by letter: that took as long again as reading the rows.
        wanted = sa.func.lower(which.text)
        where.append(
            sa.or_(*(sa.func.strpos(sa.func.lower(told), wanted) > 0 for told in (AgentRow.name, AgentRow.username)))
        )
    if which.only_deleted:
        where.append(AgentRow.deleted_at.is_not(None))
    elif not which.include_deleted:
        where.append(AgentRow.deleted_at.is_(None))
    return where
