"""Shared by the pages of drafts and of approvals: decisions, about one or many, and their display.

Each feature with such a list includes the routes below its own address.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, Path, Request
from fastapi.responses import Response
from pydantic import Field

from fleet.access import Permission, Principal
from fleet.core.diff import Change, How, Piece, diff, pieces
from fleet.core.errors import FleetError, InvalidInput
from fleet.engine import registry
from fleet.engine.deps import Deps
from fleet.features.approvals import service as approving
from fleet.features.approvals.approver import person_of
from fleet.features.approvals.request import Request as Asked
from fleet.features.approvals.service import DecisionResult
from fleet.web.auth import TheDeps, needs
from fleet.web.rendering import go, render
from fleet.web.requests.form_types import Maybe

_routes = APIRouter()
MOST_PICKED = 200
Above = Maybe[Annotated[str, Field(max_length=36)]]
"""The last one of the page above."""

Name = Annotated[str, Path(max_length=36)]
Decider = Annotated[Principal, needs(Permission.DRAFTS_DECIDE)]
Back = Annotated[str, Form(max_length=1000)]
Reason = Annotated[str, Form(max_length=1000)]
Revision = Annotated[int | None, Form(ge=1, le=1_000_000)]
Picked = Annotated[Sequence[str], Form(max_length=MOST_PICKED)]

_OURS = re.compile(r"/(?:drafts|approvals)(?:[/?][!-\[\]-~]*)?")
_PICK = re.compile(r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}):(\d{1,6})")
_NEAR, _VERY_NEAR = timedelta(hours=24), timedelta(hours=2)


Finder = Callable[[Deps, Sequence[str]], Sequence[uuid.UUID]]


def _finders() -> Mapping[str, Finder]:
    """Return for each list ("approvals.lists") the function that finds its requests."""
    found: dict[str, Finder] = {"/approvals": approving.find}
    for more in registry.current().extensions("approvals.lists"):
        found |= more
    return found


def below(base: str) -> APIRouter:
    """Return the routes of decisions below the address of a list, which "approvals.lists" has."""
    found = APIRouter(prefix=base)
    found.include_router(_routes)
    return found


def way_back(given: str, otherwise: str) -> str:
    """Return the page to which a form leads back, if it is one of these pages."""
    return given if _OURS.fullmatch(given) else otherwise


def picked(values: Iterable[str]) -> dict[uuid.UUID, int]:
    """Return the selected requests with the revision of each that was shown. Raises InvalidInput."""
    found: dict[uuid.UUID, int] = {}
    for value in values:
        match = _PICK.fullmatch(value)
        if match is None:
            raise InvalidInput("What was selected is no request.", fix="Reload the page and select again.")
        found[uuid.UUID(match[1])] = int(match[2])
    if not found:
        raise InvalidInput("Nothing is selected.", fix="Tick what you want to decide about.")
    return found


@_routes.post("/decide")
def decide(request: Request, deps: TheDeps, who: Decider, *, decision: Annotated[Literal["approve", "reject"], Form()],
           pick: Picked = (), reason: Reason = "", back: Back = "") -> Response:  # fmt: skip
    """Approve or reject all selected requests; if any is refused, show the result of each."""
    where, by = way_back(back, _base(request)), person_of(who)
    try:
        seen = picked(pick)
        if decision == "approve":
            answers = approving.approve(deps, list(seen), by, reason or None, revision=seen)
        else:
            answers = approving.reject(deps, list(seen), by, reason, revision=seen)
    except FleetError as error:
        return go(request, where, str(error), wrong=True)
    if all(answer.error is None for answer in answers):
        return go(request, where, summed_up(answers))
    return render(request, "approvals/decided.html", answers=answers, back=where, told=told, summary=summed_up(answers))


@_routes.get("/decide", dependencies=[needs(Permission.DRAFTS_VIEW)])
def decided(request: Request) -> Response:
    """Redirect a reload of the results to the list."""
    return go(request, _base(request))


@_routes.get("/{name}/{form}", dependencies=[needs(Permission.DRAFTS_VIEW)])
def reloaded(request: Request, name: Name, form: Literal["edit", "revise"]) -> Response:  # noqa: ARG001
    """Redirect a reload of a refused form to its page."""
    return go(request, back_to(_base(request), name))


@_routes.post("/{name}/approve")
def approve(request: Request, deps: TheDeps, name: Name, who: Decider, *, revision: Revision = None,
            reason: Reason = "", back: Back = "") -> Response:  # fmt: skip
    """Approve a request as it was shown; the effect follows at once: a draft becomes a job."""
    return _settled(
        request, deps, name, back,
        lambda ids: approving.approve(deps, ids, person_of(who), reason or None, revision=revision),
    )  # fmt: skip


@_routes.post("/{name}/reject")
def reject(request: Request, deps: TheDeps, name: Name, who: Decider, *, revision: Revision = None,
           reason: Reason = "", back: Back = "") -> Response:  # fmt: skip
    """Reject a request, for a reason from which an agent learns."""
    return _settled(
        request, deps, name, back,
        lambda ids: approving.reject(deps, ids, person_of(who), reason, revision=revision),
    )  # fmt: skip


@_routes.post("/{name}/withdraw")
def withdraw(request: Request, deps: TheDeps, name: Name, who: Decider, *, reason: Reason = "",
             back: Back = "") -> Response:  # fmt: skip
    """Withdraw a request, as its author or as a person who may decide; agents learn nothing from it."""
    return _settled(
        request, deps, name, back,
        lambda ids: approving.withdraw(deps, ids, person_of(who), reason or "taken back"),
    )  # fmt: skip


def _settled(request: Request, deps: Deps, name: str, back: str,
             settle: Callable[[Sequence[uuid.UUID]], Sequence[DecisionResult]]) -> Response:  # fmt: skip
    """Decide about one request, and return to the page of the form, with the result."""
    base = _base(request)
    where = back_to(base, name, back)
    try:
        (answer,) = settle(_finders()[base](deps, [name]))
    except FleetError as error:
        return go(request, where, str(error), wrong=True)
    return go(request, where, told(answer), wrong=answer.error is not None)


def _base(request: Request) -> str:
    """Return the list to which an address belongs."""
    return next(base for base in _finders() if request.url.path.startswith(f"{base}/"))


def back_to(base: str, name: str, back: str = "") -> str:
    """Return the page to which a form about one draft or request leads back: where it came from, or the request's
    page.
    """
    return way_back(back, way_back(f"{base}/{name}", base))


def told(answer: DecisionResult) -> str:
    """Return the result of one decision as text."""
    if answer.error is not None:
        return str(answer.error)
    assert answer.decided is not None  # it is either this or an error
    request = answer.decided.request
    if not request.is_settled:
        return f"Noted: {len(request.voices)} of {request.min_approvals} have approved. {request.summary}"
    again = "" if answer.decided.settled else " already"
    return f"{str(request.state).capitalize()}{again}: {request.summary}"


def summed_up(answers: Sequence[DecisionResult]) -> str:
    """Return the results of several decisions as text."""
    refused = sum(answer.error is not None for answer in answers)
    done = f"{len(answers) - refused} of {len(answers)} went through"
    return f"{done}, {refused} did not." if refused else f"{done}."


def nearness(expires_at: datetime, now: datetime) -> str:
    """Return the CSS class of a badge, by the time that is left."""
    left = expires_at - now
    if left <= timedelta(0):
        return "expired"
    return "bad" if left <= _VERY_NEAR else "expiring" if left <= _NEAR else "idle"


@dataclass(frozen=True, slots=True)
class Told:
    """One field that differs, as a page shows it."""

    name: str
    how: How
    pieces: tuple[Piece, ...]


def changes(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> list[Told]:
    """Return the fields that differ: texts word by word, data whole."""
    return [Told(one.name, one.how, _pieces(one)) for one in diff(before, after)]


def _pieces(change: Change) -> tuple[Piece, ...]:
    if isinstance(change.before, str) and isinstance(change.after, str):
        return pieces(change.before, change.after)
    was = () if change.how is How.ADDED else (Piece(as_data(change.before), How.REMOVED),)
    now = () if change.how is How.REMOVED else (Piece(as_data(change.after), How.ADDED),)
    return (*was, *now)


def as_data(value: Any) -> str:
    """Return a value for people: texts as they are, data as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)


def approvers(request: Asked) -> str:
    """Return who may decide, as text."""
    return ", ".join(one.removeprefix("role:").removeprefix("user:") for one in request.approvers)


def lines(words: str) -> str:
    """Return the text of a form with the original line ends, which browsers change."""
    return words.replace("\r\n", "\n")


router = below("/approvals")
