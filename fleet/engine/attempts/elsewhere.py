"""Another account of the agent for a job that its own account cannot do. A feature chooses ("jobs.elsewhere").

Only a job that its agent decided by itself moves, and only if no attempt can have sent it. The move is one guarded
UPDATE with its event; the next attempt starts from nothing, through the new account.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from fleet.core import events
from fleet.core.db import Tx
from fleet.engine import controls, registry
from fleet.engine.agents import loop
from fleet.engine.agents.loop import ActingAgent
from fleet.engine.deps import Deps
from fleet.engine.jobs import snooze
from fleet.engine.jobs.ledger import Claim, guarded
from fleet.engine.jobs.models import AttemptRow
from fleet.engine.jobs.states import JobState

_UNSENT = ("held", "retry")
"""Outcomes of attempts that surely sent nothing."""


@dataclass(frozen=True, slots=True)
class OtherAccount:
    """The account that does a job instead, and why; both names are for people."""

    account_id: uuid.UUID | None
    surface: str
    name: str
    instead_of: str
    why: str


def move(deps: Deps, claim: Claim, agent: ActingAgent, held: Any) -> bool:
    """Move a claimed job to another account if its own cannot do it and another can; return whether it moved.

    `held` are the controls in force as the claim returned them.
    """
    if not _may_move(claim):
        return False
    holds = controls.read(held)
    for choose in registry.current().extensions("jobs.elsewhere"):
        found: OtherAccount | None = choose(deps, claim, agent, holds)
        if found is not None:
            with deps.db.transaction() as tx:
                return _was_never_sent(tx, claim) and _moved(tx, claim, agent, found)
    return False


def _may_move(claim: Claim) -> bool:
    """Say whether only the agent itself chose the account: no person, draft or plan did."""
    if claim.state is not JobState.RUNNING or claim.tick_no is None or claim.requested_by or claim.sending_at:
        return False
    return not any(asked(claim) for asked in registry.current().extensions("jobs.approved"))


def _was_never_sent(tx: Tx, claim: Claim) -> bool:
    earlier = (AttemptRow.job_id == claim.job_id, AttemptRow.lease_token < claim.token)
    doubtful = sa.select(AttemptRow.job_id).where(*earlier, sa.func.coalesce(AttemptRow.outcome, "").not_in(_UNSENT))
    return tx.scalar(sa.select(doubtful.exists())) is False


def _moved(tx: Tx, claim: Claim, agent: ActingAgent, to: OtherAccount) -> bool:
    """Change the account and put the job back, due now; False if another worker has the lease."""
    values: dict[str, Any] = {"account_id": to.account_id, "surface": to.surface, "checkpoint": {}}
    if not guarded(tx, claim, {JobState.RUNNING}, **values):
        return False
    snooze.put_aside(tx, claim, why=f"moved to {to.name}", until=tx.now())
    loop.end_actions(tx, [(agent.id, claim.kind)])
    events.emit(
        tx, "job.moved", agent_id=agent.id, job_id=claim.job_id, kind=claim.kind, account=to.name,
        instead_of=to.instead_of, why=to.why[:300],
    )  # fmt: skip
    return True
