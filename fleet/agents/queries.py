"""What is asked about agents: reading only. Called by `fleet.runtime` and, through it, by doors."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from fleet.agents.models import AgentRow, Status
from fleet.core.db import Tx
from fleet.core.errors import NotFound


@dataclass(frozen=True, slots=True)
class Filter:
    """Which agents; empty fields filter nothing."""

    status: Status | None = None
    persona_id: str | None = None
    text: str | None = None
    kind: str | None = None
    autonomy: str | None = None
    include_deleted: bool = False


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


def find(tx: Tx, which: Filter, *, limit: int = 20, offset: int = 0, after: str | None = None) -> list[AgentRow]:
    """Return the agents that match, by username; `after` is the username with which the page above ended."""
    query = sa.select(AgentRow).where(*_where(which)).order_by(AgentRow.username)
    if after is not None:
        query = query.where(AgentRow.username > after)
    return list(tx.session.scalars(query.limit(limit).offset(offset)))


def count(tx: Tx, which: Filter) -> int:
    """Return how many agents match."""
    return int(tx.scalar(sa.select(sa.func.count()).select_from(AgentRow).where(*_where(which))) or 0)


@dataclass(frozen=True, slots=True)
class Census:
    """How many agents there are by (persona, status), and how much all agents ever did by kind, deleted ones too."""

    agents: Mapping[tuple[str, str], int]
    totals: Mapping[str, int]


def census(tx: Tx) -> Census:
    """Count agents and add up what they did, in one look at each; those without a persona count as "-"."""
    totals = {kind: sa.func.sum(getattr(AgentRow, f"total_{kind}s")) for kind in ("post", "comment", "like", "browse")}
    living = sa.func.count().filter(AgentRow.deleted_at.is_(None))
    query = sa.select(AgentRow.persona_id, AgentRow.status, living, *totals.values())
    rows = tx.execute(query.group_by(AgentRow.persona_id, AgentRow.status)).all()
    return Census(
        {(str(persona or "-"), status): number for persona, status, number, *_ in rows if number},
        {kind: int(sum(row[3 + at] for row in rows)) for at, kind in enumerate(totals)},
    )


def counts_by_status(tx: Tx) -> dict[str, int]:
    """Return how many agents there are by status: one walk along an index, for a million agents too."""
    rows = tx.execute(sa.select(AgentRow.status, sa.func.count()).group_by(AgentRow.status))
    found = {status: int(number) for status, number in rows}
    deleted = sa.select(sa.func.count()).where(AgentRow.status == Status.IDLE, AgentRow.deleted_at.is_not(None))
    if Status.IDLE in found:
        found[Status.IDLE] -= int(tx.scalar(deleted) or 0)  # who is deleted is idle, says a constraint
    return found


def usernames(tx: Tx) -> frozenset[str]:
    """Return every username ever given, deleted agents' too: they stay taken."""
    return frozenset(tx.session.scalars(sa.select(AgentRow.username)))


def overdue_s(tx: Tx) -> float | None:
    """Return by how many seconds the most overdue agent is late for its tick; None if nobody is."""
    # The earliest time of all, late or not, is the first entry of an index; the earliest late one may be none of many.
    late = sa.extract("epoch", sa.func.clock_timestamp() - sa.func.min(AgentRow.next_tick_at))
    value = tx.scalar(sa.select(late).where(AgentRow.status == Status.RUNNING))
    return None if value is None or value <= 0 else float(value)


def _where(which: Filter) -> list[sa.ColumnElement[bool]]:
    where: list[sa.ColumnElement[bool]] = []
    if which.status is not None:
        where.append(AgentRow.status == which.status)
    if which.persona_id is not None:
        where.append(AgentRow.persona_id == which.persona_id)
    if which.kind is not None:
        where.append(AgentRow.kind == which.kind)
    if which.autonomy is not None:
        where.append(AgentRow.autonomy == which.autonomy)
    if which.text:
        pattern = which.text
        where.append(
            sa.or_(
                AgentRow.name.icontains(pattern, autoescape=True), AgentRow.username.icontains(pattern, autoescape=True)
            )
        )
    if not which.include_deleted:
        where.append(AgentRow.deleted_at.is_(None))
    return where
