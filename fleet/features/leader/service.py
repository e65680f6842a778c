"""The verbs of the team leader: coordinate now, send a message to agents."""

from __future__ import annotations

import uuid

import sqlalchemy as sa

from fleet.access import audit
from fleet.core import ids
from fleet.core.db import Tx
from fleet.core.errors import Conflict, InvalidInput, NotFound
from fleet.engine import publish
from fleet.engine.agents import queries as agent_queries
from fleet.engine.agents.models import AgentRow
from fleet.engine.deps import Deps
from fleet.engine.jobs.ledger import NewJob
from fleet.features.agents import commands as agent_commands
from fleet.features.leader.kinds import MessagePriority, MessageType
from fleet.features.leader.models import TeamFindingRow, TeamRoundRow
from fleet.features.leader.rules import COORDINATE
from fleet.features.platforms.networks import NETWORKS

USERNAME, KIND = "fleet_leader", "team_leader"
ASKED_BY_PEOPLE = (MessageType.STATUS_REQUEST, MessageType.CONTENT_REQUEST)
"""Messages that people send by themselves; the others come with a change of a strategy, or with a stop."""
LONGEST_NOTE = 300


def coordinate(deps: Deps, *, by: str) -> None:
    """Wake the leader for a coordination of every team now. Raises Conflict while it decides, NotFound."""
    with deps.db.transaction() as tx:
        found = tx.scalar(sa.select(AgentRow.username).where(AgentRow.kind == KIND, AgentRow.deleted_at.is_(None)))
    if found is None:
        raise NotFound("This fleet has no team leader.", fix="`fleet migrate` creates the agents of the fleet itself.")
    agent_commands.trigger(deps, found, action=COORDINATE, by=by)


def send(
    deps: Deps, type: MessageType, to: str, *, by: str, note: str = "", priority: MessagePriority | None = None
) -> list[uuid.UUID]:  # fmt: skip
    """Send a message to an agent, or to all agents of a network that the caller sees; return the ids of its jobs.

    Raises InvalidInput, NotFound, Conflict for a network without agents.
    """
    if type not in ASKED_BY_PEOPLE:
        known = ", ".join(one.value for one in ASKED_BY_PEOPLE)
        raise InvalidInput(f"People do not send {type.value} by themselves.", fix=f"Types: {known}.")
    with deps.db.transaction() as tx:
        members = _members(tx, to)
        jobs = [
            NewJob(ids.new(), one.id, type.value, one.kind, payload={"note": note[:LONGEST_NOTE]} if note else {},
                   requested_by=by, priority=priority.of_job if priority else None)
            for one in members
        ]  # fmt: skip
        publish.add_jobs(tx, deps.publisher, jobs)
        target = f"network:{to}" if to in NETWORKS else f"agent:{members[0].username}"
        audit.noted(tx, True, "team.message_sent", target, type=type.value, note=note)
    return [one.id for one in jobs]


def _members(tx: Tx, to: str) -> list[AgentRow]:
    if to not in NETWORKS:
        found = agent_queries.named(tx, to)
        if found.kind not in NETWORKS:
            raise InvalidInput(f"{found.name} is no agent of a platform.", fix=f"Networks: {', '.join(NETWORKS)}.")
        return [found]
    query = sa.select(AgentRow).where(AgentRow.kind == to, AgentRow.deleted_at.is_(None))
    rows = list(tx.session.scalars(query.order_by(AgentRow.username)))
    if not rows:
        raise Conflict(f"No agent is on {NETWORKS[to].title}.", fix="`fleet agents create` makes one.")
    return rows


def prune(tx: Tx, *, days: float, limit: int) -> int:
    """Delete up to `limit` coordinations that are older than `days`, but not the newest of a team; return how many."""
    newest = sa.select(sa.func.max(TeamRoundRow.number)).where(
        TeamRoundRow.organisation_id == sa.literal_column("old.organisation_id")
    )
    old = sa.orm.aliased(TeamRoundRow, name="old")
    age = sa.literal(f"{days} days").cast(sa.Interval)
    which = sa.select(old.id).where(old.asked_at < tx.sql_now - age, old.number < newest.scalar_subquery())
    return tx.execute(sa.delete(TeamRoundRow).where(TeamRoundRow.id.in_(which.limit(limit)))).rowcount


def prune_findings(tx: Tx, *, days: float, limit: int) -> int:
    """Delete up to `limit` findings that ended more than `days` ago; return how many."""
    row, age = TeamFindingRow, sa.literal(f"{days} days").cast(sa.Interval)
    which = sa.select(row.id).where(row.ended_at < tx.sql_now - age).limit(limit)
    return tx.execute(sa.delete(row).where(row.id.in_(which))).rowcount
