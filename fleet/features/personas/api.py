"""The personas that agents can have, and when each is awake."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal, TypeVar

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, Field, create_model

from fleet.access import Permission
from fleet.core.character import TRAITS
from fleet.core.errors import Unavailable
from fleet.engine import registry, schedule
from fleet.engine.agents import queries
from fleet.engine.agents.queries import AgentFilter
from fleet.engine.deps import Deps
from fleet.engine.settings import documents
from fleet.features.personas.library import Persona as Archetype
from fleet.features.personas.library import document_of, weights_of
from fleet.features.personas.service import KIND, of_files, personas_of, real_interval_s
from fleet.web.auth import TheDeps, needs
from fleet.web.requests import cursors
from fleet.web.requests.cursors import Page, Paging
from fleet.web.requests.fields import taken

S = TypeVar("S", bound="ScheduleOut")

router = APIRouter(prefix="/personas", tags=["personas"])


_FIELDS: dict[str, Any] = dict.fromkeys(registry.current().default_weights, (float, 0.0))
_CHARACTER: dict[str, Any] = {one.name: (list[str] if one.is_list else str, ...) for one in TRAITS}


class WeightsOut(create_model("_Registered", **_FIELDS)):  # type: ignore[misc]
    """How often an agent does each action, relative to the others."""


class CharacterOut(create_model("_Character", **_CHARACTER)):  # type: ignore[misc]
    """What an agent or a persona is like."""


class TickIntervalOut(BaseModel):
    """Least and most seconds between two ticks, at rate 1 of the schedule and at tempo 1."""

    min: int
    max: int


class RealIntervalOut(BaseModel):
    """The same interval in seconds of real time, at the tempo of this fleet."""

    min: float
    max: float


class ScheduleOut(BaseModel):
    """A persona's week in the local time of its zone."""

    timezone: str = Field(examples=["Europe/Lisbon"])
    active_days: list[int] = Field(description="0 is Sunday")
    peak: list[tuple[int, int]] = Field(description="local hours [from, to)")
    sleep: list[tuple[int, int]]
    peak_multiplier: float
    off_peak_multiplier: float


class Week(ScheduleOut):
    """A persona's week, hour by hour."""

    rates: list[list[float]] = Field(
        description="this week's 7 days from Monday, of 24 local hours each: how fast a gap is spent; 0 is asleep"
    )


class PersonaSource(StrEnum):
    """Where a persona in force comes from."""

    FILE = "file"
    CHANGED = "changed"
    """Set at run time, above the file of its name."""
    RUN_TIME = "run time"
    """Set at run time, without a file."""


class PersonaOut(CharacterOut):
    """One archetype."""

    id: str = Field(examples=["ai_artist"])
    emoji: str
    share: float = Field(description="its part of a generated fleet, relative to the others'")
    tier: Literal["casual", "regular", "power"]
    interval_s: TickIntervalOut
    real_interval_s: RealIntervalOut
    weights: WeightsOut
    workflow_types: list[str]
    username_prefix: str
    name_templates: list[str]
    schedule: ScheduleOut
    source: PersonaSource = Field(description="file; changed: set at run time above its file; run time: in no file")


class WholePersona(PersonaOut):
    """One archetype with its week, its content as in a file, and its latest change at run time."""

    schedule: Week
    document: dict[str, Any] = Field(description="the fields of its file, as docs/personas.md explains them")
    agents: int | None = Field(description="how many agents have it; null while the database cannot be reached")
    version: int = Field(description="rises with each change at run time; 0: never changed")
    set_by: str | None
    set_at: datetime | None
    reason: str


class PersonaPage(Page[PersonaOut]):
    """A page of personas, by id."""


@router.get("", dependencies=[needs(Permission.FLEET_VIEW)])
def list_personas(deps: TheDeps, *, which: Annotated[Paging, Query()]) -> PersonaPage:
    """Return a page of personas, by id."""
    above = which.place(cursors.word, of="personas") or ""
    found = [one for one in personas_of(deps) if one.id > above]
    rows, following = which.page(found, lambda one: one.id, of="personas")
    items = [taken(PersonaOut, one, **_plain(deps, one), schedule=_schedule(ScheduleOut, one)) for one in rows]
    return PersonaPage(items=items, next=following)


@router.get("/{persona_id}", dependencies=[needs(Permission.FLEET_VIEW)])
def show(deps: TheDeps, response: Response, *, persona_id: Annotated[str, Path(max_length=60)]) -> WholePersona:
    """Return one persona and its week in local time. Send its `ETag` as `If-Match` to change it."""
    one = personas_of(deps).get(persona_id)
    response.headers["etag"] = f'"{(found := whole(deps, one)).version}"'
    return found


def whole(deps: Deps, one: Archetype) -> WholePersona:
    """Return a persona with everything that is known of it."""
    rates = schedule.week(one.schedule, deps.now())
    try:
        with deps.db.transaction() as tx:
            latest = documents.latest(tx, KIND, one.id)
            agents: int | None = queries.tally(tx, AgentFilter(persona_id=one.id)).of_persona(one.id)
    except Unavailable:  # its file is known all the same
        latest, agents = None, None
    return taken(
        WholePersona, one, **_plain(deps, one), schedule=_schedule(Week, one, rates=rates),
        document=document_of(one), agents=agents, version=latest.version if latest else documents.UNWRITTEN,
        set_by=latest.set_by if latest else None, set_at=latest.set_at if latest else None,
        reason=latest.reason if latest else "",
    )  # fmt: skip


def source_of(deps: Deps, persona_id: str) -> PersonaSource:
    """Return where a persona in force comes from."""
    if persona_id not in of_files(deps):
        return PersonaSource.RUN_TIME
    return PersonaSource.CHANGED if persona_id in deps.live.documents(KIND) else PersonaSource.FILE


def _plain(deps: Deps, one: Archetype) -> dict[str, object]:
    return {
        "source": source_of(deps, one.id),
        "interval_s": TickIntervalOut(min=one.interval.min_s, max=one.interval.max_s),
        "real_interval_s": real_interval(deps, one.interval.min_s, one.interval.max_s),
        "weights": WeightsOut(**weights_of(one)), **one.character.values(),
    }  # fmt: skip


def _schedule(model: type[S], one: Archetype, **more: object) -> S:
    return taken(model, one.schedule, active_days=sorted(one.schedule.active_days), **more)


def real_interval(deps: Deps, least_s: int, most_s: int) -> RealIntervalOut:
    """Return an interval in seconds of real time."""
    least, most = real_interval_s(deps, least_s, most_s)
    return RealIntervalOut(min=least, max=most)
