"""Approved retries of dead letters: ("job", "retry"). Approving one replays the job with its own idempotency key.

Dead letters ask by themselves where FLEET_RETRY_BY_APPROVAL names their kind: the approval agent finds them.
"""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from fleet.core import events
from fleet.core.db import Tx
from fleet.core.errors import Conflict
from fleet.engine import publish
from fleet.engine.agents.models import AgentRow
from fleet.engine.deps import Deps
from fleet.engine.jobs import queries
from fleet.engine.jobs.models import JobRow
from fleet.engine.jobs.states import DeadReason, JobState
from fleet.features.approvals.effects.effect import Effect
from fleet.features.approvals.models import RequestRow
from fleet.features.approvals.request import Proposal, Request
from fleet.features.approvals.settings import ApprovalsSettings
from fleet.features.approvals.states import RequestState

RESOURCE, ACTION = "job", "retry"
_MOST_AT_ONCE = 50
_RECENT = timedelta(days=7)  # when the setting is changed, do not ask about last year's


def settled(deps: Deps, tx: Tx, request: Request) -> None:
    """Replay the job if that was approved. Raises Conflict when it is no dead letter any more."""
    if request.state is not RequestState.APPROVED:
        return
    job_id = uuid.UUID(request.resource_id)
    which = queries.JobFilter(states=(JobState.DEAD,), ids=(job_id,))
    rings = queries.replay(tx, which, allow_stale=True)
    if not rings:
        raise Conflict(f"Job {job_id} is {queries.get(tx, job_id).state}, not dead.", fix="Withdraw the request.")
    by = request.settled_by or request.requested_by
    events.emit(tx, "job.replayed", job_id=job_id, agent_id=request.agent_id, kind=str(rings[0].kind), by=by)
    tx.afterwards(lambda: publish.ring_jobs(deps.publisher, rings))


RETRY = Effect(settled)
EFFECTS = {(RESOURCE, ACTION): RETRY}


def unasked(deps: Deps, tx: Tx) -> list[uuid.UUID]:
    """Return dead letters that ask for a retry and have not done so since they died, the oldest first."""
    kinds = deps.settings.of(ApprovalsSettings).retry_by_approval
    if not kinds:
        return []
    asked = sa.exists().where(
        RequestRow.resource == RESOURCE,
        RequestRow.action == ACTION,
        RequestRow.resource_id == sa.cast(JobRow.id, sa.Text),
        RequestRow.created_at >= JobRow.finished_at,
    )
    query = (
        sa.select(JobRow.id)
        # Nobody can replay a message that no task understands.
        .where(JobRow.state == JobState.DEAD, JobRow.kind.in_(kinds), JobRow.dead_reason != DeadReason.UNREADABLE)
        .where(JobRow.finished_at > sa.func.clock_timestamp() - sa.literal(_RECENT, sa.Interval), ~asked)
        .order_by(JobRow.finished_at)
        .limit(_MOST_AT_ONCE)
    )
    return list(tx.session.scalars(query))


def moot(tx: Tx) -> list[uuid.UUID]:
    """Return open requests about jobs that are no dead letters any more: they were replayed or discarded."""
    mine = (RequestRow.resource == RESOURCE, RequestRow.action == ACTION, RequestRow.state == RequestState.PENDING)
    open_ones = dict(tx.execute(sa.select(RequestRow.resource_id, RequestRow.id).where(*mine)).tuples().all())
    if not open_ones:
        return []
    dead = sa.select(JobRow.id).where(JobRow.id.in_(map(uuid.UUID, open_ones)), JobRow.state == JobState.DEAD)
    still = {str(job_id) for job_id in tx.session.scalars(dead)}
    return [request_id for job_id, request_id in open_ones.items() if job_id not in still][:_MOST_AT_ONCE]


def proposal(tx: Tx, job_id: uuid.UUID) -> Proposal | None:
    """Return the request of one dead letter to be tried again; None if it is none any more."""
    job = tx.session.get(JobRow, job_id)
    if job is None or job.state != JobState.DEAD:
        return None
    username = tx.scalar(sa.select(AgentRow.username).where(AgentRow.id == job.agent_id))
    same: dict[str, Any] = {"kind": job.kind, "agent": username, "target": job.target, "surface": job.surface}
    before = {**same, "state": job.state, "attempts": job.attempts, "reason": job.dead_reason, "error": job.error}
    return Proposal(
        resource=RESOURCE, resource_id=str(job.id), action=ACTION, agent_id=job.agent_id,
        requested_by="fleet:dead-letters", payload={**same, "state": str(JobState.READY), "attempts": 0}, before=before,
        summary=f"Try the {job.kind} of {username or 'nobody'} again: {job.dead_reason}, {job.error or 'no error'}",
        facts={"kind": job.kind, "reason": job.dead_reason, "attempts": job.attempts, "surface": job.surface,
               "agent": username},
    )  # fmt: skip
