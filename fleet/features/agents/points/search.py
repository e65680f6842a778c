"""Agents in the search of the dashboard."""

from __future__ import annotations

from collections.abc import Iterator

from fleet.access import Permission
from fleet.engine.agents import queries
from fleet.engine.agents.queries import AgentFilter
from fleet.engine.deps import Deps
from fleet.web.links import agent_address
from fleet.web.points.search_source import SearchHit, SearchSource


def _find(deps: Deps, words: str, limit: int) -> Iterator[SearchHit]:
    with deps.db.transaction() as tx:
        rows = queries.find(tx, AgentFilter(text=words), limit=limit)
    for row in rows:
        yield SearchHit(row.name, agent_address(row), f"{row.username}, {row.status}")


SOURCE = SearchSource("Agents", Permission.AGENTS_VIEW, _find)


def _actions(_deps: Deps, words: str, limit: int) -> Iterator[SearchHit]:
    for label, href in (("Create an agent", "/agents/new"), ("Create many agents", "/agents/bulk")):
        if words.casefold() in label.casefold() and limit:
            yield SearchHit(label, href)


ACTIONS = SearchSource("Actions", Permission.AGENTS_EDIT, _actions)
