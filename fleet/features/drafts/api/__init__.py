"""The API of drafts: proposals of supervised agents, their origin, and people's decisions."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from fleet.access import Permission
from fleet.engine.agents import lookup
from fleet.engine.agents.lookup import Names
from fleet.engine.deps import Deps
from fleet.features.approvals import service as approving
from fleet.features.approvals.api import WholeRequest, whole_request
from fleet.features.approvals.api import decisions as api_decisions
from fleet.features.approvals.api.decisions import (
    Approve,
    DecidedOut,
    Decider,
    IdsToApprove,
    Instructions,
    Outcomes,
    Reject,
    Why,
)
from fleet.features.approvals.approver import person_of
from fleet.features.approvals.service import DecisionResult
from fleet.features.drafts import commands as drafting
from fleet.features.drafts.commands import DraftView
from fleet.features.drafts.queries import DraftFilter
from fleet.features.drafts.states import DraftKind, DraftStatus
from fleet.web.auth import TheDeps, needs
from fleet.web.requests import cursors
from fleet.web.requests.cursors import Page, Paging
from fleet.web.requests.fields import AgentFilter, Body, Said, Told, line, prose, taken

router = APIRouter(prefix="/drafts", tags=["drafts"])


class DraftOut(BaseModel):
    """One draft of an agent."""

    id: uuid.UUID
    agent_id: uuid.UUID
    agent: str | None = Field(description="the agent's username")
    kind: DraftKind
    status: DraftStatus
    outcome: Said = Field(description="what became of it: its status, or how its publishing stands")
    surface: str
    target: str | None
    content: Told
    about: Told = Field(description="what it answers, as it was seen")
    confidence: float | None
    context: str
    topic: str
    scan_id: uuid.UUID = Field(description="the job that proposed it: a scan, or the one whose words were in doubt")
    suggested_by: str = Field(description="`activity_worker`, or `manual` when a person had the agent look")
    revision: int
    request_id: uuid.UUID | None = Field(description="the request for approval that decides about it")
    job_id: uuid.UUID | None
    created_at: datetime
    expires_at: datetime
    decided_at: datetime | None
    decided_by: str | None
    reason: str | None


class Revision(BaseModel):
    """A draft as it was at one time."""

    revision: int
    content: Told
    made_by: str
    instructions: str | None
    made_at: datetime


class WholeDraft(DraftOut):
    """A draft, how it came about, and the request that decides about it with its record."""

    revisions: list[Revision]
    request: WholeRequest | None


class DraftPage(Page[DraftOut]):
    """A page of drafts, newest first."""


class DraftQuery(Paging):
    """Which drafts."""

    status: DraftStatus | None = None
    kind: DraftKind | None = None
    agent: AgentFilter | None = None


class Edit(Body):
    """New texts of the draft; missing fields stay."""

    text: Annotated[str, prose(2000)] | None = None
    image_prompt: Annotated[str, prose(2000)] | None = None
    alt_text: Annotated[str, prose(300)] | None = None
    visibility: Annotated[str, line(20)] | None = None
    type: Annotated[str, line(20)] | None = None
    reason: Annotated[str, prose(1000)] | None = None
    revision: api_decisions.Revision | None = None


def _view(model: type[DraftOut], seen: DraftView, names: Names, **more: Any) -> Any:
    return taken(model, seen.row, outcome=seen.outcome, agent=lookup.username(names, seen.row.agent_id), **more)


@router.get("", dependencies=[needs(Permission.DRAFTS_VIEW)])
def list_drafts(deps: TheDeps, *, which: Annotated[DraftQuery, Query()]) -> DraftPage:
    """Return a page of drafts, newest first."""
    wanted = DraftFilter(which.status, which.kind, lookup.agent_id(deps.db, which.agent))
    with which.continued():
        found = drafting.page(deps, wanted, limit=which.one_more, before=which.place(cursors.row_id))
    drafts, following = which.page(found, lambda seen: seen.row.id)
    names = lookup.names(deps.db, [seen.row.agent_id for seen in drafts])
    return DraftPage(items=[_view(DraftOut, seen, names) for seen in drafts], next=following)


@router.get("/{draft_id}", dependencies=[needs(Permission.DRAFTS_VIEW)])
def show(deps: TheDeps, *, draft_id: uuid.UUID) -> WholeDraft:
    """Return a draft, its origin, and its approval request with diff and decisions."""
    return _whole(deps, draft_id)


def _whole(deps: Deps, draft_id: uuid.UUID) -> WholeDraft:
    seen, revisions = drafting.show(deps, str(draft_id))
    request_id = seen.row.request_id
    request = None if request_id is None else whole_request(*approving.show(deps, str(request_id)))
    names = lookup.names(deps.db, [seen.row.agent_id])
    found: WholeDraft = _view(
        WholeDraft, seen, names, revisions=[taken(Revision, one) for one in revisions], request=request
    )
    return found


@router.post("/approve")
def approve_some(deps: TheDeps, *, body: IdsToApprove, who: Decider) -> Outcomes:
    """Approve drafts: each becomes a job, or returns its own error."""
    return _each(deps, body, lambda one, seen: approving.approve(deps, one, person_of(who), body.reason, revision=seen))


@router.post("/reject")
def reject_some(deps: TheDeps, *, body: api_decisions.IdsToReject, who: Decider) -> Outcomes:
    """Reject drafts, with a reason that their agents learn from."""
    return _each(deps, body, lambda one, seen: approving.reject(deps, one, person_of(who), body.reason, revision=seen))


@router.post("/withdraw")
def withdraw_some(deps: TheDeps, *, body: api_decisions.IdsToWithdraw, who: Decider) -> Outcomes:
    """Withdraw drafts."""
    return _each(deps, body, lambda one, _: approving.withdraw(deps, one, person_of(who), body.reason))


@router.post("/{draft_id}/approve")
def approve(deps: TheDeps, *, draft_id: uuid.UUID, body: Approve, who: Decider) -> DecidedOut:
    """Approve a draft: it becomes a job."""
    request_id = drafting.request_of(deps, str(draft_id))
    return api_decisions.one(approving.approve(deps, [request_id], person_of(who), body.reason, revision=body.revision))


@router.post("/{draft_id}/reject")
def reject(deps: TheDeps, *, draft_id: uuid.UUID, body: Reject, who: Decider) -> DecidedOut:
    """Reject a draft, with a reason that the agent learns from."""
    request_id = drafting.request_of(deps, str(draft_id))
    return api_decisions.one(approving.reject(deps, [request_id], person_of(who), body.reason, revision=body.revision))


@router.post("/{draft_id}/withdraw")
def withdraw(deps: TheDeps, *, draft_id: uuid.UUID, body: Why, who: Decider) -> DecidedOut:
    """Withdraw a draft."""
    request_id = drafting.request_of(deps, str(draft_id))
    return api_decisions.one(approving.withdraw(deps, [request_id], person_of(who), body.reason))


@router.patch("/{draft_id}")
def edit(deps: TheDeps, *, draft_id: uuid.UUID, body: Edit, who: Decider) -> WholeDraft:
    """Edit a draft; approvals of earlier revisions become void."""
    changes = body.model_dump(exclude_none=True, exclude={"reason", "revision"})
    drafting.edit(deps, str(draft_id), changes, person_of(who), body.reason, revision=body.revision)
    return _whole(deps, draft_id)


@router.post("/{draft_id}/revise", status_code=202)
def revise(deps: TheDeps, *, draft_id: uuid.UUID, body: Instructions, who: Decider) -> WholeDraft:
    """Ask the model for a new revision of a draft, with instructions."""
    drafting.revise(deps, str(draft_id), body.instructions, person_of(who))
    return _whole(deps, draft_id)


def _each(
    deps: Deps, body: api_decisions.Ids, decide: Callable[[list[uuid.UUID], int | None], list[DecisionResult]]
) -> Outcomes:
    seen = body.revisions if isinstance(body, api_decisions.IdsSeen) else {}
    return api_decisions.each(body.ids, lambda one: decide([drafting.request_of(deps, str(one))], seen.get(one)))
