"""Pages that change experiments: its file in a form, with its problems, and the buttons of its page."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Path, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from fleet.access import Permission
from fleet.core import yaml_file
from fleet.core.errors import FleetError, InvalidInput, NotFound
from fleet.features.experiments.editing import commands
from fleet.features.experiments.editing.api import Editor
from fleet.features.experiments.experiment_file import document_of
from fleet.features.experiments.service import known_of
from fleet.features.experiments.variants import Experiment
from fleet.web.auth import TheDeps, needs
from fleet.web.rendering import go, render
from fleet.web.requests.form_types import Words

router = APIRouter()
Name = Annotated[str, Path(max_length=60)]
_EXAMPLE = "caption_question"
_MOST_CHARS = 50_000


class FilledExperiment(BaseModel):
    """The typed text of an experiment's file."""

    text: str = Field("", max_length=_MOST_CHARS)
    reason: Words = ""


@router.get("/experiments/new", dependencies=[needs(Permission.FLEET_EDIT)])
def new(
    request: Request, deps: TheDeps, *, source: Annotated[str, Query(alias="from", max_length=60)] = _EXAMPLE
) -> Response:
    """Show the form of a new experiment, filled in from another one."""
    document = document_of(_named(known_of(deps), source)) | {"name": "a_name_of_its_own"}
    return _show(request, FilledExperiment(text=yaml_file.dump(document)), "")


@router.post("/experiments/new")
def create(request: Request, deps: TheDeps, who: Editor, filled: Annotated[FilledExperiment, Form()]) -> Response:
    """Add an experiment."""
    try:
        document = _read(filled.text)
        name = str(document.get("name", ""))
        commands.put(deps, name, document, by=who.by, reason=filled.reason, is_new=True)
    except FleetError as error:
        return _show(request, filled, "", problem=error)
    return go(request, f"/experiments/{name}", "It is added, and off. Start it when you like.")


@router.get("/experiments/{name}/edit", dependencies=[needs(Permission.FLEET_EDIT)])
def edit(request: Request, deps: TheDeps, name: Name) -> Response:
    """Show the form of an experiment as it is."""
    known = _named(known_of(deps), name)
    return _show(request, FilledExperiment(text=yaml_file.dump(document_of(known))), name)


@router.post("/experiments/{name}/edit")
def change(
    request: Request, deps: TheDeps, name: Name, who: Editor, filled: Annotated[FilledExperiment, Form()]
) -> Response:
    """Change an experiment."""
    try:
        changed = commands.put(deps, name, _read(filled.text), by=who.by, reason=filled.reason)
    except FleetError as error:
        return _show(request, filled, name, problem=error)
    said = "It is saved. Every process uses it within seconds." if changed else "Nothing was changed."
    return go(request, f"/experiments/{name}", said)


@router.post("/experiments/{name}/start")
def start(request: Request, deps: TheDeps, name: Name, who: Editor) -> Response:
    """Start an experiment."""
    try:
        commands.switch(deps, name, on=True, by=who.by)
    except NotFound:
        raise
    except FleetError as error:
        return go(request, f"/experiments/{name}", str(error), wrong=True)
    return go(request, f"/experiments/{name}", "It runs. Every process assigns posts within seconds.")


@router.post("/experiments/{name}/stop")
def stop(request: Request, deps: TheDeps, name: Name, who: Editor) -> Response:
    """Stop an experiment."""
    commands.switch(deps, name, on=False, by=who.by)
    return go(request, f"/experiments/{name}", "It is stopped. Its results stay.")


@router.post("/experiments/{name}/remove")
def remove(request: Request, deps: TheDeps, name: Name, who: Editor) -> Response:
    """Remove what was set for an experiment at run time."""
    try:
        commands.remove(deps, name, by=who.by)
    except NotFound:
        raise
    except FleetError as error:
        return go(request, f"/experiments/{name}", str(error), wrong=True)
    return go(request, "/experiments", f"What was set for {name} is removed.")


def _named(known: dict[str, Experiment], name: str) -> Experiment:
    if name not in known:
        raise NotFound(f"There is no experiment {name!r}.", fix=f"Experiments: {', '.join(known)}.")
    return known[name]


def _read(written: str) -> dict[str, object]:
    document = yaml_file.parse(written, aliases=False)
    if not isinstance(document, dict):
        raise InvalidInput("The text holds no fields.", fix="docs/experiments.md shows a whole file.")
    return document


def _show(request: Request, filled: FilledExperiment, name: str, *, problem: FleetError | None = None) -> Response:
    code = 200 if problem is None else 422
    return render(request, "experiments/experiment_edit.html", code=code, filled=filled, name=name, problem=problem)
