"""Consent to single writes: ("job", "consent"). Asked where the rules of an outside system want a person for each one.

The job is prepared first, so that the request shows what would be sent; then it waits. An approval holds for exactly
this content: its fingerprint is compared before the write. A refused, withdrawn or expired request skips the job.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from fleet.adapters.base import AnyAction
from fleet.core import text
from fleet.core.db import Tx
from fleet.engine.attempts.error_policy import AttemptResult
from fleet.engine.attempts.work import Work
from fleet.engine.deps import Deps
from fleet.engine.jobs.models import JobRow
from fleet.engine.jobs.outcomes import Held, Skipped
from fleet.engine.jobs.states import LIVE, JobState
from fleet.features.approvals import queries as requests
from fleet.features.approvals import service
from fleet.features.approvals.effects.effect import Effect
from fleet.features.approvals.models import RequestRow
from fleet.features.approvals.request import Ended, Proposal, Request
from fleet.features.approvals.requests import moves
from fleet.features.approvals.states import RequestState

RESOURCE, ACTION = "job", "consent"
MOST_OPEN = 20
"""How many writes of one agent may wait for consent; the next one is skipped, or an agent fills the queue."""
_SHOWN_CHARS = 300
_WAITS = "waits for a person's approval"
_DAY = timedelta(days=1)
_ABOUT_CONTENT = frozenset({RequestState.PENDING, RequestState.APPROVED})  # a refusal ends the job, whatever it sends


def seek(work: Work, action: AnyAction) -> AnyAction | AttemptResult:
    """Return the action as approved, or how its job waits or ends. Registered at "jobs.consent"."""
    job_id = str(work.claim.job_id)
    with work.deps.db.transaction() as tx:
        request = requests.newest_about(tx, RESOURCE, job_id, ACTION)
        is_full = request is None and _count_open(tx, work.claim.agent_id) >= MOST_OPEN
        now = tx.now()
    if is_full:
        return AttemptResult(Skipped(f"{MOST_OPEN} of the agent's writes wait for approval already"))
    if request is None or (request.state in _ABOUT_CONTENT and not _is_same(request, action)):
        return _ask(work, action, obsolete=None if request is None or request.is_settled else request)
    match request.state:
        case RequestState.APPROVED:
            return replace(action, is_approved=True)
        case RequestState.PENDING if request.expires_at > now:
            why = f"{_WAITS} (request {str(request.id)[:8]})"
            return AttemptResult(Held(why, request.expires_at), work.also, lambda tx: _still_waits(tx, request.id))
        case RequestState.REJECTED:
            why = f"refused by {request.settled_by}: {request.reason}"
        case RequestState.WITHDRAWN:
            why = f"the request for approval was withdrawn: {request.reason}"
        case _:
            why = "no person approved it in time"
    return AttemptResult(Skipped(why, {"draft": action.draft()}))


def _ask(work: Work, action: AnyAction, *, obsolete: Request | None) -> AttemptResult:
    """Open the request in the transaction that snoozes the job; both happen or neither does."""
    proposal = _proposal(work, action)

    def also(tx: Tx) -> None:
        if work.also is not None:
            work.also(tx)
        if obsolete is not None:
            moves.withdraw(tx, obsolete.id, "what would be sent has changed")
        request = service.propose(work.deps, tx, proposal)
        worth_doing = request.expires_at + work.handler.expires_after
        mine = JobRow.id == work.claim.job_id
        waits = {"next_attempt_at": request.expires_at, "expires_at": sa.func.greatest(JobRow.expires_at, worth_doing)}
        tx.execute(sa.update(JobRow).where(mine).values(**waits))

    return AttemptResult(Held(_WAITS, work.deps.now() + _DAY), also)


def _still_waits(tx: Tx, request_id: uuid.UUID) -> bool:
    """Say whether a request is open. Locks it: a decision that comes now waits until the job is snoozed."""
    return not requests.lock(tx, request_id).is_settled


def _proposal(work: Work, action: AnyAction) -> Proposal:
    claim, account = work.claim, work.deps.accounts.get(work.claim.account_id).key.name
    username = work.agent.username
    shown = {
        "verb": action.type.name,
        "as": action.account.username,
        "account": account,
        **_shown(asdict(action.payload)),
    }
    answered = {name: claim.payload[name] for name in ("author_name", "caption") if claim.payload.get(name)}
    if answered:
        shown["answers"] = answered
    words = text.cut(action.payload.words or str(claim.target or ""), 200)
    summary = f"{action.type.noun.capitalize()} of {username} on {claim.surface}: {words}"
    return Proposal(
        resource=RESOURCE, resource_id=str(claim.job_id), action=ACTION, payload=shown, agent_id=claim.agent_id,
        requested_by=f"agent:{username}", summary=summary,
        facts={"kind": claim.kind, "surface": claim.surface, "account": account, "agent": username,
               "rule": work.gateway.consent_rule(action), "fingerprint": fingerprint(action)},
        needs_person=True,
    )  # fmt: skip


def _shown(value: Any) -> Any:
    """Return data as people see it: without empty fields, and long addresses cut."""
    if isinstance(value, Mapping):
        return {name: _shown(one) for name, one in value.items() if one not in (None, "", (), [], {})}
    if isinstance(value, list | tuple):
        return [_shown(one) for one in value]
    return value[:_SHOWN_CHARS] if isinstance(value, str) and value.startswith("data:") else value


def fingerprint(action: AnyAction) -> str:
    """Return a digest of what would be sent, and as whom."""
    content = {"verb": action.type.name, "as": action.account.username, "payload": asdict(action.payload)}
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


def _is_same(request: Request, action: AnyAction) -> bool:
    return request.facts.get("fingerprint") == fingerprint(action)


def _count_open(tx: Tx, agent_id: uuid.UUID) -> int:
    mine = (RequestRow.agent_id == agent_id, RequestRow.resource == RESOURCE, RequestRow.action == ACTION)
    query = sa.select(sa.func.count()).where(*mine, RequestRow.state == RequestState.PENDING)
    return int(tx.scalar(query) or 0)


def settled(deps: Deps, tx: Tx, request: Request) -> None:  # noqa: ARG001
    """Let the job go on: its next attempt reads the decision. Raises Ended if an approved job is over already."""
    job_id = uuid.UUID(request.resource_id)
    job = tx.session.get(JobRow, job_id, populate_existing=True)
    if request.state is RequestState.APPROVED and (job is None or job.state not in LIVE):
        raise Ended("The job is over: it was cancelled, or became too old.")
    waiting = (JobRow.id == job_id, JobRow.state == JobState.READY, JobRow.held.is_not(None))
    freed = {"held": None, "next_attempt_at": tx.sql_now, "published_at": None, "publishes": 0}
    tx.execute(sa.update(JobRow).where(*waiting).values(**freed))  # the sweep publishes it


CONSENT = Effect(settled)
EFFECTS = {(RESOURCE, ACTION): CONSENT}


def without_job(tx: Tx) -> list[uuid.UUID]:
    """Return open requests whose job has ended otherwise."""
    mine = (RequestRow.resource == RESOURCE, RequestRow.action == ACTION, RequestRow.state == RequestState.PENDING)
    open_ones = dict(tx.execute(sa.select(RequestRow.resource_id, RequestRow.id).where(*mine)).tuples().all())
    if not open_ones:
        return []
    live = sa.select(JobRow.id).where(JobRow.id.in_(map(uuid.UUID, open_ones)), JobRow.state.in_(LIVE))
    still = {str(job_id) for job_id in tx.session.scalars(live)}
    return [request_id for job_id, request_id in open_ones.items() if job_id not in still]
