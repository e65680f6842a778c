"""The extension point `agents.beginning`: what an agent's page shows first, before its status."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fleet.access import Permission
from fleet.engine.agents.models import AgentRow
from fleet.engine.deps import Deps

POINT = "agents.beginning"


@dataclass(frozen=True, slots=True)
class AgentBeginning:
    """A part of the page. `facts(deps, agent)` returns names for its template; None if it says nothing of an agent."""

    template: str
    permission: Permission
    facts: Callable[[Deps, AgentRow], Mapping[str, Any] | None]
