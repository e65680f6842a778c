"""One attempt at one job: claim, prepare, announce, write, record. Called by the task of the job's kind.

Each step is one committed transaction or one outside call (J1 to J5 in ARCHITECTURE.md). Whatever ends the process
between two of them leaves a row from which the sweep and the next attempt go on.
"""

from __future__ import annotations

import uuid
from datetime import timedelta

import sqlalchemy as sa

from fleet.agents import controls, loop
from fleet.agents.controls import Subject
from fleet.agents.models import AgentRow, Status
from fleet.core import clock, events, logs
from fleet.core.db import Tx
from fleet.core.errors import FleetError
from fleet.core.failpoints import Point, reach
from fleet.jobs import queries, service
from fleet.jobs.models import JobRow
from fleet.jobs.outcomes import Absent, Dead, Done, Held, Outcome, Skipped, Unknown
from fleet.jobs.policy import JobKind
from fleet.jobs.states import DeadReason, JobState
from fleet.platforms.base import Action, Resolution, Verb
from fleet.platforms.guard import Lease, comment_would_crowd, wait_for
from fleet.runtime import consequences
from fleet.runtime.consequences import Verdict
from fleet.runtime.deps import Deps
from fleet.runtime.handlers import PREPARE
from fleet.runtime.tick import usage_of
from fleet.runtime.work import Fenced, Work

log = logs.get(__name__)
_HELD_FOR = timedelta(minutes=5)
_MINUTE = timedelta(minutes=1)


def perform(deps: Deps, job_id: uuid.UUID) -> None:
    """Make one attempt at a job, if it is due and nobody else has it."""
    work = _claim(deps, job_id)
    if work is None:
        return
    reach(Point.JOB_CLAIMED)
    try:
        verdict = Verdict(_resolve(work) if work.claim.state is JobState.UNKNOWN else _carry_out(work))
    except Fenced:
        log.info("job_was_fenced", job_id=str(job_id))
        return
    except Exception as error:  # noqa: BLE001 - every end of an attempt is an outcome
        verdict = _judge(work, error)
    _record(work, verdict)
    reach(Point.JOB_FINISHED)


def _claim(deps: Deps, job_id: uuid.UUID) -> Work | None:
    """J1. A job that something holds back is put aside and costs nothing."""
    started_s = clock.monotonic_s()
    with deps.db.transaction() as tx:
        row = queries.get(tx, job_id)
        if row.agent_id is None or row.state not in (JobState.READY, JobState.UNKNOWN):
            _suppress(tx, row)
            return None
        agent = tx.session.get(AgentRow, row.agent_id)
        if agent is None:
            return None
        held = _held_back(tx, agent, row.kind) if row.state == JobState.READY else None
        if held is not None:
            service.give_back(tx, job_id, why=held.why, until=held.until)
            return None
        claim = service.claim(tx, job_id, worker=deps.worker, lease_s=deps.settings.lease_s)
        if claim is None:
            _suppress(tx, row)
            return None
        loop.set_current_action(tx, agent.id, claim.kind)
    return Work(deps, claim, agent, Lease(started_s + deps.settings.lease_s))


def _suppress(tx: Tx, row: JobRow) -> None:
    """Note a message that found nothing to claim: a second delivery, an echo of the sweep's, or one that came early."""
    events.emit(tx, "job.duplicate", agent_id=row.agent_id, job_id=row.id, kind=row.kind, state=row.state)


def _held_back(tx: Tx, agent: AgentRow, kind: str) -> Held | None:
    """Return what keeps an agent's job from being done now, if anything does. Removing an account is never paused."""
    hold = controls.covering(controls.in_force(tx), Subject(agent.surface, agent.persona_id, str(agent.id), kind))
    if hold is not None and (hold.hold == "kill" or kind != JobKind.DEPROVISION):
        return Held(hold.words(), hold.until or tx.now() + _HELD_FOR)
    if agent.status == Status.PAUSED:
        return Held(f"the agent is paused: {agent.pause_reason}", agent.paused_until or tx.now() + _HELD_FOR)
    return None


def _carry_out(work: Work) -> Outcome:
    """J2 to J4."""
    prepared = PREPARE[work.claim.kind](work)
    if not isinstance(prepared, Action):
        return prepared
    reach(Point.JOB_PREPARED)
    work.gateway.permit(prepared.verb)
    if not work.gateway.policy.dry_run:
        obstacle = _announce(work, prepared)
        if obstacle is not None:
            return obstacle
        work.sent = True
        reach(Point.JOB_ANNOUNCED)
    receipt = work.gateway.write(prepared, work.lease)
    reach(Point.JOB_SENT)
    return Done(receipt.remote_id, _told(prepared) | dict(receipt.detail))


def _announce(work: Work, action: Action) -> Outcome | None:
    """J3. Check the caps where nobody can slip past, and commit to the one write; or return why not."""
    claim = work.claim
    started_s = clock.monotonic_s()
    with work.deps.db.transaction() as tx:
        agent = tx.session.get(AgentRow, claim.agent_id)
        if agent is None:
            return Skipped("the agent is gone")
        obstacle = _held_back(tx, agent, claim.kind) or _capped(tx, work, action)
        if obstacle is not None:
            return obstacle
        if not service.enter_sending(tx, claim, lease_s=work.deps.settings.lease_s):
            raise Fenced("the lease ran out while preparing")
    work.lease = Lease(started_s + work.deps.settings.lease_s)
    return None


