"""What this feature adds to the page of an agent: its drafts and their limits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fleet.access import Permission
from fleet.engine.agents.models import AgentRow
from fleet.engine.deps import Deps
from fleet.features.drafts import commands, content, limits
from fleet.features.drafts.lessons import explained
from fleet.features.drafts.limits import Limits
from fleet.features.drafts.queries import DraftFilter
from fleet.features.drafts.stats import queries as stats
from fleet.web import links

_ENTRIES, _MOST_LESSONS = 20, 5


def tab(deps: Deps, agent: AgentRow, before: str) -> dict[str, Any]:
    """Show the tab "drafts" of an agent's page."""
    found = commands.page(deps, DraftFilter(agent_id=agent.id), limit=_ENTRIES, before=before or None)
    return {"limits": _limits(deps, agent),
            "drafts": [(one, content.gist(one.row.content)) for one in found],
            "urls": {one.row.id: links.url_of_job(deps, one.job, agent.username) for one in found if one.job},
            "lessons": [] if before else _lessons(deps, agent), "may_undo": Permission.DRAFTS_DECIDE,
            "faring": stats.of_agent(deps, agent.id),
            "more": found[-1].row.id if len(found) == _ENTRIES else None}  # fmt: skip


def _lessons(deps: Deps, agent: AgentRow) -> list[dict[str, Any]]:
    """Return the agent's newest lessons, as sentences."""
    rows = commands.learned(deps, agent.username, limit=_MOST_LESSONS)
    return [{"row": row, "sentence": explained(row)} for row in rows]


def facts(deps: Deps, agent: AgentRow) -> Mapping[str, Any]:
    """Return the facts for the first tab of an agent's page."""
    return {"limits": _limits(deps, agent), "scanning": limits.config_of(agent)}


def _limits(deps: Deps, agent: AgentRow) -> Limits | None:
    return limits.limits(deps, agent) if agent.autonomy == "supervised" else None
