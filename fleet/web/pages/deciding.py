"""What the pages of drafts and of approvals share: what was selected, where to go back to, and what came of it.

Called by `drafts`, `draft` and `approvals`. All but `decide_all` and `decide_one` is pure.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import Form, Request
from fastapi.responses import Response
from pydantic import BeforeValidator, Field

from fleet.approvals import Change, How, Person, Piece, diff, pieces
from fleet.approvals import Request as Asked
from fleet.core.errors import FleetError, InvalidInput
from fleet.runtime import approving
from fleet.runtime.approving import Answer
from fleet.web.gate import deps_of
from fleet.web.rendering import go, render

MOST_PICKED = 200
Blank = BeforeValidator(lambda value: None if value == "" else value)
"""A field of a filter that was left empty filters nothing."""
Above = Annotated[Annotated[str, Field(max_length=36)] | None, Blank]
"""The last one of the page above."""
Percent = Annotated[Annotated[int, Field(ge=0, le=100)] | None, Blank]

Back = Annotated[str, Form(max_length=1000)]
Reason = Annotated[str, Form(max_length=1000)]
Seen = Annotated[int | None, Form(ge=1, le=1_000_000)]
Picked = Annotated[Sequence[str], Form(max_length=MOST_PICKED)]

_OURS = re.compile(r"/(?:drafts|approvals)(?:[/?][!-\[\]-~]*)?")
_PICK = re.compile(r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}):(\d{1,6})")
_NEAR, _VERY_NEAR = timedelta(hours=24), timedelta(hours=2)


def way_back(given: str, otherwise: str) -> str:
    """Return where a form wants to lead back to, if that is one of these pages."""
    return given if _OURS.fullmatch(given) else otherwise


def picked(values: Iterable[str]) -> dict[uuid.UUID, int]:
    """Return the selected requests with the revision that was seen of each. Raises InvalidInput."""
    found: dict[uuid.UUID, int] = {}
    for value in values:
        match = _PICK.fullmatch(value)
        if match is None:
            raise InvalidInput("What was selected is no request.", fix="Reload the page and select again.")
        found[uuid.UUID(match[1])] = int(match[2])
    if not found:
        raise InvalidInput("Nothing is selected.", fix="Tick what you want to decide about.")
    return found


def decide_all(request: Request, by: Person, decision: str, pick: Sequence[str], *, reason: str,
               where: str) -> Response:  # fmt: skip
    """Decide about all that was selected; where any is refused, show what came of each."""
    deps = deps_of(request)
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
    return render(request, "decided.html", answers=answers, back=where, told=told, summary=summed_up(answers))


def decide_one(request: Request, settle: Callable[[], Sequence[Answer]], *, where: str) -> Response:
    """Decide about one request, and go where the form came from, with what came of it."""
    try:
        (answer,) = settle()
    except FleetError as error:
        return go(request, where, str(error), wrong=True)
    return go(request, where, told(answer), wrong=answer.error is not None)


def told(answer: Answer) -> str:
    """Return in words what came of one decision."""
    if answer.error is not None:
        return str(answer.error)
    assert answer.decided is not None  # it is either this or an error
    request = answer.decided.request
    if not request.is_settled:
        return f"Noted: {len(request.voices)} of {request.min_approvals} have approved. {request.summary}"
    again = "" if answer.decided.settled else " already"
    return f"{str(request.state).capitalize()}{again}: {request.summary}"


def summed_up(answers: Sequence[Answer]) -> str:
    """Return in words what came of several decisions."""
    refused = sum(answer.error is not None for answer in answers)
    done = f"{len(answers) - refused} of {len(answers)} went through"
    return f"{done}, {refused} did not." if refused else f"{done}."


def nearness(expires_at: datetime, now: datetime) -> str:
    """Return how near the end is, as a class of a badge."""
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
    """Return the fields that differ: words piece by piece, data whole."""
    return [Told(one.name, one.how, _pieces(one)) for one in diff(before, after)]


def _pieces(change: Change) -> tuple[Piece, ...]:
    if isinstance(change.before, str) and isinstance(change.after, str):
        return pieces(change.before, change.after)
    was = () if change.how is How.ADDED else (Piece(as_data(change.before), How.REMOVED),)
    now = () if change.how is How.REMOVED else (Piece(as_data(change.after), How.ADDED),)
    return (*was, *now)


def as_data(value: Any) -> str:
    """Return a value as people read it: words as they are, data as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)


def approvers(request: Asked) -> str:
    """Return who may decide, in words."""
    return ", ".join(one.removeprefix("role:").removeprefix("user:") for one in request.approvers)


def lines(words: str) -> str:
    """Return the words of a form with the line ends that they had before a browser sent them."""
    return words.replace("\r\n", "\n")
