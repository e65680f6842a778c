"""The end of a run: undo all faults, stop the agents, and wait until every job has ended.

Called by `run` before the check. It uses only actions that people have: lift, resume, restart, retry now.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import sqlalchemy as sa

from fleet.chaos.world import BY, SETTLE_S, World
from fleet.chaos.world.outsiders import HEARS
from fleet.core import events
from fleet.core.db import Tx
from fleet.core.errors import FleetError, Unavailable
from fleet.core.subjects import matches
from fleet.engine.agents.models import AgentRow
from fleet.engine.agents.status import AgentStatus
from fleet.engine.events import positions
from fleet.features.agents import bulk
from fleet.features.agents.bulk import BulkAction
from fleet.features.controls import commands as fleetwide
from fleet.features.webhooks.outbound import positions as webhook_positions

_UP_WITHIN_S = 120.0
_PULL_EVERY_S = 3.0
_MOST_BEHIND = 10_000
_LIVE = "SELECT count(*) FROM jobs WHERE state IN ('ready', 'running', 'sending', 'unknown')"
_OPEN = "SELECT count(*) FROM ticks WHERE decided_at IS NULL"
# Unknown outcomes keep their settling time: a surface may show the effect late.
_PULL = sa.text(
    "UPDATE jobs SET next_attempt_at = CASE state WHEN 'ready' THEN clock_timestamp()"
    " ELSE least(next_attempt_at, clock_timestamp() + make_interval(secs => :settle_s)) END,"
    " published_at = NULL, publishes = 0, held = NULL"
    " WHERE state IN ('ready', 'unknown') AND lease_until IS NULL"
    " AND next_attempt_at > clock_timestamp() + make_interval(secs => :settle_s)"
)


def quiet(world: World, within_s: float) -> int:
    """Stop the agents and wait; return the number of jobs and ticks that have not ended in time (0 is good)."""
    take_back(world)
    if not world.outsiders.finish(_UP_WITHIN_S):
        raise Unavailable("The dashboard did not answer any more.", fix=f"Its log is in {world.logs_dir}.")
    _rest(world, but="hooks")  # the webhook agent works until all events are delivered
    left = _until_none(world, within_s, lambda tx: _left(tx) + _untold(tx))
    _rest(world)
    left += _until_none(world, within_s, _left)
    world.surface.settle(world)
    return left


def _until_none(world: World, within_s: float, count: Callable[[Tx], int]) -> int:
    """Wait until nothing is left, and make waiting retries due at once; return what is left in the end."""
    left = [1]

    def none() -> bool:
        with suppress(Unavailable), world.deps.db.transaction() as tx:
            left[0] = count(tx)
        return left[0] == 0

    for _ in range(max(1, int(within_s / _PULL_EVERY_S))):
        if world.wait_until(none, _PULL_EVERY_S):
            return 0
        with suppress(Unavailable), world.deps.db.transaction() as tx:
            tx.execute(_PULL, {"settle_s": SETTLE_S})
    return left[0]


def take_back(world: World) -> None:
    """Undo whatever an act may have left, and wait until every process runs. Raises Unavailable if one does not."""
    for folder in (world.points("threads"), world.points("forked")):
        for strike in folder.iterdir():
            strike.unlink()
    world.resume_all()
    if not world.wait_until(world.all_run, _UP_WITHIN_S):
        raise Unavailable("Not every process came up again.", fix=f"Their logs are in {world.logs_dir}.")
    world.surface.take_back(world)


def _rest(world: World, *, but: str = "") -> None:
    """Keep all agents from waking except those of one kind: they become idle, and their open work continues."""

    def resting() -> bool:
        try:
            fleetwide.lift_kill_switch(world.deps, by=BY)
            world.surface.resume(world)
            bulk.act_on_all(world.deps, BulkAction.RESUME, by="chaos")
            with world.deps.db.transaction() as tx:
                all_else = sa.update(AgentRow).where(AgentRow.kind != but)
                tx.execute(all_else.values(status=AgentStatus.IDLE, next_tick_at=None))
        except Unavailable:
            return False
        return True

    if not world.wait_until(resting, _UP_WITHIN_S):
        raise FleetError("The agents could not be sent to rest.")


def _left(tx: Tx) -> int:
    return int(tx.scalar(sa.text(f"SELECT ({_LIVE}) + ({_OPEN})")))


def _untold(tx: Tx) -> int:
    """Count the events that the webhook subscribed to and that are not read for it yet."""
    behind = events.read_after(tx, positions.standing(tx, webhook_positions.WEBHOOKS), limit=_MOST_BEHIND)
    unread = sum(any(matches(event.subject, wanted) for wanted in HEARS) for event in behind)
    return unread + len(webhook_positions.behind(tx))
