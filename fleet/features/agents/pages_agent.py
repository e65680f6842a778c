"""One agent: what it is, its week, what it decided, did, cost and proposed; and what can be done to it.

Each tab asks for its own things only, so that none waits for another. Deleted agents keep their pages, without buttons.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, Form, Path, Query, Request
from fastapi.responses import Response

from fleet.access import Permission, Principal
from fleet.core import clock, text
from fleet.core.errors import Conflict, InvalidInput, NotFound
from fleet.core.events import Event
from fleet.core.masking import mask
from fleet.engine.agents.models import AgentRow
from fleet.engine.deps import Deps
from fleet.engine.jobs.lists import Listed
from fleet.engine.jobs.queries import Filter as JobFilter
from fleet.features.activity import event_text
from fleet.features.agents import commands as people
from fleet.features.agents import decisions
from fleet.features.agents import queries as roster
from fleet.features.agents.pages import address
from fleet.features.approvals.diff import lines
from fleet.features.costs import commands as money
from fleet.features.drafts import commands as drafting
from fleet.features.drafts import content, limits
from fleet.features.drafts.limits import Limits
from fleet.features.drafts.queries import Filter as DraftFilter
from fleet.features.drafts.stats import queries as draft_stats
from fleet.features.experiments.kinds import MEASURE
from fleet.features.personas import heat
from fleet.features.personas.service import personas_of, schedule_of
from fleet.features.publishing.kinds import BROWSE, COMMENT, LIKE, REACT
from fleet.features.publishing.rules import ACTIONS, SCAN
from fleet.web.auth import Forbidden, TheDeps, decided_for, needs
from fleet.web.rendering import back, go, render

router = APIRouter()
_LINES = 50
_ENTRIES = 20
_OF_POSTS = (COMMENT, LIKE, REACT, BROWSE, MEASURE)

Name = Annotated[str, Path(max_length=60)]
Control = Annotated[Principal, needs(Permission.AGENTS_CONTROL)]


class Tab(StrEnum):
    """What is looked at."""

    ABOUT = "about"
    DECISIONS = "decisions"
    JOBS = "jobs"
    ACTIVITY = "activity"
    COSTS = "costs"
    DRAFTS = "drafts"


_MAY = {Tab.JOBS: Permission.JOBS_VIEW, Tab.COSTS: Permission.COSTS_VIEW, Tab.DRAFTS: Permission.DRAFTS_VIEW}
"""What a tab shows beside the agent itself."""


@router.get("/agents/{name}")
def agent(request: Request, deps: TheDeps, name: Name, *, tab: Tab = Tab.ABOUT,
          before: Annotated[str, Query(max_length=60)] = "",
          who: Annotated[Principal, needs(Permission.AGENTS_VIEW)]) -> Response:  # fmt: skip
    """Show one agent."""
    tabs = [one for one in Tab if one not in _MAY or who.may(_MAY[one])]
    if tab not in tabs:
        raise Forbidden(f"You may not see the {tab} of agents.", fix="Ask an admin of the fleet.")
    row = _known(deps, name)
    return render(
        request, "agent.html", agent=row, tab=tab, tabs=tabs, at=address(row), hold=roster.hold_on(deps, row),
        persona=personas_of(deps).personas.get(row.persona_id or ""), actions=_actions(row), before=before,
        decided=functools.partial(decided_for, who, row),
        **_FACTS[tab](deps, row, before),
    )  # fmt: skip


def _known(deps: Deps, name: str) -> AgentRow:
    """Return an agent, a deleted one too. Raises NotFound that says where to look."""
    try:
        return people.get_agent(deps, text.clean(name), include_deleted=True)
    except NotFound as error:
        raise NotFound(
            error.message, fix="Look among all agents; those that were deleted are there under the status “deleted”."
        ) from error


def _actions(row: AgentRow) -> tuple[str, ...]:
    """Return what an agent can be asked to do, beside what it chooses by itself."""
    if row.kind != "gallery":
        return ()
    return (SCAN,) if row.autonomy == "supervised" else ACTIONS


def _about(deps: Deps, row: AgentRow, _: str) -> dict[str, Any]:
    weights = {name: float(getattr(row, f"{name}_weight")) for name in ACTIONS}
    shares = {name: weight / sum(weights.values()) for name, weight in weights.items()}
    try:
        now = clock.now()
        week, wakes, problem = heat.strip(schedule_of(deps, row.persona_id), now), roster.wakes(deps, row, now), None
    except (InvalidInput, NotFound) as error:  # its persona's file is gone
        week, wakes, problem = None, [], error
    return {"shares": shares, "weights": weights, "week": week, "wakes": wakes, "problem": problem,
            "limits": _limits(deps, row), "is_labelled": deps.settings.label_agents,
            "tempo": deps.settings.tempo}  # fmt: skip


def _limits(deps: Deps, row: AgentRow) -> Limits | None:
    return limits.limits(deps, row) if row.autonomy == "supervised" else None


def _decisions(deps: Deps, row: AgentRow, before: str) -> dict[str, Any]:
    found = roster.decisions(deps, row.id, limit=_ENTRIES, before=_number(before))
    return {"decisions": found, "more": found[-1].tick.tick_no if len(found) == _ENTRIES else None}


def _jobs(deps: Deps, row: AgentRow, before: str) -> dict[str, Any]:
    jobs, total = people.list_jobs(deps, JobFilter(agent_id=row.id), before=before or None, limit=_LINES)
    return {"jobs": jobs, "total": total, "about": _about_job, "more": jobs[-1].id if len(jobs) == _LINES else None}


def _about_job(job: Listed) -> str:
    """Return what a job said, or which post it was about, by as much of its id as tells it from others."""
    about = f"post {job.target[:8]}" if job.target and job.kind in _OF_POSTS else job.target or ""
    return text.clean(str((job.result or {}).get("text") or about))


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that happened."""

    event: Event
    words: str


