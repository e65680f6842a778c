"""An agent's account on its surface: asked for and removed, both as often as need be."""

from __future__ import annotations

import uuid

from fleet.adapters import social
from fleet.adapters.base import AnyAction
from fleet.core import ids
from fleet.core.db import Tx
from fleet.engine import publish
from fleet.engine.agents import loop
from fleet.engine.agents.models import AgentRow
from fleet.engine.attempts.work import Work
from fleet.engine.deps import Deps
from fleet.engine.jobs.ledger import NewJob
from fleet.engine.jobs.outcomes import Done
from fleet.features.publishing.kinds import DEPROVISION


def provision(work: Work) -> AnyAction:
    """Return the request for an account, labelled as an agent's."""
    return work.action(social.PROVISION, social.ProvisionPayload())


def deprovision(work: Work) -> AnyAction:
    """Return the request to remove the account."""
    return work.action(social.DEPROVISION, social.DeprovisionPayload())


def removal(agent: AgentRow, job_id: uuid.UUID, *, by: str) -> NewJob:
    """Return the job that removes the account of an agent."""
    return NewJob(job_id, agent.id, DEPROVISION, agent.surface, requested_by=by)


def remove_account(deps: Deps, tx: Tx, agent: AgentRow, *, by: str) -> None:
    """Add the job that removes the account of an agent that this transaction has deleted, if it has one."""
    if agent.remote_account is None:
        return
    publish.add_jobs(tx, deps.publisher, [removal(agent, ids.job(agent.id, agent.tick_no, -1), by=by)])


def has_come(tx: Tx, work: Work, outcome: Done) -> None:
    """Note the account and let its agent act with it; one whose agent was deleted meanwhile is removed again."""
    loop.set_account(tx, work.claim.agent_id, outcome.remote_id)
    agent = loop.lock(tx, work.claim.agent_id)
    if agent is None or agent.deleted_at is None:
        loop.wake(tx, work.claim.agent_id)
        return
    job = removal(agent, ids.derived("account came late", work.claim.job_id), by="fleet")
    publish.add_jobs(tx, work.deps.publisher, [job])


def has_gone(tx: Tx, work: Work, _: Done) -> None:
    """Note that there is no account any more."""
    loop.set_account(tx, work.claim.agent_id, None)
