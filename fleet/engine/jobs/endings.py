"""What an outcome that is no success makes of a job: its next state and columns. Called by `service.finish` alone."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, assert_never

import sqlalchemy as sa

from fleet.engine.jobs.models import JobRow
from fleet.engine.jobs.outcomes import Absent, Dead, Failure, Held, Retry, Skipped, Unknown
from fleet.engine.jobs.policy import RETRY
from fleet.engine.jobs.states import DeadReason, JobState

if TYPE_CHECKING:
    from fleet.engine.jobs.ledger import Claim

_CLOCK = sa.func.clock_timestamp()


def consequence(claimed: Claim, outcome: Failure, dice: random.Random) -> tuple[JobState, dict[str, Any]]:
    """Return the state that follows an outcome, and the columns that go with it."""
    ended = {"finished_at": _CLOCK, "held": None}
    match outcome:
        case Retry():
            return _after_failure(claimed, outcome, dice)
        case Held(why=why, until=until):
            # A claim that was only told to wait is no sign of poison.
            waiting = {"held": why[:300], "next_attempt_at": until, "claims": JobRow.claims - 1}
            return _back(claimed), {**waiting, **_unsent(claimed)}
        case Unknown(why=why, settle=settle):
            return JobState.UNKNOWN, {"error": why, "next_attempt_at": _CLOCK + settle, "published_at": None}
        case Absent():
            return _after_absence(claimed, outcome)
        case Dead(reason=reason, why=why):
            sent = {} if reason is DeadReason.UNKNOWN_OUTCOME else {"sending_at": None}
            return JobState.DEAD, {**ended, **sent, "dead_reason": reason, "error": why}
        case Skipped(why=why, result=result):
            return JobState.SKIPPED, {**ended, "sending_at": None, "error": why, "result": dict(result)}
        case _:
            assert_never(outcome)


def _after_failure(claimed: Claim, outcome: Retry, dice: random.Random) -> tuple[JobState, dict[str, Any]]:
    attempts = claimed.attempts + 1
    failed = {"attempts": attempts, "error": outcome.why}
    if attempts >= claimed.max_attempts:
        unresolved = claimed.state is JobState.UNKNOWN
        reason = DeadReason.UNKNOWN_OUTCOME if unresolved else DeadReason.EXHAUSTED
        return JobState.DEAD, {**failed, **_unsent(claimed), "dead_reason": reason, "finished_at": _CLOCK}
    delay = RETRY[claimed.kind].delay(attempts, dice, retry_after_s=outcome.after_s)
    return _back(claimed), {**failed, "next_attempt_at": _CLOCK + delay, **_unsent(claimed)}


def _after_absence(claimed: Claim, outcome: Absent) -> tuple[JobState, dict[str, Any]]:
    """Count the lost write as an attempt: a surface that swallows every one must not be tried for ever."""
    counted = {"attempts": claimed.attempts + 1, "error": outcome.why, "sending_at": None}
    if claimed.attempts + 1 >= claimed.max_attempts:
        return JobState.DEAD, {**counted, "dead_reason": DeadReason.EXHAUSTED, "finished_at": _CLOCK}
    return JobState.READY, {**counted, "next_attempt_at": _CLOCK, "published_at": None}


def _back(claimed: Claim) -> JobState:
    """Return where a job waits for its next attempt: what is unknown stays unknown until it is resolved."""
    return JobState.UNKNOWN if claimed.state is JobState.UNKNOWN else JobState.READY


def _unsent(claimed: Claim) -> dict[str, Any]:
    """Return the columns of a job whose write, if there was one, was definitely refused: it counts toward no cap."""
    return {"published_at": None} if claimed.state is JobState.UNKNOWN else {"published_at": None, "sending_at": None}
