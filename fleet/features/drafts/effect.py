"""The effects of decisions about drafts: a job of the ledger, a lesson, or none.

The job's id comes from the draft's, and the draft is settled by one guarded UPDATE, so approving twice or in two places
publishes once. Both are part of the transaction of the decision.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from fleet.core import events, ids
from fleet.core.db import Tx
from fleet.core.errors import Conflict
from fleet.engine import publish, registry
from fleet.engine.agents import queries as agents
from fleet.engine.deps import Deps
from fleet.engine.jobs.ledger import NewJob
from fleet.features.approvals import queries as approval_queries
from fleet.features.approvals.effects.effect import Effect
from fleet.features.approvals.request import Request
from fleet.features.approvals.rules import Person
from fleet.features.approvals.states import RequestState
from fleet.features.drafts import content, lessons, queries, service
from fleet.features.drafts.kinds import REVISE_DRAFT
from fleet.features.drafts.models import DraftRow
from fleet.features.drafts.states import DraftKind, DraftStatus, OwnerAnswer
from fleet.features.publishing.kinds import COMMENT, CONNECT, LIKE, POST, REACT

RESOURCE, ACTION = "draft", "publish"


_INTO = {
    RequestState.APPROVED: DraftStatus.APPROVED, RequestState.REJECTED: DraftStatus.REJECTED,
    RequestState.EXPIRED: DraftStatus.EXPIRED, RequestState.WITHDRAWN: DraftStatus.WITHDRAWN,
}  # fmt: skip
_AGENT = "agent:"
_RULE = "rule:"


def settled(deps: Deps, tx: Tx, request: Request) -> None:
    """Settle the draft as its request is, and add the job of an approved one.

    Raises Conflict when the agent has done the same by another way meanwhile.
    """
    draft_id, into = uuid.UUID(request.resource_id), _INTO[request.state]
    job_id = ids.derived("publish", draft_id) if into is DraftStatus.APPROVED else None
    row = service.settle(tx, draft_id, into, by=request.settled_by, reason=request.reason, job_id=job_id)
    if row is None:
        return
    if job_id is not None:
        _publish(deps, tx, row, job_id)
    _learn(tx, row)
    events.emit(
        tx, f"agent.draft.{into}", agent_id=row.agent_id, job_id=job_id, draft=str(row.id), kind=row.kind,
        by=row.decided_by, reason=row.reason,
    )  # fmt: skip


def _publish(deps: Deps, tx: Tx, row: DraftRow, job_id: uuid.UUID) -> None:
    agent = agents.get(tx, row.agent_id)
    kind = kind_of_job(row.content)
    job = NewJob(
        id=job_id, agent_id=row.agent_id, kind=kind, surface=row.surface, account_id=row.account_id,
        target=row.target, payload=_payload(row), requested_by=row.decided_by,
        worth_doing=max(registry.current().job(kind).expires_after, row.expires_at - tx.now()),
    )  # fmt: skip
    if not publish.add_jobs(tx, deps.publisher, [job]):
        raise Conflict(f"{agent.name} has done this already, without the draft.", fix="Reject the draft.")


def kind_of_job(said: Mapping[str, Any]) -> str:
    """Return the kind of job that publishes a draft."""
    if said["kind"] == DraftKind.REACTION:
        return LIKE if said["type"] == "like" else REACT
    return {"post": POST, "comment": COMMENT, "connection": CONNECT}[said["kind"]]


def _payload(row: DraftRow) -> dict[str, Any]:
    """Return the payload of the job: the approved content, and facts about its target for caps and feed."""
    about = {"author": row.about.get("author"), "author_name": row.about.get("author_name"),
             "caption": str(row.about.get("text", ""))[:500], "comments": row.about.get("humans", 0),
             "ours": 0}  # fmt: skip
    return {"draft": str(row.id), "origin": str(row.scan_id), "revision": row.revision, "content": dict(row.content),
            **(about if row.about else {})}  # fmt: skip


def _learn(tx: Tx, row: DraftRow) -> None:
    """Record the lesson of a person's decision; decisions of rules and expiry teach nothing."""
    if row.decided_by is None or row.decided_by.startswith(_RULE):
        return
    if row.status == DraftStatus.REJECTED:
        lessons.learn(tx, row, OwnerAnswer.REJECTED, reason=row.reason)
    elif row.status == DraftStatus.APPROVED:
        edited = any(not one.made_by.startswith(_AGENT) for one in queries.revisions_of(tx, row.id))
        lessons.learn(tx, row, OwnerAnswer.EDITED if edited else OwnerAnswer.APPROVED, reason=row.reason)


def amended(deps: Deps, tx: Tx, request: Request) -> None:  # noqa: ARG001
    """Copy a person's edit into the draft. Raises Conflict when it is decided meanwhile."""
    decision = approval_queries.decisions_of(tx, request.id)[-1]
    if service.revise(tx, uuid.UUID(request.resource_id), request.payload, made_by=decision.by) is None:
        raise Conflict("The draft is decided already.")


def checked(request: Request, payload: Mapping[str, Any]) -> dict[str, Any]:
    """Return an edited draft, its texts cleaned. Raises InvalidInput for a field or value that is not allowed."""
    return content.checked(request.payload, payload)


def facts(request: Request, payload: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts of an edited draft, for rules."""
    return {**request.facts, "visibility": payload.get("visibility"), "type": payload.get("type")}


def summary(tx: Tx, request: Request, payload: Mapping[str, Any]) -> str:
    """Return a short description of an edited draft."""
    return in_short(payload, queries.get(tx, uuid.UUID(request.resource_id)).about)


def in_short(said: Mapping[str, Any], about: Mapping[str, Any]) -> str:
    """Return a short description of a draft, for lists, digests and notices."""
    who = str(about.get("author_name") or about.get("author") or "somebody")
    words = content.gist(said)
    return {
        DraftKind.POST: f"Post: {words}", DraftKind.COMMENT: f"Say to {who}: {words}",
        DraftKind.REACTION: f"React with {words} to what {who} made", DraftKind.CONNECTION: f"Ask {who} to be friends",
    }[DraftKind(said["kind"])]  # fmt: skip


def revise(deps: Deps, tx: Tx, request: Request, instructions: str, by: Person) -> None:
    """Send a draft back to the model, in a job of its own. Raises Conflict if the same instructions are sent twice."""
    row = queries.get(tx, uuid.UUID(request.resource_id))
    job = NewJob(
        id=ids.derived("revise", row.id, row.revision, instructions), agent_id=row.agent_id,
        kind=REVISE_DRAFT, surface=row.surface, account_id=row.account_id, requested_by=by.name,
        payload={"draft": str(row.id), "revision": row.revision, "instructions": instructions, "by": by.name},
    )  # fmt: skip
    if not publish.add_jobs(tx, deps.publisher, [job]):
        raise Conflict("The draft has been sent back with these very words.", fix="Say it in another way, or edit it.")
    events.emit(
        tx, "agent.draft.sent_back", agent_id=row.agent_id, job_id=job.id, draft=str(row.id), kind=row.kind,
        by=by.name, instructions=instructions,
    )  # fmt: skip


PUBLISH = Effect(settled, amended, facts, revise, checked, summary)
EFFECTS = {(RESOURCE, ACTION): PUBLISH}