def _activity(deps: Deps, row: AgentRow, before: str) -> dict[str, Any]:
    found = people.activity(deps, name=str(row.id), before=_number(before), limit=_LINES)
    return {"lines": [Line(event, _told(event)) for event in found],
            "more": found[-1].position.id if len(found) == _LINES else None}  # fmt: skip


def _told(event: Event) -> str:
    """Return what an event says, in the words of the feed."""
    told = event_text.tell(event)
    return told.words if told else ""


def _costs(deps: Deps, row: AgentRow, _: str) -> dict[str, Any]:
    return {"costs": money.costs_of(deps, str(row.id)), "days": money.DAYS}


def _drafts(deps: Deps, row: AgentRow, before: str) -> dict[str, Any]:
    found = drafting.page(deps, DraftFilter(agent_id=row.id), limit=_ENTRIES, before=before or None)
    return {"limits": _limits(deps, row),
            "drafts": [(one, content.gist(one.row.content)) for one in found],
            "faring": draft_stats.of_agent(deps, row.id),
            "more": found[-1].row.id if len(found) == _ENTRIES else None}  # fmt: skip


_FACTS: Mapping[Tab, Callable[[Deps, AgentRow, str], dict[str, Any]]] = {
    Tab.ABOUT: _about, Tab.DECISIONS: _decisions, Tab.JOBS: _jobs, Tab.ACTIVITY: _activity, Tab.COSTS: _costs,
    Tab.DRAFTS: _drafts,
}  # fmt: skip


def _number(before: str) -> int | None:
    if not before:
        return None
    if not before.isdecimal() or len(before) > 18:
        raise InvalidInput(f"{before!r} is no place in this list.", fix="Begin at its top.")
    return int(before)


@router.get("/agents/{name}/decisions/{tick_no}")
def decision(request: Request, deps: TheDeps, name: Name, tick_no: Annotated[int, Path(ge=1, lt=2**63)],
             who: Annotated[Principal, needs(Permission.AGENTS_VIEW)]) -> Response:  # fmt: skip
    """Show one decision with all that it rested on, and what the same moment and dice lead to now."""
    row = _known(deps, name)
    found = roster.decisions(deps, row.id, limit=1, before=tick_no + 1)
    if not found or found[0].tick.tick_no != tick_no:
        raise NotFound(f"{row.name} has no decision {tick_no}.", fix="Old decisions are pruned; see its list of them.")
    try:
        both = [json.loads(json.dumps(one)) for one in decisions.replay_decision(deps, str(row.id), tick_no)]
        then, now = (decided_for(who, row, one) for one in both)
        replay = {"then": then, "now": now, "same": both[0] == both[1], "changes": _changes(then, now)}
    except Conflict as error:
        replay = {"problem": error}
    inputs = decided_for(who, row, found[0].tick.inputs)
    return render(request, "decision.html", agent=row, at=address(row), one=found[0], replay=replay,
                  inputs=inputs, as_written=_readable(inputs))  # fmt: skip


