"""The settings that a new agent has of its own, for the feature that creates agents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fleet.engine.deps import Deps
from fleet.engine.points.own_settings import FirstSettings
from fleet.features.settings import commands
from fleet.features.settings.queries import Target


def _put(deps: Deps, username: str, values: Mapping[str, Any], by: str) -> None:
    for name, value in values.items():
        commands.put(deps, name, value, Target(agent=username), by=by)


FIRST = FirstSettings(commands.check_first, _put)
