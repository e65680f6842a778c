"""The loop's own writes to agents' rows: claim due agents, set the next time, count actions.

Called by `fleet.engine` only. Edits by people are in `commands`.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from fleet.accounts.models import SETTINGS_ACCOUNT, key_of
from fleet.core.character import Character
from fleet.core.db import Database, Tx
from fleet.core.db.sql import array
from fleet.engine.agents.models import AgentAccountRow, AgentRow
from fleet.engine.agents.status import AgentStatus
from fleet.engine.sql import statement


@dataclass(frozen=True, slots=True)
class ActingAgent:
    """An agent as the loop needs it, at the moment at which it was read, and the account through which it acts.

    `surface` is the adapter of that account, `remote_account` the agent's id there. `account_id` None is the account of
    the settings, `organisation_id` None that of system agents, which work for all.
    """

    id: uuid.UUID
    kind: str
    name: str
    username: str
    status: str
    persona_id: str | None
    weights: Mapping[str, float]
    surface: str
    account_id: uuid.UUID | None
    remote_account: str | None
    paused_until: datetime | None
    pause_reason: str | None
    autonomy: str
    config: Mapping[str, Any]
    deleted_at: datetime | None
    organisation_id: uuid.UUID | None
    character: Character  # last: `actor` builds it from several columns


_OWN, _TRAITS = len(ActingAgent.__slots__) - 1, len(Character.__slots__)


def actor(row: Sequence[Any]) -> ActingAgent:
    """Return the actor from the last columns of a row (`fleet/engine/sql/_agent.sql`)."""
    own, traits = row[-_OWN - _TRAITS : -_TRAITS], row[-_TRAITS:]
    character: list[Any] = [tuple(one) if isinstance(one, list) else one for one in traits]
    return ActingAgent(*[*own, Character(*character)])


def through(
    agent: ActingAgent, account_id: uuid.UUID | None, surface: str, remote_id: str | None = None
) -> ActingAgent:
    """Return an agent as it acts through one of its accounts; `remote_id` is its id there if it is not its main one."""
    if key_of(account_id) == key_of(agent.account_id):
        return agent
    return replace(agent, account_id=account_id, surface=surface, remote_account=remote_id)


def ways(agent: ActingAgent, further: Sequence[Any] | None) -> list[ActingAgent]:
    """Return an agent once for each account through which it can act, by its main account first."""
    others = (through(agent, uuid.UUID(key), adapter, remote_id) for key, adapter, remote_id in further or ())
    return [agent, *(one for one in others if one is not agent)]


class Due(NamedTuple):
    """An agent whose time has come; the caller holds the lock of its row."""

    agent_id: uuid.UUID
    kind: str
    persona_id: str | None
    tick_no: int
    next_tick_at: datetime
    min_interval_s: int
    max_interval_s: int
    autonomy: str
    config_json: str
    organisation_id: uuid.UUID | None
    claimed_at: datetime

    @property
    def config(self) -> Mapping[str, Any]:
        """The agent's configuration. Decoded when it is read, since dispatch reads it of few agents."""
        decoded: dict[str, Any] = json.loads(self.config_json)
        return decoded


class Next(NamedTuple):
    """When an agent wakes next, and the number of the tick that was opened for it now."""

    agent_id: uuid.UUID
    tick_no: int
    next_tick_at: datetime


_ANY_AGENT_DUE = statement("any_agent_due")
_CLAIM_DUE_AGENTS = statement("claim_due_agents")
_RESCHEDULE_AGENTS = statement("reschedule_agents")
_CLEAR_ACTION = statement("clear_action")
_CLEAR_ENDED_ACTIONS = statement("clear_ended_actions")


def anybody_due(db: Database, kinds_while_held: Collection[str]) -> bool:
    """Return whether any agent is due, in one round trip: dispatch mostly finds none.

    While the whole fleet is held, only agents of these kinds are.
    """
    return bool(db.run(_ANY_AGENT_DUE, kinds=array(sorted(kinds_while_held))))


