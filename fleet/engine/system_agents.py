"""System agents, one of each kind, and the pauses that apply to them.

`fleet up` and `fleet migrate` create them; dispatch, ticks and lists of agents ask which pause applies.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from fleet.core.character import Character
from fleet.core.db import Database
from fleet.engine import controls, registry
from fleet.engine.agents import commands
from fleet.engine.agents.commands import NewAgent
from fleet.engine.agents.loop import ActingAgent
from fleet.engine.agents.models import NOWHERE, AgentRow
from fleet.engine.controls import Hold
from fleet.engine.registry import SystemAgent

SURFACE = NOWHERE
"""The surface of system agents is none, so that the pause of a surface does not apply to them."""


def kinds() -> frozenset[str]:
    """Return the kinds of agent that run the fleet itself."""
    return frozenset(kind for kind, one in registry.current().agents.items() if one.system is not None)


def hold_on(holds: Sequence[Hold], agent: ActingAgent | AgentRow) -> Hold | None:
    """Return the control that keeps an agent from waking, or None.

    System agents report the kill switch and pauses, so only a pause that names one applies to it.
    """
    return controls.covering(holds, agent, is_notice=agent.kind in kinds())


def staff(db: Database) -> list[str]:
    """Create and start missing system agents; return their usernames.

    One that a person stopped stays stopped, and one that was deleted is not created again. Any number may call this at
    once.
    """
    with db.transaction() as tx:
        tx.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtext("fleet.staff"))))
        known = set(tx.session.scalars(sa.select(AgentRow.kind).distinct()))
        missing = [(kind, one.system) for kind, one in registry.current().agents.items()
                   if one.system is not None and kind not in known]  # fmt: skip
        for kind, system in missing:
            agent_id = commands.create(tx, _agent(kind, system))
            commands.start(tx, agent_id, first_tick_at=commands.first_tick_at(tx))
    return [system.username for _, system in missing]


def _agent(kind: str, system: SystemAgent) -> NewAgent:
    """Return its row."""
    return NewAgent(
        kind=kind, name=system.name, username=system.username, character=Character(personality=system.personality),
        min_interval_s=system.every_s, max_interval_s=system.every_s, surface=SURFACE,
    )  # fmt: skip
