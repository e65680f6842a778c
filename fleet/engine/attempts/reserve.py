"""J3: check everything that may delay a job, check the caps, and commit to its one outside write.

Called by `fleet.engine.attempts.perform`; scans take turns with it (`proposing`). Jobs of several threads that arrive
together share a transaction, and each is checked as if it were alone: jobs that could conflict never share one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from datetime import timedelta
from typing import Any

from fleet.accounts.models import SETTINGS_ACCOUNT
from fleet.adapters.base import AnyAction
from fleet.adapters.gateway import Lease, wait_for
from fleet.core.db import Tx
from fleet.core.group_commit import NO_END_MS
from fleet.engine import controls, registry
from fleet.engine.agents import loop
from fleet.engine.agents.loop import ActingAgent
from fleet.engine.agents.status import AgentStatus
from fleet.engine.attempts import job_stops
from fleet.engine.attempts.work import Fenced, Work
from fleet.engine.controls import Hold
from fleet.engine.jobs import ledger, snooze, usage
from fleet.engine.jobs.ledger import Claim
from fleet.engine.jobs.outcomes import Held, Skipped
from fleet.engine.jobs.usage import BeforeWrite
from fleet.engine.registry import AUTONOMOUS
from fleet.engine.sql import group_statement

_HELD_FOR = timedelta(minutes=5)
_MINUTE = timedelta(minutes=1)


_TAKE_TURNS = group_statement("take_turns")
_LOOK_AT_AGENT = group_statement("look_at_agent")
_COUNT_WRITES = group_statement("count_writes")
_READ_STOPS = group_statement("read_stops")


def held_back(row: Any, agent: ActingAgent, kind: str) -> Held | None:
    """Return the control, cap or other obstacle that delays an agent's job now, if any."""
    hold = _hold(controls.read(row.holds), agent, kind)
    if hold is not None:
        return Held(hold.words(), hold.until or row.now + _HELD_FOR, by_people=True)
    if agent.status == AgentStatus.PAUSED and not registry.current().job(kind).ignores_agent_pause:
        until = agent.paused_until or row.now + _HELD_FOR
        return Held(f"the agent is paused: {agent.pause_reason}", until, by_people=True)
    return None


def stopped(work: Work) -> str | None:
    """Return the control that forbids a job's write now, in words, or None.

    Read after everything else, just before the write: a pause that is set while the write is being prepared stops it,
    as the kill switch does.
    """
    (row,) = work.deps.db.run(_READ_STOPS, agent_id=work.claim.agent_id)
    hold = _hold(controls.read(row.holds), work.agent, work.claim.kind)
    return job_stops.why_now(work.deps.db, work.claim) if hold is None else hold.words()


def halted(tx: Tx, claim: Claim) -> Held | None:
    """Return the stop of a feature that delays a single job now, if any."""
    why = job_stops.why(tx, claim)
    return None if why is None else Held(why, tx.now() + _HELD_FOR, by_people=True)


def _hold(holds: Sequence[Hold], agent: ActingAgent, kind: str) -> Hold | None:
    handler = registry.current().job(kind)
    hold = controls.covering(holds, agent, kind, is_notice=handler.is_notice)
    return hold if hold is not None and (hold.hold == "kill" or not handler.ignores_pauses) else None


def called_off(agent: ActingAgent, claim: Claim) -> Skipped | None:
    """Return why a job is not done any more: its agent was deleted, or its mode forbids it."""
    handler = registry.current().job(claim.kind)
    if agent.deleted_at is not None and not handler.outlives_agent:
        return Skipped("the agent is gone")
    if agent.autonomy == AUTONOMOUS:
        return None
    mode = registry.current().modes.get((agent.kind, agent.autonomy))
    if mode is None:  # its feature was left out: it must not act as if it were autonomous
        return Skipped(f"no feature of this fleet knows {agent.autonomy} agents") if handler.is_public else None
    found: Skipped | None = registry.load(mode.call_off)(agent, claim, handler) if mode.call_off is not None else None
    return found


def look_again(tx: Tx, claim: Claim, held: Held) -> Held:
    """Check again what delays a job: whoever resumed it meanwhile released the waiting jobs, but could not see this
    one.
    """
    snooze.let_nobody_free(tx)
    row: Any = tx.run(_LOOK_AT_AGENT, agent_id=claim.agent_id).fetchone()
    agent = None if row is None else loop.through(loop.actor(row), claim.account_id, claim.surface)
    still = None if agent is None else held_back(row, agent, claim.kind) or halted(tx, claim)
    return still or Held(held.why, tx.now())


