"""The API of drafts: proposals of supervised agents, their origin, and people's decisions."""

from __future__ import annotations

import uuid
from datetime import datetime
from functools import partial
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
from fleet.features.drafts import commands as drafting
from fleet.features.drafts import limits
from fleet.features.drafts.commands import DraftView
from fleet.features.drafts.pictures import commands as pictures
from fleet.features.drafts.queries import DraftFilter
from fleet.features.drafts.settings import DraftsSettings
from fleet.features.drafts.states import DraftKind, DraftStatus
from fleet.web import links
from fleet.web.auth import TheDeps, needs
from fleet.web.requests import cursors
from fleet.web.requests.cursors import Page, Paging
from fleet.web.requests.fields import AgentFilter, IdPrefix, Moment, Said, Told, line, prose, taken

router = APIRouter(prefix="/drafts", tags=["drafts"])


class DraftOut(BaseModel):
    """One draft of an agent."""

    id: uuid.UUID
    agent_id: uuid.UUID
    agent: str | None = Field(description="the agent's username")
    kind: DraftKind
    status: DraftStatus
    outcome: Said = Field(description="its status, or the state of its publication")
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
    remote_id: str | None = Field(description="what the surface calls it, once it is published")
    url: str | None = Field(description="its page at the surface, for people; null until it is published")
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
    topic: Annotated[str, line(60), Field(description="part of its topic")] | None = None
    confidence: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False, description="the least")] | None = None
    since: Annotated[Moment, Field(description="proposed at this moment or later")] | None = None
    until: Annotated[Moment, Field(description="proposed before this moment")] | None = None


class DraftLimits(BaseModel):
    """The limit of undecided drafts, and the agents that have reached it."""

    most_undecided: int | None = Field(description="most undecided drafts of an agent; null without a limit")
    full: list[str] = Field(description="usernames of agents whose feeds are not scanned until some are decided")


class Edit(DecisionIn):
    """New texts of the draft; missing fields stay."""

    text: Annotated[str, prose(2000)] | None = None
    image_prompt: Annotated[str, prose(2000)] | None = None
    alt_text: Annotated[str, prose(300)] | None = None
    visibility: Annotated[str, line(20)] | None = None
    type: Annotated[str, line(20)] | None = None
    reason: Annotated[str, prose(1000)] | None = None
    revision: api_decisions.Revision | None = None


class SeenDraft(DecisionIn):
    """The revision of the draft that the person saw."""

    revision: api_decisions.Revision | None = None


_UNSEEN = SeenDraft()


def _view(model: type[DraftOut], deps: Deps, seen: DraftView, names: Names, **more: Any) -> Any:
    username = lookup.username(names, seen.row.agent_id)
    remote_id, url = (seen.job.remote_id, links.url_of_job(deps, seen.job, username)) if seen.job else (None, None)
    return taken(model, seen.row, outcome=seen.outcome, agent=username, remote_id=remote_id, url=url, **more)


@router.get("", dependencies=[needs(Permission.DRAFTS_VIEW)])
def list_drafts(deps: TheDeps, *, which: Annotated[DraftQuery, Query()]) -> DraftPage:
    """Return a page of drafts, newest first."""
    wanted = DraftFilter(
        which.status, which.kind, lookup.agent_id(deps.db, which.agent), which.topic or None, which.confidence,
        which.since, which.until,
    )  # fmt: skip
    with which.continued():
        found = drafting.page(deps, wanted, limit=which.one_more, before=which.place(cursors.row_id))
    drafts, following = which.page(found, lambda seen: seen.row.id)
    names = lookup.names(deps.db, [seen.row.agent_id for seen in drafts])
    return DraftPage(items=[_view(DraftOut, deps, seen, names) for seen in drafts], next=following)


@router.get("/limits", dependencies=[needs(Permission.DRAFTS_VIEW)])
def show_limits(deps: TheDeps, *, agent: Annotated[AgentFilter | None, Query()] = None) -> DraftLimits:
    """Return the limit of undecided drafts and the agents that have reached it, of all or one."""
    full = limits.full(deps, lookup.agent_id(deps.db, agent))
    return DraftLimits(most_undecided=deps.settings.of(DraftsSettings).undecided_drafts or None, full=full)


