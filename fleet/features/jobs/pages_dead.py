"""The page of dead letters: reasons and their meaning, a list with filters, replay and discard, of selected ones or of
all.

Both begin with a page that shows how many there are. The form on that page names exactly these.
"""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import Response
from pydantic import AwareDatetime, BaseModel, Field

from fleet.access import Permission, Principal
from fleet.core.errors import FleetError
from fleet.engine import registry
from fleet.engine.agents import lookup
from fleet.engine.agents.lookup import Names
from fleet.engine.deps import Deps
from fleet.engine.jobs.allowed_actions import MEANING
from fleet.engine.jobs.lists import ListedJob
from fleet.engine.jobs.queries import JobFilter
from fleet.engine.jobs.states import DeadReason, JobState
from fleet.features.jobs import commands as job_commands
from fleet.features.jobs import queries as job_queries
from fleet.features.jobs import verbs as job_verbs
from fleet.web.auth import TheDeps, needs
from fleet.web.problems import status_of
from fleet.web.rendering import go, render
from fleet.web.requests.form_types import Age, JobId, Maybe, Name
from fleet.web.requests.kinds import Kind

router = APIRouter()
_PAGE = 50
_SHOWN = 10


class DeadLetterQuery(BaseModel):
    """The dead letters that a URL selects: those with the ids, or with `all` every one that the filters match."""

    reason: Maybe[DeadReason] = None
    kind: Maybe[Kind] = None
    agent: Name = ""
    age: Maybe[Age] = None
    id: list[JobId] = Field(default=[], max_length=_PAGE)
    all: bool = False

    def filter(self, deps: Deps) -> JobFilter:
        """Return it as a filter. Raises NotFound, InvalidInput."""
        limits = self.age.limits if self.age else {}
        return JobFilter(
            states=(JobState.DEAD,), reason=self.reason, kinds=(self.kind,) if self.kind else (),
            agent_id=lookup.agent_id(deps.db, self.agent),
            ids=job_commands.job_ids(deps, self.id),
            older_than=limits.get("older_than"), newer_than=limits.get("newer_than"),
        )  # fmt: skip

    @property
    def query(self) -> str:
        """The filters as a query string."""
        given = {"reason": self.reason, "kind": self.kind, "agent": self.agent, "age": self.age}
        return urlencode({name: value for name, value in given.items() if value})


class Chosen(BaseModel):
    """The dead letters of a form: those whose number was shown, which died within a span of time."""

    reason: Maybe[DeadReason] = None
    kind: Maybe[Kind] = None
    agent: Name = ""
    id: list[JobId] = Field(default=[], max_length=_PAGE)
    first: AwareDatetime
    last: AwareDatetime
    stale: bool = False

    def filter(self, deps: Deps) -> JobFilter:
        """Return it as a filter. Raises NotFound, InvalidInput."""
        asked = DeadLetterQuery(reason=self.reason, kind=self.kind, agent=self.agent, id=self.id)
        found = asked.filter(deps)
        return JobFilter(
            found.states, found.agent_id, found.kinds, found.reason, ids=found.ids, ended_from=self.first,
            ended_till=self.last,
        )  # fmt: skip


@router.get("/dead", dependencies=[needs(Permission.JOBS_VIEW)])
def dead(
    request: Request, deps: TheDeps, *, asked: Annotated[DeadLetterQuery, Query()], before: JobId = ""
) -> Response:
    """Show why letters are dead, and a page of them, the last to die first."""
    problem: FleetError | None = None
    found: list[ListedJob] = []
    total: int | None = 0
    try:
        found, total = job_commands.list_jobs(deps, asked.filter(deps), before=before or None, limit=_PAGE)
    except FleetError as error:
        problem = error
    return render(
        request,
        "jobs/dead.html",
        code=status_of(problem) if problem else 200,
        jobs=found,
        total=total,
        problem=problem,
        by_reason=job_queries.dead_by_reason(deps),
        meaning=MEANING,
        names=_names(deps, found),
        asked=asked,
        older=str(found[-1].id) if len(found) == _PAGE else None,
        before=before,
        reasons=DeadReason,
        kinds=tuple(registry.current().jobs),
        ages=Age,
    )


@router.get("/dead/{act}", dependencies=[needs(Permission.JOBS_CONTROL)])
def confirm(request: Request, deps: TheDeps, act: Literal["replay", "discard"], *,
            asked: Annotated[DeadLetterQuery, Query()]) -> Response:  # fmt: skip
    """Say how many dead letters would be replayed or discarded, and ask."""
    if not asked.id and not asked.all:
        return go(request, "/dead", "Select some dead letters first.", wrong=True)
    letters = job_queries.dead_letters(deps, asked.filter(deps))
    found, _ = job_commands.list_jobs(deps, letters.which, limit=_SHOWN, counted=False)
    return render(request, "jobs/dead_confirm.html", act=act, letters=letters, jobs=found, names=_names(deps, found),
                  asked=asked, most=job_queries.MOST_AT_ONCE)  # fmt: skip


def _names(deps: Deps, rows: list[ListedJob]) -> Names:
    return lookup.names(deps.db, [row.agent_id for row in rows])


@router.post("/dead/replay")
def replay(request: Request, deps: TheDeps, who: Annotated[Principal, needs(Permission.JOBS_CONTROL)],
           chosen: Annotated[Chosen, Form()]) -> Response:  # fmt: skip
    """Bring dead letters back to life."""
    try:
        number = job_verbs.replay(
            deps, who, chosen.filter(deps), allow_stale=chosen.stale, limit=job_queries.MOST_AT_ONCE
        )
    except FleetError as error:
        return go(request, "/dead", str(error), wrong=True)
    return _told(request, number, "replayed: each keeps its id and gets a new count of attempts")


@router.post("/dead/discard")
def discard(request: Request, deps: TheDeps, who: Annotated[Principal, needs(Permission.JOBS_CONTROL)],
            chosen: Annotated[Chosen, Form()]) -> Response:  # fmt: skip
    """Discard dead letters."""
    try:
        number = job_verbs.discard(deps, who, chosen.filter(deps), limit=job_queries.MOST_AT_ONCE)
    except FleetError as error:
        return go(request, "/dead", str(error), wrong=True)
    return _told(request, number, "discarded; their rows stay among the jobs")


def _told(request: Request, number: int, what: str) -> Response:
    if not number:
        return go(request, "/dead", "Nothing was left to do: none of them is a dead letter any more.", wrong=True)
    letters = "1 dead letter is" if number == 1 else f"{number:,} dead letters are"
    return go(request, "/dead", f"{letters} {what}.")
