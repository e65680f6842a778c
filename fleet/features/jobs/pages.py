"""The page of jobs: a list with filters, durations, and buttons for one job or for selected ones."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from fleet.access import Permission, Principal
from fleet.core import text
from fleet.core.errors import FleetError
from fleet.engine import registry
from fleet.engine.agents import lookup
from fleet.engine.agents.models import AgentRow
from fleet.engine.deps import Deps
from fleet.engine.jobs.lists import ListedJob
from fleet.engine.jobs.queries import JobFilter
from fleet.engine.jobs.states import JobState
from fleet.engine.policy import Priority
from fleet.features.jobs import commands as job_commands
from fleet.features.jobs import queries as job_queries
from fleet.features.jobs.commands import BulkResult
from fleet.web.auth import TheDeps, needs
from fleet.web.problems import status_of
from fleet.web.rendering import back, go, render
from fleet.web.requests.form_types import JobId, Maybe, Name, Since
from fleet.web.requests.kinds import Kind

router = APIRouter()
_PAGE = 50
_ON_POSTS = ("comment", "like", "react", "browse", "measure")
Selected = Annotated[list[JobId], Form(max_length=_PAGE)]


@router.get("/jobs", dependencies=[needs(Permission.JOBS_VIEW)])
def jobs(request: Request, deps: TheDeps, *, state: Maybe[JobState] = None, kind: Maybe[Kind] = None,
         priority: Maybe[Priority] = None, agent: Name = "", since: Maybe[Since] = None,
         before: JobId = "") -> Response:  # fmt: skip
    """Show a page of jobs, newest first."""
    problem: FleetError | None = None
    found: list[ListedJob] = []
    total: int | None = 0
    try:
        which = JobFilter(
            states=(state,) if state else (), kinds=(kind,) if kind else (), priority=priority,
            agent_id=lookup.agent_id(deps.db, agent), newer_than=since.span if since else None,
        )  # fmt: skip
        found, total = job_commands.list_jobs(deps, which, before=before or None, limit=_PAGE)
    except FleetError as error:
        problem = error
    return render(
        request,
        "jobs/jobs.html",
        code=status_of(problem) if problem else 200,
        jobs=found,
        total=total,
        problem=problem,
        names=lookup.names(deps.db, [row.agent_id for row in found]),
        choices=job_queries.choices_of(deps, found),
        timings=job_queries.job_timings(deps),
        older=str(found[-1].id) if len(found) == _PAGE else None,
        state=state,
        kind=kind,
        priority=priority,
        agent=agent,
        since=since,
        before=before,
        states=JobState,
        kinds=tuple(registry.current().jobs),
        priorities=Priority,
        sinces=Since,
    )


@router.post("/jobs/retry", dependencies=[needs(Permission.JOBS_CONTROL)])
def retry_selected(request: Request, deps: TheDeps, *, id: Selected = []) -> Response:  # noqa: B006
    """Make the selected jobs due at once."""
    return _told(request, job_commands.retry_jobs(deps, id), "due now")


@router.post("/jobs/cancel")
def cancel_selected(request: Request, deps: TheDeps, who: Annotated[Principal, needs(Permission.JOBS_CONTROL)], *,
                    id: Selected = []) -> Response:  # fmt: skip  # noqa: B006
    """Cancel the selected jobs."""
    return _told(request, job_commands.cancel_jobs(deps, id, by=who.by), "cancelled")


def _told(request: Request, moved: BulkResult, what: str) -> Response:
    where = back(request, "/jobs")
    if not moved.number and not moved.refused:
        return go(request, where, "Select some jobs first.", wrong=True)
    jobs_ = "1 job is" if moved.number == 1 else f"{moved.number} jobs are"
    left = f" Not {len(moved.refused)}: {' '.join(moved.refused)}" if moved.refused else ""
    return go(request, where, f"{jobs_} {what}.{left}", wrong=bool(moved.refused))


def agent_tab(deps: Deps, agent: AgentRow, before: str) -> dict[str, Any]:
    """Show the tab "jobs" of an agent's page."""
    which = JobFilter(agent_id=agent.id)
    found, total = job_commands.list_jobs(deps, which, before=before or None, limit=_PAGE)
    return {"jobs": found, "total": total, "about": _about, "more": found[-1].id if len(found) == _PAGE else None}


def _about(job: ListedJob) -> str:
    """Return the text of a job, or its target: the id of a post is cut."""
    about = f"post {job.target[:8]}" if job.target and job.kind in _ON_POSTS else job.target or ""
    return text.clean(str((job.result or {}).get("text") or about))