@router.get("/{draft_id}", dependencies=[needs(Permission.DRAFTS_VIEW)])
def show(deps: TheDeps, *, draft_id: IdPrefix) -> WholeDraft:
    """Return a draft, its origin, and its approval request with diff and decisions."""
    return _whole(deps, draft_id)


def _whole(deps: Deps, name: str) -> WholeDraft:
    seen, revisions = drafting.show(deps, name)
    request_id = seen.row.request_id
    request = None if request_id is None else whole_request(deps, request_id)
    names = lookup.names(deps.db, [seen.row.agent_id])
    found: WholeDraft = _view(
        WholeDraft, deps, seen, names, revisions=[taken(Revision, one) for one in revisions], request=request
    )
    return found


@router.post("/approve")
def approve_some(deps: TheDeps, *, body: IdsToApprove, who: Decider) -> Outcomes:
    """Approve drafts: each becomes a job, or returns its own error."""
    by, seen = body.person(deps, who), body.revisions
    return api_decisions.each(
        body.ids,
        partial(drafting.named, deps),
        lambda one, name: approving.approve(deps, [one], by, body.reason, revision=seen.get(name)),
    )


@router.post("/reject")
def reject_some(deps: TheDeps, *, body: IdsToReject, who: Decider) -> Outcomes:
    """Reject drafts, with a reason that their agents learn from."""
    by, seen = body.person(deps, who), body.revisions
    return api_decisions.each(
        body.ids,
        partial(drafting.named, deps),
        lambda one, name: approving.reject(deps, [one], by, body.reason, revision=seen.get(name)),
    )


@router.post("/withdraw")
def withdraw_some(deps: TheDeps, *, body: IdsToWithdraw, who: Decider) -> Outcomes:
    """Withdraw drafts."""
    by = body.person(deps, who)
    return api_decisions.each(
        body.ids, partial(drafting.named, deps), lambda one, _: approving.withdraw(deps, [one], by, body.reason)
    )


@router.post("/{draft_id}/approve")
def approve(deps: TheDeps, *, draft_id: IdPrefix, who: Decider, body: Approve = NO_BODY) -> DecidedOut:
    """Approve a draft: it becomes a job."""
    by = body.person(deps, who)
    return api_decisions.one(drafting.approve(deps, [draft_id], by, body.reason, revision=body.revision))


@router.post("/{draft_id}/reject")
def reject(deps: TheDeps, *, draft_id: IdPrefix, body: Reject, who: Decider) -> DecidedOut:
    """Reject a draft, with a reason that the agent learns from."""
    by = body.person(deps, who)
    return api_decisions.one(drafting.reject(deps, [draft_id], by, body.reason, revision=body.revision))


@router.post("/{draft_id}/withdraw")
def withdraw(deps: TheDeps, *, draft_id: IdPrefix, body: Why, who: Decider) -> DecidedOut:
    """Withdraw a draft."""
    _, request_id = drafting.named(deps, draft_id)
    return api_decisions.one(approving.withdraw(deps, [request_id], body.person(deps, who), body.reason))


@router.patch("/{draft_id}")
def edit(deps: TheDeps, *, draft_id: IdPrefix, body: Edit, who: Decider) -> WholeDraft:
    """Edit a draft; approvals of earlier revisions become void."""
    changes = body.model_dump(exclude_none=True, exclude={"reason", "revision", "decided_by"})
    drafting.edit(deps, draft_id, changes, body.person(deps, who), body.reason, revision=body.revision)
    return _whole(deps, draft_id)


@router.post("/{draft_id}/revise", status_code=202)
def revise(deps: TheDeps, *, draft_id: IdPrefix, body: Instructions, who: Decider) -> WholeDraft:
    """Ask the model for a new revision of a draft, with instructions."""
    drafting.revise(deps, draft_id, body.instructions, body.person(deps, who))
    return _whole(deps, draft_id)


@router.post("/{draft_id}/picture", status_code=202)
def picture(deps: TheDeps, *, draft_id: IdPrefix, who: Decider, body: SeenDraft = _UNSEEN) -> WholeDraft:
    """Have another picture made from a draft's words; it becomes a new revision, and may cost money."""
    pictures.request(deps, draft_id, body.person(deps, who), revision=body.revision)
    return _whole(deps, draft_id)
