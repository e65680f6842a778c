"""The page of jobs: a list with filters, durations, and buttons for one job or for selected ones."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel

from fleet.access import Permission, Principal
from fleet.core.errors import FleetError
from fleet.engine import registry
from fleet.engine.agents import lookup
from fleet.engine.agents.models import AgentRow
from fleet.engine.deps import Deps
from fleet.engine.jobs.lists import MOST_SEARCHED, ListedJob
from fleet.engine.jobs.queries import JobFilter
from fleet.engine.jobs.states import JobState
from fleet.engine.policy import Priority
from fleet.features.jobs import commands as job_commands
from fleet.features.jobs import queries as job_queries
from fleet.features.jobs.commands import BulkResult
from fleet.features.jobs.queries import JobOrder, JobTime
from fleet.web import links
from fleet.web.auth import TheDeps, needs
from fleet.web.problems import status_of
from fleet.web.rendering import back, go, render
from fleet.web.requests.form_types import JobId, Maybe, MaybeMoment, Name, Since
from fleet.web.requests.kinds import Kind

router = APIRouter()
_PAGE = 50
Selected = Annotated[list[JobId], Form(max_length=_PAGE)]


class JobListQuery(BaseModel):
    """The jobs that a URL of the page selects."""

    state: Maybe[JobState] = None
    kind: Maybe[Kind] = None
    priority: Maybe[Priority] = None
    agent: Name = ""
    since: Maybe[Since] = None
    time: Maybe[JobTime] = None
    start: MaybeMoment = None
    end: MaybeMoment = None
    q: Name = ""
    order: Maybe[JobOrder] = None
    deliveries: bool = False
    """Notices to operators, such as deliveries of webhooks, instead of the jobs of agents."""
    before: JobId = ""

    def filter(self, deps: Deps) -> JobFilter:
        """Return it as a filter. Raises NotFound."""
        which = JobFilter(
            states=(self.state,) if self.state else (), kinds=(self.kind,) if self.kind else self.kinds,
            priority=self.priority, agent_id=lookup.agent_id(deps.db, self.agent),
            newer_than=self.since.span if self.since else None,
        )  # fmt: skip
        if self.has_span:
            which = job_queries.within(deps, which, self.time or JobTime.ENDED, self.start, self.end)
        return job_queries.searching(deps, self.q, which)

    @property
    def has_span(self) -> bool:
        """Whether it selects jobs by a span of time."""
        return bool(self.start or self.end or self.time is JobTime.FAILED)

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of job that the list shows if no kind is chosen."""
        notices = registry.current().kinds(lambda job: job.is_notice)
        return tuple(kind for kind in registry.current().jobs if (kind in notices) is self.deliveries)

    @property
    def is_narrow(self) -> bool:
        """Whether it leaves out jobs beyond the tab's."""
        return bool(self.kind or self.priority or self.agent or self.since or self.has_span or self.q)

    def link(self, **changes: str | None) -> str:
        """Return the address of the top of the list with some parameters changed."""
        given = self.model_dump(mode="json", exclude={"before"}) | changes
        given["deliveries"] = "true" if given["deliveries"] else None
        query = urlencode({name: value for name, value in given.items() if value})
        return f"/jobs?{query}" if query else "/jobs"


@dataclass(frozen=True, slots=True)
class JobTab:
    """A tab of the page: jobs in one state, or deliveries. `number` None: very many."""

    label: str
    link: str
    is_current: bool
    number: int | None


def _tabs(deps: Deps, asked: JobListQuery, which: JobFilter) -> list[JobTab]:
    """Return a tab for each state, with the number of jobs that the other filters leave."""
    states = (None, *JobState)
    numbers = job_queries.tallies(deps, [replace(which, states=(state,) if state else ()) for state in states])
    return [
        JobTab(str(state or "all"), asked.link(state=state), state is asked.state, number)
        for state, number in zip(states, numbers, strict=True)
    ]


@router.get("/jobs", dependencies=[needs(Permission.JOBS_VIEW)])
def jobs(request: Request, deps: TheDeps, *, asked: Annotated[JobListQuery, Query()]) -> Response:
    """Show a page of jobs, newest first."""
    problem: FleetError | None = None
    found: list[ListedJob] = []
    tabs: list[JobTab] = []
    try:
        which = asked.filter(deps)
        found, _ = job_commands.list_jobs(deps, which, before=asked.before or None, limit=_PAGE, counted=False,
                                          oldest_first=asked.order is JobOrder.OLDEST)  # fmt: skip
        tabs = _tabs(deps, asked, which)
    except FleetError as error:
        problem = error
    names = lookup.names(deps.db, [row.agent_id for row in found])
    return render(
        request,
        "jobs/jobs.html",
        code=status_of(problem) if problem else 200,
        jobs=found,
        tabs=tabs,
        asked=asked,
        problem=problem,
        names=names,
        about=job_queries.about,
        urls=_urls(deps, found, names),
        choices=job_queries.choices_of(deps, found),
        timings=job_queries.job_timings(deps),
        older=str(found[-1].id) if len(found) == _PAGE else None,
        kinds=asked.kinds,
        priorities=Priority,
        sinces=Since,
        times=JobTime,
        orders=JobOrder,
        most_searched=MOST_SEARCHED,
    )


def _urls(deps: Deps, jobs: Sequence[ListedJob], names: lookup.Names) -> dict[uuid.UUID, str | None]:
    """Return the addresses of what jobs published, at their surfaces."""
    return {row.id: links.url_of_job(deps, row, lookup.username(names, row.agent_id)) for row in jobs}


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
    return {
        "jobs": found,
        "total": total,
        "about": job_queries.about,
        "urls": {row.id: links.url_of_job(deps, row, agent.username) for row in found},
        "more": found[-1].id if len(found) == _PAGE else None,
    }
