"""The approval agent: announces, reminds, escalates and expires requests, and requests approval to replay dead letters.

State changes are part of the transaction that records the decision; each notice to each channel is a job.
"""

from __future__ import annotations

import functools
import uuid
from collections.abc import Sequence
from datetime import datetime

from fleet.core import ids, logs
from fleet.core.db import Tx
from fleet.core.errors import FleetError
from fleet.engine import publish
from fleet.engine.agent_type import Acts, ClaimedAgent
from fleet.engine.deps import Deps
from fleet.engine.jobs.ledger import NewJob
from fleet.features.approvals import queries
from fleet.features.approvals import service as approving
from fleet.features.approvals.agent import deciders, digest
from fleet.features.approvals.agent.digest import (
    ApprovalObservation,
    ApprovalSteps,
    NoticeLine,
    OpenRequest,
    decide,
    from_data,
    to_data,
)
from fleet.features.approvals.asking import consent
from fleet.features.approvals.effects import retry, verb
from fleet.features.approvals.queries import newest_about
from fleet.features.approvals.request import Request
from fleet.features.approvals.requests import maintenance
from fleet.features.approvals.rules import Step
from fleet.features.notices.kinds import NOTIFY
from fleet.features.notices.service import channels

__all__ = ["act", "decide", "from_data", "gather", "to_data"]
log = logs.get(__name__)
_MOST_CHANNELS = 100
_MOOT = {
    retry.ACTION: "there is nothing to try again any more",
    consent.ACTION: "its job has ended",
}


def gather(deps: Deps, claimed: ClaimedAgent) -> ApprovalObservation:
    """Read which requests have a step due, which dead letters to ask about, and which requests are obsolete."""
    with deps.db.transaction() as tx:
        waiting = tuple(OpenRequest(request.id, request.times) for request in maintenance.due(tx, claimed.now))
        return ApprovalObservation(
            claimed.now,
            waiting,
            tuple(retry.unasked(deps, tx)),
            (*retry.moot(tx), *consent.without_job(tx), *verb.requests_without_object(deps, tx)),
        )


def act(deps: Deps, claimed: ClaimedAgent, decision: ApprovalSteps) -> Acts:
    """Return the steps, which run in the transaction of the decision, and the notices about them."""
    return Acts((), functools.partial(_steps, deps, claimed, decision))


def _steps(deps: Deps, claimed: ClaimedAgent, decision: ApprovalSteps, tx: Tx) -> None:
    """Take the steps, and add the notices about them. A request that is decided by now is left alone."""
    for request_id in decision.moot:
        about = queries.get(tx, request_id)
        why = "what it is about is gone" if about.is_verb else _MOOT[about.action]
        approving.take_back(deps, tx, request_id, why)
    for job_id in decision.asks:
        _ask(deps, tx, job_id)
    taken = [(request, step) for one, step in decision.steps if (request := _take(deps, tx, one, step, claimed.now))]
    lines = [(NoticeLine(one.id, one.summary, one.requested_by, one.expires_at), step) for one, step in taken]
    jobs = _jobs(claimed, digest.digests(lines), channels(deps.settings)[:_MOST_CHANNELS])
    publish.add_jobs(tx, deps.publisher, jobs)
    deciders.tell(tx, taken)


def _ask(deps: Deps, tx: Tx, job_id: uuid.UUID) -> None:
    """Request approval to replay a dead letter; withdraw the request about an earlier death of the same job."""
    proposal = retry.proposal(tx, job_id)
    if proposal is None:
        return
    earlier = newest_about(tx, proposal.resource, proposal.resource_id, proposal.action)
    if earlier is not None and not earlier.is_settled:
        approving.take_back(deps, tx, earlier.id, "it was tried again meanwhile, and died again")
    approving.propose(deps, tx, proposal)


def _take(deps: Deps, tx: Tx, request_id: uuid.UUID, step: Step, now: datetime) -> Request | None:
    """Take one step with all its consequences, or none of them: a failing step must not stop the others."""
    try:
        with tx.session.begin_nested():
            request = maintenance.take(tx, request_id, step, now)
            if request is not None and request.is_settled:
                approving.follow(deps, tx, request)
            return request
    except FleetError as error:
        log.warning("approval_step_failed", request_id=str(request_id), step=str(step), error=str(error))
        return None


def _jobs(claimed: ClaimedAgent, told: Sequence[digest.Digest], channels: Sequence[str]) -> list[NewJob]:
    """Return one job for each notice and channel.

    Its id follows from the tick: however often it is decided, it is one.
    """
    agent, tick_no = claimed.agent, claimed.tick.key.tick_no
    places = {step: place for place, step in enumerate(Step)}
    return [
        NewJob(
            id=ids.job(agent.id, tick_no, places[one.step] * _MOST_CHANNELS + place), agent_id=agent.id,
            kind=NOTIFY, surface=agent.surface, tick_no=tick_no,
            payload={"channel": channel, "subject": one.subject, "title": one.title, "body": one.body},
        )
        for one in told
        for place, channel in enumerate(channels)
    ]  # fmt: skip
