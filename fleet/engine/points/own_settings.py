"""The settings that an agent has of its own from its creation on, such as its hours.

A feature that sets settings registers a `FirstSettings` as `extends={"agents.own_settings": (one,)}`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fleet.engine import registry

if TYPE_CHECKING:
    from fleet.engine.deps import Deps

POINT = "agents.own_settings"


@dataclass(frozen=True, slots=True)
class FirstSettings:
    """`check(deps, new, values)` raises what setting them for a new agent would raise, and changes nothing;
    `put(deps, username, values, by)` sets them for the agent that is there.
    """

    check: Callable[..., None]
    put: Callable[..., None]


def check(deps: Deps, new: Any, values: Mapping[str, Any]) -> None:
    """Refuse settings with which a new agent could not live. Raises InvalidInput, Conflict for a pinned setting."""
    for one in _registered():
        one.check(deps, new, values)


def put(deps: Deps, username: str, values: Mapping[str, Any], by: str) -> None:
    """Set the settings of an agent that was just created."""
    for one in _registered():
        one.put(deps, username, values, by)


def _registered() -> tuple[FirstSettings, ...]:
    found: tuple[FirstSettings, ...] = registry.current().extensions(POINT)
    return found
