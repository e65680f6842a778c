"""Dispatch: wake the agents whose time has come. Called every second by beat; any number may run at once."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import sqlalchemy as sa

from fleet.core import ids, logs
from fleet.core.db import Tx
from fleet.core.errors import InvalidInput, NotFound, Unavailable
from fleet.core.failpoints import Point, reach
from fleet.core.settings import Settings
from fleet.engine import controls, publish, registry, system_agents
from fleet.engine.agents import commands, loop
from fleet.engine.agents.loop import Due, Next
from fleet.engine.agents.models import AgentRow
from fleet.engine.deps import Deps
from fleet.engine.jobs import ticks
from fleet.engine.jobs.ticks import TickKey
from fleet.engine.registry import AUTONOMOUS
from fleet.engine.schedule import ALWAYS, Schedule, next_wake, with_hours

Draw = Callable[[Deps, Due, int], datetime]
"""Draws when an agent wakes after the tick of a number."""
log = logs.get(__name__)
_TURN_S = 1.0  # until beat calls again; another dispatcher may continue, and a worker checks for shutdown between turns
_LEAST_SYSTEM_GAP_S = 15.0
"""The shortest gap that tempo gives a system agent: a fast fleet would spend most of its idle time on their ticks."""
_REDRAWN = 200  # agents that one transaction draws again
_LANES = 2  # of batches under way: while Postgres works on one, Python works on the other
# However long the fleet was paused or down: the sweep would skip a tick that is opened an hour late before it is
# decided.
_LATEST = timedelta(minutes=30)


def dispatch(deps: Deps) -> int:
    """Open a tick for every due agent and ring; return how many. Stops early when its turn of a second is over.

    Features register what is to be done each second as "dispatch.every_second".
    """
    until_s = deps.clock.monotonic_s() + _TURN_S
    for run in registry.current().extensions("dispatch.every_second"):
        _run(deps, run)
    if not loop.anybody_due(deps.db, system_agents.kinds()):
        return 0
    claimed, opened = _one_batch(deps)
    if claimed < deps.settings.dispatch_batch:
        return opened
    with ThreadPoolExecutor(_LANES, thread_name_prefix="dispatch") as lanes:
        return opened + sum(lanes.map(lambda _: _batches(deps, until_s), range(_LANES)))


def _run(deps: Deps, run: Callable[[Deps], object]) -> None:
    """Call a part of a feature. Its failure keeps no agent from waking."""
    try:
        run(deps)
    except Unavailable:
        raise
    except Exception:
        log.exception("feature_failed", call=f"{run.__module__}.{run.__name__}")


def _batches(deps: Deps, until_s: float) -> int:
    """Process one batch after another, beside other dispatchers; return how many ticks were opened."""
    opened = 0
    while deps.clock.monotonic_s() < until_s:
        claimed, new = _one_batch(deps)
        opened += new
        if claimed < deps.settings.dispatch_batch:
            break
    return opened


def _one_batch(deps: Deps) -> tuple[int, int]:
    with deps.db.transaction() as tx:
        # System agents wake even so: they notify operators of the pause itself.
        is_held = any(hold.scope == "fleet" for hold in controls.in_force(tx))
        kinds = system_agents.kinds() if is_held else None
        due = loop.claim_due(tx, limit=deps.settings.dispatch_batch, kinds=kinds)
        if not due:
            return 0, 0
        # An agent whose last tick is undecided gets no second one: it is late once, not many times.
        late = ticks.with_open_tick(tx, [TickKey(agent.agent_id, agent.tick_no) for agent in due])
        # Agents whose type or mode is left out sleep until it is back: no worker could decide their ticks.
        known = {*((kind, AUTONOMOUS) for kind in registry.current().agents), *registry.current().modes}
        late |= {agent.agent_id for agent in due if (agent.kind, agent.autonomy) not in known}
        draws = {key: _draw_of(*key) for key in {(agent.kind, agent.autonomy) for agent in due}}
        nexts = [
            (agent, n)
            for agent in due
            if (n := _next(deps, tx, agent, draws[agent.kind, agent.autonomy], late=agent.agent_id in late)) is not None
        ]
        loop.reschedule(tx, [n for _, n in nexts])
        earliest = due[0].claimed_at - _LATEST
        # An insert would wait for the process that ends the late tick, which may wait for the agent's row that we hold.
        wanted = [
            (TickKey(agent.agent_id, n.tick_no), max(agent.next_tick_at, earliest))
            for agent, n in nexts
            if agent.agent_id not in late
        ]
        opened = ticks.open_ticks(tx, wanted)
        reach(Point.DISPATCH_CLAIMED)
        tx.afterwards(lambda: reach(Point.DISPATCH_COMMITTED))
        tx.afterwards(lambda: publish.ring_ticks(deps.publisher, opened))
        tx.afterwards(lambda: reach(Point.DISPATCH_PUBLISHED))
    return len(due), len(opened)


def _next(deps: Deps, tx: Tx, agent: Due, draw: Draw, *, late: bool) -> Next | None:
    """Draw when an agent wakes after this tick; an agent whose persona is gone fails with an error instead."""
    tick_no = agent.tick_no if late else agent.tick_no + 1
    try:
        return Next(agent.agent_id, tick_no, draw(deps, agent, tick_no))
    except (InvalidInput, NotFound) as error:
        log.warning("agent_cannot_be_scheduled", agent_id=str(agent.agent_id), error=str(error))
        commands.fail(tx, agent.agent_id, why=str(error))
        return None


def drawn(deps: Deps, agent: Due, tick_no: int) -> datetime:
    """Return when an agent wakes after a tick that is claimed at `agent.claimed_at`: the same in every call.

    Raises NotFound when its persona is gone, InvalidInput when it has no schedule that spends its interval.
    """
    return _draw_of(agent.kind, agent.autonomy)(deps, agent, tick_no)


def redraw(deps: Deps, agent_id: uuid.UUID) -> None:
    """Draw again when an agent wakes, after its hours have changed; an agent that does not wait for a tick keeps it.

    Raises InvalidInput, NotFound as `drawn`.
    """
    with deps.db.transaction() as tx:
        row, now = loop.lock(tx, agent_id), tx.now()
        if row is not None:
            _redraw(deps, row, now)


def redraw_all(
    deps: Deps, *, persona_id: str | None = None, organisation_id: uuid.UUID | None = None,
    affects: Callable[[AgentRow], bool] = lambda _: True,
) -> int:  # fmt: skip
    """Draw again when agents wake, after hours have changed; return how many wait for a tick.

    `persona_id`, `organisation_id`: theirs alone. `affects` returns whether the change concerns an agent; others keep
    their times. An agent that cannot be drawn keeps its time too: its next dispatch says why.

    Some at a time: a dispatcher passes over agents that are locked here.
    """
    number, last = 0, uuid.UUID(int=0)
    while True:
        with deps.db.transaction() as tx:
            rows = loop.lock_waiting(
                tx, persona_id=persona_id, organisation_id=organisation_id, after=last, limit=_REDRAWN
            )
            now = tx.now()
            for row in filter(affects, rows):
                try:
                    number += _redraw(deps, row, now)
                except (InvalidInput, NotFound) as error:
                    log.warning("agent_cannot_be_scheduled", agent_id=str(row.id), error=str(error))
        if len(rows) < _REDRAWN:
            return number
        last = rows[-1].id


def _redraw(deps: Deps, row: AgentRow, now: datetime) -> bool:
    """Draw again when an agent wakes; return whether it waits for a tick."""
    if row.next_tick_at is None or row.next_tick_at <= now:
        return False
    due = Due(row.id, row.kind, row.persona_id, row.tick_no, row.next_tick_at, row.min_interval_s,
              row.max_interval_s, row.autonomy, json.dumps(row.config), row.organisation_id, now)  # fmt: skip
    row.next_tick_at = drawn(deps, due, row.tick_no)
    return True


def refuse_endless_hours(deps: Deps, tx: Tx, agent_id: uuid.UUID, own: Settings) -> None:
    """Raise InvalidInput for settings of an agent with hours that never spend its longest interval.

    Such an agent would stop with an error at its next dispatch.
    """
    names = ("kind", "persona_id", "tick_no", "max_interval_s", "autonomy", "config", "organisation_id", "username")
    row = tx.execute(
        sa.select(*(getattr(AgentRow, name) for name in names)).where(AgentRow.id == agent_id)
    ).one_or_none()
    if row is None or not own.agent_hours:
        return
    now = tx.now()
    refuse_endless(deps, Due(
        agent_id, row.kind, row.persona_id, row.tick_no, now, row.max_interval_s, row.max_interval_s, row.autonomy,
        json.dumps(row.config), row.organisation_id, claimed_at=now,
    ), row.username, own)  # fmt: skip


def refuse_endless(deps: Deps, longest: Due, username: str, own: Settings) -> None:
    """Raise InvalidInput if an agent whose shortest interval is its longest would never wake under its settings."""
    try:
        drawn(deps.under(own), longest, longest.tick_no)
    except NotFound:
        return  # its persona is gone, which it says itself
    except InvalidInput as error:
        hours = ", ".join(own.agent_hours)
        raise InvalidInput(
            f"{username} would never wake in these hours ({hours}): {error.message}",
            fix="Give it more hours, or a shorter interval.",
        ) from error


def _draw_of(kind: str, autonomy: str) -> Draw:
    """Return how the next time of agents of a kind and mode is drawn."""
    features = registry.current()
    one = features.modes.get((kind, autonomy)) or features.agents.get(kind)
    if one is None or one.next_tick is None:
        return _at_all_hours
    draw: Draw = registry.load(one.next_tick)
    return draw


def _at_all_hours(deps: Deps, agent: Due, tick_no: int) -> datetime:
    rhythm = own_hours(deps, agent.agent_id, agent.organisation_id, ALWAYS)
    gap, tempo = gap_s(agent, tick_no), deps.settings.tempo
    if agent.kind in system_agents.kinds():
        tempo = min(tempo, max(1.0, gap / _LEAST_SYSTEM_GAP_S))
    return next_wake(rhythm, agent.claimed_at, gap, tempo=tempo)


def own_hours(deps: Deps, agent_id: uuid.UUID | None, organisation_id: uuid.UUID | None, rhythm: Schedule) -> Schedule:
    """Return a schedule with the time zone and the hours that are set for an agent. Raises InvalidInput."""
    own = deps.settings_of(agent_id, organisation_id=organisation_id)
    return with_hours(rhythm, own.agent_timezone, own.agent_hours)


def gap_s(agent: Due, tick_no: int) -> float:
    """Draw the gap after a tick, in seconds at the rate of 1, between the agent's shortest and longest interval."""
    wider_s = agent.max_interval_s - agent.min_interval_s
    return agent.min_interval_s + wider_s * ids.share(agent.agent_id, tick_no, "schedule")
