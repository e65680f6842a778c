"""Commands and queries about drafts: show, decide, edit, send back; lessons of an agent; a scan.

Decisions are made through `approving`, one transaction each, so that of many each is settled or has its own error.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from fleet.access import audit
from fleet.core.db import Tx
from fleet.core.errors import Conflict, NotFound
from fleet.engine.agents import lookup
from fleet.engine.agents import queries as agents
from fleet.engine.deps import Deps
from fleet.engine.jobs.models import JobRow
from fleet.engine.jobs.states import LIVE, JobState
from fleet.engine.jobs.ticks import TickKey
from fleet.features.agents import commands as agent_commands
from fleet.features.approvals import queries as requests
from fleet.features.approvals import service as approving
from fleet.features.approvals.queries import ApprovalDecision
from fleet.features.approvals.request import Request
from fleet.features.approvals.rules import Person
from fleet.features.approvals.service import DecisionResult
from fleet.features.drafts import content, effect, lessons, limits, queries
from fleet.features.drafts.kinds import REVISE_DRAFT, SCAN_FEED
from fleet.features.drafts.models import DraftRow, LessonRow, RevisionRow
from fleet.features.drafts.queries import DraftFilter
from fleet.features.drafts.settings import DraftsSettings
from fleet.features.drafts.states import DraftStatus
from fleet.features.media import service as media_store
from fleet.images.objects import ENDINGS

_MOST_TRIES = 5


@dataclass(frozen=True, slots=True)
class DraftView:
    """A draft for people: with the result of its job, and the request that decides about it.

    `tries` are the jobs that wrote or rewrite it, newest first.
    """

    row: DraftRow
    job: JobRow | None
    request: Request | None = None
    tries: tuple[JobRow, ...] = ()

    @property
    def revising(self) -> JobRow | None:
        """The job that writes it anew at this moment, if any does."""
        waits = self.row.status == DraftStatus.PENDING
        return next((job for job in self.tries if waits and job.state in LIVE), None)

    @property
    def outcome(self) -> str:
        """Return its result in a few words: its status, or the state of its publication."""
        if self.job is None:
            return self.row.status
        if self.job.state == JobState.DONE:
            return "published"
        why = self.job.error or self.job.held
        return f"{self.job.state}{f': {why}' if why else ''}"


def page(deps: Deps, which: DraftFilter, *, limit: int = 20, before: str | None = None) -> list[DraftView]:
    """Return a page of drafts, newest first; `before` is the last id of the page above. Raises NotFound."""
    with deps.db.transaction() as tx:
        above = queries.resolve(tx, before) if before else None
        return _all_seen(tx, queries.page(tx, which, limit=limit, before=above))


def show(deps: Deps, prefix: str) -> tuple[DraftView, list[RevisionRow]]:
    """Return a draft by its id or the beginning of it, as it was over time. Raises NotFound, InvalidInput."""
    with deps.db.transaction() as tx:
        row = queries.get(tx, queries.resolve(tx, prefix))
        return _all_seen(tx, [row])[0], queries.revisions_of(tx, row.id)


def decisions(deps: Deps, prefix: str) -> list[ApprovalDecision]:
    """Return the record of decisions about a draft, oldest first. Raises NotFound, InvalidInput."""
    with deps.db.transaction() as tx:
        row = queries.get(tx, queries.resolve(tx, prefix))
        return requests.decisions_of(tx, row.request_id) if row.request_id else []


def _all_seen(tx: Tx, rows: Sequence[DraftRow]) -> list[DraftView]:
    job_ids = [row.job_id for row in rows if row.job_id is not None]
    jobs = {job.id: job for job in tx.session.scalars(sa.select(JobRow).where(JobRow.id.in_(job_ids)))}
    asked = requests.many(tx, [row.request_id for row in rows if row.request_id is not None])
    tries = _tries(tx, rows)
    return [
        DraftView(
            row,
            jobs.get(row.job_id) if row.job_id else None,
            asked.get(row.request_id) if row.request_id else None,
            tuple(tries[str(row.id)][:_MOST_TRIES]),
        )
        for row in rows
    ]


def _tries(tx: Tx, rows: Sequence[DraftRow]) -> Mapping[str, list[JobRow]]:
    """Return the jobs that write these drafts anew, newest first, by the draft's id as their payload has it."""
    found: dict[str, list[JobRow]] = defaultdict(list)
    if rows:
        query = sa.select(JobRow).where(
            JobRow.agent_id.in_({row.agent_id for row in rows}),
            JobRow.kind == REVISE_DRAFT,
            JobRow.created_at >= min(row.created_at for row in rows),
            JobRow.payload["draft"].astext.in_([str(row.id) for row in rows]),
        )
        for job in tx.session.scalars(query.order_by(JobRow.created_at.desc())):
            found[job.payload["draft"]].append(job)
    return found


def waiting(deps: Deps) -> int:
    """Return how many drafts wait for a decision: the number beside the page in the navigation."""
    with deps.db.transaction() as tx:
        return effect.tally(tx)