def _readable(data: Any) -> str:
    """Return data as text, without secrets that it may quote."""
    return mask(json.dumps(data, indent=2, ensure_ascii=False, default=str))


def _changes(then: Any, now: Any) -> list[tuple[str, str]]:
    """Return the lines that differ and those beside them, each with its sign: - then, + now, a blank for both."""
    return [(line[0], line[1:]) for line in lines(_readable(then), _readable(now))]


@router.post("/agents/{name}/start", dependencies=[needs(Permission.AGENTS_CONTROL)])
def start(request: Request, deps: TheDeps, name: Name) -> Response:
    """Set an agent going."""
    return _done(request, deps, name, lambda row: (
        f"{row.name} lives now." if people.start(deps, str(row.id)) else f"{row.name} was running already."
    ))  # fmt: skip


@router.post("/agents/{name}/pause")
def pause(request: Request, deps: TheDeps, name: Name, who: Control,
          reason: Annotated[str, Form(max_length=200)] = "") -> Response:  # fmt: skip
    """Let an agent rest until somebody resumes it."""
    return _done(request, deps, name, lambda row: (
        f"{row.name} is paused." if people.pause(deps, str(row.id), by=who.by, reason=text.clean(reason))
        else f"{row.name} was not running."
    ))  # fmt: skip


@router.post("/agents/{name}/resume", dependencies=[needs(Permission.AGENTS_CONTROL)])
def resume(request: Request, deps: TheDeps, name: Name) -> Response:
    """Let a paused agent go on."""
    return _done(request, deps, name, lambda row: (
        f"{row.name} goes on." if people.resume(deps, str(row.id)) else f"{row.name} was not paused."
    ))  # fmt: skip


@router.post("/agents/{name}/stop", dependencies=[needs(Permission.AGENTS_CONTROL)])
def stop(request: Request, deps: TheDeps, name: Name) -> Response:
    """Send an agent home."""
    return _done(request, deps, name, lambda row: (
        f"{row.name} is idle now." if people.stop(deps, str(row.id)) else f"{row.name} was idle already."
    ))  # fmt: skip


@router.post("/agents/{name}/trigger")
def trigger(request: Request, deps: TheDeps, name: Name, who: Control,
            action: Annotated[str, Form(max_length=20)] = "") -> Response:  # fmt: skip
    """Wake an agent now, perhaps for one action."""

    def woken(row: AgentRow) -> str:
        key = people.trigger(deps, str(row.id), action=action or None, by=who.by)
        asked = f" and is asked to {action.replace('_', ' ')}" if action else ""
        return f"{row.name} wakes{asked}; its decision will be number {key.tick_no}."

    return _done(request, deps, name, woken)


def _done(request: Request, deps: Deps, name: str, act: Callable[[AgentRow], str]) -> Response:
    """Do something to an agent and go back to where it was asked for, with what came of it or why it may not be.

    Raises NotFound, also for an agent that is deleted.
    """
    row = people.get_agent(deps, text.clean(name))
    where = back(request, address(row))
    try:
        return go(request, where, act(row))
    except (Conflict, InvalidInput) as error:
        return go(request, where, str(error), wrong=True)


@router.get("/agents/{name}/delete", dependencies=[needs(Permission.AGENTS_EDIT)])
def ask_delete(request: Request, deps: TheDeps, name: Name) -> Response:
    """Say what deleting an agent means, and ask whether it is meant."""
    row = people.get_agent(deps, text.clean(name))
    return render(request, "agent_delete.html", agent=row, at=address(row))


@router.post("/agents/{name}/delete")
def delete(request: Request, deps: TheDeps, name: Name,
           who: Annotated[Principal, needs(Permission.AGENTS_EDIT)]) -> Response:  # fmt: skip
    """Delete an agent."""
    row = people.get_agent(deps, text.clean(name))
    people.delete(deps, str(row.id), by=who.by)
    return go(request, "/agents", f"{row.name} is deleted. Its history stays.")
