"""The states of a job and the transitions between them: the one table that code, database and chart agree on.

Pure. `fleet.engine.jobs.ledger` makes each transition with one guarded UPDATE; ARCHITECTURE.md draws this table and a
test compares the drawing with it.
"""

from __future__ import annotations

from enum import StrEnum


class JobState(StrEnum):
    """The state of a job."""

    READY = "ready"  # may be claimed once next_attempt_at has come
    RUNNING = "running"  # leased; nothing has left the house yet
    SENDING = "sending"  # leased; the one outside write may be on its way
    UNKNOWN = "unknown"  # the write may or may not have happened; must be resolved before anything else
    DONE = "done"
    DEAD = "dead"  # a dead letter: kept until a person replays or discards it
    SKIPPED = "skipped"  # there was nothing to do any more
    CANCELLED = "cancelled"  # a person called it off


class DeadReason(StrEnum):
    """Why a job became a dead letter."""

    PERMANENT = "permanent"  # the surface or the job itself says that it can never succeed
    EXHAUSTED = "exhausted"  # attempts used up
    POISON = "poison"  # claimed again and again without ever finishing: it kills its workers
    UNKNOWN_OUTCOME = "unknown_outcome"  # it cannot be found out whether it happened: a person decides
    EXPIRED = "expired"  # tried, and too old to try again
    POLICY = "policy"  # the gateway refuses it (host not allowed, label missing)
    UNREADABLE = "unreadable"  # a message that no task can read


MOVES: dict[JobState, frozenset[JobState]] = {
    JobState.READY: frozenset({JobState.RUNNING, JobState.SKIPPED, JobState.CANCELLED, JobState.DEAD}),
    JobState.RUNNING: frozenset({JobState.READY, JobState.SENDING, JobState.DONE, JobState.SKIPPED, JobState.DEAD}),
    JobState.SENDING: frozenset({JobState.DONE, JobState.READY, JobState.UNKNOWN, JobState.SKIPPED, JobState.DEAD}),
    JobState.UNKNOWN: frozenset({JobState.DONE, JobState.READY, JobState.DEAD}),
    JobState.DONE: frozenset(),
    JobState.DEAD: frozenset({JobState.READY, JobState.UNKNOWN, JobState.CANCELLED}),
    JobState.SKIPPED: frozenset(),
    JobState.CANCELLED: frozenset(),
}
"""State to the states that may follow.

Only a person moves a job out of `dead`: replay (back to `ready`, or to `unknown` when it may have been sent, so that it
is probed first) and discard (`cancelled`).
"""

LIVE = frozenset({JobState.READY, JobState.RUNNING, JobState.SENDING, JobState.UNKNOWN})
LEASED = frozenset({JobState.RUNNING, JobState.SENDING})
FINAL = frozenset({JobState.DONE, JobState.DEAD, JobState.SKIPPED, JobState.CANCELLED})
