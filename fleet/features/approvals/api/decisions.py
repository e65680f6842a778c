"""Requests and responses of decisions about drafts and approvals, one or many."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated, Self

from pydantic import BaseModel, Field, model_validator

from fleet.access import Permission, Principal
from fleet.core.errors import FleetError
from fleet.features.approvals.service import DecisionResult
from fleet.features.approvals.states import RequestState
from fleet.web.auth import needs
from fleet.web.openapi import Problem
from fleet.web.problems import status_of
from fleet.web.requests.fields import Body, prose, whole

Decider = Annotated[Principal, needs(Permission.DRAFTS_DECIDE)]
Reason = Annotated[str, prose(1000, least=1)]
Revision = Annotated[int, whole(1, 2**31 - 1), Field(description="the revision that you saw; 409 if it moved")]


class Approve(Body):
    """A yes."""

    reason: Reason | None = None
    revision: Revision | None = None


class Reject(Body):
    """A rejection and its reason, from which the author learns."""

    reason: Reason
    revision: Revision | None = None


class Why(Body):
    """Why a request is taken back."""

    reason: Reason


class Instructions(Body):
    """Instructions for a revision."""

    instructions: Annotated[str, prose(1000, least=1)]


class Ids(Body):
    """Which ones."""

    ids: Annotated[list[uuid.UUID], Field(min_length=1, max_length=200)]


class IdsSeen(Ids):
    """The requests, and the revisions that the person has read."""

    revisions: Annotated[
        dict[uuid.UUID, Revision],
        Field(max_length=200, description="by id the revision that you saw; what moved since has its 409 among items"),
    ] = {}

    @model_validator(mode="after")
    def _names_no_other(self) -> Self:
        """Refuse a revision of a request that is not among the decided ones: it was meant to be checked."""
        if not self.revisions.keys() <= set(self.ids):
            raise ValueError("revisions name one that ids do not")
        return self


class IdsToApprove(IdsSeen):
    """A yes to several."""

    reason: Reason | None = None


class IdsToReject(IdsSeen):
    """A no to several."""

    reason: Reason


class IdsToWithdraw(Ids):
    """Why several are taken back."""

    reason: Reason


class DecidedOut(BaseModel):
    """The state of a request after a decision."""

    request_id: uuid.UUID
    state: RequestState
    settled: bool = Field(description="whether this very call settled it; false while more approvals are missing")


class Outcome(BaseModel):
    """The result of one of several decisions: the state, or why it was refused."""

    id: uuid.UUID
    decided: DecidedOut | None = None
    problem: Problem | None = None


class Outcomes(BaseModel):
    """An answer for each, in the order in which they were named."""

    items: list[Outcome]


def one(answers: list[DecisionResult]) -> DecidedOut:
    """Return the result of a single decision. Raises the error that refused it."""
    (answer,) = answers
    if answer.error is not None:
        raise answer.error
    return _decided(answer)


def each(named: list[uuid.UUID], decide: Callable[[uuid.UUID], list[DecisionResult]]) -> Outcomes:
    """Decide each request and return the results; an unknown id is reported like any refusal."""
    return Outcomes(items=[_outcome(name, decide) for name in dict.fromkeys(named)])


def _outcome(name: uuid.UUID, decide: Callable[[uuid.UUID], list[DecisionResult]]) -> Outcome:
    try:
        return Outcome(id=name, decided=one(decide(name)))
    except FleetError as error:
        status = status_of(error)
        title = HTTPStatus(status).phrase
        refused = Problem(title=title, status=status, detail=error.message, fix=error.fix)
        return Outcome(id=name, problem=refused)


def _decided(answer: DecisionResult) -> DecidedOut:
    assert answer.decided is not None  # without an error there is one
    return DecidedOut(request_id=answer.request_id, state=answer.decided.state, settled=answer.decided.settled)