def _capped(tx: Tx, work: Work, action: Action) -> Held | Skipped | None:
    """Return what the caps say. Locks make two jobs of one agent, or two comments on one post, take turns."""
    if action.verb in (Verb.PROVISION, Verb.DEPROVISION):
        return None
    claim, caps = work.claim, work.gateway.policy.caps
    _take_turns(tx, f"agent:{claim.agent_id}")
    now = tx.now()
    usage = usage_of(queries.writes_since(tx, claim.agent_id, now - max(caps.day, caps.post_gap)))
    wait = wait_for(action.verb, usage, caps, now)
    if wait is not None:
        return Held(wait.why, wait.until)
    if queries.surface_writes_since(tx, claim.surface, now - _MINUTE) >= caps.surface_writes_per_minute:
        return Held(f"cap: {caps.surface_writes_per_minute} writes a minute", now + _MINUTE / 4)
    if action.verb is Verb.COMMENT and claim.target is not None:
        _take_turns(tx, f"post:{claim.surface}:{claim.target}")
        ours = queries.comments_on(tx, [claim.target]).get(claim.target, 0)
        human = max(0, int(claim.payload.get("comments", 0)) - int(claim.payload.get("ours", 0)))
        if comment_would_crowd(human + ours, ours, caps):
            return Skipped("enough of us have commented on this post")
    return None


def _take_turns(tx: Tx, name: str) -> None:
    tx.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(name, 0))))


def _resolve(work: Work) -> Outcome:
    """Find out about a write that may have happened, as the adapter says."""
    claim, platform = work.claim, work.gateway.platform
    action = PREPARE[claim.kind](work)
    if not isinstance(action, Action):
        return Absent("nothing was to be written")
    match platform.resolution[action.verb]:
        case Resolution.NATURAL | Resolution.RESEND:
            return Absent("repeating it is harmless")
        case Resolution.ASK:
            return Dead(DeadReason.UNKNOWN_OUTCOME, "nobody can tell whether it happened")
        case Resolution.PROBE:
            since = claim.sending_at or work.deps.now() - timedelta(days=1)
            receipt = platform.probe(action, since=since, known=_known(work))
            if receipt is None:
                return Absent("looked for it: it is not there")
            return Done(receipt.remote_id, _told(action) | dict(receipt.detail))


def _known(work: Work) -> frozenset[str]:
    with work.deps.db.transaction() as tx:
        return queries.known_remote_ids(tx, work.claim.agent_id, work.claim.kind)


def _told(action: Action) -> dict[str, str]:
    """Return what the activity feed tells about an action."""
    return {"text": action.text} if action.text else {}


def _judge(work: Work, error: Exception) -> Verdict:
    if not isinstance(error, FleetError):
        log.exception("job_failed", job_id=str(work.claim.job_id), kind=work.claim.kind)
    return consequences.judge(
        error,
        now=work.deps.now(),
        agent_id=work.claim.agent_id,
        surface=work.claim.surface,
        sent=work.sent,
        settle=work.deps.settle,
    )


def _record(work: Work, verdict: Verdict) -> None:
    """J5. The end of the attempt, the counters and the event: all of it, or nothing if the lease has gone elsewhere."""
    claim, outcome = work.claim, verdict.outcome
    with work.deps.db.transaction() as tx:
        state = service.finish(tx, claim, outcome, dice=work.deps.dice)
        if state is None:
            log.warning("outcome_came_too_late", job_id=str(claim.job_id), outcome=type(outcome).__name__)
            events.emit(tx, "job.fenced", agent_id=claim.agent_id, job_id=claim.job_id, kind=claim.kind,
                        outcome=type(outcome).__name__.lower())  # fmt: skip
            return
        if verdict.also is not None:
            verdict.also(tx)
        _apply(tx, work, outcome)
        events.emit(tx, _subject(state, outcome), agent_id=claim.agent_id, job_id=claim.job_id,
                    **_story(work, outcome))  # fmt: skip
        reach(Point.JOB_RECORDING)


def _apply(tx: Tx, work: Work, outcome: Outcome) -> None:
    """Change the agent as the outcome demands."""
    agent_id, kind = work.claim.agent_id, work.claim.kind
    if not isinstance(outcome, Done):
        loop.set_current_action(tx, agent_id, None)
        return
    loop.count_action(tx, agent_id, kind)
    if kind is JobKind.PROVISION:
        loop.set_account(tx, agent_id, outcome.remote_id)
        loop.wake(tx, agent_id)
    elif kind is JobKind.DEPROVISION:
        loop.set_account(tx, agent_id, None)


def _subject(state: JobState, outcome: Outcome) -> str:
    if state in (JobState.READY, JobState.UNKNOWN):
        word = "held" if isinstance(outcome, Held) else "unknown" if isinstance(outcome, Unknown) else "retrying"
        return f"job.{word}"
    return f"job.{state}"


def _story(work: Work, outcome: Outcome) -> dict[str, object]:
    claim = work.claim
    story: dict[str, object] = {
        "agent": work.agent.name, "persona": work.agent.persona_id, "kind": str(claim.kind), "target": claim.target,
        "to": claim.payload.get("author_name"), "why": getattr(outcome, "why", None),
        "reason": getattr(outcome, "reason", None), "remote_id": getattr(outcome, "remote_id", None),
        "text": getattr(outcome, "result", {}).get("text"),
    }  # fmt: skip
    return {name: value for name, value in story.items() if value is not None}
