"""Requests and responses of decisions about drafts and approvals, one or many."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, Field, StringConstraints, model_validator

from fleet.access import Permission, Principal
from fleet.core import prefixes
from fleet.core.errors import FleetError
from fleet.engine.deps import Deps
from fleet.features.approvals import approver
from fleet.features.approvals.rules import Person
from fleet.features.approvals.service import DecisionResult
from fleet.features.approvals.states import RequestState
from fleet.web.auth import needs
from fleet.web.openapi import Problem
from fleet.web.problems import status_of
from fleet.web.requests.fields import Body, Said, line, prose, whole

Decider = Annotated[Principal, needs(Permission.DRAFTS_DECIDE)]
Reason = Annotated[str, prose(1000, least=1)]
Revision = Annotated[int, whole(1, 2**31 - 1), Field(description="the revision that you saw; 409 if it moved")]


class DecisionIn(Body):
    """A person's decision; the base of all of them."""

    decided_by: Annotated[str, line(100, least=1)] | None = Field(
        None,
        description="name of the person who decides, if it is not you; only the command line on the fleet's own "
        "machine may name another one, anybody else gets 403",
    )

    def person(self, deps: Deps, who: Principal) -> Person:
        """Return who decides. Raises NotPermitted for a name that the principal may not use."""
        return approver.decider(deps.settings, who, self.decided_by)


class Approve(DecisionIn):
    """An approval. The whole body may be left out."""

    reason: Reason | None = None
    revision: Revision | None = None


NO_BODY = Approve()


class Reject(DecisionIn):
    """A rejection and its reason, from which the author learns."""

    reason: Reason
    revision: Revision | None = None


class Why(DecisionIn):
    """Why a request is withdrawn."""

    reason: Reason


class Instructions(DecisionIn):
    """Instructions for a revision."""

    instructions: Annotated[str, prose(1000, least=1)]


def _name(written: str) -> str:
    """Return an id, or the beginning of one, in lower case. Raises ValueError."""
    try:
        return str(uuid.UUID(written))
    except ValueError:
        if prefixes.is_prefix(written):
            return written.lower()
        raise ValueError(f"{written!r} is neither an id nor its first 4 or more characters") from None


Name = Annotated[
    str,
    StringConstraints(max_length=60),
    AfterValidator(_name),
    Field(description="id, or its first 4 or more characters"),
]


class Ids(DecisionIn):
    """The drafts or requests to decide."""

    ids: Annotated[list[Name], Field(min_length=1, max_length=200)]


class IdsSeen(Ids):
    """The drafts or requests to decide, with the revisions that you saw."""

    revisions: Annotated[
        dict[Name, Revision],
        Field(
            max_length=200,
            description="the revision that you saw, by id as in `ids`; one that was changed since has its 409 among "
            "items",
        ),
    ] = {}

    @model_validator(mode="after")
    def _names_no_other(self) -> Self:
        """Refuse a revision of a request that is not among the decided ones: it was meant to be checked."""
        if not self.revisions.keys() <= set(self.ids):
            raise ValueError("revisions name one that ids do not")
        return self


class IdsToApprove(IdsSeen):
    """An approval of several."""

    reason: Reason | None = None


class IdsToReject(IdsSeen):
    """A rejection of several."""

    reason: Reason


class IdsToWithdraw(Ids):
    """Why several are withdrawn."""

    reason: Reason


class DecidedOut(BaseModel):
    """The state of a request after a decision."""

    request_id: uuid.UUID
    summary: Said
    state: RequestState
    settled: bool = Field(description="whether this very call settled it; false while more approvals are missing")
    voices: list[str] = Field(description="who has approved this revision")
    min_approvals: int


class Outcome(BaseModel):
    """The result of one of several decisions: the state, or why it was refused."""

    id: str = Field(description="the id; as you wrote it where nothing was found")
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


Find = Callable[[str], tuple[uuid.UUID, uuid.UUID]]
"""Finds what an id or its beginning names: its id, and that of the request which decides about it."""


def each(named: Sequence[str], find: Find, decide: Callable[[uuid.UUID, str], list[DecisionResult]]) -> Outcomes:
    """Decide each and return the outcomes; an id that `find` does not know is an outcome like any refusal."""
    return Outcomes(items=[_outcome(name, find, decide) for name in dict.fromkeys(named)])


def _outcome(name: str, find: Find, decide: Callable[[uuid.UUID, str], list[DecisionResult]]) -> Outcome:
    own = name
    try:
        own_id, request_id = find(name)
        own = str(own_id)
        return Outcome(id=own, decided=one(decide(request_id, name)))
    except FleetError as error:
        status = status_of(error)
        title = HTTPStatus(status).phrase
        refused = Problem(title=title, status=status, detail=error.message, fix=error.fix)
        return Outcome(id=own, problem=refused)


def _decided(answer: DecisionResult) -> DecidedOut:
    assert answer.decided is not None  # without an error there is one
    request = answer.decided.request
    return DecidedOut(
        request_id=request.id, summary=request.summary, state=request.state, settled=answer.decided.settled,
        voices=list(request.voices), min_approvals=request.min_approvals,
    )  # fmt: skip
