"""The loop's own moves on agents' rows: claim who is due, set the next time, count what was done.

Called by `fleet.engine` only. Edits by people are in `commands`.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from fleet.core.db import Database, Tx
from fleet.core.db.sql import Statement, array, array_of, table_of
from fleet.engine.agents.models import AgentRow, AgentStatus

_CLOCK = sa.func.clock_timestamp()
_CLAIMED_AT = sa.func.statement_timestamp()  # the same for all rows, which is what lets the index be used


@dataclass(frozen=True, slots=True)
class ActingAgent:
    """An agent as the loop needs it, at the moment at which it was read."""

    id: uuid.UUID
    kind: str
    name: str
    username: str
    status: str
    persona_id: str | None
    personality: str
    vibe: str
    interests: Sequence[str]
    weights: Mapping[str, float]
    surface: str
    remote_account: str | None
    paused_until: datetime | None
    pause_reason: str | None
    autonomy: str
    config: Mapping[str, Any]
    deleted_at: datetime | None


ACTOR = tuple(getattr(AgentRow, name).label(f"actor_{name}") for name in ActingAgent.__slots__)
"""An actor's columns, to stand last in a larger statement."""


def actor(row: Sequence[Any]) -> ActingAgent:
    """Return the actor that stands in the last columns of a row."""
    return ActingAgent(*row[-len(ACTOR) :])


class Due(NamedTuple):
    """An agent whose time has come; the caller holds its row."""

    agent_id: uuid.UUID
    kind: str
    persona_id: str | None
    tick_no: int
    next_tick_at: datetime
    min_interval_s: int
    max_interval_s: int
    autonomy: str
    config: Mapping[str, Any]
    claimed_at: datetime


class Next(NamedTuple):
    """When an agent wakes next, and the number of the tick that was opened for it now."""

    agent_id: uuid.UUID
    tick_no: int
    next_tick_at: datetime


_DUE = (
    AgentRow.status.in_((AgentStatus.RUNNING, AgentStatus.PAUSED)),
    AgentRow.next_tick_at <= _CLAIMED_AT,
    sa.or_(AgentRow.status == AgentStatus.RUNNING, AgentRow.paused_until <= _CLAIMED_AT),
)


def _claiming_due(*where: sa.ColumnElement[bool]) -> Statement:
    query = (
        sa.select(
            AgentRow.id, AgentRow.kind, AgentRow.persona_id, AgentRow.tick_no, AgentRow.next_tick_at,
            AgentRow.min_interval_s, AgentRow.max_interval_s,
            AgentRow.autonomy, AgentRow.config, _CLAIMED_AT.label("claimed_at"),
        )
        .where(*_DUE, *where)
        .order_by(AgentRow.next_tick_at)
        .limit(sa.bindparam("most", type_=sa.Integer))
        .with_for_update(skip_locked=True)
    )  # fmt: skip
    return Statement(query)


_CLAIM_DUE = _claiming_due()
_CLAIM_DUE_OF_KINDS = _claiming_due(AgentRow.kind == sa.func.any(array_of(sa.String(), "kinds")))
_NEXTS = table_of(id=sa.Uuid(), tick_no=sa.BigInteger(), next_tick_at=sa.DateTime(timezone=True))
_RESCHEDULE = Statement(
    sa.update(AgentRow)
    .where(AgentRow.id == _NEXTS.c.id)
    .values(
        tick_no=_NEXTS.c.tick_no, next_tick_at=_NEXTS.c.next_tick_at, status=AgentStatus.RUNNING,
        paused_until=None, pause_reason=None,
    )
)  # fmt: skip
_ANYBODY = Statement(sa.select(sa.literal_column("1")).where(*_DUE).order_by(AgentRow.next_tick_at).limit(1))


def anybody_due(db: Database) -> bool:
    """Tell whether any agent's time has come: one round trip, for a metronome that mostly finds nobody."""
    return bool(db.run(_ANYBODY))


def claim_due(tx: Tx, *, limit: int, kinds: Collection[str] | None = None) -> list[Due]:
    """Lock and return the agents whose time has come by the database's clock, longest waiting first.

    Others' locked rows are passed over, so any number of dispatchers may run. Agents whose budget sleep is over are
    among them. With `kinds` only agents of these kinds are claimed.
    """
    if kinds is None:
        rows = tx.run(_CLAIM_DUE, most=limit)
    else:
        rows = tx.run(_CLAIM_DUE_OF_KINDS, most=limit, kinds=array(sorted(kinds)))
    return [Due._make(row) for row in rows.fetchall()]


def reschedule(tx: Tx, nexts: Sequence[Next]) -> None:
    """Write the agents' next times and tick numbers; wakes those whose budget sleep is over."""
    if not nexts:
        return
    agent_ids, tick_nos, times = zip(*nexts, strict=True)
    tx.run(_RESCHEDULE, given_id=array(agent_ids), given_tick_no=array(tick_nos), given_next_tick_at=array(times))


