"""What people may do with a job now, and what the reason of a dead letter means. Pure.

Predicts what `fleet.engine.jobs.queries` will allow; that module decides again, with the row locked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from fleet.engine.jobs.states import DeadReason, JobState
from fleet.engine.registry import MESSAGE


class Act(StrEnum):
    """What a person may do with a job."""

    RETRY = "retry"
    CANCEL = "cancel"
    REPLAY = "replay"
    DISCARD = "discard"


@dataclass(frozen=True, slots=True)
class Choice:
    """One act, and why it cannot be done now; None when it can. `is_stale`: only where stale ones are allowed."""

    act: Act
    why_not: str | None = None
    is_stale: bool = False


def choices(state: JobState, kind: str, expires_at: datetime, now: datetime, *,
            is_leased: bool = False) -> tuple[Choice, ...]:  # fmt: skip
    """Return every act, each with the reason against it if there is one."""
    return (
        Choice(Act.RETRY, _against_retry(state, is_leased=is_leased)),
        Choice(Act.CANCEL, _against_cancel(state)),
        Choice(Act.REPLAY, _against_replay(state, kind), is_stale=expires_at <= now),
        Choice(Act.DISCARD, None if state is JobState.DEAD else _NOT_DEAD),
    )


_NOT_DEAD = "It is no dead letter."
_OVER: Mapping[JobState, str] = {
    JobState.DONE: "It is done.",
    JobState.SKIPPED: "It is over: there was nothing to do any more.",
    JobState.CANCELLED: "It was cancelled.",
}


def _against_retry(state: JobState, *, is_leased: bool) -> str | None:
    if state is JobState.DEAD:
        return "It is a dead letter: replay it."
    if state in _OVER:
        return _OVER[state]
    at_work = is_leased or state in (JobState.RUNNING, JobState.SENDING)
    return "A worker is at it right now." if at_work else None


def _against_cancel(state: JobState) -> str | None:
    match state:
        case JobState.READY:
            return None
        case JobState.DEAD:
            return "It is a dead letter: discard it."
        case JobState.UNKNOWN:
            return "It may have been sent already; that has to be found out first."
        case JobState.RUNNING | JobState.SENDING:
            return "A worker has begun it."
    return _OVER[state]


def _against_replay(state: JobState, kind: str) -> str | None:
    if state is not JobState.DEAD:
        return _NOT_DEAD
    return "It is a message that no task can read." if kind == MESSAGE.kind else None


@dataclass(frozen=True, slots=True)
class Meaning:
    """The meaning of a dead letter's reason, and the advice for it."""

    says: str
    remedy: str


MEANING: Mapping[DeadReason, Meaning] = {
    DeadReason.PERMANENT: Meaning(
        "The surface, or the job itself, says that this can never be.",
        "Read the error. What it names has to change first (an account, a post that is gone); else discard it.",
    ),
    DeadReason.EXHAUSTED: Meaning(
        "Every attempt failed with something that might have passed.",
        "See whether the surface is up again, then replay: it gets a new count of attempts.",
    ),
    DeadReason.POISON: Meaning(
        "Workers began it again and again, and none came back.",
        "Read the workers' logs (memory, crashes), then replay one by itself.",
    ),
    DeadReason.UNKNOWN_OUTCOME: Meaning(
        "It may have been sent; the outcome could not be determined.",
        "Replay looks for it on the surface first and sends it only if it is not there. Discard if it is there.",
    ),
    DeadReason.EXPIRED: Meaning(
        "It was tried, and is too old to be worth another try.",
        "Discard it; or replay with stale ones allowed if it is worth doing even now.",
    ),
    DeadReason.POLICY: Meaning(
        "The fleet's own rules refuse it: a host that is not allowed, or a label that is missing.",
        "Change the setting that the error names if the rule is wrong, then replay; else discard.",
    ),
    DeadReason.UNREADABLE: Meaning(
        "A message arrived that no task can read, perhaps from another version.",
        "It cannot be replayed. Read its body, then discard it.",
    ),
}
