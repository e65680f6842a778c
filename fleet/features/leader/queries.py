"""What pages, the API and commands show of teams: the newest scores, earlier ones, members and messages."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from fleet.access import organisations
from fleet.core.db import Tx
from fleet.core.errors import NotFound
from fleet.engine.agents import queries as agent_queries
from fleet.engine.agents.models import AgentRow
from fleet.engine.deps import Deps
from fleet.engine.jobs.models import JobRow
from fleet.engine.jobs.states import FINAL, JobState
from fleet.features.leader.kinds import MessagePriority, MessageType
from fleet.features.leader.models import TeamFindingRow, TeamRoundRow, TeamScoreRow
from fleet.features.leader.settings import LeaderSettings
from fleet.features.platforms.networks import NETWORKS

_MOST_ROUNDS = 28
_MOST_FINDINGS = 200
KINDS = [one.value for one in MessageType]


@dataclass(frozen=True, slots=True)
class NetworkView:
    """The score of a network in the newest coordination, and the scores of those before, oldest first."""

    network: str
    title: str
    points: float | None
    covered: int
    band: str | None
    parts: Sequence[dict[str, Any]]
    earlier: Sequence[float | None]

    @property
    def missing(self) -> list[str]:
        """Which data is missing, in words."""
        return [f"{one['part']}: {one['words']}" for one in self.parts if one["points"] is None]


@dataclass(frozen=True, slots=True)
class MemberView:
    """An agent of a team and its newest answer about its status."""

    id: uuid.UUID
    username: str
    name: str
    network: str
    status: str
    answer: str | None
    answered_at: datetime | None


@dataclass(frozen=True, slots=True)
class FindingView:
    """Something about a team that people have to know."""

    id: uuid.UUID
    kind: str
    words: str
    agent: str | None
    job_id: uuid.UUID | None
    since: datetime


@dataclass(frozen=True, slots=True)
class TeamView:
    """The team of an organisation."""

    organisation_id: uuid.UUID
    organisation: str
    members: Sequence[MemberView]
    networks: Sequence[NetworkView]
    """Best first."""
    number: int
    """Of the newest coordination; 0 before the first."""
    asked_at: datetime | None
    asked: int
    answered: int
    scored_at: datetime | None
    """When the scores were made; None before the first."""
    since: datetime | None
    next_at: datetime | None
    """When the next coordination is due; None: at once."""
    findings: Sequence[FindingView]


@dataclass(frozen=True, slots=True)
class MessageView:
    """A message to an agent and its answer."""

    id: uuid.UUID
    type: MessageType
    priority: MessagePriority
    agent: str
    network: str
    sender: str
    note: str
    state: str
    answer: str | None
    sent_at: datetime
    answered_at: datetime | None
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class MessageFilter:
    """A filter of messages; empty fields match all."""

    agent: str | None = None
    network: str | None = None
    type: MessageType | None = None


def teams(deps: Deps) -> list[TeamView]:
    """Return the teams that the caller sees, that of the default organisation first."""
    with deps.db.transaction() as tx:
        found = [_team(deps, tx, one) for one in organisations.listed(tx)]
    return [one for one in found if one.members or one.number]


def team(deps: Deps, name: str) -> TeamView:
    """Return the team of an organisation, by its name or id. Raises NotFound."""
    with deps.db.transaction() as tx:
        return _team(deps, tx, organisations.named(tx, name))


def _team(deps: Deps, tx: Tx, one: organisations.Organisation) -> TeamView:
    mine = sa.select(TeamRoundRow).where(TeamRoundRow.organisation_id == one.id)
    newest = tx.session.scalars(mine.order_by(TeamRoundRow.number.desc()).limit(1)).one_or_none()
    scored = tx.session.scalars(
        mine.where(TeamRoundRow.scored_at.is_not(None)).order_by(TeamRoundRow.number.desc()).limit(_MOST_ROUNDS)
    ).all()
    settings = deps.settings_of(None, organisation_id=one.id)
    every = timedelta(hours=settings.of(LeaderSettings).team_interval_h) / settings.tempo
    return TeamView(
        one.id, one.name, _members(tx, one.id), _networks(tx, scored), newest.number if newest else 0,
        newest.asked_at if newest else None, newest.asked if newest else 0, newest.answered if newest else 0,
        scored[0].scored_at if scored else None, scored[0].since if scored else None,
        newest.asked_at + every if newest else None, _findings(tx, one.id),
    )  # fmt: skip


def _networks(tx: Tx, scored: Sequence[TeamRoundRow]) -> list[NetworkView]:
    """Return the networks of the newest of these coordinations, newest first."""
    rows = tx.session.scalars(sa.select(TeamScoreRow).where(TeamScoreRow.round_id.in_([one.id for one in scored])))
    points: dict[str, dict[uuid.UUID, float | None]] = {}
    newest: list[TeamScoreRow] = []
    for row in rows:
        points.setdefault(row.network, {})[row.round_id] = row.points
        if row.round_id == scored[0].id:
            newest.append(row)
    found = [
        NetworkView(
            row.network, title(row.network), row.points, row.covered, row.band, row.parts,
            [points[row.network][one.id] for one in reversed(scored) if one.id in points[row.network]],
        )
        for row in newest
    ]  # fmt: skip
    return sorted(found, key=lambda one: (one.points is None, -(one.points or 0.0), one.network))


def _findings(tx: Tx, organisation_id: uuid.UUID) -> list[FindingView]:
    """Return the open findings, newest first."""
    row = TeamFindingRow
    columns = (row.id, row.kind, row.words, AgentRow.username, row.job_id, row.since)
    query = sa.select(*columns).outerjoin(AgentRow, AgentRow.id == row.agent_id)
    query = query.where(row.organisation_id == organisation_id, row.ended_at.is_(None)).order_by(row.since.desc())
    return [FindingView(*found) for found in tx.execute(query.limit(_MOST_FINDINGS))]


def title(network: str) -> str:
    """Return the name of a network for people."""
    return NETWORKS[network].title if network in NETWORKS else network


def _members(tx: Tx, organisation_id: uuid.UUID) -> list[MemberView]:
    own = (AgentRow.organisation_id == organisation_id, AgentRow.kind.in_([*NETWORKS]), AgentRow.deleted_at.is_(None))
    newest = (
        sa.select(JobRow.result, JobRow.finished_at)
        .where(JobRow.agent_id == AgentRow.id, JobRow.kind == MessageType.STATUS_REQUEST.value)
        .where(JobRow.state == JobState.DONE)
        .order_by(JobRow.created_at.desc())
        .limit(1)
        .lateral("newest")
    )
    columns = (AgentRow.id, AgentRow.username, AgentRow.name, AgentRow.kind, AgentRow.status)
    query = sa.select(*columns, newest.c.result, newest.c.finished_at).outerjoin(newest, sa.true()).where(*own)
    return [
        MemberView(row.id, row.username, row.name, row.kind, row.status, (row.result or {}).get("text"),
                   row.finished_at)
        for row in tx.execute(query.order_by(AgentRow.kind, AgentRow.username))
    ]  # fmt: skip


_COLUMNS = (
    JobRow.id, JobRow.kind, JobRow.priority, JobRow.surface, JobRow.payload, JobRow.requested_by, JobRow.state,
    JobRow.result, JobRow.error, JobRow.created_at, JobRow.finished_at, JobRow.expires_at, AgentRow.username,
)  # fmt: skip


def messages(
    deps: Deps, which: MessageFilter, *, limit: int = 50, below: uuid.UUID | None = None
) -> list[MessageView]:  # fmt: skip
    """Return messages newest first; `below` is the id of the last one of the page above. Raises NotFound."""
    query = sa.select(*_COLUMNS).join(AgentRow, AgentRow.id == JobRow.agent_id)
    query = query.where(JobRow.rare, JobRow.kind.in_([which.type.value] if which.type else KINDS))
    if which.network:
        query = query.where(JobRow.surface == which.network)
    with deps.db.transaction() as tx:
        if which.agent:
            query = query.where(JobRow.agent_id == agent_queries.named(tx, which.agent, include_deleted=True).id)
        if below is not None:
            place = tx.scalar(sa.select(JobRow.created_at).where(JobRow.id == below))
            if place is None:
                raise NotFound("The message at which the page above ended is gone.", fix="Begin at the first page.")
            query = query.where(sa.tuple_(JobRow.created_at, JobRow.id) < sa.tuple_(place, below))
        rows = tx.execute(query.order_by(JobRow.created_at.desc(), JobRow.id.desc()).limit(limit))
        return [_message(row) for row in rows]


def message(deps: Deps, message_id: uuid.UUID) -> MessageView:
    """Return one message. Raises NotFound."""
    query = sa.select(*_COLUMNS).join(AgentRow, AgentRow.id == JobRow.agent_id)
    with deps.db.transaction() as tx:
        row = tx.execute(query.where(JobRow.id == message_id, JobRow.kind.in_(KINDS))).one_or_none()
    if row is None:
        raise NotFound(f"There is no message {message_id}.", fix="`fleet team messages` lists them.")
    return _message(row)


def _message(row: Any) -> MessageView:
    result = row.result or {}
    answer = result.get("text") or (row.error if row.state in FINAL else None)
    sender = row.requested_by or row.payload.get("sender") or "fleet"
    return MessageView(
        row.id, MessageType(row.kind), MessagePriority.of(row.priority), row.username, row.surface, sender,
        str(row.payload.get("note") or ""), row.state, answer, row.created_at, row.finished_at, row.expires_at,
    )  # fmt: skip


def is_shown(tx: Tx) -> bool:
    """Say whether there is a team to show."""
    some = sa.select(AgentRow.id).where(AgentRow.kind.in_([*NETWORKS]), AgentRow.deleted_at.is_(None))
    return bool(tx.scalar(sa.select(sa.exists(some))))