def lock(tx: Tx, agent_id: uuid.UUID) -> AgentRow | None:
    """Lock and return one agent's row for the rest of the transaction; None if there is none."""
    query = sa.select(AgentRow).where(AgentRow.id == agent_id).with_for_update()
    return tx.session.scalars(query.execution_options(populate_existing=True)).one_or_none()


def is_there(tx: Tx, agent_id: uuid.UUID) -> bool:
    """Say whether an agent is not deleted, and keep it so for the rest of the transaction."""
    query = sa.select(AgentRow.id).where(AgentRow.id == agent_id, AgentRow.deleted_at.is_(None))
    return tx.scalar(query.with_for_update(read=True)) is not None


def wake(tx: Tx, agent_id: uuid.UUID) -> None:
    """Make a running agent due at once."""
    woken = sa.update(AgentRow).where(AgentRow.id == agent_id, AgentRow.status == AgentStatus.RUNNING)
    tx.execute(woken.values(next_tick_at=_CLOCK))


def showing(calls: sa.CTE, *, of: sa.CTE, when: sa.FromClause) -> sa.CTE:
    """Return the showing of what agents thought, and of what they are about to do where `when` has a row of theirs.

    For a larger statement whose `calls` have what `SHOW` names; `of` has the number of the call and the agent's id.
    """
    at_work = sa.exists(sa.select(sa.literal_column("1")).select_from(when).where(when.c.n == of.c.n))
    shown = sa.update(AgentRow).where(AgentRow.id == of.c.agent_id, of.c.n == calls.c.n)
    done = sa.case((at_work, calls.c.action))
    return shown.values(last_thought=calls.c.thought, current_action=done).cte("shown")


SHOW: Mapping[str, sa.types.TypeEngine[Any]] = {"thought": sa.String(), "action": sa.String()}
"""The columns of which `showing` makes what an agent shows."""


def beginning(*, of: sa.CTE, acts: sa.ColumnElement[Any]) -> sa.CTE:
    """Return the showing of what agents are at, in a larger statement: `of` has an agent's id and the kind of its job.

    Only kinds in the array `acts` are acts of an agent, and who is shown at it already is left alone. So is a row that
    somebody holds: who stops an agent has its row, and wants those of its jobs.
    """
    others = (of.c.kind == sa.func.any(acts), AgentRow.current_action.is_distinct_from(of.c.kind))
    free = sa.select(AgentRow.id, of.c.kind).join_from(AgentRow, of, AgentRow.id == of.c.agent_id).where(*others)
    shown = free.with_for_update(of=AgentRow, skip_locked=True, key_share=True).subquery("free")
    begun = sa.update(AgentRow).where(AgentRow.id == shown.c.id)
    return begun.values(current_action=shown.c.kind).cte("at_work")


def counting(kind: str, *, of: sa.CTE) -> sa.CTE:
    """CTE: count jobs of a kind that are done, in `agents.totals`; `of` has a row with the agent's id for each."""
    number = sa.func.count().label("number")
    times = sa.select(of.c.agent_id, number).group_by(of.c.agent_id).order_by(of.c.agent_id).subquery("times")
    total = sa.func.coalesce(sa.cast(AgentRow.totals[kind], sa.BigInteger), 0) + times.c.number
    totals = AgentRow.totals.concat(sa.func.jsonb_build_object(sa.literal(kind, sa.Text), total))
    done = sa.update(AgentRow).where(AgentRow.id == times.c.agent_id)
    return done.values(last_action_at=_CLOCK, current_action=None, totals=totals).cte("counted")


def show_at_nothing(tx: Tx, agent_id: uuid.UUID) -> None:
    """Show an agent at nothing: what it did has ended."""
    tx.run(_SHOW_AT_NOTHING, an_agent=agent_id)


def end_actions(tx: Tx, ended: Sequence[tuple[uuid.UUID, str]]) -> None:
    """Show agents at nothing whose action ended without them; who does something else by now is left at it."""
    agent_ids, actions = zip(*ended, strict=True)
    tx.run(_END_ACTIONS, given_id=array(agent_ids), given_action=array(actions))


def set_account(tx: Tx, agent_id: uuid.UUID, remote_account: str | None) -> None:
    """Note the surface's id of the agent's account; None when the surface no longer knows it."""
    tx.execute(sa.update(AgentRow).where(AgentRow.id == agent_id).values(remote_account=remote_account))


_SHOW_AT_NOTHING = Statement(
    sa.update(AgentRow).where(AgentRow.id == sa.bindparam("an_agent", type_=sa.Uuid)).values(current_action=None)
)
_ENDED = table_of(id=sa.Uuid(), action=sa.String())
_SHOWN = (
    sa.select(AgentRow.id)
    .join(_ENDED, sa.and_(AgentRow.id == _ENDED.c.id, AgentRow.current_action == _ENDED.c.action))
    .order_by(AgentRow.id)  # in the order in which crowds are locked: nobody waits for each other
    .with_for_update(of=AgentRow)
    .subquery()
)
_END_ACTIONS = Statement(sa.update(AgentRow).where(AgentRow.id == _SHOWN.c.id).values(current_action=None))
