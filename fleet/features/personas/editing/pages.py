"""The editor of personas: a form with every field, a live preview, and a diff before anything is saved."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any
from zoneinfo import available_timezones

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import Response

from fleet.access import Permission
from fleet.core import clock, yaml_file
from fleet.core.character import TRAITS
from fleet.core.diff import lines
from fleet.core.errors import FleetError, InvalidInput, NotFound
from fleet.engine import registry
from fleet.engine.deps import Deps
from fleet.features.personas import heat, library
from fleet.features.personas.api import WholePersona, whole
from fleet.features.personas.editing import commands, samples
from fleet.features.personas.editing import form as fields
from fleet.features.personas.editing.api import Editor
from fleet.features.personas.editing.commands import WrongPersona
from fleet.features.personas.editing.samples import WrittenSamples
from fleet.features.personas.service import personas_of
from fleet.web.auth import TheDeps, needs
from fleet.web.rendering import go, render
from fleet.web.requests.form_types import Words

router = APIRouter()
_LONGEST_FIELD = 100_000
Id = Annotated[str, Path(max_length=60)]


async def _typed(request: Request) -> dict[str, str]:
    """Return the typed texts of the form, to be checked later and shown again if they are wrong."""
    return {name: value[:_LONGEST_FIELD] for name, value in (await request.form()).items() if isinstance(value, str)}


Typed = Annotated[dict[str, str], Depends(_typed)]


@dataclass(slots=True)
class PersonaForm:
    """What the editor shows: typed texts, the problem of each field, and what the person has asked for so far."""

    values: dict[str, str]
    was: WholePersona | None = None
    problems: dict[str, str] = field(default_factory=dict)
    diff: tuple[str, ...] = ()
    reviewed: str = ""
    """Of which document `diff` is: only that one can be saved."""
    written: WrittenSamples | None = None

    def get(self, name: str) -> str:
        """Return the typed text of a field."""
        return self.values.get(name, "")

    @property
    def document(self) -> dict[str, Any]:
        """The document that the texts mean."""
        return fields.document(self.values)


@router.get("/personas/new", dependencies=[needs(Permission.FLEET_EDIT)])
def new(
    request: Request, deps: TheDeps, *, source: Annotated[str, Query(alias="from", max_length=60)] = ""
) -> Response:
    """Show the form of a new persona, filled in from another one if it is named."""
    values = fields.blank()
    if source:
        values = {**fields.of(library.document_of(personas_of(deps).get(source))), "id": ""}
    return _show(request, PersonaForm(values))


@router.post("/personas/new")
def create(request: Request, deps: TheDeps, typed: Typed, who: Editor) -> Response:
    """Preview, review or save a new persona."""
    return _act(request, deps, PersonaForm(typed), by=who.by)


@router.post("/personas/preview", dependencies=[needs(Permission.FLEET_EDIT)])
def preview(request: Request, typed: Typed) -> Response:
    """Return the preview alone, while somebody types."""
    form = PersonaForm(typed)
    return render(request, "personas/_preview.html", form=form, **_previewed(form))


@router.get("/personas/{persona_id}/edit", dependencies=[needs(Permission.FLEET_EDIT)])
def edit(request: Request, deps: TheDeps, persona_id: Id) -> Response:
    """Show the form of a persona as it is."""
    was = whole(deps, personas_of(deps).get(persona_id))
    return _show(request, PersonaForm(_with_version(fields.of(was.document), was), was))


@router.post("/personas/{persona_id}/edit")
def change(request: Request, deps: TheDeps, persona_id: Id, typed: Typed, who: Editor) -> Response:
    """Preview, review or save changes of a persona."""
    was = whole(deps, personas_of(deps).get(persona_id))
    return _act(request, deps, PersonaForm({**typed, "id": persona_id}, was), by=who.by)


@router.post("/personas/{persona_id}/remove")
def remove(request: Request, deps: TheDeps, persona_id: Id, who: Editor, reason: Words = "") -> Response:
    """Remove a persona that was added at run time, or reset one to its file."""
    try:
        made = commands.remove(deps, persona_id, by=who.by, reason=reason)
    except NotFound:
        raise
    except FleetError as error:
        return go(request, f"/personas/{persona_id}", f"{error}", wrong=True)
    if persona_id not in personas_of(deps):
        return go(request, "/personas", f"{persona_id} is removed.")
    said = "It is as its file says again." if made.changed else "It was as its file says already."
    return go(request, f"/personas/{persona_id}", said)


@router.get("/personas/{persona_id}/export", dependencies=[needs(Permission.FLEET_VIEW)])
def export(deps: TheDeps, persona_id: Id) -> Response:
    """Return a persona as a file in YAML, to be taken elsewhere."""
    one = personas_of(deps).get(persona_id)
    name = {"content-disposition": f'attachment; filename="{one.id}.yaml"'}
    return Response(yaml_file.dump(library.document_of(one)), media_type="application/yaml", headers=name)


def _act(request: Request, deps: Deps, form: PersonaForm, *, by: str) -> Response:
    """Do what the pressed button says. Nothing is saved that was not shown as a diff before."""
    pressed = form.get("do")
    try:
        if pressed == "import":
            form.values = _imported(form)
            return _show(request, form)
        form.values = {**form.values, **fields.settled(form.values)}
        if pressed == "preview":
            form.problems = fields.problems(samples.preview(form.document).problems, form.values)
            return _show(request, form)
        persona_id = form.was.id if form.was else form.get("id").strip()
        persona = commands.read(persona_id, form.document)
        if pressed == "model":
            form.written = samples.by_model(deps, persona)
            return _show(request, form)
        form.diff, form.reviewed = _diff(form, library.document_of(persona))
        if pressed == "save" and form.get("reviewed") == form.reviewed:
            return _save(request, deps, form, persona_id, by=by)
    except WrongPersona as error:
        form.problems, form.diff = fields.problems(error.problems, form.values), ()
    except FleetError as error:
        form.problems, form.diff = {"form": str(error)}, ()
    return _show(request, form, code=422 if form.problems else 200)


def _save(request: Request, deps: Deps, form: PersonaForm, persona_id: str, *, by: str) -> Response:
    seen = {form.get("version")} if form.was and form.get("version") else None
    made = commands.put(
        deps, persona_id, form.document, by=by, reason=form.get("reason").strip()[:300], seen=seen,
        is_new=form.was is None,
    )  # fmt: skip
    said = "It is saved. Every process uses it within seconds." if made.changed else "Nothing was changed."
    if made.followed:
        said += f" {made.followed:,} {'agent has' if made.followed == 1 else 'agents have'} taken over its values."
    return go(request, f"/personas/{persona_id}", said)


def _diff(form: PersonaForm, after: Mapping[str, Any]) -> tuple[tuple[str, ...], str]:
    """Return the lines that differ from the persona in force, and a word for this very document."""
    before = yaml_file.dump(form.was.document) if form.was else ""
    digest = hashlib.sha256(json.dumps([form.was and form.was.version, after], sort_keys=True).encode()).hexdigest()
    return lines(before, yaml_file.dump(after)), digest[:16]


def _imported(form: PersonaForm) -> dict[str, str]:
    """Return the texts of a pasted file. Raises InvalidInput."""
    content = yaml_file.parse(form.get("yaml"), aliases=False)
    if not isinstance(content, Mapping):
        raise InvalidInput("The pasted text holds no fields.", fix="docs/personas.md shows a whole file.")
    kept = {name: form.get(name) for name in ("version", "reason")}
    values = {**fields.of(content), **kept}
    return {**values, "id": form.was.id} if form.was else values


def _with_version(values: Mapping[str, str], was: WholePersona) -> dict[str, str]:
    return {**values, "version": str(was.version)}


def _show(request: Request, form: PersonaForm, *, code: int = 200) -> Response:
    where = f"/personas/{form.was.id}" if form.was else "/personas"
    return render(
        request, "personas/persona_edit.html", code=code, form=form, where=f"{where}/{'edit' if form.was else 'new'}",
        cancel=where, traits=TRAITS, weights=registry.current().default_weights, days=fields.DAY_NAMES,
        tiers=fields.TIERS, zones=sorted(available_timezones()), rules=fields.rules_of(form.values),
        spare=range(fields.SPARE_RULES), required=fields.REQUIRED_RULES, **_previewed(form),
    )  # fmt: skip


def _previewed(form: PersonaForm) -> dict[str, Any]:
    found = samples.preview(form.document)
    written = form.written
    week = None if found.schedule is None else heat.strip(found.schedule, clock.now())
    posts = [samples.shown(post) for post in (written.posts if written else found.posts)]
    return {"week": week, "schedule": found.schedule, "posts": posts, "written": written,
            "wrong": fields.problems(found.problems, form.values)}  # fmt: skip