def count(deps: Deps, which: DraftFilter, *, most: int = 10_000) -> int:
    """Return how many drafts a filter names, counting no further than `most`."""
    with deps.db.transaction() as tx:
        return queries.count(tx, which, most=most)


def picture(deps: Deps, prefix: str, place: int) -> tuple[bytes, str]:
    """Return a picture that a draft brings along, from our own store, and its content type. Raises NotFound."""
    with deps.db.transaction() as tx:
        media = queries.get(tx, queries.resolve(tx, prefix)).content.get("media") or []
    if not 0 <= place < len(media):
        raise NotFound(f"The draft has no picture {place}.")
    key = str(media[place]["key"])
    types = {ending: content_type for content_type, ending in ENDINGS.items()}
    return media_store.picture_bytes(deps, key), types[key.rpartition(".")[2]]


def named(deps: Deps, prefix: str) -> tuple[uuid.UUID, uuid.UUID]:
    """Return the id of a draft and of the request that decides about it. Raises NotFound, InvalidInput, Conflict."""
    with deps.db.transaction() as tx:
        row = queries.get(tx, queries.resolve(tx, prefix))
        return row.id, _request(row)


def requests_of(deps: Deps, prefixes: Sequence[str]) -> list[uuid.UUID]:
    """Return the requests that decide about drafts. Raises NotFound, InvalidInput for a name that is no draft's."""
    with deps.db.transaction() as tx:
        return [_request(queries.get(tx, queries.resolve(tx, prefix))) for prefix in prefixes]


def _request(row: DraftRow) -> uuid.UUID:
    if row.request_id is None:
        raise Conflict(f"There is no approval request for draft {row.id}.")
    return row.request_id


def approve(deps: Deps, prefixes: Sequence[str], by: Person, reason: str | None = None, *,
            revision: int | None = None) -> list[DecisionResult]:  # fmt: skip
    """Approve drafts: each becomes a job. Raises NotFound, InvalidInput for a name that is no draft's."""
    return approving.approve(deps, requests_of(deps, prefixes), by, reason, revision=revision)


def reject(
    deps: Deps, prefixes: Sequence[str], by: Person, reason: str, *, revision: int | None = None
) -> list[DecisionResult]:
    """Reject drafts, for a reason from which the agent learns. Raises NotFound, InvalidInput."""
    return approving.reject(deps, requests_of(deps, prefixes), by, reason, revision=revision)


def edit(deps: Deps, prefix: str, changes: Mapping[str, Any], by: Person, reason: str | None = None, *,
         revision: int | None = None) -> Request:  # fmt: skip
    """Replace texts of a draft; approvals of the old ones become void. Raises NotFound, InvalidInput, Conflict.

    `revision` is the one that the person read: a change since then is reported instead of overwritten. Without it,
    texts that are not changed here are taken from the current revision.
    """
    with deps.db.transaction() as tx:
        request_id = _request(queries.get(tx, queries.resolve(tx, prefix)))
        now = requests.get(tx, request_id)
        made = content.checked(now.payload, {**now.payload, **changes})
    return approving.edit(deps, request_id, made, by, reason, revision=revision or now.revision)


def revise(deps: Deps, prefix: str, instructions: str, by: Person) -> Request:
    """Send a draft back to the model with instructions. Raises NotFound, InvalidInput, Conflict."""
    (request_id,) = requests_of(deps, [prefix])
    return approving.revise(deps, request_id, instructions, by)


def learned(deps: Deps, name: str, *, limit: int = 20, before: int | None = None) -> list[LessonRow]:
    """Return what an agent has learned from decisions, newest first; `before` is a lesson's id. Raises NotFound."""
    with deps.db.transaction() as tx:
        return lessons.of_agent(tx, agents.named(tx, name, include_deleted=True).id, limit=limit, before=before)


def unlearn(deps: Deps, lesson_id: int, *, by: str) -> LessonRow:
    """Let a lesson count no more. Raises NotFound, Conflict."""
    with deps.db.transaction() as tx:
        lesson = lessons.undo(tx, lesson_id, by=by)
        audit.note(tx, "lesson.undone", f"lesson:{lesson_id}", before={"agent": lesson.agent_id, "text": lesson.text})
        return lesson


def scan(deps: Deps, name: str, *, by: str) -> TickKey:
    """Make a supervised agent scan its feed now; return the tick that decides. Raises NotFound, Conflict."""
    agent = lookup.agent(deps.db, name)
    if agent.autonomy != "supervised":
        raise Conflict(
            f"{agent.name} decides for itself and makes no drafts.",
            fix=f"`fleet agents edit {agent.username} --autonomy supervised` changes that.",
        )
    if limits.why_full(deps, agent) is not None:
        most = deps.settings.of(DraftsSettings).undecided_drafts
        raise Conflict(f"{agent.name} has {most} undecided drafts, and that is the limit.",
                       fix=limits.fix(agent.username))  # fmt: skip
    return agent_commands.trigger(deps, name, action=SCAN_FEED, by=by)


LISTS = {"/drafts": requests_of}
"""How decisions on the page of drafts find their requests for approval."""
