"""Addresses of pages to which several features link."""

from __future__ import annotations

from fleet.engine.agents.models import AgentRow

_PAGES_OF_AGENTS = frozenset({"new", "bulk"})


def agent_address(agent: AgentRow) -> str:
    """Return the address of an agent's page: by username, or by id where a page has the same name."""
    return f"/agents/{agent.id if agent.username in _PAGES_OF_AGENTS else agent.username}"
