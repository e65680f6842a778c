"""Jobs in the search of the dashboard."""

from __future__ import annotations

from collections.abc import Iterator

from fleet.access import Permission
from fleet.engine.agents import lookup
from fleet.engine.deps import Deps
from fleet.engine.jobs.queries import JobFilter
from fleet.features.jobs import commands, queries
from fleet.web.points.search_source import SearchHit, SearchSource

_CHARS = 80


def _find(deps: Deps, words: str, limit: int) -> Iterator[SearchHit]:
    found, _ = commands.list_jobs(deps, queries.searching(deps, words, JobFilter()), limit=limit, counted=False)
    names = lookup.names(deps.db, [row.agent_id for row in found])
    for row in found:
        agent = lookup.username(names, row.agent_id)
        note = ", ".join(part for part in (row.state, agent, queries.about(row)[:_CHARS]) if part)
        yield SearchHit(f"{row.kind.replace('_', ' ').capitalize()} {str(row.id)[:8]}", f"/jobs/{row.id}", note)


SOURCE = SearchSource("Jobs", Permission.JOBS_VIEW, _find)
