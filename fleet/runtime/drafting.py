"""Verbs about drafts that doors call: look, decide, edit, send back; what an agent has learnt; a look at a feed.

Decisions are made through `approving`, one transaction each, so that of many each is settled or has its own reason.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fleet.access import audit
from fleet.agents import queries as agents
from fleet.agents.decide import SCAN
from fleet.approvals import Person, Request
from fleet.core.db import Tx
from fleet.core.errors import Conflict
from fleet.drafts import content, lessons, queries
from fleet.drafts.models import DraftRow, LessonRow, RevisionRow
from fleet.drafts.queries import Filter
from fleet.jobs.models import JobRow
from fleet.jobs.states import JobState
from fleet.jobs.ticks import TickKey
from fleet.runtime import approving, people
from fleet.runtime.approving import Answer
from fleet.runtime.deps import Deps


@dataclass(frozen=True, slots=True)
class Seen:
    """A draft as people see it: with what became of it, which its job knows."""

    row: DraftRow
    job: JobRow | None

    @property
    def outcome(self) -> str:
        """Return what became of it in a few words: its status, or how its publishing stands."""
        if self.job is None:
            return self.row.status
        if self.job.state == JobState.DONE:
            return "published"
        why = self.job.error or self.job.held
        return f"{self.job.state}{f': {why}' if why else ''}"


def page(deps: Deps, which: Filter, *, limit: int = 20, before: str | None = None) -> list[Seen]:
    """Return a page of drafts, newest first; `before` is the last id of the page above. Raises NotFound."""
    with deps.db.transaction() as tx:
        above = queries.resolve(tx, before) if before else None
        return [_seen(tx, row) for row in queries.page(tx, which, limit=limit, before=above)]


def show(deps: Deps, prefix: str) -> tuple[Seen, list[RevisionRow]]:
    """Return a draft by its id or the beginning of it, as it was over time. Raises NotFound, InvalidInput."""
    with deps.db.transaction() as tx:
        row = queries.get(tx, queries.resolve(tx, prefix))
        return _seen(tx, row), queries.revisions_of(tx, row.id)


def _seen(tx: Tx, row: DraftRow) -> Seen:
    return Seen(row, tx.session.get(JobRow, row.job_id) if row.job_id else None)


def open_ids(deps: Deps, which: Filter, *, limit: int = 1000) -> list[uuid.UUID]:
    """Return the requests of the pending drafts that a filter names, newest first, for a decision in bulk."""
    with deps.db.transaction() as tx:
        return [_request(row) for row in queries.page(tx, which, limit=limit)]


def request_of(deps: Deps, prefix: str) -> uuid.UUID:
    """Return the request that decides about a draft. Raises NotFound, InvalidInput, Conflict if nobody was asked."""
    (found,) = _requests(deps, [prefix])
    return found


def _requests(deps: Deps, prefixes: Sequence[str]) -> list[uuid.UUID]:
    with deps.db.transaction() as tx:
        return [_request(queries.get(tx, queries.resolve(tx, prefix))) for prefix in prefixes]


def _request(row: DraftRow) -> uuid.UUID:
    if row.request_id is None:
        raise Conflict(f"Nobody was asked about draft {row.id}.")
    return row.request_id


def approve(deps: Deps, prefixes: Sequence[str], by: Person, reason: str | None = None) -> list[Answer]:
    """Approve drafts: each becomes a job. Raises NotFound, InvalidInput for a name that is no draft's."""
    return approving.approve(deps, _requests(deps, prefixes), by, reason)


def reject(deps: Deps, prefixes: Sequence[str], by: Person, reason: str) -> list[Answer]:
    """Reject drafts, for a reason from which the agent learns. Raises NotFound, InvalidInput."""
    return approving.reject(deps, _requests(deps, prefixes), by, reason)


def edit(deps: Deps, prefix: str, changes: Mapping[str, Any], by: Person, reason: str | None = None) -> Request:
    """Replace words of a draft; approvals given to the old ones are void. Raises NotFound, InvalidInput, Conflict."""
    with deps.db.transaction() as tx:
        row = queries.get(tx, queries.resolve(tx, prefix))
        request_id, made = _request(row), content.checked(row.content, {**row.content, **changes})
    return approving.edit(deps, request_id, made, by, reason)


def revise(deps: Deps, prefix: str, instructions: str, by: Person) -> Request:
    """Send a draft back to the model with instructions. Raises NotFound, InvalidInput, Conflict."""
    (request_id,) = _requests(deps, [prefix])
    return approving.revise(deps, request_id, instructions, by)


def learned(deps: Deps, name: str, *, limit: int = 20, before: int | None = None) -> list[LessonRow]:
    """Return what an agent has learnt from decisions, newest first; `before` is a lesson's id. Raises NotFound."""
    with deps.db.transaction() as tx:
        return lessons.of_agent(tx, agents.named(tx, name, include_deleted=True).id, limit=limit, before=before)


def unlearn(deps: Deps, lesson_id: int, *, by: str) -> LessonRow:
    """Let a lesson count no more. Raises NotFound, Conflict."""
    with deps.db.transaction() as tx:
        lesson = lessons.undo(tx, lesson_id, by=by)
        audit.note(tx, "lesson.undone", f"lesson:{lesson_id}", before={"agent": lesson.agent_id, "text": lesson.text})
        return lesson


def scan(deps: Deps, name: str, *, by: str) -> TickKey:
    """Let a supervised agent look at its feed now; return the tick that decides. Raises NotFound, Conflict."""
    agent = people.get_agent(deps, name)
    if agent.autonomy != "supervised":
        raise Conflict(
            f"{agent.name} decides for itself and makes no drafts.",
            fix=f"`fleet agents edit {agent.username} --autonomy supervised` changes that.",
        )
    return people.trigger(deps, name, action=SCAN, by=by)
