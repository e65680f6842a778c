"""Create and edit an agent: the form, errors at its fields, and the character of a persona."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import Response

from fleet.access import Permission, Principal
from fleet.core import text
from fleet.core.character import TRAITS
from fleet.core.errors import Conflict, InvalidInput, NotFound
from fleet.engine.agents import lookup
from fleet.engine.agents.models import AgentRow
from fleet.engine.deps import Deps
from fleet.features.agents import commands as agent_commands
from fleet.features.agents import form as agent_form
from fleet.features.agents.form import Values
from fleet.features.agents.kinds import GALLERY
from fleet.features.agents.limits import LEAST_INTERVAL_S, LONGEST_NAME, MOST_INTERVAL_S
from fleet.features.personas.service import personas_of
from fleet.web.auth import TheDeps, needs
from fleet.web.links import agent_address
from fleet.web.rendering import go, render

router = APIRouter()
_LONGEST_FIELD = 10_000

Editor = Annotated[Principal, needs(Permission.AGENTS_EDIT)]
Name = Annotated[str, Path(max_length=60)]


async def _typed(request: Request) -> Values:
    """Return the typed values of a form.

    They are checked later, field by field, so that the form can be shown again.
    """
    return {name: value[:_LONGEST_FIELD] for name, value in (await request.form()).items() if isinstance(value, str)}


Typed = Annotated[Values, Depends(_typed)]


@router.get("/agents/new")
def new(request: Request, deps: TheDeps, who: Editor, persona: Annotated[str, Query(max_length=60)] = "") -> Response:
    """Show the form of a new agent, with a persona's character if one is named."""
    form = agent_form.blank(agent_commands.first_config(deps, GALLERY))
    form.values |= {"persona": text.clean(persona), "owner": agent_commands.owner_of_creator(deps, who.by)}
    return _show(request, deps, agent_form.with_character(form, personas_of(deps)) if persona else form)


@router.post("/agents/new", dependencies=[needs(Permission.AGENTS_EDIT)])
def create(request: Request, deps: TheDeps, typed: Typed) -> Response:
    """Make an agent, idle unless it is to start at once."""
    form = agent_form.AgentForm(typed)
    if "fill" in typed:
        return _show(request, deps, agent_form.with_character(form, personas_of(deps)))
    made = agent_form.read(form, personas_of(deps))
    if made is None:
        return _show(request, deps, form, code=422)
    starts = bool(typed.get("start"))
    try:
        new = agent_form.new_agent(made)
        if typed.get("organisation"):
            new = agent_commands.within(deps, new, typed["organisation"])
        agent_id = agent_commands.create(deps, new, start=starts)
    except (Conflict, InvalidInput, NotFound) as error:
        agent_form.refused(form, str(error), "username" if isinstance(error, Conflict) else "form")
        return _show(request, deps, form, code=422)
    row = lookup.agent(deps.db, str(agent_id))
    return go(request, agent_address(row), f"{row.name} {'lives now' if starts else 'is there, idle'}.")


@router.get("/agents/{name}/edit", dependencies=[needs(Permission.AGENTS_EDIT)])
def edit(request: Request, deps: TheDeps, name: Name) -> Response:
    """Show the form of an agent as it is."""
    return _show(request, deps, agent_form.of(lookup.agent(deps.db, text.clean(name))))


@router.post("/agents/{name}/edit", dependencies=[needs(Permission.AGENTS_EDIT)])
def change(request: Request, deps: TheDeps, name: Name, typed: Typed) -> Response:
    """Change the edited settings of an agent."""
    row = lookup.agent(deps.db, text.clean(name))
    form = agent_form.AgentForm(typed | {"username": row.username}, was=row)
    if "fill" in typed:
        return _show(request, deps, agent_form.with_character(form, personas_of(deps)))
    made = agent_form.read(form, personas_of(deps))
    if made is None:
        return _show(request, deps, form, code=422)
    changes = agent_form.changes(row, made)
    if not changes:
        return go(request, agent_address(row), "Nothing was changed.")
    try:
        agent_commands.update(deps, str(row.id), changes)
    except InvalidInput as error:
        agent_form.refused(form, str(error))
        return _show(request, deps, form, code=422)
    return go(request, agent_address(row), f"{made['name']} is changed.")


def _show(request: Request, deps: Deps, form: agent_form.AgentForm, *, code: int = 200) -> Response:
    was: AgentRow | None = form.was
    return render(
        request, "agents/agent_edit.html", code=code, form=form, agent=was, personas=personas_of(deps).personas,
        where=f"{agent_address(was)}/edit" if was else "/agents/new", cancel=agent_address(was) if was else "/agents",
        organisations=[] if was else agent_commands.possible_organisations(deps),
        owners=agent_commands.possible_owners(deps), traits=TRAITS, longest_name=LONGEST_NAME,
        least_s=LEAST_INTERVAL_S, tempo=deps.settings.tempo, most_s=MOST_INTERVAL_S,
    )  # fmt: skip
