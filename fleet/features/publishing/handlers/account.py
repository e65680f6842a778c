"""An agent's account on its surface: created and removed, both safe to repeat."""

from __future__ import annotations

import uuid
from dataclasses import replace

from fleet.adapters import social
from fleet.adapters.base import AnyAction
from fleet.core import ids
from fleet.core.db import Tx
from fleet.engine import publish
from fleet.engine.agents import identities, loop
from fleet.engine.agents.identities import Identity
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
    """Return the request to remove the account. What the agent left meanwhile is removed by the id in the payload."""
    action = work.action(social.DEPROVISION, social.DeprovisionPayload())
    if action.account.remote_id is None:
        account = replace(action.account, remote_id=work.claim.payload.get("remote_id"))
        action = replace(action, account=account)
    return action


def removal(identity: Identity, job_id: uuid.UUID, *, by: str) -> NewJob:
    """Return the job that removes an agent from the system of one of its accounts."""
    return NewJob(
        job_id, identity.agent_id, DEPROVISION, identity.surface, requested_by=by, account_id=identity.account_id,
        payload={"remote_id": identity.remote_id},
    )  # fmt: skip


def remove_account(deps: Deps, tx: Tx, agent: AgentRow, *, by: str) -> None:
    """Add the jobs that remove an agent, which this transaction has deleted, from wherever it is known."""
    main, *others = identities.of_agent(tx, agent)
    jobs = [removal(main, ids.job(agent.id, agent.tick_no, -1), by=by)] if main.remote_id is not None else []
    jobs += [removal(one, ids.derived("removed from", agent.id, one.account_id), by=by)
             for one in others if one.remote_id is not None]  # fmt: skip
    publish.add_jobs(tx, deps.publisher, jobs)


def leave_account(deps: Deps, tx: Tx, left: Identity, *, by: str) -> None:
    """Add the job that removes an agent from the system of an account that it uses no more, if it is known there."""
    if left.remote_id is None:
        return
    job_id = ids.derived("left account", left.agent_id, left.account_id, left.remote_id)
    publish.add_jobs(tx, deps.publisher, [removal(left, job_id, by=by)])


def has_come(tx: Tx, work: Work, outcome: Done) -> None:
    """Note the account and let its agent act with it; remove it if the agent was deleted or unassigned meanwhile."""
    claim = work.claim
    is_noted = loop.set_identity(tx, claim.agent_id, claim.account_id, outcome.remote_id)
    agent = loop.lock(tx, claim.agent_id)
    if is_noted and (agent is None or agent.deleted_at is None):
        loop.wake(tx, claim.agent_id)
        return
    late = Identity(claim.agent_id, claim.account_id, claim.surface, outcome.remote_id)
    publish.add_jobs(
        tx, work.deps.publisher, [removal(late, ids.derived("account came late", claim.job_id), by="fleet")]
    )


def has_gone(tx: Tx, work: Work, _: Done) -> None:
    """Note that there is no account any more."""
    loop.set_identity(tx, work.claim.agent_id, work.claim.account_id, None)
