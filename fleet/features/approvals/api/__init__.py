"""Requests for approval for programs, whatever they are about: list, one with diff and record, and decisions."""

from __future__ import annotations

import uuid
from datetime import datetime
from functools import partial
from typing import Annotated, Any, Self

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field, model_validator

from fleet.access import Permission
from fleet.core.diff import Change, How, diff
from fleet.core.masking import mask_all
from fleet.engine.agents import lookup
from fleet.engine.deps import Deps
from fleet.engine.points import verbs
from fleet.features.approvals import service as approving
from fleet.features.approvals.api import decisions as api_decisions
from fleet.features.approvals.api.decisions import (
    NO_BODY,
    Approve,
    DecidedOut,
    Decider,
    DecisionIn,
    IdsToApprove,
    IdsToReject,
    IdsToWithdraw,
    Instructions,
    Outcomes,
    Reject,
    Why,
)
from fleet.features.approvals.queries import ApprovalDecision, RequestFilter
from fleet.features.approvals.request import Request
from fleet.features.approvals.states import DecisionKind, RequestState
from fleet.web.auth import TheDeps, needs
from fleet.web.requests import cursors
from fleet.web.requests.cursors import Page, Paging
from fleet.web.requests.fields import AgentFilter, IdPrefix, Json, Said, Told, line, prose, taken

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
    agent: str | None = Field(description="the agent's username")
    requested_by: str
    rule: str
    approvers: list[str]
    min_approvals: int
    voices: list[str] = Field(description="who has approved this revision")
    created_at: datetime
    expires_at: datetime
    escalate_at: datetime | None = Field(description="when `escalate_to` may decide too, if nobody has")
    escalate_to: list[str]
    escalated_at: datetime | None
    settled_at: datetime | None
    settled_by: str | None
    reason: str | None
    is_verb: bool = Field(description="whether approving it runs a verb of Fleet (`GET /approvals/verbs`)")


class FieldChange(BaseModel):
    """One field that would be different."""

    path: list[str]
    field: str = Field(description="the path as people write it")
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
    before: Told | None = Field(description="the object when it was asked about")
    current: Told | None = Field(description="the object of this revision, if it has changed since the question")
    changed: list[FieldChange] = Field(description="how the object has changed since the question")
    arguments: Told | None = Field(description="of the verb that it runs")
    collect_at: str | None = Field(
        description="of a verb with a secret result: the page where the person who asked runs it, within a day of the"
        " approval; a program sends the same request again"
    )
    used_at: datetime | None = Field(description="when such a verb ran")
    outdated: bool = Field(description="whether its object has changed since; an approval makes a new revision of it")
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


class NewPayload(DecisionIn):
    """The payload to approve instead, or the fields of it that change."""

    payload: Json | None = None
    changes: Json | None = Field(None, description="new values by field; the other fields stay")
    reason: Annotated[str, prose(1000)] | None = None
    revision: api_decisions.Revision | None = None

    @model_validator(mode="after")
    def _says_one(self) -> Self:
        if (self.payload is None) == (self.changes is None):
            raise ValueError("give either payload or changes")
        return self


def whole_request(deps: Deps, request_id: uuid.UUID) -> WholeRequest:
    """Return a request as programs see it, with diff and record. Raises NotFound."""
    return _whole(deps, *approving.show(deps, str(request_id)))


def _whole(deps: Deps, request: Request, record: list[ApprovalDecision]) -> WholeRequest:
    names = lookup.names(deps.db, [request.agent_id])
    return taken(
        WholeRequest, request, agent=lookup.username(names, request.agent_id),
        collect_at=_collect_at(request), outdated=approving.is_outdated(deps, request),
        diff=[_field_change(one) for one in diff(request.known, request.payload)],
        changed=[_field_change(one) for one in diff(request.before, request.current or request.before or {})],
        **{name: None if getattr(request, name) is None else dict(getattr(request, name))
           for name in ("before", "current", "arguments")},
        record=[taken(Entry, one) for one in record],
    )  # fmt: skip


def _collect_at(request: Request) -> str | None:
    verb = verbs.known().get((request.resource, request.action))
    return verb.collect_at or None if verb is not None and request.is_verb else None


def _field_change(one: Change) -> FieldChange:
    return FieldChange(
        path=list(one.path), field=one.name, how=one.how, before=mask_all(one.before), after=mask_all(one.after),
        lines=mask_all(one.lines),
    )  # fmt: skip


def _find(deps: Deps, name: str) -> uuid.UUID:
    (found,) = approving.find(deps, [name])
    return found


