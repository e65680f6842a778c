"""The agents: a list with filters that is quick at any length, and bulk actions.

One agent has its own page (`agent`). A bulk action first shows its number of agents (GET), then runs (POST).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import Response
from pydantic import AfterValidator

from fleet.access import Permission, Principal
from fleet.core import text
from fleet.core.errors import FleetError, InvalidInput, NotFound
from fleet.engine import registry
from fleet.engine.agents import config
from fleet.engine.agents.owners import NOBODY
from fleet.engine.agents.queries import AgentFilter, AgentTally
from fleet.engine.agents.status import AgentStatus
from fleet.engine.deps import Deps
from fleet.features.agents import bulk
from fleet.features.agents import queries as agent_views
from fleet.features.agents.bulk import BulkAction, Selection
from fleet.features.agents.points.verbs import act_on_many
from fleet.features.agents.schema import Autonomy
from fleet.features.personas.service import personas_of
from fleet.web.auth import TheDeps, needs
from fleet.web.links import agent_address
from fleet.web.problems import status_of
from fleet.web.rendering import back, go, render
from fleet.web.requests.form_types import Maybe

router = APIRouter()
PAGE = 50
_MOST_CHOSEN = 500
_NOBODY = "-"  # in a form, where an empty value is no choice


class ListedStatus(StrEnum):
    """The status of an agent in a list: its status, or deleted."""

    RUNNING = "running"
    PAUSED = "paused"
    IDLE = "idle"
    ERROR = "error"
    DELETED = "deleted"


def _known(kind: str) -> str:
    if kind not in registry.current().agents:
        raise ValueError(f"no agents are of this kind; there are {', '.join(registry.current().agents)}")
    return kind


Kind = Annotated[str, AfterValidator(_known)]


@dataclass(frozen=True, slots=True)
class AgentListQuery:
    """The query parameters of the list."""

    status: ListedStatus | None
    persona: str | None
    autonomy: Autonomy | None
    kind: str | None
    q: str
    owner: str | None = None

    @property
    def which(self) -> AgentFilter:
        """The filter of agents."""
        deleted = self.status is ListedStatus.DELETED
        return AgentFilter(
            status=None if deleted or self.status is None else AgentStatus(self.status), persona_id=self.persona,
            text=self.q or None, kind=self.kind, autonomy=self.autonomy,
            owner=self.owner, only_deleted=deleted,
        )  # fmt: skip

    def query(self) -> dict[str, str]:
        """Return it as fields of an address."""
        given = {"status": self.status, "persona": self.persona, "autonomy": self.autonomy, "kind": self.kind,
                 "owner": self.owner, "q": self.q}  # fmt: skip
        return {name: str(value) for name, value in given.items() if value}


def _asked(*, status: Maybe[ListedStatus] = None, persona: Annotated[str, Query(max_length=60)] = "",
           autonomy: Maybe[Autonomy] = None, kind: Maybe[Kind] = None,
           q: Annotated[str, Query(max_length=100)] = "",
           owner: Annotated[str, Query(max_length=60)] = "") -> AgentListQuery:  # fmt: skip
    return AgentListQuery(status, text.clean(persona) or None, autonomy, kind, text.clean(q), text.clean(owner) or None)


TheAsked = Annotated[AgentListQuery, Depends(_asked)]


@router.get("/agents", dependencies=[needs(Permission.AGENTS_VIEW)])
def agents(request: Request, deps: TheDeps, asked: TheAsked, *,
           after: Annotated[str, Query(max_length=30)] = "",
           before: Annotated[str, Query(max_length=30)] = "") -> Response:  # fmt: skip
    """Show a page of agents, by username."""
    after, before = text.clean(after), text.clean(before)
    problem: NotFound | None = None
    try:
        roll = agent_views.page(deps, asked.which, limit=PAGE, after=after or None, before=before or None)
    except NotFound as error:
        problem, roll = error, agent_views.nobody(deps)
    return render(
        request, "agents/agents.html", code=status_of(problem) if problem else 200, problem=problem, roll=roll,
        asked=asked,
        personas=personas_of(deps).personas, kinds=tuple(registry.current().agents), standings=ListedStatus,
        autonomies=registry.current().mode_names, counted=config.counted_actions()[:3], address=agent_address,
        badges=_badges(deps, roll.tally), statuses=_by_status(roll.tally, asked),
    )  # fmt: skip


def _badges(deps: Deps, tally: AgentTally) -> list[tuple[str, int]]:
    """Return each persona with the number of its agents; personas without a file come last."""
    known = personas_of(deps).ids
    gone = sorted({persona for persona, _ in tally.living if persona is not None and persona not in personas_of(deps)})
    return [(persona, tally.of_persona(persona)) for persona in (*known, *gone)]


def _by_status(tally: AgentTally, asked: AgentListQuery) -> dict[str, int]:
    """Return how many agents have each status, of the selected persona or of all."""
    found: dict[str, int] = {}
    for (persona, status), number in tally.living.items():
        if asked.persona in (None, persona):
            found[status] = found.get(status, 0) + number
    return found


def _selected(asked: TheAsked, *, name: Annotated[list[str] | None, Query(max_length=_MOST_CHOSEN)] = None,
           all: bool = False) -> Selection | None:  # fmt: skip
    """Return the agents of an action: all that match, or those with these usernames; None for none."""
    if all:
        return Selection(asked.which)
    return Selection(AgentFilter(), tuple(map(text.clean, name))) if name else None


TheSelection = Annotated[Selection | None, Depends(_selected)]


@router.get("/agents/bulk", dependencies=[needs(Permission.AGENTS_CONTROL)])
def ask_bulk(request: Request, deps: TheDeps, asked: TheAsked, selection: TheSelection, do: BulkAction) -> Response:
    """Show how many agents an action would change, and ask for confirmation."""
    if selection is None:
        return go(request, back(request, "/agents"), "Choose agents first, or all that match.", wrong=True)
    there, movable = bulk.count(deps, selection, do)
    return render(request, "agents/agents_bulk.html", crowd=selection, asked=asked, do=do, there=there, movable=movable,
                  **_words(do))  # fmt: skip


@router.post("/agents/bulk")
def do_bulk(request: Request, deps: TheDeps, asked: TheAsked, selection: TheSelection, *, do: BulkAction,
            who: Annotated[Principal, needs(Permission.AGENTS_CONTROL)],
            reason: Annotated[str, Form(max_length=200)] = "") -> Response:  # fmt: skip
    """Apply an action to many agents, and show how many changed."""
    if selection is None:
        return go(request, "/agents", "Choose agents first, or all that match.", wrong=True)
    number = act_on_many(deps, who, selection, do, text.clean(reason))
    said = f"{number:,} agent{'' if number == 1 else 's'} {_words(do)['done']}."
    return go(request, f"/agents?{urlencode(asked.query())}".rstrip("?"), said)


@router.get("/agents/assign", dependencies=[needs(Permission.AGENTS_EDIT)])
def ask_owner(request: Request, deps: TheDeps, asked: TheAsked, selection: TheSelection) -> Response:
    """Show how many agents would get another owner, and ask who."""
    if selection is None:
        return go(request, back(request, "/agents"), "Choose agents first, or all that match.", wrong=True)
    return _ask_owner(request, deps, asked, selection)


@router.post("/agents/assign", dependencies=[needs(Permission.AGENTS_EDIT)])
def assign(request: Request, deps: TheDeps, asked: TheAsked, selection: TheSelection, *,
           new_owner: Annotated[str, Form(max_length=60)] = "") -> Response:  # fmt: skip
    """Give many agents another owner, and show how many had another one."""
    if selection is None:
        return go(request, "/agents", "Choose agents first, or all that match.", wrong=True)
    try:
        owner = _owner(new_owner)
        number = bulk.assign(deps, selection, owner)
    except FleetError as error:
        return _ask_owner(request, deps, asked, selection, problem=error)
    said = f"{owner or 'Nobody'} owns {number:,} more agent{'' if number == 1 else 's'}."
    return go(request, f"/agents?{urlencode(asked.query())}".rstrip("?"), said)


def _owner(chosen: str) -> str:
    """Return the owner that a form names, empty for nobody. Raises InvalidInput for a form without a choice."""
    name = text.clean(chosen)
    if not name:
        raise InvalidInput("Choose an owner.", fix="“nobody” leaves the agents without one.")
    return NOBODY if name == _NOBODY else name


def _ask_owner(
    request: Request, deps: Deps, asked: AgentListQuery, selection: Selection, *, problem: FleetError | None = None
) -> Response:  # fmt: skip
    return render(
        request, "agents/agents_assign.html", code=status_of(problem) if problem else 200, problem=problem,
        crowd=selection, asked=asked, there=bulk.size(deps, selection), owners=bulk.possible_owners(deps),
    )  # fmt: skip


def _words(do: BulkAction) -> dict[str, Any]:
    """Return the participle of an action, and the state of agents that it does not change."""
    done, others = {
        BulkAction.START: ("started", "running or paused"), BulkAction.PAUSE: ("paused", "not running"),
        BulkAction.RESUME: ("resumed", "not paused"), BulkAction.STOP: ("stopped", "idle already"),
    }[do]  # fmt: skip
    return {"done": done, "others": others}
