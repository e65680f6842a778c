"""Decisions in the review queue: one request or many. After each the next request of the queue opens."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Form, Path, Request
from fastapi.responses import Response

from fleet.access import Permission, Principal
from fleet.core import clock
from fleet.core.errors import FleetError, InvalidInput
from fleet.engine.deps import Deps
from fleet.features.approvals import service as approving
from fleet.features.approvals.approver import person_of
from fleet.features.approvals.pages.desk import Desk, QueueQuery, TheAsked
from fleet.features.approvals.request import Request as Asks
from fleet.features.approvals.requests.permissions import why_closed
from fleet.features.approvals.review import queue, renderer
from fleet.features.approvals.service import DecisionResult
from fleet.web.auth import TheDeps, needs
from fleet.web.problems import status_of
from fleet.web.rendering import KeptForm, go, render

router = APIRouter(prefix="/review")
MOST_PICKED = 200
Name = Annotated[str, Path(max_length=36)]
Decider = Annotated[Principal, needs(Permission.DRAFTS_DECIDE)]
Reason = Annotated[str, Form(max_length=1000)]
Revision = Annotated[int | None, Form(ge=1, le=1_000_000)]
Picked = Annotated[Sequence[str], Form(max_length=MOST_PICKED)]
_PICK = re.compile(r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}):(\d{1,6})")
_LONGEST_FIELD_CHARS, _MOST_FIELDS = 100_000, 50


async def _typed(request: Request) -> dict[str, str]:
    """Return the fields of a form that a feature defines."""
    form = await request.form()
    texts = {name: value for name, value in form.items() if isinstance(value, str)}
    if len(texts) > _MOST_FIELDS or any(len(value) > _LONGEST_FIELD_CHARS for value in texts.values()):
        raise InvalidInput("The form is too long.", fix="Shorten what you typed.")
    return texts


Typed = Annotated[dict[str, str], Depends(_typed)]


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


@router.post("/decide")
def decide(request: Request, deps: TheDeps, asked: TheAsked, who: Decider, *,
           decision: Annotated[Literal["approve", "reject"], Form()],
           pick: Picked = (), reason: Reason = "") -> Response:  # fmt: skip
    """Approve or reject all selected requests; if any is refused, show the result of each."""
    where, by = asked.url(), person_of(who)
    try:
        seen = picked(pick)
        if decision == "approve":
            answers = approving.approve(deps, list(seen), by, reason or None, revision=seen)
        else:
            answers = approving.reject(deps, list(seen), by, reason, revision=seen)
    except FleetError as error:
        return go(request, where, str(error), kept=KeptForm("decide", "reason", {"reason": reason}))
    if all(answer.error is None for answer in answers):
        return go(request, where, summed_up(answers))
    return render(
        request, "approvals/decided.html", answers=answers, asked=asked, told=told, summary=summed_up(answers)
    )


@router.post("/{name}/approve")
def approve(request: Request, deps: TheDeps, name: Name, asked: TheAsked, who: Decider, *, revision: Revision = None,
            reason: Reason = "") -> Response:  # fmt: skip
    """Approve a request as it was shown; the effect follows at once: a draft becomes a job."""
    return _settled(
        Desk(request, deps, who, asked, name),
        lambda ids: approving.approve(deps, ids, person_of(who), reason or None, revision=revision),
    )  # fmt: skip


@router.post("/{name}/reject")
def reject(request: Request, deps: TheDeps, name: Name, asked: TheAsked, who: Decider, *, revision: Revision = None,
           reason: Reason = "") -> Response:  # fmt: skip
    """Reject a request, for a reason from which an agent learns."""
    return _settled(
        Desk(request, deps, who, asked, name),
        lambda ids: approving.reject(deps, ids, person_of(who), reason, revision=revision),
        kept={"verb": "reject", "reason": reason},
    )  # fmt: skip


@router.post("/{name}/look")
def look_again(request: Request, deps: TheDeps, name: Name, asked: TheAsked, who: Decider) -> Response:  # noqa: ARG001
    """Compare a request with its object: what differs by now becomes a new revision."""
    (found,) = approving.find(deps, [name])
    approving.look_again(deps, found)
    return go(request, asked.url(found), "This is how it stands now.")


@router.post("/{name}/withdraw")
def withdraw(request: Request, deps: TheDeps, name: Name, asked: TheAsked, who: Decider, *,
             reason: Reason = "") -> Response:  # fmt: skip
    """Withdraw a request, as its author or as a person who may decide; agents learn nothing from it."""
    return _settled(
        Desk(request, deps, who, asked, name),
        lambda ids: approving.withdraw(deps, ids, person_of(who), reason or "taken back"),
    )  # fmt: skip


@router.post("/{name}/edit")
def edit(request: Request, deps: TheDeps, name: Name, asked: TheAsked, who: Decider, *, typed: Typed,
         revision: Revision = None, reason: Reason = "") -> Response:  # fmt: skip
    """Replace the payload; approvals of the earlier one become void."""
    try:
        one, _ = approving.show(deps, name)
        made = approving.edit(deps, one.id, _payload(one, typed), person_of(who), reason or None, revision=revision)
    except FleetError as error:
        kept = {**typed, "verb": "edit"}
        return Desk(request, deps, who, asked, name).show(code=status_of(error), problem=error, kept=kept)
    return go(request, asked.url(one.id), f"Revision {made.revision} waits for a decision.")


@router.post("/{name}/revise")
def revise(request: Request, deps: TheDeps, name: Name, asked: TheAsked, who: Decider, *,
           instructions: Annotated[str, Form(max_length=1000)] = "") -> Response:  # fmt: skip
    """Send a request back to its author, and open the next one."""
    try:
        one, _ = approving.show(deps, name)
        if not instructions.strip():
            raise InvalidInput("Instructions are missing.", fix="Say in your own words what should be different.")
        approving.revise(deps, one.id, instructions.strip().replace("\r\n", "\n"), person_of(who))
    except FleetError as error:
        kept = {"verb": "revise", "instructions": instructions}
        return Desk(request, deps, who, asked, name).show(code=status_of(error), problem=error, kept=kept)
    return go(request, _onward(deps, asked, one), f"Sent back: {one.summary}")


def _payload(one: Asks, typed: Mapping[str, str]) -> Mapping[str, Any]:
    """Return the payload that a form makes. Raises InvalidInput that names the place of an error."""
    how = renderer.of(one)
    if how.edited is not None:
        return how.edited(one, typed)
    try:
        found = json.loads(typed.get("payload", ""))
    except (json.JSONDecodeError, RecursionError) as error:
        where = f", line {error.lineno}: {error.msg}" if isinstance(error, json.JSONDecodeError) else ""
        raise InvalidInput(f"The payload is no JSON{where}.", fix="Mend it below.") from None
    if not isinstance(found, dict):
        raise InvalidInput("A payload is one object: names and values in braces.", fix="Mend it below.")
    return found


def _settled(desk: Desk, settle: Callable[[Sequence[uuid.UUID]], Sequence[DecisionResult]],
             kept: Mapping[str, str] | None = None) -> Response:  # fmt: skip
    """Decide about one request, and open the next one. A refusal shows it again, unless it is closed by now."""
    try:
        (answer,) = settle(approving.find(desk.deps, [desk.name]))
        if answer.error is not None:
            raise answer.error
    except FleetError as error:
        one, _ = approving.show(desk.deps, desk.name)
        if why_closed(one, clock.now()) is None:
            return desk.show(code=status_of(error), problem=error, kept=kept)
        return go(desk.request, _onward(desk.deps, desk.asked, one), f"{error} It was: {one.summary}", wrong=True)
    one, _ = approving.show(desk.deps, desk.name)
    return go(desk.request, _onward(desk.deps, desk.asked, one), told(answer))


def _onward(deps: Deps, asked: QueueQuery, one: Asks) -> str:
    """Return the address of the request that follows, or of the queue if none does."""
    with deps.db.transaction() as tx:
        return asked.url(queue.following(tx, asked.where(deps), one) or "")


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
