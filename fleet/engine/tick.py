"""One tick of one agent: claim, gather, decide, record. Called by the task `fleet.tick`.

A second delivery of the same message claims nothing. A worker that dies here loses its lease, and another worker
decides.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from fleet.adapters.base import LimitSpent
from fleet.core import events, ids, logs
from fleet.core.db import Tx
from fleet.core.errors import Conflict, FleetError, Unavailable
from fleet.core.failpoints import Point, reach
from fleet.engine import controls, publish, system_agents
from fleet.engine.agent_type import Behaviour, ClaimedAgent, Decision, behaviour_of
from fleet.engine.agents import loop
from fleet.engine.agents.loop import ActingAgent
from fleet.engine.agents.models import AgentRow
from fleet.engine.agents.status import AgentStatus
from fleet.engine.attempts import error_policy
from fleet.engine.controls import Hold
from fleet.engine.deps import Deps
from fleet.engine.jobs import ledger, ticks
from fleet.engine.jobs.outcomes import Held
from fleet.engine.jobs.ticks import ClaimedTick, TickKey
from fleet.engine.registry import AUTONOMOUS
from fleet.engine.sql import group_statement

log = logs.get(__name__)
_CLAIM_TICK = group_statement("claim_tick")
_RECORD_DECISION = group_statement("record_decision")
_MODE = "mode"
"""The key of recorded inputs that names the mode of the agent."""


def tick(deps: Deps, key: TickKey) -> None:
    """Decide one tick, unless it is decided already."""
    deps.refresh()
    started_s = deps.clock.monotonic_s()
    claimed_agent = _claim(deps, key)
    if claimed_agent is None:
        return
    reach(Point.TICK_CLAIMED)
    try:
        behaviour = behaviour_of(claimed_agent.agent.kind, claimed_agent.agent.autonomy)
        moment = behaviour.gather(deps, claimed_agent)
        decision = behaviour.decide(moment, dice_of(key))
    except Exception as error:  # noqa: BLE001 - whatever went wrong, the tick ends and says so
        _give_up(deps, claimed_agent, error)
        return
    duration_ms = round((deps.clock.monotonic_s() - started_s) * 1000)
    reach(Point.TICK_DECIDED)
    try:
        _record(deps, claimed_agent, _Thought(behaviour, moment, decision, duration_ms))
    except Unavailable:
        raise  # the lease runs out, and another worker decides
    except Exception as error:  # noqa: BLE001 - what cannot be written down now cannot be by the next worker either
        _give_up(deps, claimed_agent, error)


def dice_of(key: TickKey) -> random.Random:
    """Return the random generator of one tick: every worker gets the same numbers at any time."""
    return random.Random(ids.seed(key.agent_id, key.tick_no, "decide"))


def _claim(deps: Deps, key: TickKey) -> ClaimedAgent | None:
    rows = deps.db.run(_CLAIM_TICK, **ticks.claim_parameters(key, lease_s=deps.settings.lease_s))
    if not rows:  # a second delivery, or an echo of the sweep's
        with deps.db.transaction() as tx:
            events.emit(tx, "tick.duplicate", agent_id=key.agent_id, tick_no=key.tick_no)
        return None
    (row,) = rows
    claimed = ClaimedTick(key, row.token, row.due_at, row.asked_for, row.requested_by)
    holds = controls.read(row.holds)
    agent = _acting(loop.ways(loop.actor(row), row.further), holds, key.tick_no)
    why = _why_not(agent, holds, claimed)
    if why is None:
        return ClaimedAgent(claimed, agent, holds, row.now)
    with deps.db.transaction() as tx:
        if ticks.skip_tick(tx, claimed, why=why):
            events.emit(tx, "agent.tick.skipped", agent_id=key.agent_id, tick_no=key.tick_no, reason=why)
    return None


def _acting(ways: Sequence[ActingAgent], holds: Sequence[Hold], tick_no: int) -> ActingAgent:
    """Return the agent with the account through which it acts this time: its accounts take turns, paused ones are
    skipped.
    """
    free = [way for way in ways if len(ways) == 1 or system_agents.hold_on(holds, way) is None] or ways
    return free[tick_no % len(free)]


def _why_not(agent: ActingAgent, holds: Sequence[Hold], claimed: ClaimedTick) -> str | None:
    """Return why an agent must not act now, or None. A request of a person also wakes an idle agent."""
    if agent.deleted_at is not None:
        return "the agent is gone"
    if agent.status != AgentStatus.RUNNING and not (agent.status == AgentStatus.IDLE and claimed.requested_by):
        return f"the agent is {agent.status}"
    hold = system_agents.hold_on(holds, agent)
    return hold.words() if hold else None


@dataclass(frozen=True, slots=True)
class _Thought:
    """What an agent saw and decided, and how long that took."""

    behaviour: Behaviour
    moment: Any
    decision: Decision
    duration_ms: int


def _record(deps: Deps, claimed_agent: ClaimedAgent, thought: _Thought) -> None:
    """T3: record the decision, its jobs and the thought; nothing if another worker has the lease. Then publish."""
    agent, key, behaviour, decision = claimed_agent.agent, claimed_agent.tick.key, thought.behaviour, thought.decision
    acts = behaviour.act(deps, claimed_agent, decision)
    told = {
        "agent": agent.name, "persona": agent.persona_id, "tick_no": key.tick_no, "action": decision.action,
        "thought": decision.thought,
    }  # fmt: skip
    rows = deps.db.run(
        _RECORD_DECISION,
        acts.also,
        **ticks.record_parameters(
            claimed_agent.tick,
            inputs=_inputs(agent, behaviour.to_data(thought.moment)),
            outcome=decision.outcome(),
            duration_ms=thought.duration_ms,
        ),
        jobs=ledger.job_documents(acts.jobs),
        thought=decision.thought[:1000],
        action=decision.action,
        subject="agent.thought" if decision.thought else None,
        payload=told,
    )
    if not rows:
        log.info("tick_was_fenced", agent_id=str(agent.id), tick_no=key.tick_no)
        return
    reach(Point.TICK_RECORDED)
    try:
        publish.ring_jobs(deps.publisher, ledger.new_rings(rows))
    except Unavailable as error:
        log.warning("jobs_not_rung", agent_id=str(agent.id), error=str(error))  # the sweep rings
    reach(Point.TICK_PUBLISHED)


def _inputs(agent: ActingAgent, data: dict[str, Any]) -> dict[str, Any]:
    """Return the inputs of a decision, with the agent's mode."""
    return data if agent.autonomy == AUTONOMOUS else {**data, _MODE: agent.autonomy}


