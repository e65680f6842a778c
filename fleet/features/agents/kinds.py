"""Which kinds of agents people can create. Imports no table, so that commands and forms use it alike."""

from __future__ import annotations

from fleet.engine import registry

GALLERY = "gallery"
"""The default kind of agent."""


def creatable_kinds() -> tuple[str, ...]:
    """Return the kinds of agent that people can create: all but system agents."""
    return tuple(kind for kind, one in registry.current().agents.items() if one.system is None)
