"""Verbs about jobs that doors call: list, show, retry, cancel, replay, discard. Each is one transaction."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fleet.access import audit
from fleet.core import events
from fleet.core.db import Tx
from fleet.core.errors import Conflict, InvalidInput, NotFound
from fleet.engine import publish
from fleet.engine.deps import Deps
from fleet.engine.jobs import lists, queries
from fleet.engine.jobs.ledger import Ring
from fleet.engine.jobs.lists import ListedJob
from fleet.engine.jobs.models import AttemptRow, JobRow
from fleet.engine.jobs.queries import JobFilter


def list_jobs(deps: Deps, which: JobFilter, *, before: str | None = None, limit: int = 50, counted: bool = True,
              oldest_first: bool = False) -> tuple[list[ListedJob], int | None]:  # fmt: skip
    """Return a page of jobs, newest first by default, and their total: None for very many, or if not `counted`.

    `before` is the id of the last job of the page above, or its beginning. Raises NotFound, InvalidInput.
    """
    with deps.db.transaction() as tx:
        above = queries.resolve_prefix(tx, before) if before else None
        if not counted:
            return lists.find(tx, which, limit=limit, before=above, oldest_first=oldest_first), None
        return lists.page(tx, which, limit=limit, before=above, oldest_first=oldest_first)


def show_job(deps: Deps, prefix: str) -> tuple[JobRow, list[AttemptRow]]:
    """Return a job by its id or the beginning of it, with its attempts. Raises NotFound, InvalidInput."""
    with deps.db.transaction() as tx:
        job_id = queries.resolve_prefix(tx, prefix)
        return queries.get(tx, job_id), queries.attempts_of(tx, job_id)


def job_ids(deps: Deps, prefixes: Sequence[str]) -> tuple[uuid.UUID, ...]:
    """Return the ids of jobs by the beginnings of their ids. Raises NotFound, InvalidInput."""
    with deps.db.transaction() as tx:
        return tuple(queries.resolve_prefix(tx, one) for one in prefixes)


def retry_job(deps: Deps, prefix: str) -> uuid.UUID:
    """Make a waiting job due at once. Raises NotFound, Conflict."""
    with deps.db.transaction() as tx:
        job_id = queries.resolve_prefix(tx, prefix)
        ring = queries.retry_now(tx, job_id, settle_s=deps.settings.settle_s)
        agent_id = queries.get(tx, ring.job_id).agent_id
        events.emit(tx, "job.retried", agent_id=agent_id, job_id=ring.job_id, kind=ring.kind)
        audit.note(tx, "job.retried", f"job:{ring.job_id}")
        _publish(deps, tx, [ring])
        return ring.job_id


def cancel_job(deps: Deps, prefix: str, *, by: str) -> uuid.UUID:
    """Cancel a job that has not begun. Raises NotFound, Conflict."""
    with deps.db.transaction() as tx:
        job_id = queries.resolve_prefix(tx, prefix)
        queries.cancel(tx, job_id)
        events.emit(tx, "job.cancelled", agent_id=queries.get(tx, job_id).agent_id, job_id=job_id, by=by)
        audit.note(tx, "job.cancelled", f"job:{job_id}")
        return job_id


def move_job(deps: Deps, job_id: uuid.UUID, at: datetime, *, by: str) -> None:
    """Have a job that has not begun start at another time. Raises NotFound, Conflict, InvalidInput."""
    with deps.db.transaction() as tx:
        before = queries.get(tx, job_id).next_attempt_at
        queries.move(tx, job_id, at)
        job = queries.get(tx, job_id)
        times = {"before": before.isoformat(), "after": at.isoformat()}
        events.emit(tx, "job.rescheduled", agent_id=job.agent_id, job_id=job_id, kind=job.kind, by=by, **times)
        audit.note(tx, "job.rescheduled", f"job:{job_id}", before={"at": times["before"]}, after={"at": times["after"]})


@dataclass(frozen=True, slots=True)
class BulkResult:
    """How many of several jobs changed, and why the others did not."""

    number: int
    refused: Sequence[str]


def retry_jobs(deps: Deps, prefixes: Sequence[str]) -> BulkResult:
    """Make waiting jobs due at once, each in a transaction of its own."""
    return _each(prefixes, lambda one: retry_job(deps, one))


def cancel_jobs(deps: Deps, prefixes: Sequence[str], *, by: str) -> BulkResult:
    """Cancel jobs that have not begun, each in a transaction of its own."""
    return _each(prefixes, lambda one: cancel_job(deps, one, by=by))


def _each(prefixes: Sequence[str], move: Callable[[str], object]) -> BulkResult:
    moved, refused = 0, []
    for one in dict.fromkeys(prefixes):
        try:
            move(one)
        except (Conflict, NotFound, InvalidInput) as error:
            refused.append(error.message)
        else:
            moved += 1
    return BulkResult(moved, refused)


def replay_dead(deps: Deps, which: JobFilter, *, by: str, allow_stale: bool = False, limit: int = 1000) -> int:
    """Replay at most `limit` dead letters; return how many. A second call replays none of them again."""
    with deps.db.transaction() as tx:
        number = bring_back(deps, tx, which, by=by, allow_stale=allow_stale, limit=limit)
        return audit.noted(tx, number, "dead.replayed", **_fields(which), allow_stale=allow_stale or None)


def bring_back(deps: Deps, tx: Tx, which: JobFilter, *, by: str, allow_stale: bool, limit: int = 1000) -> int:
    """Replay dead letters in the caller's transaction and publish their jobs after COMMIT; return how many."""
    rings = queries.replay(tx, which, allow_stale=allow_stale, limit=limit)
    replayed = [{"subject": "job.replayed", "agent_id": None, "job_id": ring.job_id,
                 "payload": {"kind": ring.kind, "by": by}} for ring in rings]  # fmt: skip
    events.emit_many(tx, replayed)
    _publish(deps, tx, rings)
    return len(rings)


def discard_dead(deps: Deps, which: JobFilter, *, by: str, limit: int = 1000) -> int:
    """Discard at most `limit` dead letters, and keep their rows; return how many."""
    with deps.db.transaction() as tx:
        number = queries.discard(tx, which, limit=limit)
        if number:
            events.emit(tx, "job.discarded", number=number, by=by)
        return audit.noted(tx, number, "dead.discarded", **_fields(which))


def _fields(which: JobFilter) -> dict[str, Any]:
    """Return the fields of a filter that filter something."""
    return {name: value for name in which.__slots__ if (value := getattr(which, name)) not in (None, (), [])}


def _publish(deps: Deps, tx: Tx, rings: Sequence[Ring]) -> None:
    tx.afterwards(lambda: publish.ring_jobs(deps.publisher, rings))
