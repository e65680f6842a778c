"""Find agents by the names that people use, each in its own transaction. Called by features and entry points."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from fleet.access import organisations
from fleet.core.db import Database
from fleet.engine.agents import queries
from fleet.engine.agents.models import AgentRow

_MOST_SUGGESTED = 500


@dataclass(frozen=True, slots=True)
class Named:
    """Username, display name and persona of an agent."""

    username: str
    name: str
    persona_id: str | None


Names = Mapping[uuid.UUID, Named]


def names(db: Database, agent_ids: Iterable[uuid.UUID | None]) -> Names:
    """Return the names of agents by id, deleted ones too. An id without an agent is left out."""
    wanted = {agent_id for agent_id in agent_ids if agent_id is not None}
    if not wanted:
        return {}
    query = sa.select(AgentRow.id, AgentRow.username, AgentRow.name, AgentRow.persona_id)
    with db.transaction() as tx:
        return {row[0]: Named(*row[1:]) for row in tx.execute(query.where(AgentRow.id.in_(wanted)))}


def usernames(db: Database, keys: Iterable[str | None]) -> dict[str, str]:
    """Return the usernames of agents by id, both as text."""
    found = names(db, [uuid.UUID(key) for key in keys if key])
    return {str(agent_id): named.username for agent_id, named in found.items()}


def scope_names(db: Database, scopes: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the names of the agents and organisations among scopes with their keys, by key."""
    wanted = list(scopes)
    found = usernames(db, [key for scope, key in wanted if scope == "agent"])
    if any(scope == "organisation" for scope, _ in wanted):
        with db.transaction() as tx:
            found |= organisations.names(tx)
    return found


def username(found: Names, agent_id: uuid.UUID | None) -> str | None:
    """Return the username of an agent among those found; None without an agent."""
    named = None if agent_id is None else found.get(agent_id)
    return None if named is None else named.username


def agent(db: Database, name: str, *, include_deleted: bool = False) -> AgentRow:
    """Return one agent by username or id. Raises NotFound."""
    with db.transaction() as tx:
        return queries.named(tx, name, include_deleted=include_deleted)


def agent_id(db: Database, name: str | None) -> uuid.UUID | None:
    """Return the id of the agent that a filter names, a deleted one too; None without a name. Raises NotFound."""
    return agent(db, name, include_deleted=True).id if name else None


def suggestions(db: Database) -> list[tuple[str, str]]:
    """Return usernames and names of agents for the choices of a form, by username; of a large fleet the first ones."""
    query = sa.select(AgentRow.username, AgentRow.name).where(AgentRow.deleted_at.is_(None))
    with db.transaction() as tx:
        return [(row[0], row[1]) for row in tx.execute(query.order_by(AgentRow.username).limit(_MOST_SUGGESTED))]
