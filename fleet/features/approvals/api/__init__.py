"""Requests for approval for programs, whatever they are about: list, one with diff and record, and decisions."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from fleet.access import Permission
from fleet.core.diff import How, diff
from fleet.core.masking import mask_all
from fleet.engine.agents import lookup
from fleet.features.approvals import service as approving
from fleet.features.approvals.api import decisions as api_decisions
from fleet.features.approvals.api.decisions import (
    Approve,
    DecidedOut,
    Decider,
    IdsToApprove,
    IdsToReject,
    IdsToWithdraw,
    Instructions,
    Outcomes,
    Reject,
    Why,
)
from fleet.features.approvals.approver import person_of
from fleet.features.approvals.queries import ApprovalDecision, RequestFilter
from fleet.features.approvals.request import Request
from fleet.features.approvals.states import DecisionKind, RequestState
from fleet.web.auth import TheDeps, needs
from fleet.web.requests import cursors
from fleet.web.requests.cursors import Page, Paging
from fleet.web.requests.fields import AgentFilter, Body, Json, Said, Told, line, prose, taken

router = APIRouter(prefix="/approvals", tags=["approvals"])


class Approval(BaseModel):
    """A request for approval: author, resource, action and state."""

    id: uuid.UUID
    resource: str = Field(examples=["draft"])
    resource_id: str
    action: str = Field(examples=["publish"])
    revision: int
    state: RequestState
    summary: Said
    agent_id: uuid.UUID | None
    requested_by: str
    rule: str
    approvers: list[str]
    min_approvals: int
    voices: list[str] = Field(description="who has approved this revision")
    created_at: datetime
    expires_at: datetime
    escalated_at: datetime | None
    settled_at: datetime | None
    settled_by: str | None
    reason: str | None


class FieldChange(BaseModel):
    """One field that would be different."""

    path: list[str]
    how: How
    before: Any
    after: Any
    lines: list[str] = Field(description="of texts: the unified diff")


class Entry(BaseModel):
    """One entry of the record: who did what to which revision."""

    revision: int
    verdict: DecisionKind
    by: str
    roles: list[str]
    reason: str | None
    payload: Told
    decided_at: datetime


class WholeRequest(Approval):
    """A request with its changes and the record of its decisions."""

    payload: Told
    before: Told | None
    facts: Told
    diff: list[FieldChange]
    record: list[Entry]


class ApprovalPage(Page[Approval]):
    """A page of requests, newest first."""


class ApprovalQuery(Paging):
    """Which requests."""

    state: Annotated[list[RequestState], Field(max_length=10)] = []
    resource: Annotated[str, line(30)] | None = None
    agent: AgentFilter | None = None


class NewPayload(Body):
    """The payload to approve instead."""

    payload: Json
    reason: Annotated[str, prose(1000)] | None = None
    revision: api_decisions.Revision | None = None


def whole_request(request: Request, record: list[ApprovalDecision]) -> WholeRequest:
    """Return a request as programs see it, with diff and record."""
    changes = [
        FieldChange(path=list(one.path), how=one.how, before=mask_all(one.before), after=mask_all(one.after),
                    lines=mask_all(one.lines))
        for one in diff(request.before, request.payload)
    ]  # fmt: skip
    return taken(
        WholeRequest, request, diff=changes, before=None if request.before is None else dict(request.before),
        record=[taken(Entry, one) for one in record],
    )  # fmt: skip


@router.get("", dependencies=[needs(Permission.DRAFTS_VIEW)])
def list_approvals(deps: TheDeps, *, which: Annotated[ApprovalQuery, Query()]) -> ApprovalPage:
    """Return a page of approval requests, newest first."""
    wanted = RequestFilter(tuple(which.state), which.resource or None, lookup.agent_id(deps.db, which.agent))
    with which.continued():
        found = approving.page(deps, wanted, limit=which.one_more, before=which.place(cursors.row_id))
    requests, following = which.page(found, lambda one: one.id)
    return ApprovalPage(items=[taken(Approval, one) for one in requests], next=following)


@router.get("/{request_id}", dependencies=[needs(Permission.DRAFTS_VIEW)])
def show(deps: TheDeps, *, request_id: uuid.UUID) -> WholeRequest:
    """Return an approval request with its changes and its decisions."""
    return whole_request(*approving.show(deps, str(request_id)))


@router.post("/approve")
def approve_some(deps: TheDeps, *, body: IdsToApprove, who: Decider) -> Outcomes:
    """Approve requests; each that fails returns its own error."""
    return api_decisions.each(
        body.ids,
        lambda one: approving.approve(deps, [one], person_of(who), body.reason, revision=body.revisions.get(one)),
    )


@router.post("/reject")
def reject_some(deps: TheDeps, *, body: IdsToReject, who: Decider) -> Outcomes:
    """Reject requests; each that fails returns its own error."""
    return api_decisions.each(
        body.ids,
        lambda one: approving.reject(deps, [one], person_of(who), body.reason, revision=body.revisions.get(one)),
    )


@router.post("/withdraw")
def withdraw_some(deps: TheDeps, *, body: IdsToWithdraw, who: Decider) -> Outcomes:
    """Withdraw requests; each that fails returns its own error."""
    return api_decisions.each(body.ids, lambda one: approving.withdraw(deps, [one], person_of(who), body.reason))


@router.post("/{request_id}/approve")
def approve(deps: TheDeps, *, request_id: uuid.UUID, body: Approve, who: Decider) -> DecidedOut:
    """Approve a request. The last missing approval applies the change."""
    return api_decisions.one(approving.approve(deps, [request_id], person_of(who), body.reason, revision=body.revision))


@router.post("/{request_id}/reject")
def reject(deps: TheDeps, *, request_id: uuid.UUID, body: Reject, who: Decider) -> DecidedOut:
    """Reject a request, with a reason for its author."""
    return api_decisions.one(approving.reject(deps, [request_id], person_of(who), body.reason, revision=body.revision))


@router.post("/{request_id}/withdraw")
def withdraw(deps: TheDeps, *, request_id: uuid.UUID, body: Why, who: Decider) -> DecidedOut:
    """Withdraw a request."""
    return api_decisions.one(approving.withdraw(deps, [request_id], person_of(who), body.reason))


@router.patch("/{request_id}")
def edit(deps: TheDeps, *, request_id: uuid.UUID, body: NewPayload, who: Decider) -> WholeRequest:
    """Edit the payload of a request; earlier approvals become void."""
    approving.edit(deps, request_id, body.payload, person_of(who), body.reason, revision=body.revision)
    return whole_request(*approving.show(deps, str(request_id)))


@router.post("/{request_id}/revise", status_code=202)
def revise(deps: TheDeps, *, request_id: uuid.UUID, body: Instructions, who: Decider) -> WholeRequest:
    """Return a request to its author, with instructions."""
    approving.revise(deps, request_id, body.instructions, person_of(who))
    return whole_request(*approving.show(deps, str(request_id)))
