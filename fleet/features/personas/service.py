"""The personas of a process: read once from the folder that the settings name."""

from __future__ import annotations

import functools

from fleet.core.settings import Settings
from fleet.engine.deps import Deps
from fleet.engine.schedule import ALWAYS, Schedule
from fleet.features.personas.library import Library, load
from fleet.features.personas.settings import PersonasSettings

_load = functools.lru_cache(maxsize=4)(load)


def personas_of(deps: Deps) -> Library:
    """Return the personas of this process. Raises InvalidInput for files that are wrong."""
    return deps.part("personas", lambda deps: _load(deps.settings.of(PersonasSettings).personas_dir))


def schedule_of(deps: Deps, persona_id: str | None) -> Schedule:
    """Return a persona's schedule; without a persona all hours are equal. Raises NotFound."""
    return ALWAYS if persona_id is None else personas_of(deps).get(persona_id).schedule


def preload(settings: Settings) -> None:
    """Read the files before a fork, so that child processes share them."""
    _load(settings.of(PersonasSettings).personas_dir)


def check(deps: Deps) -> None:
    """Refuse wrong files at the start. Raises InvalidInput."""
    personas_of(deps)
