"""The personas of a process: read once from the folder that the settings name."""

from __future__ import annotations

import functools
import uuid

from fleet.core import text
from fleet.core.settings import Settings
from fleet.engine import dispatch
from fleet.engine.deps import Deps
from fleet.engine.schedule import ALWAYS, Schedule, real_gap_s
from fleet.features.personas.library import Library, load
from fleet.features.personas.settings import PersonasSettings

_load = functools.lru_cache(maxsize=4)(load)


def personas_of(deps: Deps) -> Library:
    """Return the personas of this process. Raises InvalidInput for files that are wrong."""
    return deps.part("personas", lambda deps: _load(deps.settings.of(PersonasSettings).personas_dir))


def schedule_of(deps: Deps, persona_id: str | None, agent_id: uuid.UUID | None = None) -> Schedule:
    """Return an agent's schedule: its persona's, in the time zone and the hours that are set for the agent.

    Without a persona all hours are equal. Raises NotFound, InvalidInput.
    """
    rhythm = ALWAYS if persona_id is None else personas_of(deps).get(persona_id).schedule
    return dispatch.own_hours(deps, agent_id, rhythm)


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
