"""Decisions of the approval agent: which step to take with which request, and the notices to people.

Called by `fleet.features.approvals.agent`. Pure. All requests with the same step in one tick share one notice: a scan
that makes twenty drafts does not send twenty e-mails.
"""

from __future__ import annotations

import random
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from fleet.features.approvals.rules import Step, Times, step_due

_MOST_LISTED = 20
_INSTANTS = ("created_at", "expires_at", "escalate_at", "reminded_at")
SUBJECTS: Mapping[Step, str] = {
    Step.ANNOUNCE: "approval.requested",
    Step.REMIND: "approval.reminder",
    Step.ESCALATE: "approval.escalated",
    Step.EXPIRE: "approval.expired",
}
_TITLES = {
    Step.ANNOUNCE: ("1 request waits for approval", "{} requests wait for approval"),
    Step.REMIND: ("1 request expires soon", "{} requests expire soon"),
    Step.ESCALATE: ("1 request was escalated to you", "{} requests were escalated to you"),
    Step.EXPIRE: ("1 request expired undecided", "{} requests expired undecided"),
}
_THOUGHTS = {Step.ANNOUNCE: "announce", Step.REMIND: "remind of", Step.ESCALATE: "escalate", Step.EXPIRE: "let expire"}


@dataclass(frozen=True, slots=True)
class OpenRequest:
    """An open request, as far as time is concerned."""

    id: uuid.UUID
    times: Times


@dataclass(frozen=True, slots=True)
class ApprovalObservation:
    """All inputs of a decision. `asks` are dead letters to ask about, `moot` obsolete requests."""

    now: datetime
    waiting: tuple[OpenRequest, ...] = ()
    asks: tuple[uuid.UUID, ...] = ()
    moot: tuple[uuid.UUID, ...] = ()


@dataclass(frozen=True, slots=True)
class ApprovalSteps:
    """The steps to take, the requests to open, and the requests to withdraw."""

    steps: tuple[tuple[uuid.UUID, Step], ...] = ()
    asks: tuple[uuid.UUID, ...] = ()
    moot: tuple[uuid.UUID, ...] = ()

    @property
    def action(self) -> str | None:
        """What the agent is about to do, if anything."""
        return "approvals" if self.steps or self.asks or self.moot else None

    @property
    def thought(self) -> str:
        """What it thinks; nothing when nothing is due."""
        numbers = Counter(step for _, step in self.steps)
        told = [f"{_THOUGHTS[step]} {numbers[step]}" for step in Step if numbers[step]]
        told += [f"ask about {len(self.asks)} dead letters"] if self.asks else []
        told += [f"take {len(self.moot)} back"] if self.moot else []
        return f"Of the requests for approval I {', '.join(told)}." if told else ""

    def outcome(self) -> dict[str, Any]:
        """Return the decision as data for the decision log."""
        return {
            "action": self.action,
            "thought": self.thought,
            "steps": [{"request": str(request_id), "step": str(step)} for request_id, step in self.steps],
            "asks": [str(job_id) for job_id in self.asks],
            "moot": [str(request_id) for request_id in self.moot],
        }


def decide(moment: ApprovalObservation, dice: random.Random) -> ApprovalSteps:  # noqa: ARG001 - nothing here is left to chance
    """Choose the step that is due for each request."""
    gone = set(moment.moot)
    due = [(one.id, step_due(one.times, moment.now)) for one in moment.waiting if one.id not in gone]
    return ApprovalSteps(tuple((one, step) for one, step in due if step is not None), moment.asks, moment.moot)


@dataclass(frozen=True, slots=True)
class NoticeLine:
    """A request as a notice lists it."""

    id: uuid.UUID
    summary: str
    requested_by: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Digest:
    """One notice about all requests that took the same step. `subject` is the event's."""

    step: Step
    subject: str
    title: str
    body: str


def digests(taken: Sequence[tuple[NoticeLine, Step]]) -> list[Digest]:
    """Return one notice for each sort of step that was taken."""
    return [_digest(step, lines) for step in Step if (lines := [line for line, took in taken if took is step])]


def _digest(step: Step, lines: Sequence[NoticeLine]) -> Digest:
    one, many = _TITLES[step]
    told = [_told(line, over=step is Step.EXPIRE) for line in lines[:_MOST_LISTED]]
    if len(lines) > _MOST_LISTED:
        told.append(f"... and {len(lines) - _MOST_LISTED} more: fleet approvals list")
    title = one if len(lines) == 1 else many.format(len(lines))
    return Digest(step, SUBJECTS[step], title, "\n".join(told))


def _told(line: NoticeLine, *, over: bool) -> str:
    until = "" if over else f", until {line.expires_at:%Y-%m-%d %H:%M} UTC"
    return f"{str(line.id)[:8]}  {line.summary} (asked by {line.requested_by}{until})"


def to_data(moment: ApprovalObservation) -> dict[str, Any]:
    """Return a moment as JSON-ready data for the decision log."""
    return {
        "now": moment.now.isoformat(),
        "waiting": [{"id": str(one.id), "times": _times(one.times)} for one in moment.waiting],
        "asks": [str(job_id) for job_id in moment.asks],
        "moot": [str(request_id) for request_id in moment.moot],
    }


def _times(times: Times) -> dict[str, Any]:
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in asdict(times).items()}


def from_data(data: Mapping[str, Any]) -> ApprovalObservation:
    """Return the moment that `to_data` wrote down."""
    return ApprovalObservation(
        datetime.fromisoformat(data["now"]),
        tuple(OpenRequest(uuid.UUID(one["id"]), _read(one["times"])) for one in data["waiting"]),
        tuple(map(uuid.UUID, data["asks"])),
        tuple(map(uuid.UUID, data["moot"])),
    )


def _read(one: Mapping[str, Any]) -> Times:
    recorded = dict(one)
    if "reminded" in recorded:  # an earlier version stored a flag; there was one reminder
        recorded["reminded_at"] = recorded["expires_at"] if recorded.pop("reminded") else None
    instants = {name: recorded[name] and datetime.fromisoformat(recorded[name]) for name in _INSTANTS}
    return Times(**{**recorded, **instants})
