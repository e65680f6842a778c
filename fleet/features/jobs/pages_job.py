"""The page of one job: all its data, and the actions that are possible now."""

from __future__ import annotations

import uuid
from typing import Annotated

from fastapi import APIRouter, Form, Path, Request
from fastapi.responses import Response

from fleet.access import Permission, Principal
from fleet.core.errors import FleetError
from fleet.engine.jobs.allowed_actions import MEANING
from fleet.engine.jobs.queries import JobFilter
from fleet.engine.jobs.states import DeadReason, JobState
from fleet.features.jobs import commands as job_commands
from fleet.features.jobs import queries as job_queries
from fleet.features.jobs import timeline
from fleet.features.jobs import verbs as job_verbs
from fleet.web import links, redact
from fleet.web.auth import TheDeps, carried_for, needs
from fleet.web.rendering import back, go, render

router = APIRouter()
TheJob = Annotated[str, Path(max_length=60)]


@router.get("/jobs/{job}")
def job(request: Request, deps: TheDeps, job: TheJob,
        who: Annotated[Principal, needs(Permission.JOBS_VIEW)]) -> Response:  # fmt: skip
    """Show everything of a job."""
    story = job_queries.story(deps, job)
    row = story.row
    return render(
        request, "jobs/job.html", job=row, agent=story.agent,
        url=links.url_of_job(deps, row, story.agent.username if story.agent else None),
        picture=links.picture_of(row.result), alt_text=str((row.result or {}).get("alt_text") or ""),
        steps=timeline.steps(row, story.attempts, story.events, story.tick), words=job_queries.words_of(row),
        choices={choice.act: choice for choice in story.choices if choice.why_not is None},
        meaning=MEANING[DeadReason(row.dead_reason)] if row.dead_reason else None,
        carried={"payload": redact.fields(carried_for(who, row)), "checkpoint": redact.fields(row.checkpoint),
                 "result": redact.fields(row.result)}, fields=redact.fields,
    )  # fmt: skip


@router.post("/jobs/{job}/retry", dependencies=[needs(Permission.JOBS_CONTROL)])
def retry(request: Request, deps: TheDeps, job: TheJob) -> Response:
    """Make a waiting job due at once."""
    where = back(request, f"/jobs/{job}")
    try:
        done = job_commands.retry_job(deps, job)
    except FleetError as error:
        return go(request, where, str(error), wrong=True)
    return go(request, where, f"Job {str(done)[:8]} is due now.")


@router.post("/jobs/{job}/cancel")
def cancel(request: Request, deps: TheDeps, job: TheJob,
           who: Annotated[Principal, needs(Permission.JOBS_CONTROL)]) -> Response:  # fmt: skip
    """Cancel a job that no worker has begun."""
    where = back(request, f"/jobs/{job}")
    try:
        done = job_commands.cancel_job(deps, job, by=who.by)
    except FleetError as error:
        return go(request, where, str(error), wrong=True)
    return go(request, where, f"Job {str(done)[:8]} is cancelled.")


@router.post("/jobs/{job}/replay")
def replay(request: Request, deps: TheDeps, job: TheJob, who: Annotated[Principal, needs(Permission.JOBS_CONTROL)],
           stale: Annotated[bool, Form()] = False) -> Response:  # fmt: skip
    """Bring a dead letter back to life."""
    where = back(request, f"/jobs/{job}")
    try:
        which = _letter(job_commands.show_job(deps, job)[0].id)
        number = job_commands.replay_dead(deps, which, by=who.by, allow_stale=stale, limit=1)
    except FleetError as error:
        return go(request, where, str(error), wrong=True)
    if number:
        return go(request, where, f"Job {job[:8]} lives again, with a new count of attempts.")
    return go(request, where, f"Job {job[:8]} was not replayed: it is no dead letter, or too old for it.", wrong=True)


@router.post("/jobs/{job}/discard")
def discard(request: Request, deps: TheDeps, job: TheJob,
            who: Annotated[Principal, needs(Permission.JOBS_CONTROL)]) -> Response:  # fmt: skip
    """Discard a dead letter."""
    where = back(request, f"/jobs/{job}")
    try:
        number = job_verbs.discard(deps, who, _letter(job_commands.show_job(deps, job)[0].id), limit=1)
    except FleetError as error:
        return go(request, where, str(error), wrong=True)
    said = f"Job {job[:8]} is discarded." if number else f"Job {job[:8]} is no dead letter."
    return go(request, where, said, wrong=not number)


def _letter(job_id: uuid.UUID) -> JobFilter:
    return JobFilter(states=(JobState.DEAD,), ids=(job_id,))
