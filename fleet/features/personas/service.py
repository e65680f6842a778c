"""The personas of a process: those of the folder that the settings name, and above them those set at run time."""

from __future__ import annotations

import functools
import uuid
from dataclasses import dataclass

from fleet.core import logs, text
from fleet.core.db import Tx
from fleet.core.errors import NotFound
from fleet.core.settings import Settings
from fleet.engine import dispatch
from fleet.engine.deps import Deps
from fleet.engine.schedule import ALWAYS, Schedule, real_gap_s
from fleet.engine.settings import documents
from fleet.engine.settings.documents import Contents
from fleet.features.personas.library import Library, load, overridden
from fleet.features.personas.settings import PersonasSettings

KIND = "persona"
"""The kind of their documents."""

log = logs.get(__name__)
_load = functools.lru_cache(maxsize=4)(load)


@dataclass(slots=True)
class _Latest:
    """The library made last, and of what. Replaced whole, so that no thread sees half of it."""

    made: tuple[Library, Contents, Library] | None = None


def personas_of(deps: Deps) -> Library:
    """Return the personas in force: the same object until one changes. Asks no database.

    Raises InvalidInput for files that are wrong.
    """
    base, above = of_files(deps), deps.live.documents(KIND)
    if not above:
        return base
    latest = deps.part("personas.latest", lambda _: _Latest(), for_all=True)
    made = latest.made
    if made is None or made[0] is not base or made[1] is not above:
        library, wrong = overridden(base, above)
        for problem in wrong:
            log.warning("persona_not_in_force", problem=problem)
        latest.made = made = (base, above, library)
    return made[2]


def of_files(deps: Deps) -> Library:
    """Return the personas of the files alone. Raises InvalidInput for files that are wrong."""
    return deps.part("personas", lambda deps: _load(deps.settings.of(PersonasSettings).personas_dir))


def rely_on(deps: Deps, tx: Tx, persona_id: str) -> None:
    """Keep a persona from being removed until this transaction ends, which gives it to an agent. Raises NotFound."""
    documents.rely_on(tx, KIND)
    latest = documents.latest(tx, KIND, persona_id)
    if latest is not None and latest.document is None and persona_id not in of_files(deps):
        raise NotFound(f"The persona {persona_id!r} was removed.", fix="`fleet persona list` shows the others.")


def schedule_of(
    deps: Deps, persona_id: str | None, agent_id: uuid.UUID | None = None, organisation_id: uuid.UUID | None = None
) -> Schedule:
    """Return an agent's schedule: its persona's, in the time zone and the hours that are set for the agent.

    Without a persona all hours are equal. Raises NotFound, InvalidInput.
    """
    rhythm = ALWAYS if persona_id is None else personas_of(deps).get(persona_id).schedule
    return dispatch.own_hours(deps, agent_id, organisation_id, rhythm)


def real_interval_s(deps: Deps, least_s: int, most_s: int) -> tuple[float, float]:
    """Return the ends of an interval in seconds of real time, at the tempo of this fleet."""
    return real_gap_s(least_s, deps.settings.tempo), real_gap_s(most_s, deps.settings.tempo)


def pace(deps: Deps, least_s: int, most_s: int) -> str:
    """Return the pause between two actions in words, and in real time where that differs."""
    return text.pause_words((least_s, most_s), real_interval_s(deps, least_s, most_s))


def preload(settings: Settings) -> None:
    """Read the files before a fork, so that child processes share them."""
    _load(settings.of(PersonasSettings).personas_dir)


def check(deps: Deps) -> None:
    """Refuse wrong files at the start. Raises InvalidInput."""
    personas_of(deps)
