"""One waking of one agent: claim, gather, decide, record. Called by the task `fleet.tick`.

A second delivery of the same message claims nothing; a worker that dies here loses its lease, and somebody else
decides.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from fleet.agents import commands, controls, loop
from fleet.agents.controls import Hold, Subject
from fleet.agents.decide import SCAN, Decision, Moment, Seen, decide, from_data, to_data
from fleet.agents.loop import Actor
from fleet.agents.models import AgentRow, Status
from fleet.core import clock, events, ids, logs
from fleet.core.db import Tx
from fleet.core.errors import Conflict, FleetError
from fleet.core.failpoints import Point, reach
from fleet.core.sql import Statement
from fleet.jobs import service, ticks, usage
from fleet.jobs.outcomes import Held
from fleet.jobs.policy import JobKind
from fleet.jobs.service import NewJob
from fleet.jobs.ticks import ClaimedTick, TickKey
from fleet.platforms.guard import Usage
from fleet.runtime import consequences, doorbell
from fleet.runtime.deps import Deps

log = logs.get(__name__)
FEED_LENGTH = 20
"""Agents read this many posts at a time (facts 1.4)."""


@dataclass(frozen=True, slots=True)
class _Awake:
    """An agent whose tick this process decides."""

    tick: ClaimedTick
    agent: Actor
    holds: Sequence[Hold]
    now: datetime


def tick(deps: Deps, key: TickKey) -> None:
    """Decide one tick, if nobody has yet."""
    started_s = clock.monotonic_s()
    awake = _claim(deps, key)
    if awake is None:
        return
    reach(Point.TICK_CLAIMED)
    try:
        moment = _gather(deps, awake)
        decision = decide(moment, dice_of(key))
    except Exception as error:  # noqa: BLE001 - whatever went wrong, the tick ends and says so
        _give_up(deps, awake, error)
        return
    duration_ms = round((clock.monotonic_s() - started_s) * 1000)
    reach(Point.TICK_DECIDED)
    _record(deps, awake, moment, decision, duration_ms)


def dice_of(key: TickKey) -> random.Random:
    """Return the dice of one tick: the same for whoever decides it, and whenever."""
    return random.Random(ids.seed(key.agent_id, key.tick_no, "decide"))


def _claim(deps: Deps, key: TickKey) -> _Awake | None:
    rows = deps.db.run(_CLAIM, **ticks.claim_parameters(key, lease_s=deps.settings.lease_s))
    if not rows:  # a second delivery, or an echo of the sweep's
        with deps.db.transaction() as tx:
            events.emit(tx, "tick.duplicate", agent_id=key.agent_id, tick_no=key.tick_no)
        return None
    (row,) = rows
    claimed = ClaimedTick(key, row.token, row.due_at, row.asked_for, row.requested_by)
    agent, holds = loop.actor(row), controls.read(row.holds)
    why = _why_not(agent, holds, claimed)
    if why is None:
        return _Awake(claimed, agent, holds, row.now)
    with deps.db.transaction() as tx:
        if ticks.skip_tick(tx, claimed, why=why):
            events.emit(tx, "agent.tick.skipped", agent_id=key.agent_id, tick_no=key.tick_no, reason=why)
    return None


def _claiming() -> Statement:
    """Return T1: the claim, the agent, and what holds anybody back, in one statement."""
    claimed = ticks.claiming()
    told = (claimed.c.token, claimed.c.due_at, claimed.c.asked_for, claimed.c.requested_by)
    now = sa.func.clock_timestamp().label("now")
    query = sa.select(*told, now, controls.in_force_column(), *loop.ACTOR)
    return Statement(query.select_from(claimed.join(AgentRow, AgentRow.id == claimed.c.agent_id)))


_CLAIM = _claiming()


def _why_not(agent: Actor, holds: Sequence[Hold], claimed: ClaimedTick) -> str | None:
    """Return why an agent must not act now, or None. What a person asks for also wakes an idle agent."""
    if agent.deleted_at is not None:
        return "the agent is gone"
    if agent.status != Status.RUNNING and not (agent.status == Status.IDLE and claimed.requested_by):
        return f"the agent is {agent.status}"
    hold = controls.covering(holds, Subject(agent.surface, agent.persona_id, str(agent.id)))
    return hold.words() if hold else None


def _gather(deps: Deps, awake: _Awake) -> Moment:
    """See what there is to see: the feed from outside, then what the ledger knows."""
    agent = awake.agent
    scan = _whether_to_scan(deps, agent)
    has_account = agent.remote_account is not None or deps.settings.dry_run
    gateway = deps.gateway(agent.surface)
    feed = gateway.platform.feed(deps.account(agent), limit=FEED_LENGTH) if has_account and not scan else []
    caps = gateway.policy.caps
    known = usage.surroundings(
        deps.db, agent.id, [item.id for item in feed], since=awake.now - max(caps.day, caps.post_gap)
    )
    return Moment(
        now=awake.now,
        agent_id=agent.id,
        username=agent.username,
        has_account=has_account,
        weights=weights_of(agent),
        interests=tuple(agent.interests),
        feed=tuple(
            Seen(
                item.id, item.author, item.author_name, item.caption, item.likes, item.comments,
                known.ours.get(item.id, 0), ("like", item.id) in known.reactions,
                ("comment", item.id) in known.reactions,
            )
            for item in feed
        ),
        usage=usage_of(known.writes),
        caps=caps,
        held_kinds=tuple(hold.key for hold in awake.holds if hold.scope == "kind"),
        asked_for=awake.tick.asked_for,
        scan=scan,
    )  # fmt: skip


def _whether_to_scan(deps: Deps, agent: Actor) -> str | None:
    """Return SCAN for a supervised agent that may look at its feed now, or why it may not; None for any other."""
    if not agent.is_supervised:
        return None
    if not deps.settings.scan_feeds:
        return "looking at feeds is switched off for all"
    if not agent.scans:
        return "I am not to look at my feed"
    return "I have not come round to my last look yet" if usage.has_open_scan(deps.db, agent.id) else SCAN


def usage_of(writes: usage.Writes) -> Usage:
    """Return what the ledger counted in the form that the caps want."""
    return Usage({kind: number for kind, (number, _) in writes.items()}, {kind: at for kind, (_, at) in writes.items()})


def weights_of(agent: Actor) -> dict[str, float]:
    """Return an agent's weights by action."""
    return {name: getattr(agent, f"{name}_weight") for name in commands.WEIGHT_NAMES}


