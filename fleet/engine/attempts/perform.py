"""One attempt at one job: claim, prepare, reserve the write, write, record. Called by the task of the job's kind.

Each step is one committed transaction or one outside call (J1 to J5 in ARCHITECTURE.md). If the process dies between
two of them, the sweep and the next attempt continue from the job's row.
"""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import sqlalchemy as sa

from fleet.accounts.models import key_of
from fleet.adapters import base
from fleet.adapters.base import Action, AnyAction, Resolution
from fleet.adapters.gateway import Gateway, Lease
from fleet.core import events, logs
from fleet.core.db import Also, Tx
from fleet.core.errors import FleetError, InvalidInput
from fleet.core.failpoints import Point, reach
from fleet.engine import registry
from fleet.engine.agents import loop
from fleet.engine.attempts import elsewhere, error_policy, job_stops, reserve
from fleet.engine.attempts.error_policy import AttemptResult
from fleet.engine.attempts.work import Fenced, Work
from fleet.engine.deps import Deps
from fleet.engine.jobs import ledger, queries, snooze
from fleet.engine.jobs.ledger import Claim
from fleet.engine.jobs.outcomes import Absent, Dead, Done, Failure, Held, Outcome, Retry, Skipped, Unknown
from fleet.engine.jobs.states import DeadReason, JobState
from fleet.engine.sql import group_statement

log = logs.get(__name__)
_UPLOADS = "uploads"  # the step that saves them
_CLAIM_JOB = group_statement("claim_job")
_FINISH_JOB = group_statement("finish_job")


def perform(deps: Deps, job_id: uuid.UUID) -> None:
    """Make one attempt at a job, if it is due and no other worker holds its lease."""
    deps.refresh()
    work = _claim(deps, job_id)
    if work is None:
        return
    reach(Point.JOB_CLAIMED)
    try:
        outcome = _resolve(work) if work.claim.state is JobState.UNKNOWN else _carry_out(work)
        verdict = outcome if isinstance(outcome, AttemptResult) else AttemptResult(outcome, work.also)
    except Fenced:
        log.info("job_was_fenced", job_id=str(job_id))
        return
    except Exception as error:  # noqa: BLE001 - every end of an attempt is an outcome
        verdict = _judge(work, error)
    try:
        _record(work, verdict)
    except (sa.exc.DataError, sa.exc.IntegrityError) as error:  # the next worker could not write it down either
        log.exception("outcome_not_recorded", job_id=str(job_id), kind=work.claim.kind)
        may_be_out = work.sent or work.claim.state is JobState.UNKNOWN
        _record(work, error_policy.unrecorded(error, may_be_out=may_be_out))
    reach(Point.JOB_FINISHED)
    handler = work.handler
    if handler.pace is not None:
        registry.load(handler.pace)(deps)


def _claim(deps: Deps, job_id: uuid.UUID) -> Work | None:
    """J1. A job that something holds back is put aside and costs nothing."""
    lease = Lease(deps.clock.monotonic_s() + deps.settings.lease_s, deps.clock)
    rows = deps.db.run(
        _CLAIM_JOB, **ledger.claim_parameters(job_id, worker=deps.worker, lease_s=deps.settings.lease_s),
        acts=registry.current().acts,
    )  # fmt: skip
    if not rows:
        _suppress(deps, job_id)
        return None
    (row,) = rows
    claim = ledger.claim_of(row)
    agent = loop.through(loop.actor(row), claim.account_id, claim.surface, row.identity)
    if elsewhere.move(deps, claim, agent, row.holds):
        return None
    held = reserve.held_back(row, agent, claim.kind) if claim.state is JobState.RUNNING else None
    if held is None and claim.state is JobState.RUNNING and (why := job_stops.why_now(deps.db, claim)) is not None:
        held = Held(why, deps.now(), by_people=True)  # until when is looked up again below
    if held is None:
        return Work(deps, claim, agent, lease)
    with deps.db.transaction() as tx:
        held = reserve.look_again(tx, claim, held)
        snooze.put_aside(tx, claim, why=held.why, until=held.until)
        loop.end_actions(tx, [(agent.id, claim.kind)])
    return None


def _suppress(deps: Deps, job_id: uuid.UUID) -> None:
    """Note a message that found nothing to claim: a second delivery, an echo of the sweep's, or one that came early.

    Raises NotFound for a job that is in no ledger.
    """
    with deps.db.transaction() as tx:
        row = queries.get(tx, job_id)
        events.emit(tx, "job.duplicate", agent_id=row.agent_id, job_id=row.id, kind=row.kind, state=row.state)


