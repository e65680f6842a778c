"""The agents that run the fleet itself, one of each kind, and what holds them back.

`fleet up` and `fleet migrate` create them; dispatch, ticks and lists of agents ask what holds them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from fleet.core.db import Database
from fleet.engine import controls
from fleet.engine.agents import commands
from fleet.engine.agents.commands import NewAgent, first_tick_at
from fleet.engine.agents.loop import Actor
from fleet.engine.agents.models import AgentRow
from fleet.engine.controls import Hold

SURFACE = "fleet"
"""Where they act: on no surface, so that a pause of one does not hold them."""


@dataclass(frozen=True, slots=True)
class Post:
    """One of them. `every_s` is the plain interval of its ticks; it has no persona and so no hours."""

    kind: str
    username: str
    name: str
    every_s: int
    personality: str


POSTS = (
    Post("approval", "fleet_approvals", "Approvals", 60,
         "Announces requests for approval, reminds, escalates, and ends those whose time is over."),
    Post("hooks", "fleet_hooks", "Webhooks", 5,
         "Reads what has happened, and has it delivered to webhooks and handed to subscribers in code."),
)  # fmt: skip


KINDS = frozenset(post.kind for post in POSTS)


def hold_on(holds: Sequence[Hold], agent: Actor | AgentRow) -> Hold | None:
    """Return the hold that keeps an agent from waking, or None.

    The agents that run the fleet itself report the kill switch and pauses, so only a pause that names one holds it.
    """
    return controls.covering(holds, agent, is_notice=agent.kind in KINDS)


def staff(db: Database) -> list[str]:
    """Make and start those of them that never were; return their usernames.

    One that a person stopped stays stopped, and one that was deleted stays away. Any number may call this at once.
    """
    with db.transaction() as tx:
        tx.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtext("fleet.staff"))))
        known = set(tx.session.scalars(sa.select(AgentRow.kind).distinct()))
        missing = [post for post in POSTS if post.kind not in known]
        for post in missing:
            agent_id = commands.create(tx, _agent(post))
            commands.start(tx, agent_id, first_tick_at=first_tick_at(tx))
    return [post.username for post in missing]


def _agent(post: Post) -> NewAgent:
    """Return its row. The weights mean nothing to it; the table wants one above zero."""
    return NewAgent(
        kind=post.kind, name=post.name, username=post.username, personality=post.personality, weights={"browse": 1.0},
        min_interval_s=post.every_s, max_interval_s=post.every_s, surface=SURFACE, owner="fleet",
    )  # fmt: skip
