"""Limits of supervised agents, for people: undecided drafts, how long a draft waits, posts that a scan left out.

Called by the loop before a scan and by entry points. Reading only.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from fleet.core import text
from fleet.core.db import Tx
from fleet.engine.agents import config
from fleet.engine.agents import queries as agents
from fleet.engine.agents.loop import ActingAgent
from fleet.engine.agents.models import AgentRow
from fleet.engine.deps import Deps
from fleet.features.approvals import rules
from fleet.features.approvals.ruleset.in_force import rules_of
from fleet.features.drafts import queries
from fleet.features.drafts.effect import ACTION, RESOURCE
from fleet.features.drafts.kinds import SupervisedConfig
from fleet.features.drafts.queries import DraftFilter
from fleet.features.drafts.settings import DraftsSettings
from fleet.features.drafts.states import LEFT_OUT, DraftStatus


def room(deps: Deps, agent_id: uuid.UUID) -> int | None:
    """Return how many more undecided drafts an agent may have; None without a limit."""
    most = deps.settings.of(DraftsSettings).undecided_drafts
    if not most:
        return None
    with deps.db.transaction() as tx:
        return max(0, most - _undecided(tx, agent_id, most))


def _undecided(tx: Tx, agent_id: uuid.UUID, most: int) -> int:
    return queries.count(tx, DraftFilter(status=DraftStatus.PENDING, agent_id=agent_id), most=most)


def why_full(deps: Deps, agent: ActingAgent | AgentRow) -> str | None:
    """Return why an agent must not scan its feed until people have decided, with the fix; or None."""
    if room(deps, agent.id) != 0:
        return None
    most, way_out = deps.settings.of(DraftsSettings).undecided_drafts, fix(agent.username).removesuffix(".")
    return f"{most} drafts of mine wait for a decision, and that is the limit. {way_out}"


def fix(username: str) -> str:
    """Return the fix for an agent with too many undecided drafts."""
    return f"Decide about some (`fleet drafts list --agent {username}`), or raise FLEET_UNDECIDED_DRAFTS."


@dataclass(frozen=True, slots=True)
class Limits:
    """Undecided drafts of an agent and how many it may have (0: any number), and how long a draft of it waits."""

    undecided: int
    most: int
    shortest: timedelta
    longest: timedelta

    @property
    def is_full(self) -> bool:
        """Whether the agent must not scan until people have decided."""
        return 0 < self.most <= self.undecided

    @property
    def waits(self) -> str:
        """How long a draft waits, as text."""
        shortest, longest = (text.span(round(one.total_seconds())) for one in (self.shortest, self.longest))
        return longest if shortest == longest else f"{shortest} to {longest}"

    @property
    def drafts(self) -> str:
        """How many drafts wait, as text."""
        return f"{self.undecided} undecided" + (f" of at most {self.most}" if self.most else "")


def config_of(agent: AgentRow | ActingAgent) -> SupervisedConfig:
    """Return how an agent scans its feed when it is supervised. Raises InvalidInput."""
    return config.read(SupervisedConfig, agent.config)


def first_config(deps: Deps) -> dict[str, Any]:
    """Return the settings of new agents.

    The gallery of a sandbox has only agents, so they answer each other's posts.
    """
    return {"heeds_agents": True} if deps.settings.sandbox else {}


def limits(deps: Deps, agent: AgentRow) -> Limits:
    """Return the limits of an agent. The time to decide is the agent's own or an approval rule's, if shorter."""
    wish = timedelta(days=config_of(agent).draft_days)
    most = deps.settings.of(DraftsSettings).undecided_drafts
    with deps.db.transaction() as tx:
        undecided = _undecided(tx, agent.id, max(most, 1000))
    return Limits(undecided, most, *rules.times_to_decide(rules_of(deps), RESOURCE, ACTION, wish))


def full(deps: Deps, agent_id: uuid.UUID | None = None) -> list[str]:
    """Return the usernames of agents that make no scan since too many of their drafts are undecided."""
    most = deps.settings.of(DraftsSettings).undecided_drafts
    if not most:
        return []
    with deps.db.transaction() as tx:
        found = queries.agents_with(tx, most, agent_id=agent_id)
        return [agents.get(tx, one, include_deleted=True).username for one in found]


def in_words(result: Mapping[str, Any]) -> str:
    """Return the result of a scan, with the posts that it left out and why."""
    made, new, left_out = result["drafts"], result["new"], result.get("left_out") or {}
    words = f"{_plural(made, 'draft')} from {_plural(new, 'new post')}"
    if not left_out:
        return words
    reasons = ", ".join(f"{number} {LEFT_OUT.get(why, why)}" for why, number in left_out.items())
    return f"{words}; {_plural(sum(left_out.values()), 'post')} left out: {reasons}"


def _plural(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
