"""The accounts through which agents act, and the identity that each has there.

Called inside its caller's transaction. The loop reads the same with its own statements (`claim_tick.sql`).
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from fleet.accounts.models import SETTINGS_ACCOUNT, AccountRow, key_of
from fleet.core.db import Tx
from fleet.core.errors import Conflict
from fleet.engine.agents.models import NOWHERE, AgentAccountRow, AgentRow
from fleet.engine.agents.status import AgentStatus


@dataclass(frozen=True, slots=True)
class Identity:
    """An agent at one of its accounts. `surface` is the account's adapter; no `remote_id`: it is not known there."""

    agent_id: uuid.UUID
    account_id: uuid.UUID | None
    surface: str
    remote_id: str | None


def of_agent(tx: Tx, agent: AgentRow) -> list[Identity]:
    """Return an agent's accounts, its main one first."""
    own = AgentAccountRow
    query = sa.select(own.account_id, AccountRow.adapter, own.remote_id).join(
        AccountRow, AccountRow.id == own.account_id
    )
    rows = tx.execute(query.where(own.agent_id == agent.id).order_by(own.account_id))
    main = Identity(agent.id, agent.account_id, agent.surface, agent.remote_account)
    return [main, *(Identity(agent.id, *row) for row in rows)]


def accounts_of(tx: Tx, agents: Collection[uuid.UUID]) -> dict[uuid.UUID, list[uuid.UUID]]:
    """Return the accounts of these agents by agent, that of the settings by its id too."""
    main = sa.select(AgentRow.id, sa.func.coalesce(AgentRow.account_id, SETTINGS_ACCOUNT)).where(
        AgentRow.id.in_(agents)
    )
    own = AgentAccountRow
    found: dict[uuid.UUID, list[uuid.UUID]] = {}
    for agent_id, account_id in tx.execute(
        main.union(sa.select(own.agent_id, own.account_id).where(own.agent_id.in_(agents)))
    ):
        found.setdefault(agent_id, []).append(account_id)
    return found


def names_of_agents(tx: Tx, account_id: uuid.UUID, *, limit: int) -> list[str]:
    """Return the usernames of agents that act through an account, at most `limit`."""
    query = sa.select(AgentRow.username).where(_uses(account_id)).order_by(AgentRow.username).limit(limit)
    return list(tx.session.scalars(query))


def first_agent(tx: Tx, account_id: uuid.UUID, *, kind: str) -> uuid.UUID | None:
    """Return the oldest agent of a kind that acts through an account, of those that run if any does; None without."""
    is_running = AgentRow.status == AgentStatus.RUNNING
    query = sa.select(AgentRow.id).where(_uses(account_id), AgentRow.kind == kind)
    query = query.order_by(is_running.desc(), AgentRow.id).limit(1)
    found: uuid.UUID | None = tx.scalar(query)
    return found


def counts(tx: Tx) -> dict[uuid.UUID, int]:
    """Return how many agents act through each account."""
    main = sa.select(sa.func.coalesce(AgentRow.account_id, SETTINGS_ACCOUNT).label("account_id"))
    main = main.where(AgentRow.deleted_at.is_(None), AgentRow.surface != NOWHERE)
    own = sa.select(AgentAccountRow.account_id).join(AgentRow, AgentRow.id == AgentAccountRow.agent_id)
    both = sa.union_all(main, own.where(AgentRow.deleted_at.is_(None))).subquery()
    query = sa.select(both.c.account_id, sa.func.count().label("agents")).group_by(both.c.account_id)
    return {row.account_id: row.agents for row in tx.execute(query)}


def link(tx: Tx, agent: AgentRow, account_id: uuid.UUID) -> bool:
    """Let an agent act through a further account; False if it does already."""
    if key_of(agent.account_id) == account_id:
        return False
    added = insert(AgentAccountRow).values(agent_id=agent.id, account_id=account_id).on_conflict_do_nothing()
    return tx.scalar(added.returning(AgentAccountRow.agent_id)) is not None


def unlink(tx: Tx, agent: AgentRow, account_id: uuid.UUID) -> Identity | None:
    """Detach an agent from an account; return its identity there, None if it never acted through the account.

    When an agent leaves its main account, its next one becomes the main one. Raises Conflict for its only account. The
    caller holds the lock of the agent's row.
    """
    main, *others = of_agent(tx, agent)
    own = AgentAccountRow
    if key_of(agent.account_id) != account_id:
        left = next((one for one in others if one.account_id == account_id), None)
        tx.execute(sa.delete(own).where(own.agent_id == agent.id, own.account_id == account_id))
        return left
    if not others:
        raise Conflict(f"It is the only account of {agent.username}.", fix="Assign another account first.")
    heir = others[0]
    tx.execute(sa.delete(own).where(own.agent_id == agent.id, own.account_id == heir.account_id))
    next_id = None if heir.account_id == SETTINGS_ACCOUNT else heir.account_id
    values = {"account_id": next_id, "surface": heir.surface, "remote_account": heir.remote_id}
    tx.execute(sa.update(AgentRow).where(AgentRow.id == agent.id).values(**values))
    return main


def _uses(account_id: uuid.UUID) -> sa.ColumnElement[bool]:
    own = AgentAccountRow
    further: Sequence[sa.ColumnElement[bool]] = (own.agent_id == AgentRow.id, own.account_id == account_id)
    main = sa.func.coalesce(AgentRow.account_id, SETTINGS_ACCOUNT) == account_id
    return sa.and_(
        AgentRow.deleted_at.is_(None), AgentRow.surface != NOWHERE, sa.or_(main, sa.exists().where(*further))
    )
