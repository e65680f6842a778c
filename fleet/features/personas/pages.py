"""Pages of personas: their content, their agents, their week and their changes."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response

from fleet.access import Permission
from fleet.core import clock, ids
from fleet.engine.agents import queries
from fleet.engine.agents.queries import AgentFilter, AgentTally
from fleet.engine.deps import Deps
from fleet.engine.settings import documents
from fleet.engine.settings.documents import StoredDocument
from fleet.features.personas import heat
from fleet.features.personas.api import PersonaSource, source_of
from fleet.features.personas.library import Persona, document_of, weights_of
from fleet.features.personas.service import KIND, of_files, pace, personas_of
from fleet.features.personas.settings import PersonasSettings
from fleet.llm.offline import grammar
from fleet.web.auth import TheDeps, needs
from fleet.web.links import agent_address
from fleet.web.rendering import render

router = APIRouter()
_SHOWN = 12
_EXAMPLES = 4
_MOST_VERSIONS = 20
_DAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")


@dataclass(frozen=True, slots=True)
class PersonaFacts:
    """The facts about a persona in a list or page. `shares` add up to 1; `part` is its part of a generated fleet."""

    persona: Persona
    agents: int
    running: int
    shares: Mapping[str, float]
    part: float
    peak: str
    days: str
    sleep: str
    source: PersonaSource


@dataclass(frozen=True, slots=True)
class ShownVersion:
    """A change at run time; `what` names the fields that differ from the version before."""

    version: int
    set_by: str
    set_at: datetime
    reason: str
    what: str


@router.get("/personas", dependencies=[needs(Permission.FLEET_VIEW)])
def personas(request: Request, deps: TheDeps) -> Response:
    """Show all personas."""
    with deps.db.transaction() as tx:
        tally = queries.tally(tx, AgentFilter())
    return render(request, "personas/personas.html", all=[_facts(deps, one, tally) for one in personas_of(deps)],
                  source=_source(deps))  # fmt: skip


@router.get("/personas/{persona_id}", dependencies=[needs(Permission.FLEET_VIEW)])
def persona(request: Request, deps: TheDeps, persona_id: Annotated[str, Path(max_length=60)]) -> Response:
    """Show one persona."""
    one = personas_of(deps).get(persona_id)
    with deps.db.transaction() as tx:
        tally = queries.tally(tx, AgentFilter(persona_id=one.id))
        agents = queries.find(tx, AgentFilter(persona_id=one.id), limit=_SHOWN)
        history = documents.history(tx, KIND, one.id, limit=_MOST_VERSIONS + 1)
    return render(
        request, "personas/persona.html", one=_facts(deps, one, tally), week=heat.strip(one.schedule, clock.now()),
        pace=pace(deps, one.interval.min_s, one.interval.max_s),
        agents=agents, address=agent_address, examples=_examples(one), source=_source(deps),
        model_order=deps.model_order(None, one.id), versions=_versions(history, of_files(deps).personas.get(one.id)),
    )  # fmt: skip


def _facts(deps: Deps, one: Persona, tally: AgentTally) -> PersonaFacts:
    weights = weights_of(one)
    schedule = one.schedule
    days = ", ".join(_DAYS[day] for day in sorted(schedule.active_days))
    return PersonaFacts(
        one, tally.of_persona(one.id), tally.living.get((one.id, "running"), 0),
        {name: weight / sum(weights.values()) for name, weight in weights.items()},
        one.share / sum(other.share for other in personas_of(deps)), _hours(schedule.peak),
        "every day" if len(schedule.active_days) == 7 else days, _hours(schedule.sleep), source_of(deps, one.id),
    )  # fmt: skip


def _versions(history: Sequence[StoredDocument], file: Persona | None) -> list[ShownVersion]:
    """Return the changes at run time, newest first, each with the fields that differ from the one before it."""
    contents = [one.document or (document_of(file) if file else {}) for one in history]
    first = document_of(file) if file and len(history) <= _MOST_VERSIONS else {}
    found = []
    for one, now, was in zip(history[:_MOST_VERSIONS], contents, [*contents[1:], first], strict=False):
        fields = ", ".join(name for name in {**was, **now} if was.get(name) != now.get(name))
        what = (fields if was else "added") if one.document else "reset to the file" if file else "removed"
        found.append(ShownVersion(one.version, one.set_by, one.set_at, one.reason, what))
    return found


def _hours(windows: tuple[tuple[int, int], ...]) -> str:
    return ", ".join(f"{start:02}–{end:02}" for start, end in windows)


def _source(deps: Deps) -> str | None:
    """Return the folder that the personas were read from; None for those that came with Fleet."""
    folder = deps.settings.of(PersonasSettings).personas_dir
    return None if folder is None else str(folder)


def _examples(one: Persona) -> list[tuple[str, str]]:
    """Return sample pictures and captions by this persona's own rules: always the same ones."""
    dice = random.Random(ids.derived("examples", one.id).int)
    made = []
    for _ in range(_EXAMPLES):
        shared = grammar.draw_shared(one.grammar, dice)
        made.append(tuple(grammar.expand(one.grammar, rule, dice, shared) for rule in ("image_prompt", "caption")))
    return [(prompt, caption) for prompt, caption in made]