def _give_up(deps: Deps, claimed_agent: ClaimedAgent, error: Exception) -> None:
    """End a tick that could not be decided; the agent tries again at its next one."""
    agent, key = claimed_agent.agent, claimed_agent.tick.key
    if not isinstance(error, FleetError):
        log.exception("tick_failed", agent_id=str(agent.id), tick_no=key.tick_no)
    verdict = error_policy.judge(
        error, now=deps.now(), agent_id=agent.id, account=deps.accounts.key(agent.account_id), sent=False,
        settle=deps.settle,
    )  # fmt: skip
    why = str(error) if isinstance(error, FleetError) else error_policy.unexpected(error)
    with deps.db.transaction() as tx:
        is_failure = not isinstance(verdict.outcome, Held)
        if not ticks.skip_tick(
            tx, claimed_agent.tick, why=why, error=is_failure, failed_account=verdict.failed_account
        ):
            return
        loop.clear_action(tx, agent.id)
        if isinstance(error, LimitSpent) and isinstance(verdict.outcome, Held):
            loop.wake(tx, agent.id, at=verdict.outcome.until)
        events.emit(
            tx, "agent.tick.skipped", agent_id=agent.id, agent=agent.name, tick_no=key.tick_no, reason=why
        )  # fmt: skip
        if verdict.also is not None:
            verdict.also(tx)


def decide_again(tx: Tx, key: TickKey) -> tuple[dict[str, Any], dict[str, Any]]:
    """Decide a recorded tick once more; return (the recorded decision, the new one).

    Raises NotFound, or Conflict if the tick has no decision, or one that another version recorded.
    """
    row = ticks.get_tick(tx, key)
    if row.inputs is None or row.outcome is None:
        raise Conflict(f"Tick {key.tick_no} is {row.state}: there is no decision to repeat.")
    kind = str(tx.scalar(sa.select(AgentRow.kind).where(AgentRow.id == key.agent_id)))
    recorded = dict(row.inputs)
    behaviour = behaviour_of(kind, recorded.pop(_MODE, AUTONOMOUS))
    try:
        inputs = behaviour.from_data(recorded)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Conflict(
            f"Tick {key.tick_no} was recorded by another version of Fleet: this one cannot read its inputs.",
            fix="Its recorded outcome is unchanged.",
        ) from error
    return dict(row.outcome), behaviour.decide(inputs, dice_of(key)).outcome()
