"""What this feature adds to the page of an agent and to `fleet agents show`: its drafts and their limits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.text import Text

from fleet.cli.frame import render
from fleet.engine.agents.models import AgentRow
from fleet.engine.deps import Deps
from fleet.features.drafts import commands, content, limits
from fleet.features.drafts.limits import Limits
from fleet.features.drafts.queries import DraftFilter
from fleet.features.drafts.stats import queries as stats

_ENTRIES = 20


def tab(deps: Deps, agent: AgentRow, before: str) -> dict[str, Any]:
    """Show the tab "drafts" of an agent's page."""
    found = commands.page(deps, DraftFilter(agent_id=agent.id), limit=_ENTRIES, before=before or None)
    return {"limits": _limits(deps, agent),
            "drafts": [(one, content.gist(one.row.content)) for one in found],
            "faring": stats.of_agent(deps, agent.id),
            "more": found[-1].row.id if len(found) == _ENTRIES else None}  # fmt: skip


def facts(deps: Deps, agent: AgentRow) -> Mapping[str, Any]:
    """Return the facts for the first tab of an agent's page."""
    return {"limits": _limits(deps, agent), "scanning": limits.config_of(agent)}


def summary(deps: Deps, agent: AgentRow) -> tuple[Mapping[str, Any], list[tuple[str, object]]]:
    """Return the fields and rows of `fleet agents show` about a supervised agent's drafts."""
    found = _limits(deps, agent)
    if found is None:
        return {}, []
    fields = {
        "undecided_drafts": found.undecided, "most_undecided_drafts": found.most or None,
        "draft_wait_s": {"min": found.shortest.total_seconds(), "max": found.longest.total_seconds()},
    }  # fmt: skip
    return fields, [("Looks at", _scanning(agent, found)), ("Drafts", _drafts(agent, found))]


def _limits(deps: Deps, agent: AgentRow) -> Limits | None:
    return limits.limits(deps, agent) if agent.autonomy == "supervised" else None


def _drafts(agent: AgentRow, found: Limits) -> Text:
    if not found.is_full:
        return render.words(found.drafts)
    return render.words(f"{found.drafts}: no scan is made. {limits.fix(agent.username)}", "yellow")


def _scanning(agent: AgentRow, found: Limits) -> str:
    how = limits.config_of(agent)
    if not how.scans:
        return "nothing: it is not to look at its feed"
    whose = "what everybody sees" if how.audience == "public" else "what its friends see"
    agents = ", what agents wrote too" if how.heeds_agents else ""
    return f"{whose}{agents}, every {render.span(how.scan_interval_s)}; drafts wait {found.waits}"
