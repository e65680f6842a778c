"""Lists of agents that are quick for any number of agents, the control on an agent, and its next ticks.

Called by entry points; each function is one transaction and changes nothing. `commands` and `bulk` change agents.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from fleet.engine import controls, registry, system_agents
from fleet.engine.agents import config, queries
from fleet.engine.agents.loop import Due
from fleet.engine.agents.models import AgentRow
from fleet.engine.agents.queries import AgentFilter, AgentTally
from fleet.engine.agents.status import AgentStatus
from fleet.engine.controls import Hold
from fleet.engine.deps import Deps
from fleet.engine.dispatch import drawn
from fleet.features.agents import commands as agent_commands


@dataclass(frozen=True, slots=True)
class Roll:
    """A page of agents by username. `before` and `after` are the cursors of the neighbouring pages; None where there is
    none.

    `held` has, by agent id, the control on a whole scope that covers the agent, whatever its own status is.
    """

    agents: Sequence[AgentRow]
    tally: AgentTally
    held: Mapping[uuid.UUID, Hold]
    before: str | None
    after: str | None


def page(deps: Deps, which: AgentFilter, *, limit: int, after: str | None = None, before: str | None = None) -> Roll:
    """Return a page of the agents that match, how many do in all, and how many each persona has.

    Raises NotFound for an unknown persona.
    """
    with deps.db.transaction() as tx:
        tally = queries.tally(tx, which)
        if not tally.matching:
            agent_commands.refuse_unknown(deps, tx, which)
        found = queries.find(tx, which, limit=limit + 1, after=after, before=before) if tally.matching else []
        holds = controls.in_force(tx)
    # One more than the page shows was requested, in its direction: its presence means another page.
    more = len(found) > limit
    shown = (found[1:] if before is not None else found[:limit]) if more else found
    newer = more if before is not None else after is not None
    older = more if before is None else True
    return Roll(
        shown, tally, _held(holds, shown),
        shown[0].username if shown and newer else None, shown[-1].username if shown and older else None,
    )  # fmt: skip


def agents_after(deps: Deps, which: AgentFilter, *, after: str | None, limit: int) -> list[AgentRow]:
    """Return the agents that follow a username. Each page costs the same, however far down it is.

    Raises NotFound for an unknown persona.
    """
    with deps.db.transaction() as tx:
        found = queries.find(tx, which, limit=limit, after=after)
        if not found:
            agent_commands.refuse_unknown(deps, tx, which)
        return found


def nobody(deps: Deps) -> Roll:
    """Return a page of no agents, for a filter that was refused."""
    return Roll((), replace(tally(deps), matching=0), {}, None, None)


def _held(holds: Sequence[Hold], agents: Sequence[AgentRow]) -> dict[uuid.UUID, Hold]:
    found = ((agent.id, system_agents.hold_on(holds, agent)) for agent in agents)
    return {agent_id: hold for agent_id, hold in found if hold is not None}


def hold_on(deps: Deps, agent: AgentRow) -> Hold | None:
    """Return the control that keeps an agent from acting besides its own status, if any."""
    with deps.db.transaction() as tx:
        return system_agents.hold_on(controls.in_force(tx), agent)


def tally(deps: Deps) -> AgentTally:
    """Return how many agents there are by persona and status."""
    with deps.db.transaction() as tx:
        return queries.tally(tx, AgentFilter())


def wakes(deps: Deps, agent: AgentRow, now: datetime, *, number: int = 5) -> list[datetime]:
    """Return when an agent wakes next if nothing else happens; empty for one that does not wake.

    The random numbers of a tick are fixed, so these are the times that dispatch will draw, except for its delays.
    Raises InvalidInput for an agent whose persona is gone.
    """
    if agent.next_tick_at is None or agent.status not in (AgentStatus.RUNNING, AgentStatus.PAUSED):
        return []
    at = max(agent.next_tick_at, now)  # an overdue agent wakes at once, and its next gap starts then
    found = [at]
    for ahead in range(1, number):
        due = Due(agent.id, agent.kind, agent.persona_id, agent.tick_no, at, agent.min_interval_s, agent.max_interval_s,
                  agent.autonomy, json.dumps(agent.config), agent.organisation_id, claimed_at=at)  # fmt: skip
        at = drawn(deps, due, agent.tick_no + ahead)
        found.append(at)
    return found


def weights(agent: AgentRow) -> dict[str, float]:
    """Return an agent's weights of all actions of this fleet; 0 for those that its type lacks."""
    features = registry.current()
    own = features.weights(agent.kind, agent.weights)
    return {name: own.get(name, 0.0) for name in features.default_weights}


def shares(agent: AgentRow) -> dict[str, float]:
    """Return the share of each action in an agent's weights: parts of 1. Empty for one that does not choose."""
    own = registry.current().weights(agent.kind, agent.weights)
    total = sum(own.values())
    return {name: weight / total for name, weight in own.items()} if total else {}


def totals(agent: AgentRow) -> dict[str, int]:
    """Return the agent's total of each action, by the plural of the action ("posts")."""
    return {f"{name}s": agent.totals.get(name, 0) for name in config.counted_actions()}


def done(agent: AgentRow) -> list[tuple[str, int]]:
    """Return the agent's total of each action, with its noun: ("looks around", 3)."""
    jobs = registry.current().jobs
    words = {name: jobs[name].plural or f"{name}s" for name in config.counted_actions() if name in jobs}
    return [(word, agent.totals.get(name, 0)) for name, word in words.items()]


def mode_config(agent: AgentRow) -> dict[str, Any]:
    """Return an agent's settings for all modes of this fleet; defaults for those that its kind lacks."""
    own = config.values(agent.kind, agent.config)
    return {name: own.get(name, one.default) for name, one in config.mode_fields().items()}
