"""What a person may do with a request in its state, and why not: used by commands, and by pages before they offer it.

Pure. One place for both, so that a button is shown exactly where pressing it is not refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from fleet.features.approvals import rules as ruling
from fleet.features.approvals.request import AlreadySettled, Expired, NotYours, OwnRequest, Request
from fleet.features.approvals.rules import Person


class Bar(StrEnum):
    """The reason why a person may not decide."""

    SETTLED = "settled"
    EXPIRED = "expired"
    OWN = "own"
    STRANGER = "stranger"


@dataclass(frozen=True, slots=True)
class RequestPermissions:
    """The actions that a person may take now.

    `change` is to edit, send back or withdraw; `voted` that their approval is counted.
    """

    decide: bool
    change: bool
    bar: Bar | None = None
    voted: bool = False


def standing(request: Request, by: Person, now: datetime, *, is_alone: bool = False) -> RequestPermissions:
    """Return what a person may do with a request at a moment; `is_alone` as in `why_not_theirs`."""
    if request.is_settled:
        return RequestPermissions(decide=False, change=False, bar=Bar.SETTLED)
    if why_closed(request, now) is not None:
        return RequestPermissions(decide=False, change=False, bar=Bar.EXPIRED)
    if ruling.is_own(by, request.requested_by) and not is_alone:
        return RequestPermissions(decide=False, change=True, bar=Bar.OWN)
    if why_not_theirs(request, by, is_alone=is_alone) is not None:
        return RequestPermissions(decide=False, change=False, bar=Bar.STRANGER)
    return RequestPermissions(decide=True, change=True, voted=any(ruling.is_own(by, voice) for voice in request.voices))


def why_not_theirs(request: Request, by: Person, *, is_alone: bool = False) -> NotYours | OwnRequest | None:
    """Return why a person may not decide about a request, whenever that would be.

    `is_alone`: there are fewer other approvers than the request needs, so its author may decide, too.
    """
    if ruling.is_own(by, request.requested_by) and not is_alone:
        return OwnRequest(
            f"{by.name} is the author; authors cannot decide about their own requests.",
            fix="Another user must decide; you may withdraw it.",
        )
    subject = str(request.facts.get(ruling.SUBJECT, "")) if request.is_verb else ""
    if subject and ruling.is_own(by, subject):
        return NotYours(f"Request {request.id} is about {subject}.", fix="Another user must decide.")
    if not ruling.may_decide(by, request.approvers):
        return NotYours(
            f"{by.name} may not decide about request {request.id}.",
            fix=f"Who may: {', '.join(request.approvers)}; FLEET_ROLES_OF gives people their roles.",
        )
    return None


def why_closed(request: Request, now: datetime) -> AlreadySettled | Expired | None:
    """Return why a request cannot be decided any more."""
    if request.is_settled:
        who = f" by {request.settled_by}" if request.settled_by else ""
        why = f" ({request.reason})" if request.reason and request.is_verb else ""
        return AlreadySettled(f"Request {request.id} is {request.state} already{who}{why}.")
    if request.expires_at <= now:
        return Expired(f"The time for request {request.id} is over since {request.expires_at:%Y-%m-%d %H:%M} UTC.")
    return None