def announce(work: Work, action: AnyAction) -> Held | Skipped | None:
    """Check the caps under a lock and commit to the one write; or return why not.

    Raises Fenced if another worker has the lease, or it has run out.
    """
    clock = work.deps.clock
    started_s = clock.monotonic_s()
    end = work.deps.db.together(_announce_all, (work, action), apart=[*_turns(work.claim, action)])
    if isinstance(end, Fenced):
        raise end
    if end is None:
        work.lease = Lease(started_s + work.deps.settings.lease_s, clock)
    return end


def _announce_all(asked: list[tuple[Work, AnyAction]], patience_ms: int) -> Sequence[Held | Skipped | Fenced | None]:
    deps = asked[0][0].deps
    claims = [work.claim for work, _ in asked]
    policies = [work.gateway.policy for work, _ in asked]
    full = [policy.writes_per_minute for policy in policies]
    turns = {turn for work, action in asked for turn in _turns(work.claim, action)}
    # Or each process lets in as many as there is room for.
    turns |= {_account_turn(one) for one, most in zip(claims, full, strict=True) if most}
    with deps.db.transaction() as tx:
        take_turns(tx, turns, patience_ms=patience_ms)
        # Read only after the locks are held: an older snapshot would miss a pause that was set during the wait, and the
        # writes of those that held the locks.
        looks = [
            usage.before_write_parameters(one, within=policy.caps.window, full=policy.writes_per_minute)
            for one, policy in zip(claims, policies, strict=True)
        ]
        seen = tx.run_all(_COUNT_WRITES, looks, patience_ms=patience_ms)
        ends: list[Held | Skipped | Fenced | None] = [None] * len(asked)
        going = Counter[str]()
        for place, one in enumerate(claims):
            ends[place] = _obstacle(tx, asked[place], seen[place], going=going[_account_turn(one)])
            going[_account_turn(one)] += ends[place] is None
        clear = [place for place, end in enumerate(ends) if end is None]
        entered = ledger.enter_sending(
            tx, [claims[place] for place in clear], lease_s=deps.settings.lease_s, patience_ms=patience_ms
        )
        for place, is_mine in zip(clear, entered, strict=True):
            if not is_mine:
                ends[place] = Fenced("the lease ran out while preparing")
    return ends


def _account_turn(claim: Claim) -> str:
    """Return the name under which writes through one account are counted, one process at a time."""
    if claim.account_id in (None, SETTINGS_ACCOUNT):
        return f"surface:{claim.surface}"  # as workers of the version before call it
    return f"account:{claim.account_id}"


def _turns(claim: Claim, action: AnyAction) -> Iterator[str]:
    """Return the lock names of what no two jobs may count at once, in one snapshot or in two processes: the agent's
    writes, and those that the job's feature names.
    """
    yield f"agent:{claim.agent_id}"
    turns = registry.current().job(claim.kind).turns
    if turns is not None:
        yield from registry.load(turns)(claim, action)


def take_turns(tx: Tx, turns: Collection[str], *, patience_ms: int = NO_END_MS) -> None:
    """Take these locks, waiting for each; they last until the transaction ends."""
    tx.run_all(_TAKE_TURNS, [{"turn": turn} for turn in turns], patience_ms=patience_ms)


def _obstacle(tx: Tx, asked: tuple[Work, AnyAction], rows: Sequence[Any], *, going: int) -> Held | Skipped | None:
    """Return why a job must not write now; `going` is how many other jobs are about to write through its account."""
    work, action = asked
    if not rows:
        return Skipped("the agent is gone")
    claim = work.claim
    agent = loop.through(loop.actor(rows[0]), claim.account_id, claim.surface)
    obstacle = held_back(rows[0], agent, claim.kind) or halted(tx, claim) or called_off(agent, claim)
    obstacle = obstacle or _capped(work, action, usage.counted(rows[0]), going)
    check = work.handler.obstacle
    return obstacle or (None if check is None else registry.load(check)(tx, work, action))


def _capped(work: Work, action: AnyAction, counted: BeforeWrite, going: int) -> Held | Skipped | None:
    """Return the outcome for a job that a cap delays."""
    if not action.type.is_counted:
        return None
    policy = work.gateway.policy
    wait = wait_for(action.type, usage.usage_of(counted.writes), policy.caps, counted.now)
    if wait is not None:
        return Held(wait.why, wait.until)
    full = policy.writes_per_minute
    if full and counted.surface_writes_in_a_minute + going >= full:
        return Held(f"cap: {full} writes a minute", counted.now + _MINUTE / 4)
    return None
