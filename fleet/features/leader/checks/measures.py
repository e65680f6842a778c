"""The figures of networks in a period: success and activity from the ledger, engagement and growth from features that
measure them, through the extension point `fleet.engine.points.network_measures`.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Mapping
from datetime import datetime

import sqlalchemy as sa

from fleet.adapters.social import POST
from fleet.core.db import Tx
from fleet.engine import registry
from fleet.engine.agents import config
from fleet.engine.agents.models import AgentRow
from fleet.engine.agents.status import AgentStatus
from fleet.engine.deps import Deps
from fleet.engine.jobs.models import JobRow
from fleet.engine.jobs.states import JobState
from fleet.engine.points.network_measures import POINT, Measured
from fleet.features.leader.rules import planned_posts
from fleet.features.leader.scores import NetworkFigures
from fleet.features.platforms.kinds import PlatformConfig
from fleet.features.platforms.networks import NETWORKS

_DAY_S = 86_400


def figures(
    deps: Deps, tx: Tx, organisation_id: uuid.UUID, since: datetime, until: datetime
) -> dict[str, NetworkFigures]:
    """Return the figures of an organisation's networks that have agents, by network."""
    ended = _ended(tx, organisation_id, since, until)
    planned = _planned(tx, organisation_id, since, until)
    measured: dict[str, Measured] = {}
    for measure in registry.current().extensions(POINT):
        measured |= measure(deps, tx, organisation_id, since, until)
    return {
        name: _figures(name, measured.get(name, Measured()), ended, planned.get(name, 0.0))
        for name in NETWORKS
        if name in planned
    }


def _figures(
    network: str, found: Measured, ended: Mapping[tuple[str, str, str], int], planned: float
) -> NetworkFigures:
    def count(state: JobState) -> int:
        return sum(number for (of, _, how), number in ended.items() if of == network and how == state)

    return NetworkFigures(
        engagement_percent=found.reaction_percent, measured_posts=found.sample, growth_percent=found.growth_percent,
        done=count(JobState.DONE), failed=count(JobState.DEAD), posts=ended[network, POST.name, JobState.DONE],
        planned=round(planned, 2),
    )  # fmt: skip


def _ended(tx: Tx, organisation_id: uuid.UUID, since: datetime, until: datetime) -> Counter[tuple[str, str, str]]:
    """Count public jobs that ended in a period, by network, kind and state (ix_jobs_finished_at)."""
    public = registry.current().kinds(lambda job: job.is_public)
    which = (
        JobRow.finished_at >= since, JobRow.finished_at < until, JobRow.kind.in_(sorted(public)),
        JobRow.state.in_((JobState.DONE, JobState.DEAD)), AgentRow.kind.in_([*NETWORKS]),
        AgentRow.organisation_id == organisation_id,
    )  # fmt: skip
    query = sa.select(AgentRow.kind, JobRow.kind, JobRow.state, sa.func.count())
    query = query.join(AgentRow, AgentRow.id == JobRow.agent_id).where(*which)
    rows = tx.execute(query.group_by(AgentRow.kind, JobRow.kind, JobRow.state))
    return Counter({(row[0], row[1], row[2]): row[3] for row in rows})


def _planned(tx: Tx, organisation_id: uuid.UUID, since: datetime, until: datetime) -> dict[str, float]:
    """Return by network how many posts the hours of its agents planned; 0 for networks whose agents are stopped."""
    own = (AgentRow.organisation_id == organisation_id, AgentRow.kind.in_([*NETWORKS]), AgentRow.deleted_at.is_(None))
    query = sa.select(AgentRow.kind, AgentRow.config, AgentRow.status, AgentRow.created_at).where(*own)
    planned: dict[str, float] = {}
    for kind, stored, status, created_at in tx.execute(query):
        planned.setdefault(kind, 0.0)
        if status == AgentStatus.IDLE:
            continue
        network = NETWORKS[kind]
        hours = config.read(PlatformConfig, stored).hours or network.post_hours
        days = (until - max(since, created_at)).total_seconds() / _DAY_S
        planned[kind] += planned_posts(len(hours), len(network.days), days)
    return planned