def _itself(deps: Deps, name: str) -> tuple[uuid.UUID, uuid.UUID]:
    found = _find(deps, name)
    return found, found


@router.get("", dependencies=[needs(Permission.DRAFTS_VIEW)])
def list_approvals(deps: TheDeps, *, which: Annotated[ApprovalQuery, Query()]) -> ApprovalPage:
    """Return a page of approval requests, newest first."""
    wanted = RequestFilter(tuple(which.state), which.resource or None, lookup.agent_id(deps.db, which.agent))
    with which.continued():
        found = approving.page(deps, wanted, limit=which.one_more, before=which.place(cursors.row_id))
    requests, following = which.page(found, lambda one: one.id)
    names = lookup.names(deps.db, [one.agent_id for one in requests])
    return ApprovalPage(
        items=[taken(Approval, one, agent=lookup.username(names, one.agent_id)) for one in requests], next=following
    )


@router.get("/{request_id}", dependencies=[needs(Permission.DRAFTS_VIEW)])
def show(deps: TheDeps, *, request_id: IdPrefix) -> WholeRequest:
    """Return an approval request with its changes and its decisions."""
    return _whole(deps, *approving.show(deps, request_id))


@router.post("/approve")
def approve_some(deps: TheDeps, *, body: IdsToApprove, who: Decider) -> Outcomes:
    """Approve requests; each that fails returns its own error."""
    by, seen = body.person(deps, who), body.revisions
    return api_decisions.each(
        body.ids,
        partial(_itself, deps),
        lambda one, name: approving.approve(deps, [one], by, body.reason, revision=seen.get(name)),
    )


@router.post("/reject")
def reject_some(deps: TheDeps, *, body: IdsToReject, who: Decider) -> Outcomes:
    """Reject requests; each that fails returns its own error."""
    by, seen = body.person(deps, who), body.revisions
    return api_decisions.each(
        body.ids,
        partial(_itself, deps),
        lambda one, name: approving.reject(deps, [one], by, body.reason, revision=seen.get(name)),
    )


@router.post("/withdraw")
def withdraw_some(deps: TheDeps, *, body: IdsToWithdraw, who: Decider) -> Outcomes:
    """Withdraw requests; each that fails returns its own error."""
    by = body.person(deps, who)
    return api_decisions.each(
        body.ids, partial(_itself, deps), lambda one, _: approving.withdraw(deps, [one], by, body.reason)
    )


@router.post("/{request_id}/approve")
def approve(deps: TheDeps, *, request_id: IdPrefix, who: Decider, body: Approve = NO_BODY) -> DecidedOut:
    """Approve a request. The last missing approval applies the change."""
    found, by = _find(deps, request_id), body.person(deps, who)
    return api_decisions.one(approving.approve(deps, [found], by, body.reason, revision=body.revision))


@router.post("/{request_id}/reject")
def reject(deps: TheDeps, *, request_id: IdPrefix, body: Reject, who: Decider) -> DecidedOut:
    """Reject a request, with a reason for its author."""
    found, by = _find(deps, request_id), body.person(deps, who)
    return api_decisions.one(approving.reject(deps, [found], by, body.reason, revision=body.revision))


@router.post("/{request_id}/withdraw")
def withdraw(deps: TheDeps, *, request_id: IdPrefix, body: Why, who: Decider) -> DecidedOut:
    """Withdraw a request."""
    found, by = _find(deps, request_id), body.person(deps, who)
    return api_decisions.one(approving.withdraw(deps, [found], by, body.reason))


@router.patch("/{request_id}")
def edit(deps: TheDeps, *, request_id: IdPrefix, body: NewPayload, who: Decider) -> WholeRequest:
    """Edit the payload of a request; earlier approvals become void."""
    request, _ = approving.show(deps, request_id)
    payload = body.payload if body.payload is not None else {**request.payload, **(body.changes or {})}
    # What is merged here is merged with the payload of this revision, and with no later one.
    revision = body.revision or (None if body.changes is None else request.revision)
    approving.edit(deps, request.id, payload, body.person(deps, who), body.reason, revision=revision)
    return whole_request(deps, request.id)


@router.post("/{request_id}/revise", status_code=202)
def revise(deps: TheDeps, *, request_id: IdPrefix, body: Instructions, who: Decider) -> WholeRequest:
    """Return a request to its author, with instructions."""
    found = _find(deps, request_id)
    approving.revise(deps, found, body.instructions, body.person(deps, who))
    return whole_request(deps, found)