def _record(deps: Deps, awake: _Awake, moment: Moment, decision: Decision, duration_ms: int) -> None:
    """Write the decision, its jobs and the thought in one transaction; nothing if somebody else has the lease now."""
    agent, key = awake.agent, awake.tick.key
    with deps.db.transaction() as tx:
        recorded = ticks.record_decision(
            tx, awake.tick, inputs=to_data(moment), outcome=decision.outcome(), duration_ms=duration_ms
        )
        if not recorded:
            log.info("tick_was_fenced", agent_id=str(agent.id), tick_no=key.tick_no)
            return
        rings = service.add(tx, _jobs(awake, decision))
        loop.show(tx, agent.id, thought=decision.thought, action=decision.action if rings else None)
        events.emit(
            tx, "agent.thought", agent_id=agent.id, agent=agent.name, persona=agent.persona_id, tick_no=key.tick_no,
            action=decision.action, thought=decision.thought,
        )  # fmt: skip
        tx.afterwards(lambda: reach(Point.TICK_RECORDED))
        tx.afterwards(lambda: doorbell.ring_jobs(deps.publisher, rings))
        tx.afterwards(lambda: reach(Point.TICK_PUBLISHED))


def _jobs(awake: _Awake, decision: Decision) -> list[NewJob]:
    agent, tick = awake.agent, awake.tick
    return [
        NewJob(
            id=ids.job(agent.id, tick.key.tick_no, ordinal), agent_id=agent.id, kind=JobKind(plan.kind),
            surface=agent.surface, tick_no=tick.key.tick_no, target=plan.target, payload=plan.payload,
            requested_by=tick.requested_by,
        )
        for ordinal, plan in enumerate(decision.plans)
    ]  # fmt: skip


def _give_up(deps: Deps, awake: _Awake, error: Exception) -> None:
    """End a tick that could not be decided; the agent tries again at its next one."""
    agent, key = awake.agent, awake.tick.key
    if not isinstance(error, FleetError):
        log.exception("tick_failed", agent_id=str(agent.id), tick_no=key.tick_no)
    verdict = consequences.judge(
        error, now=deps.now(), agent_id=agent.id, surface=agent.surface, sent=False, settle=deps.settle
    )  # fmt: skip
    why = str(error) if isinstance(error, FleetError) else f"unexpected: {type(error).__name__}: {error}"[:1000]
    with deps.db.transaction() as tx:
        if not ticks.skip_tick(tx, awake.tick, why=why, error=not isinstance(verdict.outcome, Held)):
            return
        loop.set_current_action(tx, agent.id, None)
        events.emit(
            tx, "agent.tick.skipped", agent_id=agent.id, agent=agent.name, tick_no=key.tick_no, reason=why
        )  # fmt: skip
        if verdict.also is not None:
            verdict.also(tx)


def decide_again(tx: Tx, key: TickKey) -> tuple[dict[str, Any], dict[str, Any]]:
    """Decide a recorded tick once more; return (what was decided then, what is decided now).

    Raises NotFound, or Conflict if the tick holds no decision.
    """
    row = ticks.get_tick(tx, key)
    if row.inputs is None or row.outcome is None:
        raise Conflict(f"Tick {key.tick_no} is {row.state}: there is no decision to repeat.")
    return dict(row.outcome), decide(from_data(row.inputs), dice_of(key)).outcome()
