"""The loop's own moves on agents' rows: claim who is due, set the next time, count what was done.

Called by `fleet.runtime` only. Edits by people are in `commands`.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from fleet.agents.models import AgentRow, Status
from fleet.core.db import Tx, table_of

_CLOCK = sa.func.clock_timestamp()
_CLAIMED_AT = sa.func.statement_timestamp()  # the same for all rows, which is what lets the index be used
_TOTALS = {"post": "total_posts", "comment": "total_comments", "like": "total_likes", "browse": "total_browses"}


@dataclass(frozen=True, slots=True)
class Due:
    """An agent whose time has come; the caller holds its row."""

    agent_id: uuid.UUID
    name: str
    persona_id: str | None
    tick_no: int
    next_tick_at: datetime
    min_interval_s: int
    max_interval_s: int
    claimed_at: datetime


@dataclass(frozen=True, slots=True)
class Next:
    """When an agent wakes next, and the number of the tick that was opened for it now."""

    agent_id: uuid.UUID
    tick_no: int
    next_tick_at: datetime


def claim_due(tx: Tx, *, limit: int) -> list[Due]:
    """Lock and return the agents whose time has come by the database's clock, longest waiting first.

    Others' locked rows are passed over, so any number of dispatchers may run. Agents whose budget sleep is over are
    among them.
    """
    rows = tx.execute(
        sa.select(
            AgentRow.id, AgentRow.name, AgentRow.persona_id, AgentRow.tick_no, AgentRow.next_tick_at,
            AgentRow.min_interval_s, AgentRow.max_interval_s, _CLAIMED_AT,
        )
        .where(
            AgentRow.status.in_((Status.RUNNING, Status.PAUSED)),
            AgentRow.next_tick_at <= _CLAIMED_AT,
            sa.or_(AgentRow.status == Status.RUNNING, AgentRow.paused_until <= _CLAIMED_AT),
        )
        .order_by(AgentRow.next_tick_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )  # fmt: skip
    return [Due(*row) for row in rows]


def reschedule(tx: Tx, nexts: Sequence[Next]) -> None:
    """Write the agents' next times and tick numbers; wakes those whose budget sleep is over."""
    if not nexts:
        return
    table = table_of(
        id=(sa.Uuid(), [n.agent_id for n in nexts]),
        tick_no=(sa.BigInteger(), [n.tick_no for n in nexts]),
        next_tick_at=(sa.DateTime(timezone=True), [n.next_tick_at for n in nexts]),
    )
    tx.execute(
        sa.update(AgentRow)
        .where(AgentRow.id == table.c.id)
        .values(
            tick_no=table.c.tick_no, next_tick_at=table.c.next_tick_at, status=Status.RUNNING,
            paused_until=None, pause_reason=None,
        )
        .execution_options(synchronize_session=False)
    )  # fmt: skip


def lock(tx: Tx, agent_id: uuid.UUID) -> AgentRow | None:
    """Lock and return one agent's row for the rest of the transaction; None if there is none."""
    query = sa.select(AgentRow).where(AgentRow.id == agent_id).with_for_update()
    return tx.session.scalars(query.execution_options(populate_existing=True)).one_or_none()


def wake(tx: Tx, agent_id: uuid.UUID) -> None:
    """Make a running agent due at once."""
    woken = sa.update(AgentRow).where(AgentRow.id == agent_id, AgentRow.status == Status.RUNNING)
    tx.execute(woken.values(next_tick_at=_CLOCK))


def set_thought(tx: Tx, agent_id: uuid.UUID, thought: str) -> None:
    """Show what an agent thought last."""
    tx.execute(sa.update(AgentRow).where(AgentRow.id == agent_id).values(last_thought=thought[:1000]))


def set_current_action(tx: Tx, agent_id: uuid.UUID, action: str | None) -> None:
    """Show what an agent is doing at this moment; None for nothing."""
    tx.execute(sa.update(AgentRow).where(AgentRow.id == agent_id).values(current_action=action))


def set_account(tx: Tx, agent_id: uuid.UUID, remote_account: str | None) -> None:
    """Note the surface's id of the agent's account; None when the surface no longer knows it."""
    tx.execute(sa.update(AgentRow).where(AgentRow.id == agent_id).values(remote_account=remote_account))


def count_action(tx: Tx, agent_id: uuid.UUID, kind: str) -> None:
    """Count an action that happened, in the transaction that makes its job done."""
    values: dict[str, Any] = {"last_action_at": _CLOCK, "current_action": None}
    if kind in _TOTALS:
        column = _TOTALS[kind]
        values[column] = getattr(AgentRow, column) + 1
    tx.execute(sa.update(AgentRow).where(AgentRow.id == agent_id).values(**values))