def _carry_out(work: Work) -> Outcome | AttemptResult:
    """J2 to J4."""
    called_off = reserve.called_off(work.agent, work.claim)
    if called_off is not None:
        return called_off
    prepared = _prepare(work)
    if not isinstance(prepared, Action):
        return prepared
    reach(Point.JOB_PREPARED)
    work.deps.live.refresh()  # preparing may have taken a minute
    gateway = work.gateway  # one for both: dry run that ends in between must not write what was not announced
    gateway.permit(prepared.type)
    asked = _ask_for_consent(work, gateway, prepared)
    if isinstance(asked, AttemptResult):
        return asked
    prepared = asked
    gateway.permit(prepared.type, is_approved=prepared.is_approved)
    if not gateway.policy.dry_run:
        try:
            prepared = _upload(work, gateway, prepared)
        except base.UploadPending as error:
            work.save(_UPLOADS, {"is_complete": False, "uploads": dict(error.uploads)})
            return Held(str(error), work.deps.now() + timedelta(seconds=error.retry_after_s), is_quiet=True)
        if _may_be_forgotten(work, prepared) and (found := _probe(work, prepared, work.claim.created_at)) is not None:
            return found
        gateway.reserve(prepared)
        obstacle = reserve.announce(work, prepared)
        if obstacle is not None:
            gateway.release(prepared)
            return obstacle
        work.sent = True
        reach(Point.JOB_ANNOUNCED)
    receipt = gateway.write(prepared, work.lease, stopped=partial(reserve.stopped, work))
    reach(Point.JOB_SENT)
    return Done(receipt.remote_id, _told(work, prepared) | dict(receipt.detail))


def _prepare(work: Work) -> AnyAction | Outcome:
    """Return what the job's handler prepares. Raises InvalidInput for an action that its kind does not declare."""
    prepared: AnyAction | Outcome = registry.load(work.handler.prepare)(work)
    declared = registry.current().action_of(work.claim.kind)
    if isinstance(prepared, Action) and prepared.type.name != declared:
        raise InvalidInput(
            f"A job of the kind {work.claim.kind} prepared the action {prepared.type.name}; it declares {declared}.",
            fix="Name the action in its `JobHandler`: caps are counted by it.",
        )
    return prepared


def _ask_for_consent(work: Work, gateway: Gateway, action: AnyAction) -> AnyAction | AttemptResult:
    """Return the action, approved if the system wants a person for each one; or how the job waits for that person.

    A feature that asks people registers `seek(work, action)` at "jobs.consent". Without one the gateway refuses.
    """
    asks = registry.current().extensions("jobs.consent") if gateway.consent_rule(action) else ()
    for seek in asks:
        found: AnyAction | AttemptResult = seek(work, action)
        return found
    return action


def _upload(work: Work, gateway: Gateway, action: AnyAction) -> AnyAction:
    """Return the action with the uploads that it refers to: made once, and saved before the write refers to them.

    Raises UploadPending, and UploadsLost for uploads that the system could not process.
    """
    if gateway.uploading is None:
        return action
    known = work.known(_UPLOADS) or {"is_complete": False, "uploads": {}}
    action = replace(action, uploads=known["uploads"])
    if known["is_complete"]:
        return action
    uploads = gateway.upload(action, work.lease, stopped=partial(reserve.stopped, work))
    if uploads is None:
        return action
    reach(Point.JOB_STEP_PAID)
    work.save(_UPLOADS, {"is_complete": True, "uploads": dict(uploads)})
    reach(Point.JOB_STEP_SAVED)
    return replace(action, uploads=uploads)


def _resolve(work: Work) -> Outcome:
    """Resolve the outcome of a write that may have happened, as the adapter declares for its action."""
    claim, adapter = work.claim, work.gateway.adapter
    action = _prepare(work)
    if not isinstance(action, Action):
        return Absent("nothing was to be written")
    action = replace(action, uploads=(work.known(_UPLOADS) or {}).get("uploads", {}))
    resolution, since = adapter.actions.get(action.type.name, Resolution.ASK), claim.sending_at
    if resolution is Resolution.RESEND_THEN_PROBE:
        # Each sending again has a time of its own; the birth of the job is before all of them.
        resolution, since = Resolution.PROBE if _is_key_old(work) else Resolution.RESEND, claim.created_at
    if resolution in (Resolution.NATURAL, Resolution.RESEND):
        return Absent("repeating it is harmless")
    if resolution is Resolution.ASK:
        return Dead(DeadReason.UNKNOWN_OUTCOME, "its outcome cannot be determined")
    found = _probe(work, action, since or work.deps.now() - timedelta(days=1))
    return Absent("looked for it: it is not there") if found is None else found


def _probe(work: Work, action: AnyAction, since: datetime) -> Done | None:
    """Look for the effect of a write that was sent at or after `since`; None if it is surely not there."""
    receipt = work.gateway.adapter.probe(action, since=since, known=_known(work))
    return None if receipt is None else Done(receipt.remote_id, _told(work, action) | dict(receipt.detail))


def _may_be_forgotten(work: Work, action: AnyAction) -> bool:
    """Say whether an earlier attempt may have sent a write whose key the surface has forgotten by now.

    A job that was to be sent again may have waited for hours, for a cap or the kill switch.
    """
    resolution = work.gateway.adapter.actions.get(action.type.name)
    return resolution is Resolution.RESEND_THEN_PROBE and work.claim.attempts > 0 and _is_key_old(work)


def _is_key_old(work: Work) -> bool:
    return work.deps.now() >= work.claim.created_at + base.KEY_LIFE


