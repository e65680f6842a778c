"""The page of one agent with its tabs, which features register, and its buttons.

Each tab reads only the data that it shows. Deleted agents keep their pages, without buttons.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Form, Path, Query, Request
from fastapi.responses import Response
from pydantic import AfterValidator

from fleet.access import Permission, Principal
from fleet.core import clock, text
from fleet.core.diff import lines
from fleet.core.errors import Conflict, InvalidInput, NotFound
from fleet.core.masking import mask
from fleet.engine import registry
from fleet.engine.agents import lookup
from fleet.engine.agents.models import AgentRow
from fleet.engine.deps import Deps
from fleet.engine.points import verbs
from fleet.engine.registry import AgentTab
from fleet.features.agents import commands as agent_commands
from fleet.features.agents import decisions
from fleet.features.agents import queries as agent_views
from fleet.features.agents.points import verbs as agent_verbs
from fleet.features.personas import heat
from fleet.features.personas.service import pace, personas_of, schedule_of
from fleet.web.auth import Forbidden, TheDeps, decided_for, needs
from fleet.web.links import agent_address, url_of_agent
from fleet.web.points.agent_beginning import POINT, AgentBeginning
from fleet.web.rendering import back, go, render
from fleet.web.requests.form_types import place

router = APIRouter()
_ENTRIES = 20

Name = Annotated[str, Path(max_length=60)]
Control = Annotated[Principal, needs(Permission.AGENTS_CONTROL)]


def _known_tab(name: str) -> str:
    names = [tab.name for tab in _all_tabs()]
    if name not in names:
        raise ValueError(f"an agent has no such tab; there are {', '.join(names)}")
    return name


Tab = Annotated[str, AfterValidator(_known_tab)]


def _all_tabs() -> list[AgentTab]:
    return sorted((tab for one in registry.current() for tab in one.agent_tabs), key=lambda tab: tab.order)


@router.get("/agents/{name}")
def agent(request: Request, deps: TheDeps, name: Name, *, tab: Tab = "about",
          before: Annotated[str, Query(max_length=60)] = "",
          who: Annotated[Principal, needs(Permission.AGENTS_VIEW)]) -> Response:  # fmt: skip
    """Show one agent."""
    tabs = {one.name: one for one in _all_tabs() if one.permission is None or who.may(Permission(one.permission))}
    if tab not in tabs:
        raise Forbidden(f"You may not see the {tab} of agents.", fix="Ask an admin of the fleet.")
    row = _known(deps, name)
    return render(
        request,
        "agents/agent.html",
        agent=row,
        tab=tab,
        tabs=tuple(tabs),
        shown=tabs[tab].template,
        at=agent_address(row),
        url=url_of_agent(deps, row),
        **_beginning(deps, row, who, is_first=tab == "about"),
        hold=agent_views.hold_on(deps, row),
        persona=personas_of(deps).personas.get(row.persona_id or ""),
        actions=agent_commands.actions_of(row),
        before=before,
        decided=functools.partial(decided_for, who, row),
        **registry.load(tabs[tab].facts)(deps, row, before),
    )


def _known(deps: Deps, name: str) -> AgentRow:
    """Return an agent, even a deleted one. Raises NotFound with a link to the list."""
    try:
        return lookup.agent(deps.db, text.clean(name), include_deleted=True)
    except NotFound as error:
        raise NotFound(
            error.message, fix="Look among all agents; those that were deleted are there under the status “deleted”."
        ) from error


def _beginning(deps: Deps, row: AgentRow, who: Principal, *, is_first: bool) -> dict[str, Any]:
    """Return the templates with which the first tab begins, as features bring them, and what they show."""
    own: list[AgentBeginning] = [one for one in registry.current().extensions(POINT) if is_first]
    seen = [(one, one.facts(deps, row)) for one in own if who.may(one.permission)]
    found: dict[str, Any] = {"beginnings": [one.template for one, facts in seen if facts is not None]}
    for _, facts in seen:
        found |= facts or {}
    return found


def about(deps: Deps, row: AgentRow, _: str) -> dict[str, Any]:
    """Show the tab "about"."""
    try:
        now, rhythm = clock.now(), schedule_of(deps, row.persona_id, row.id, row.organisation_id)
        week, wakes, problem = (
            heat.strip(rhythm, now),
            agent_views.wakes(deps, row, now),
            None,
        )
    except (InvalidInput, NotFound) as error:  # its persona's file is gone
        week, wakes, problem = None, [], error
    others = registry.load_all(one.agent_facts for one in registry.current())
    return {"shares": agent_views.shares(row), "done": agent_views.done(row), "week": week, "wakes": wakes,
            "timezone": "" if week is None else rhythm.timezone, "problem": problem,
            "is_labelled": deps.settings.label_agents,
            "pace": pace(deps, row.min_interval_s, row.max_interval_s),
            **{name: value for facts in others for name, value in facts(deps, row).items()}}  # fmt: skip


def decisions_tab(deps: Deps, row: AgentRow, before: str) -> dict[str, Any]:
    """Show the tab "decisions"."""
    found = decisions.with_jobs(deps, row.id, limit=_ENTRIES, before=place(before))
    return {"decisions": found, "more": found[-1].tick.tick_no if len(found) == _ENTRIES else None}


@router.get("/agents/{name}/decisions/{tick_no}")
def decision(request: Request, deps: TheDeps, name: Name, tick_no: Annotated[int, Path(ge=1, lt=2**63)],
             who: Annotated[Principal, needs(Permission.AGENTS_VIEW)]) -> Response:  # fmt: skip
    """Show one decision with all its inputs, and the decision that the same inputs and random numbers give now."""
    row = _known(deps, name)
    found = decisions.with_jobs(deps, row.id, limit=1, before=tick_no + 1)
    if not found or found[0].tick.tick_no != tick_no:
        raise NotFound(f"{row.name} has no decision {tick_no}.", fix="Old decisions are pruned; see its list of them.")
    try:
        both = decisions.replay_decision(deps, str(row.id), tick_no)
        then, now = (decided_for(who, row, one) for one in both)
        replay: dict[str, Any] = {"then": then, "now": now, "same": both[0] == both[1], "changes": _changes(then, now)}
    except (Conflict, InvalidInput) as error:  # InvalidInput: its mode went with a feature
        replay = {"problem": error}
    inputs = decided_for(who, row, found[0].tick.inputs)
    return render(request, "agents/decision.html", agent=row, at=agent_address(row), one=found[0], replay=replay,
                  inputs=inputs, as_written=_readable(inputs))  # fmt: skip


def _readable(data: Any) -> str:
    """Return data as text, without secrets that it may quote."""
    return mask(json.dumps(data, indent=2, ensure_ascii=False, default=str))


def _changes(then: Any, now: Any) -> list[tuple[str, str]]:
    """Return the lines that differ with their neighbours, each with its sign: - then, + now, a blank for both."""
    return [(line[0], line[1:]) for line in lines(_readable(then), _readable(now))]


@router.post("/agents/{name}/start", dependencies=[needs(Permission.AGENTS_CONTROL)])
def start(request: Request, deps: TheDeps, name: Name) -> Response:
    """Set an agent going."""
    return _done(request, deps, name, lambda row: (
        f"{row.name} lives now." if agent_commands.start(deps, str(row.id)) else f"{row.name} was running already."
    ))  # fmt: skip


@router.post("/agents/{name}/pause")
def pause(request: Request, deps: TheDeps, name: Name, who: Control,
          reason: Annotated[str, Form(max_length=200)] = "") -> Response:  # fmt: skip
    """Pause an agent until somebody resumes it."""
    return _done(request, deps, name, lambda row: (
        f"{row.name} is paused." if agent_commands.pause(deps, str(row.id), by=who.by, reason=text.clean(reason))
        else f"{row.name} was not running."
    ))  # fmt: skip


@router.post("/agents/{name}/resume")
def resume(request: Request, deps: TheDeps, name: Name, who: Control) -> Response:
    """Let a paused agent go on."""
    return _done(request, deps, name, lambda row: (
        f"{row.name} is resumed." if agent_verbs.resume(deps, who, str(row.id)) else f"{row.name} was not paused."
    ))  # fmt: skip


@router.post("/agents/{name}/stop", dependencies=[needs(Permission.AGENTS_CONTROL)])
def stop(request: Request, deps: TheDeps, name: Name) -> Response:
    """Stop an agent."""
    return _done(request, deps, name, lambda row: (
        f"{row.name} is idle now." if agent_commands.stop(deps, str(row.id)) else f"{row.name} was idle already."
    ))  # fmt: skip


@router.post("/agents/{name}/trigger")
def trigger(request: Request, deps: TheDeps, name: Name, who: Control,
            action: Annotated[str, Form(max_length=20)] = "") -> Response:  # fmt: skip
    """Wake an agent now, perhaps for one action."""

    def woken(row: AgentRow) -> str:
        key = agent_commands.trigger(deps, str(row.id), action=action or None, by=who.by)
        asked = f" and is asked to {action.replace('_', ' ')}" if action else ""
        return f"{row.name} wakes{asked}; its decision will be number {key.tick_no}."

    return _done(request, deps, name, woken)


def _done(request: Request, deps: Deps, name: str, act: Callable[[AgentRow], str]) -> Response:
    """Run an action and return to the page of its button, with the result or the error.

    Raises NotFound, also for an agent that is deleted.
    """
    row = lookup.agent(deps.db, text.clean(name))
    where = back(request, agent_address(row))
    try:
        return go(request, where, act(row))
    except (Conflict, InvalidInput) as error:
        return go(request, where, str(error), wrong=True)


@router.get("/agents/{name}/delete", dependencies=[needs(Permission.AGENTS_EDIT)])
def ask_delete(request: Request, deps: TheDeps, name: Name) -> Response:
    """Explain the deletion of an agent, and ask for confirmation."""
    row = lookup.agent(deps.db, text.clean(name))
    return render(request, "agents/agent_delete.html", agent=row, at=agent_address(row))


@router.post("/agents/{name}/delete")
def delete(request: Request, deps: TheDeps, name: Name,
           who: Annotated[Principal, needs(Permission.AGENTS_EDIT)]) -> Response:  # fmt: skip
    """Delete an agent."""
    row = lookup.agent(deps.db, text.clean(name))
    verbs.perform(deps, who, "agent", "delete", agent=str(row.id))
    return go(request, "/agents", f"{row.name} is deleted. Its history stays.")
