"""Count the agents and jobs that a pause affects, before it is set. Reading only; called by the page and the API."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

import sqlalchemy as sa

from fleet.accounts.models import SETTINGS_ACCOUNT
from fleet.core.db import Tx
from fleet.engine.agents.models import NOWHERE, AgentRow
from fleet.engine.agents.status import AgentStatus
from fleet.engine.jobs.models import JobRow
from fleet.engine.jobs.states import JobState

_AT_WORK = (JobState.RUNNING, JobState.SENDING)


@dataclass(frozen=True, slots=True)
class Affected:
    """Whom a pause concerns: agents, of which so many run, jobs that wait, and jobs at work, which end first.

    `agents` and `running` are 0 for a kind of action: a pause of it lets every agent go on with the others.
    """

    agents: int
    running: int
    waiting: int
    at_work: int


def count(tx: Tx, scope: str, key: str) -> Affected:
    """Count the agents and unfinished jobs that a pause of a scope concerns. The key is the one of its control."""
    agents = (0, 0) if scope == "kind" else _agents(tx, scope, key)
    states = {str(row[0]): int(row[1]) for row in tx.execute(_jobs(scope, key))}
    return Affected(*agents, states.get(JobState.READY, 0), sum(states.get(state, 0) for state in _AT_WORK))


def _agents(tx: Tx, scope: str, key: str) -> tuple[int, int]:
    running = sa.func.count().filter(AgentRow.status == AgentStatus.RUNNING)
    query = sa.select(sa.func.count(), running).where(AgentRow.deleted_at.is_(None), *_covered(scope, key))
    row = tx.execute(query).one()
    return int(row[0]), int(row[1])


def _jobs(scope: str, key: str) -> sa.Select[tuple[str, int]]:
    """Count unfinished jobs by state: two queries, since each has a partial index of its own."""
    which = [JobRow.kind == key] if scope == "kind" else _covered(scope, key)
    parts = [
        sa.select(JobRow.state).join(AgentRow, AgentRow.id == JobRow.agent_id).where(condition, *which)
        for condition in (
            sa.and_(JobRow.state.in_(("ready", "unknown")), JobRow.state == JobState.READY),
            sa.and_(JobRow.lease_until.is_not(None), JobRow.state.in_(_AT_WORK)),
        )
    ]
    both = sa.union_all(*parts).subquery()
    return sa.select(both.c.state, sa.func.count()).group_by(both.c.state)


def _covered(scope: str, key: str) -> list[sa.ColumnElement[bool]]:
    """Return what is true of the agents that a pause covers, as `fleet.engine.controls.covering` decides it."""
    if scope == "agent":
        return [AgentRow.id == uuid.UUID(key)]
    acting = AgentRow.surface != NOWHERE  # a system agent reports to people, and no pause of others covers that
    match scope:
        case "surface":
            return [acting, AgentRow.surface == key]
        case "organisation":
            return [acting, AgentRow.organisation_id == uuid.UUID(key)]
        case "persona":
            return [acting, AgentRow.persona_id == key]
        case "account":
            return [acting, sa.func.coalesce(AgentRow.account_id, SETTINGS_ACCOUNT) == uuid.UUID(key)]
    return [acting]