def _known(work: Work) -> frozenset[str]:
    with work.deps.db.transaction() as tx:
        return queries.known_remote_ids(tx, work.claim.agent_id, work.claim.kind)


def _told(work: Work, action: AnyAction) -> dict[str, Any]:
    """Return the fields of the job's result that describe an action."""
    words = action.payload.words
    return ({"text": words} if words else {}) | work.told


def _judge(work: Work, error: Exception) -> AttemptResult:
    if not isinstance(error, FleetError):
        log.exception("job_failed", job_id=str(work.claim.job_id), kind=work.claim.kind)
    claim = work.claim
    if isinstance(error, base.UploadsLost):  # the next attempt uploads again
        return AttemptResult(Retry(str(error)), partial(ledger.forget_step, claim, _UPLOADS))
    verdict = error_policy.judge(
        error, now=work.deps.now(), agent_id=claim.agent_id, account=work.through, sent=work.sent,
        settle=work.deps.settle,
    )  # fmt: skip
    if claim.state is JobState.UNKNOWN and isinstance(verdict.outcome, Held):  # only a running job is put aside quietly
        return replace(verdict, outcome=replace(verdict.outcome, is_quiet=False))
    # A refused probe says nothing about the write: sending again blindly may double it.
    if claim.state is JobState.UNKNOWN and isinstance(verdict.outcome, Dead | Skipped):
        why = f"the outcome could not be checked: {verdict.outcome.why}"
        return AttemptResult(Dead(DeadReason.UNKNOWN_OUTCOME, why), verdict.also, failed_account=verdict.failed_account)
    return verdict


def _record(work: Work, verdict: AttemptResult) -> None:
    """J5: record the outcome, the counters and the event in one transaction; nothing without the lease."""
    match verdict.outcome:
        case Done() as done:
            _record_success(work, done, verdict.also)
        case failure:
            _record_failure(work, failure, verdict)


def _record_success(work: Work, outcome: Done, also: Also | None) -> None:
    told: dict[str, Any] = {
        **ledger.finish_parameters(work.claim, outcome), "subject": "job.done", "payload": _story(work, outcome),
    }  # fmt: skip
    follow_ups = registry.current().follow_ups.get(work.claim.kind, ())

    def also_follow_ups(tx: Tx) -> None:
        if also is not None:
            also(tx)
        for follow_up in follow_ups:
            follow_up(tx, work, outcome)

    reach(Point.JOB_RECORDING)
    if not work.deps.db.run(_FINISH_JOB, also_follow_ups if also or follow_ups else None, **told):
        with work.deps.db.transaction() as tx:
            _tell_fenced(tx, work.claim, outcome)


def _record_failure(work: Work, outcome: Failure, verdict: AttemptResult) -> None:
    claim, also = work.claim, verdict.also
    with work.deps.db.transaction() as tx:
        if isinstance(outcome, Held) and outcome.is_quiet:
            snooze.put_aside(tx, claim, why=outcome.why, until=outcome.until)
            return
        if isinstance(outcome, Held) and outcome.by_people:
            outcome = reserve.look_again(tx, claim, outcome)
        if isinstance(outcome, Held) and verdict.still_held is not None:
            snooze.let_nobody_free(tx)
            if not verdict.still_held(tx):
                outcome = Held(outcome.why, tx.now())
        state = ledger.finish(tx, claim, outcome, dice=work.deps.dice, failed_account=verdict.failed_account)
        if state is None:
            _tell_fenced(tx, claim, outcome)
            return
        if also is not None:
            also(tx)
        if work.handler.is_act:
            loop.clear_action(tx, claim.agent_id)
        events.emit(tx, _subject(state, outcome), agent_id=claim.agent_id, job_id=claim.job_id,
                    **_story(work, outcome))  # fmt: skip
        reach(Point.JOB_RECORDING)


def _tell_fenced(tx: Tx, claim: Claim, outcome: Outcome) -> None:
    log.warning("outcome_came_too_late", job_id=str(claim.job_id), outcome=type(outcome).__name__)
    events.emit(tx, "job.fenced", agent_id=claim.agent_id, job_id=claim.job_id, kind=claim.kind,
                outcome=type(outcome).__name__.lower())  # fmt: skip


def _subject(state: JobState, outcome: Failure) -> str:
    if state in (JobState.READY, JobState.UNKNOWN):
        word = "held" if isinstance(outcome, Held) else "unknown" if isinstance(outcome, Unknown) else "retrying"
        return f"job.{word}"
    return f"job.{state}"


def _story(work: Work, outcome: Outcome) -> dict[str, object]:
    claim, remote_id = work.claim, getattr(outcome, "remote_id", None)
    story: dict[str, object] = {
        "agent": work.agent.name, "persona": work.agent.persona_id, "kind": str(claim.kind), "target": claim.target,
        "to": claim.payload.get("author_name"), **work.told, "why": getattr(outcome, "why", None),
        "reason": getattr(outcome, "reason", None), "remote_id": remote_id,
        "account_id": None if remote_id is None else str(key_of(claim.account_id)),
        "text": getattr(outcome, "result", {}).get("text"),
    }  # fmt: skip
    return {name: value for name, value in story.items() if value is not None}
