"""What stops single jobs besides the controls, such as the stop of what a feature owns: read wherever pauses are read.

A feature registers a `JobStop` at the extension point "jobs.stops". A stopped job waits as under a pause, costs no
attempt, and goes on after `fleet.engine.jobs.snooze.free_held` in the transaction that ends the stop.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fleet.core.db import Database, Tx
from fleet.engine import registry
from fleet.engine.jobs.ledger import Claim

POINT = "jobs.stops"


@dataclass(frozen=True, slots=True)
class JobStop:
    """`concerns(claim)` says without the database whether a job can be stopped; `why(tx, claim)` why it is, or None."""

    concerns: Callable[[Claim], bool]
    why: Callable[[Tx, Claim], str | None]


def why(tx: Tx, claim: Claim) -> str | None:
    """Return why a job must not write now, or None."""
    found = (one.why(tx, claim) for one in _concerned(claim))
    return next((words for words in found if words is not None), None)


def why_now(db: Database, claim: Claim) -> str | None:
    """Return the same in a transaction of its own; without one for a job that no feature stops."""
    if not _concerned(claim):
        return None
    with db.transaction() as tx:
        return why(tx, claim)


def _concerned(claim: Claim) -> list[JobStop]:
    known: tuple[JobStop, ...] = registry.current().extensions(POINT)
    return [one for one in known if one.concerns(claim)]
