"""The API that changes personas at run time: set, remove, preview, and the versions of one."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Path, Query, Response
from pydantic import BaseModel, Field

from fleet.access import Permission, Principal
from fleet.engine import schedule
from fleet.engine.deps import Deps
from fleet.engine.settings import documents
from fleet.features.personas.api import WholePersona, whole
from fleet.features.personas.editing import commands, samples
from fleet.features.personas.editing.commands import PersonaChange
from fleet.features.personas.local_week import look, words_of
from fleet.features.personas.service import KIND, personas_of
from fleet.web.auth import TheDeps, needs
from fleet.web.middleware import etags
from fleet.web.requests.fields import Body, Json, Told, prose, taken
from fleet.web.requests.fields import whole as whole_number

router = APIRouter(prefix="/personas", tags=["personas"])
Editor = Annotated[Principal, needs(Permission.FLEET_EDIT)]
PersonaId = Annotated[str, Path(max_length=60, examples=["ai_artist"])]
IfMatch = Annotated[str | None, Header(max_length=1000, description="the ETag of the persona as it was read")]
Reason = Annotated[str, prose(300)]
_MOST_VERSIONS = 50
_DOCUMENT = Field(description="the fields of a persona's file (docs/personas.md), as JSON")


class PersonaIn(Body):
    """The content of a persona, and why it is changed."""

    document: Json = _DOCUMENT
    reason: Reason = ""
    version: Annotated[int, whole_number(0, 1_000_000_000)] | None = Field(
        None, description="the version that was read, as If-Match: another one by now is refused"
    )


class PersonaChangeOut(BaseModel):
    """What a change did."""

    changed: bool
    agents_changed: int = Field(description="agents that had the persona's own values and took over the new ones")
    persona: WholePersona | None = Field(description="the persona that is in force now; null: it is gone")


class RemovalQuery(BaseModel):
    """Why a persona is removed or reset."""

    reason: Reason = ""


class SamplesIn(Body):
    """A persona that is not saved yet, and who writes its samples."""

    document: Json = _DOCUMENT
    by: Literal["grammar", "model"] = Field(
        "grammar", description="model: the fleet's model writes, which costs; the whole document must be right"
    )


class SamplePostOut(BaseModel):
    """One sample post."""

    caption: str
    image_prompt: str
    alt_text: str


class PreviewOut(BaseModel):
    """What a persona would be like."""

    problems: list[str] = Field(description="one a line: `field.path: what is wrong and what to do`")
    rates: list[list[float]] | None = Field(
        description="this week's 7 days from Monday, of 24 local hours each; null while the schedule is wrong"
    )
    clock_changes: list[str]
    posts: list[SamplePostOut] = Field(description="empty while the grammar is wrong")
    written_by: str
    microusd: int = Field(description="what the samples cost, in millionths of a dollar")


class PersonaVersionOut(BaseModel):
    """One change at run time; `document` is null where the persona was removed or reset to its file."""

    version: int
    document: Told | None
    set_by: str
    set_at: datetime
    reason: str


class PersonaVersionsOut(BaseModel):
    """The latest versions of a persona, newest first."""

    items: list[PersonaVersionOut]


@router.post("/preview", dependencies=[needs(Permission.FLEET_EDIT)])
def preview(deps: TheDeps, *, body: SamplesIn) -> PreviewOut:
    """Show a persona before it is saved: its problems, its week, and three sample posts."""
    found, written_by, cost = samples.preview(body.document), "grammar", 0
    posts = found.posts
    if body.by == "model":
        made = samples.by_model(deps, commands.read(None, body.document))
        posts, written_by, cost = made.posts, made.by, made.microusd
    week = None if found.schedule is None else look(found.schedule, deps.now())
    return PreviewOut(
        problems=list(found.problems),
        rates=None if found.schedule is None else schedule.week(found.schedule, deps.now()),
        clock_changes=[words_of(one) for one in week.changes] if week else [],
        posts=[taken(SamplePostOut, samples.shown(post)) for post in posts], written_by=written_by, microusd=cost,
    )  # fmt: skip


@router.put("/{persona_id}")
def put(
    deps: TheDeps, response: Response, *, persona_id: PersonaId, body: PersonaIn, who: Editor, if_match: IfMatch = None
) -> PersonaChangeOut:
    """Set a persona. Every process uses it within seconds; its agents wake by its new hours."""
    seen = etags.versions(if_match) if body.version is None else {str(body.version)}
    made = commands.put(deps, persona_id, body.document, by=who.by, reason=body.reason, seen=seen)
    return _answer(deps, response, persona_id, made)


@router.delete("/{persona_id}")
def remove(
    deps: TheDeps, response: Response, *, persona_id: PersonaId, which: Annotated[RemovalQuery, Query()], who: Editor,
    if_match: IfMatch = None,
) -> PersonaChangeOut:  # fmt: skip
    """Remove what was set at run time: the file of this name counts again, and without a file the persona is gone."""
    made = commands.remove(deps, persona_id, by=who.by, reason=which.reason, seen=etags.versions(if_match))
    return _answer(deps, response, persona_id, made)


@router.get("/{persona_id}/versions", dependencies=[needs(Permission.FLEET_VIEW)])
def versions(deps: TheDeps, *, persona_id: PersonaId) -> PersonaVersionsOut:
    """Return what was changed at run time, when, by whom and why."""
    with deps.db.transaction() as tx:
        found = documents.history(tx, KIND, persona_id, limit=_MOST_VERSIONS)
    if not found:
        personas_of(deps).get(persona_id)
    items: list[Any] = [
        taken(PersonaVersionOut, one, document=None if one.document is None else {**one.document}) for one in found
    ]
    return PersonaVersionsOut(items=items)


def _answer(deps: Deps, response: Response, persona_id: str, made: PersonaChange) -> PersonaChangeOut:
    known = personas_of(deps).personas.get(persona_id)
    persona = None if known is None else whole(deps, known)
    if persona is not None:
        response.headers["etag"] = f'"{persona.version}"'
    return PersonaChangeOut(changed=made.changed, agents_changed=made.followed, persona=persona)