def claim_due(tx: Tx, *, limit: int, kinds: Collection[str] | None = None) -> list[Due]:
    """Lock and return due agents by the database's clock, longest waiting first.

    Rows that other dispatchers hold are skipped, so any number of dispatchers may run. Agents whose budget sleep is
    over are among the due ones. With `kinds` only agents of these kinds are claimed.
    """
    rows = tx.run(_CLAIM_DUE_AGENTS, limit=limit, kinds=None if kinds is None else array(sorted(kinds)))
    return [Due._make(row) for row in rows.fetchall()]


def reschedule(tx: Tx, nexts: Sequence[Next]) -> None:
    """Write the agents' next times and tick numbers; wakes those whose budget sleep is over."""
    if not nexts:
        return
    agent_ids, tick_nos, times = zip(*nexts, strict=True)
    tx.run(_RESCHEDULE_AGENTS, ids=array(agent_ids), tick_nos=array(tick_nos), next_tick_ats=array(times))


def lock(tx: Tx, agent_id: uuid.UUID) -> AgentRow | None:
    """Lock and return one agent's row for the rest of the transaction; None if there is none."""
    query = sa.select(AgentRow).where(AgentRow.id == agent_id).with_for_update()
    return tx.session.scalars(query.execution_options(populate_existing=True)).one_or_none()


def lock_waiting(
    tx: Tx, *, persona_id: str | None, organisation_id: uuid.UUID | None, after: uuid.UUID, limit: int
) -> Sequence[AgentRow]:
    """Lock and return agents that wait for a tick, by id; those after an id, of a persona or organisation if given."""
    query = sa.select(AgentRow).where(AgentRow.next_tick_at.is_not(None), AgentRow.id > after)
    if persona_id is not None:
        query = query.where(AgentRow.persona_id == persona_id)
    if organisation_id is not None:
        query = query.where(AgentRow.organisation_id == organisation_id)
    return tx.session.scalars(query.order_by(AgentRow.id).limit(limit).with_for_update()).all()


def is_there(tx: Tx, agent_id: uuid.UUID) -> bool:
    """Return whether an agent is not deleted, and lock its row so that it stays so until the transaction ends."""
    query = sa.select(AgentRow.id).where(AgentRow.id == agent_id, AgentRow.deleted_at.is_(None))
    return tx.scalar(query.with_for_update(read=True)) is not None


def wake(tx: Tx, agent_id: uuid.UUID, *, at: datetime | None = None) -> None:
    """Make a running agent due at once, or at a time if that is before its next tick."""
    woken = sa.update(AgentRow).where(AgentRow.id == agent_id, AgentRow.status == AgentStatus.RUNNING)
    tx.execute(woken.values(next_tick_at=tx.sql_now if at is None else sa.func.least(AgentRow.next_tick_at, at)))


def clear_action(tx: Tx, agent_id: uuid.UUID) -> None:
    """Clear an agent's current action."""
    tx.run(_CLEAR_ACTION, agent_id=agent_id)


def end_actions(tx: Tx, ended: Sequence[tuple[uuid.UUID, str]]) -> None:
    """Clear the current action of agents whose action ended elsewhere, unless they have started another since."""
    agent_ids, actions = zip(*ended, strict=True)
    tx.run(_CLEAR_ENDED_ACTIONS, agent_ids=array(agent_ids), actions=array(actions))


def set_identity(tx: Tx, agent_id: uuid.UUID, account_id: uuid.UUID | None, remote_id: str | None) -> bool:
    """Note the agent's id at an account; None when the outside system no longer knows it.

    Return False for an account through which the agent does not act.
    """
    main = sa.func.coalesce(AgentRow.account_id, SETTINGS_ACCOUNT) == key_of(account_id)
    noted = tx.execute(sa.update(AgentRow).where(AgentRow.id == agent_id, main).values(remote_account=remote_id))
    if noted.rowcount:
        return True
    own = AgentAccountRow
    which = (own.agent_id == agent_id, own.account_id == key_of(account_id))
    return tx.execute(sa.update(own).where(*which).values(remote_id=remote_id)).rowcount == 1
