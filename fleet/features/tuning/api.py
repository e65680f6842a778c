"""Tuning for programs: /api/v1/tuning."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from fleet.access import Permission, Principal
from fleet.core.db import visibility
from fleet.core.errors import NotFound
from fleet.engine.deps import Deps
from fleet.features.approvals import approver
from fleet.features.tuning import queries, service
from fleet.features.tuning.decisions.plans import TuningRule
from fleet.features.tuning.decisions.results import Aim, TuningVerdict
from fleet.features.tuning.decisions.samples import TRAITS, Metric
from fleet.features.tuning.models import TuningProposalRow, TuningState
from fleet.web.auth import TheDeps, needs
from fleet.web.requests.cursors import Page, Paging
from fleet.web.requests.fields import Body, prose, taken

router = APIRouter(tags=["tuning"])
VIEW = needs(Permission.SETTINGS_VIEW)
Tuner = Annotated[Principal, needs(Permission.SETTINGS_EDIT)]
TuningDecider = Annotated[Principal, needs(Permission.DRAFTS_DECIDE)]


class TuningEffectOut(BaseModel):
    """A metric before a change and after it, with the interval of 95 % of what is expected after it."""

    before: float
    after: float
    low: float
    high: float


class TuningProposalOut(BaseModel):
    """A proposal to change a setting by one step."""

    id: uuid.UUID
    run_id: uuid.UUID
    request_id: uuid.UUID | None = Field(description="the request for approval")
    undo_request_id: uuid.UUID | None = Field(description="the request to undo it, after a worse result")
    rule: TuningRule
    setting: str
    scope: str = Field(description="fleet, or account for one store")
    scope_name: str
    before: int | float | str
    after: int | float | str
    command: str = Field(description="what people run where no setting does it; empty otherwise")
    words: str
    metric: Metric
    metric_words: str
    aim: Aim = Field(description="improve the metric, or keep it with less work")
    evidence: dict[str, Any] = Field(description="the figures it rests on")
    expected: TuningEffectOut
    state: TuningState
    why: str
    made_at: datetime
    decided_at: datetime | None
    decided_by: str | None
    applied_at: datetime | None
    undone_at: datetime | None
    verdict: TuningVerdict | None = Field(description="whether the expected effect came; null before it is evaluated")
    result: dict[str, Any] | None = Field(description="the metric in equal windows before and after, with its interval")
    measured_at: datetime | None


class TuningProposalPage(Page[TuningProposalOut]):
    """A page of proposals, newest first."""


class TuningQuery(Paging):
    """Which proposals."""

    state: TuningState | None = None


class TuningRunOut(BaseModel):
    """One look at the load. `reasons` counts the scopes without a proposal by "SETTING: why"."""

    id: uuid.UUID
    made_at: datetime
    since: datetime
    looked: int
    proposals: int
    reasons: dict[str, int]
    requested_by: str | None


class TuningJobOut(BaseModel):
    """The job that looks at the load."""

    job_id: uuid.UUID


class DismissTuningIn(Body):
    """Why a proposal is dismissed."""

    reason: Annotated[str, prose(1000, least=1)]


def tuning_out(row: TuningProposalRow) -> TuningProposalOut:
    """Return a proposal as the API shows it."""
    return taken(TuningProposalOut, row, metric_words=TRAITS[Metric(row.metric)].words)


def page(deps: Deps, which: TuningQuery) -> TuningProposalPage:
    """Return a page of proposals."""
    with which.continued(), deps.db.transaction() as tx:
        found = queries.listed(tx, state=which.state, limit=which.one_more, below=which.place(uuid.UUID))
        items, following = which.page(found, lambda one: one.id)
        return TuningProposalPage(items=[tuning_out(one) for one in items], next=following)


def applied(deps: Deps, *, limit: int = 50) -> list[TuningProposalOut]:
    """Return the newest changes that were applied."""
    with deps.db.transaction() as tx:
        return [tuning_out(one) for one in queries.listed(tx, is_applied=True, limit=limit)]


def shown(deps: Deps, proposal_id: uuid.UUID) -> TuningProposalOut:
    """Return a proposal. Raises NotFound."""
    with deps.db.transaction() as tx:
        return tuning_out(queries.one(tx, proposal_id))


def newest(deps: Deps) -> TuningRunOut | None:
    """Return the newest look; None before the first."""
    with deps.db.transaction() as tx:
        row = queries.newest_run(tx)
        return None if row is None else taken(TuningRunOut, row)


def run_now(deps: Deps, who: Principal) -> uuid.UUID:
    """Look at the load now; return the id of the job. Raises NotFound, Conflict."""
    if visibility.current() is not None:
        raise NotFound("A role within an organisation tunes nothing: the load is that of the whole fleet.")
    return service.request(deps, by=who.by)


def accepted(deps: Deps, proposal_id: uuid.UUID, who: Principal) -> bool:
    """Approve a proposal; False if more people have to. Raises NotFound, Conflict, and as an approval does."""
    return service.accept(deps, proposal_id, approver.decider(deps.settings, who, None))


def dismissed(deps: Deps, proposal_id: uuid.UUID, who: Principal, reason: str) -> None:
    """Reject a proposal. Raises NotFound, Conflict, and as a rejection does."""
    service.dismiss(deps, proposal_id, approver.decider(deps.settings, who, None), reason)


def undone(deps: Deps, proposal_id: uuid.UUID, who: Principal) -> None:
    """Restore the value before a proposal. Raises NotFound, Conflict."""
    with deps.db.transaction() as tx:
        service.undo(deps, tx, proposal_id, by=who.by)


@router.get("/tuning/proposals", dependencies=[VIEW])
def list_tuning_proposals(deps: TheDeps, *, which: Annotated[TuningQuery, Query()]) -> TuningProposalPage:
    """Return a page of proposals of settings, newest first."""
    return page(deps, which)


@router.get("/tuning/proposals/{tuning_id}", dependencies=[VIEW])
def show_tuning_proposal(deps: TheDeps, tuning_id: uuid.UUID) -> TuningProposalOut:
    """Return a proposal with its evidence, and what came of it."""
    return shown(deps, tuning_id)


@router.post("/tuning/proposals/{tuning_id}/accept")
def accept_tuning(deps: TheDeps, tuning_id: uuid.UUID, *, who: TuningDecider) -> TuningProposalOut:
    """Approve a proposal; the setting changes once enough people have."""
    accepted(deps, tuning_id, who)
    return shown(deps, tuning_id)


@router.post("/tuning/proposals/{tuning_id}/dismiss")
def dismiss_tuning(
    deps: TheDeps, tuning_id: uuid.UUID, *, body: DismissTuningIn, who: TuningDecider
) -> TuningProposalOut:
    """Reject a proposal. Its setting is left alone for a week."""
    dismissed(deps, tuning_id, who, body.reason)
    return shown(deps, tuning_id)


@router.post("/tuning/proposals/{tuning_id}/undo")
def undo_tuning(deps: TheDeps, tuning_id: uuid.UUID, *, who: Tuner) -> TuningProposalOut:
    """Restore the value before an applied proposal; 409 if the setting was changed since."""
    undone(deps, tuning_id, who)
    return shown(deps, tuning_id)


@router.post("/tuning/runs", status_code=202)
def run_tuning(deps: TheDeps, *, who: Tuner) -> TuningJobOut:
    """Look at the load now, evaluate earlier changes, and propose new ones."""
    return TuningJobOut(job_id=run_now(deps, who))


@router.get("/tuning/runs/newest", dependencies=[VIEW])
def show_newest_tuning_run(deps: TheDeps) -> TuningRunOut:
    """Return the newest look at the load, with why there is no proposal for what it looked at."""
    found = newest(deps)
    if found is None:
        raise NotFound("The load was not looked at yet.", fix="`fleet tuning run` looks now.")
    return found
