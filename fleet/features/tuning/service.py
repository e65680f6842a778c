"""The verbs of tuning: run, record proposals, apply, settle, accept, dismiss, undo, evaluate. Each is given a `tx`.

A setting is written through the verbs of settings, with the audit line and the event of any other change.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from fleet.access import audit
from fleet.accounts import service as accounts
from fleet.core import events, ids
from fleet.core.db import Tx
from fleet.core.errors import Conflict, FleetError, NotFound
from fleet.engine import publish
from fleet.engine.agents.models import AgentRow
from fleet.engine.deps import Deps
from fleet.engine.jobs.ledger import NewJob
from fleet.features.approvals import service as approvals
from fleet.features.approvals.request import Ended, Proposal
from fleet.features.approvals.rules import Person
from fleet.features.settings import commands as settings_verbs
from fleet.features.settings.queries import Target
from fleet.features.tuning import values
from fleet.features.tuning.decisions import plans, rules
from fleet.features.tuning.decisions.plans import EarlierChange, NoChange, Pace, TuningPlan, TuningRule
from fleet.features.tuning.decisions.results import TuningVerdict
from fleet.features.tuning.load.looks import TuningLook
from fleet.features.tuning.models import TuningProposalRow, TuningRunRow, TuningState
from fleet.features.tuning.settings import TuningSettings

JOB, KIND, USERNAME = "tuning_run", "tuning", "fleet_tuning"
RESOURCE, CHANGE, UNDO = "tuning", "change", "undo"
_ROW = TuningProposalRow
_DAY = timedelta(days=1)
_EXPIRES = 7 * _DAY
_SINCE = 14 * _DAY
_WAITING = (TuningState.OPEN, TuningState.ACCEPTED)


def request(deps: Deps, *, by: str) -> uuid.UUID:
    """Have the tuning agent look at the load now; return the id of the job, which is its run's.

    Raises Conflict without an agent, or while tuning is off.
    """
    if not deps.settings.of(TuningSettings).tuning_enabled:
        raise Conflict("Tuning is off.", fix="`fleet settings set tuning_enabled true` switches it on.")
    with deps.db.transaction() as tx:
        agent = tx.execute(
            sa.select(AgentRow.id, AgentRow.surface).where(AgentRow.kind == KIND, AgentRow.deleted_at.is_(None))
        ).first()
        if agent is None:
            raise Conflict("This fleet has no tuning agent.", fix="`fleet migrate` creates the agents of the fleet.")
        job = NewJob(ids.new(), agent.id, JOB, agent.surface, requested_by=by)
        publish.add_jobs(tx, deps.publisher, [job])
        audit.note(tx, "tuning.requested", "fleet")
    return job.id


def record(deps: Deps, tx: Tx, run: TuningRunRow, agent_id: uuid.UUID, looks: Sequence[TuningLook]) -> int:
    """Store a run with its proposals, and ask for their approval; return how many are new.

    A rule that is autonomous applies its changes at once, up to those of a day.
    """
    lock(tx)
    _withdraw_overtaken(deps, tx)
    reasons: Counter[str] = Counter()
    new: list[tuple[TuningLook, TuningPlan]] = []
    for look in looks:
        found = look.found
        why = found.why if isinstance(found, NoChange) else _why_quiet(deps, tx, look, found)
        if why:
            reasons[f"{look.setting}: {why}"] += 1
        elif isinstance(found, TuningPlan):
            new.append((look, found))
    run.looked, run.proposals, run.reasons = len(looks), len(new), dict(reasons)
    tx.session.add(run)
    tx.session.flush()
    for look, plan in new:
        row = _row(run, look, plan)
        tx.session.add(row)
        tx.session.flush()
        _propose(deps, tx, row, agent_id, needs_person=plan.needs_person)
    events.emit(tx, "tuning.run", agent_id=agent_id, run=str(run.id), looked=run.looked, proposals=len(new),
                page="/tuning")  # fmt: skip
    return len(new)


def _row(run: TuningRunRow, look: TuningLook, plan: TuningPlan) -> TuningProposalRow:
    # The text that `docker compose` takes; docs/operations.md says what other installations run.
    command = f"docker compose up -d --scale worker={plan.after}" if plan.rule is TuningRule.WORKERS else ""
    return TuningProposalRow(
        id=ids.derived("tuning proposal", run.id, plan.setting, look.key.id), run_id=run.id, rule=plan.rule,
        setting=plan.setting, scope=look.key.scope, scope_id=look.key.id, scope_name=look.name[:100],
        before=plan.before, after=plan.after, direction=plan.direction, command=command, words=plan.words[:300],
        metric=plan.metric, aim=plan.aim, guards=[one.value for one in plan.guards], evidence=dict(plan.evidence),
        expected=plan.expected.to_data(), state=TuningState.OPEN, made_at=run.made_at, was_set=False,
    )  # fmt: skip


def _why_quiet(deps: Deps, tx: Tx, look: TuningLook, plan: TuningPlan) -> str:
    tempo, now = deps.settings.tempo, tx.now()
    query = sa.select(_ROW).where(
        _ROW.setting == look.setting, _ROW.scope == look.key.scope, _ROW.scope_id == look.key.id,
        _ROW.state.in_(_WAITING) | (_ROW.made_at > now - _SINCE) | (_ROW.applied_at > now - _SINCE),
    )  # fmt: skip
    earlier = [_earlier(row) for row in tx.session.scalars(query) if row.state != TuningState.OVERTAKEN]
    return plans.why_quiet(plan.direction, earlier, Pace(_DAY / tempo, 7 * _DAY / tempo), now)


def _earlier(row: TuningProposalRow) -> EarlierChange:
    at = max(one for one in (row.made_at, row.decided_at, row.applied_at, row.undone_at) if one is not None)
    return EarlierChange(
        direction=row.direction, at=at, is_open=row.state in _WAITING, was_applied=row.applied_at is not None,
        is_undone=row.state == TuningState.UNDONE, verdict=(row.verdict and TuningVerdict(row.verdict)) or None,
    )  # fmt: skip


def _propose(deps: Deps, tx: Tx, row: TuningProposalRow, agent_id: uuid.UUID, *, needs_person: bool) -> None:
    own = deps.settings.of(TuningSettings)
    is_full = changes_today(deps, tx) >= own.tuning_changes_per_day
    if row.rule in own.autonomous and not needs_person and not is_full:
        try:
            with tx.session.begin_nested():
                apply(deps, tx, row.id, by=f"agent:{USERNAME}")
        except Ended as error:
            _end(tx, row, TuningState.OVERTAKEN, why=error.message)
        return
    asked = _ask(deps, tx, row, CHANGE, agent_id, needs_person=needs_person or is_full)
    if asked is not None:
        row.request_id = asked
        tx.session.flush()


def _ask(
    deps: Deps, tx: Tx, row: TuningProposalRow, action: str, agent_id: uuid.UUID, *, needs_person: bool
) -> uuid.UUID | None:
    """Ask people about a change or its undoing; return the request, None if it could not be carried out at once."""
    before, after = (row.before, row.after) if action == CHANGE else (row.after, row.before)
    told = {"setting": row.setting, "scope": row.scope, "for": row.scope_name}
    verb = "" if action == CHANGE else "Undo: "
    proposal = Proposal(
        resource=RESOURCE, resource_id=str(row.id), action=action, agent_id=agent_id, requested_by=f"agent:{USERNAME}",
        summary=f"{verb}{values.named(row)}: {before} to {after}, {row.words}"[:300],
        before={**told, "value": before},
        payload={**told, "value": after, "why": row.words, "command": row.command, "evidence": row.evidence,
                 "metric": row.metric, "expected": row.expected, "result": row.result},
        facts={"rule": row.rule, "setting": row.setting, "scope": row.scope, "direction": row.direction},
        expiration=_EXPIRES, needs_person=needs_person,
    )  # fmt: skip
    try:
        with tx.session.begin_nested():
            return approvals.propose(deps, tx, proposal).id
    except Ended as error:
        if action == CHANGE:
            _end(tx, row, TuningState.OVERTAKEN, why=error.message)
        return None


def apply(deps: Deps, tx: Tx, proposal_id: uuid.UUID, *, by: str) -> None:
    """Set the setting of an approved proposal; one with a command waits until people have run it.

    Raises Ended where the setting has changed since or cannot be set, Conflict after the changes of a day.
    """
    row = locked(tx, proposal_id)
    if row.state != TuningState.OPEN:
        raise Ended(f"The proposal is {row.state}.")
    if row.command:
        _end(tx, row, TuningState.ACCEPTED, by=by)
        return
    lock(tx)
    if values.now(deps, tx, row) != row.before:
        raise Ended("The setting was changed since.")
    if changes_today(deps, tx) >= deps.settings.of(TuningSettings).tuning_changes_per_day:
        raise Conflict("The changes that tuning may apply within a day are made.", fix="Approve it tomorrow.")
    row.was_set = values.is_set(tx, row)
    try:
        with deps.db.joined(tx):
            settings_verbs.put(deps, row.setting, row.after, _target(tx, row), by=by, reason=_reason("tuning", row))
    except Conflict:
        raise
    except FleetError as error:
        raise Ended(f"The setting can no longer be set: {error.message}") from error
    row.applied_at = tx.now()
    _end(tx, row, TuningState.APPLIED, by=by)


def _reason(word: str, row: TuningProposalRow) -> str:
    return f"{word}: {row.words}"[:300]


def _target(tx: Tx, row: TuningProposalRow) -> Target:
    return Target(account=accounts.get(tx, uuid.UUID(row.scope_id)).name) if row.scope_id else Target()


def _end(tx: Tx, row: TuningProposalRow, state: TuningState, *, by: str = "", why: str = "") -> None:
    row.state, row.decided_at, row.decided_by, row.why = state, tx.now(), by[:100] or None, why[:300]
    tx.session.flush()
    events.emit(tx, "tuning.decided", proposal=str(row.id), setting=values.named(row), before=row.before,
                after=row.after, state=state.value, by=by, why=why, page="/tuning")  # fmt: skip


def settle(tx: Tx, proposal_id: uuid.UUID, state: TuningState, *, by: str, why: str) -> None:
    """Record that an open proposal is not applied; one that ended already stays as it is."""
    row = tx.session.get(_ROW, proposal_id, with_for_update=True, populate_existing=True)
    if row is not None and row.state == TuningState.OPEN:
        _end(tx, row, state, by=by, why=why)


def accept(deps: Deps, proposal_id: uuid.UUID, person: Person) -> bool:
    """Approve a proposal; True if it is settled now, False if more people have to approve it.

    Raises NotFound, and what the approval raises.
    """
    return approvals.approve_one(deps, _request(deps, proposal_id), person)


def dismiss(deps: Deps, proposal_id: uuid.UUID, person: Person, reason: str) -> None:
    """Reject a proposal, with the reason. Raises NotFound, and what the rejection raises."""
    approvals.reject_one(deps, _request(deps, proposal_id), person, reason)


def _request(deps: Deps, proposal_id: uuid.UUID) -> uuid.UUID:
    with deps.db.transaction() as tx:
        row = tx.session.get(_ROW, proposal_id)
        if row is None:
            raise _no_proposal(proposal_id)
        if row.request_id is None or row.state != TuningState.OPEN:
            raise Conflict(f"The proposal is {row.state}.", fix="`fleet tuning list` shows the open ones.")
        return row.request_id


def undo(deps: Deps, tx: Tx, proposal_id: uuid.UUID, *, by: str, is_settled: bool = False) -> TuningProposalRow:
    """Restore the value before an applied proposal: set it again, or unset what was not set in its scope.

    `is_settled`: a request to undo it led here. Raises NotFound, Conflict if it is not in force any more.
    """
    row = locked(tx, proposal_id)
    if row.state != TuningState.APPLIED:
        raise Conflict(f"The proposal is {row.state}, not applied.", fix="`fleet tuning list --state applied`.")
    if row.command:
        raise Conflict("No setting of Fleet does this.", fix=f"Run `{row.command.rpartition('=')[0]}={row.before}`.")
    lock(tx)
    if values.now(deps, tx, row) != row.after:
        raise Conflict("The setting was changed since.", fix="`fleet settings` shows and changes it.")
    reason = _reason("undone tuning", row)
    with deps.db.joined(tx):
        if row.was_set:
            settings_verbs.put(deps, row.setting, row.before, _target(tx, row), by=by, reason=reason)
        else:
            settings_verbs.unset(deps, row.setting, _target(tx, row), by=by, reason=reason)
    row.state, row.undone_at = TuningState.UNDONE, tx.now()
    tx.session.flush()
    if row.undo_request_id is not None and not is_settled:
        approvals.take_back(deps, tx, row.undo_request_id, "the change was undone")
    events.emit(tx, "tuning.undone", proposal=str(row.id), setting=values.named(row), value=row.before, by=by,
                page="/tuning")  # fmt: skip
    return row


def propose_undo(deps: Deps, tx: Tx, row: TuningProposalRow, agent_id: uuid.UUID) -> None:
    """Ask people to undo a change that made its metric worse; a rule that is autonomous undoes it by itself."""
    if row.rule in deps.settings.of(TuningSettings).autonomous:
        undo(deps, tx, row.id, by=f"agent:{USERNAME}")
        return
    row.undo_request_id = _ask(deps, tx, row, UNDO, agent_id, needs_person=False)
    tx.session.flush()


def _withdraw_overtaken(deps: Deps, tx: Tx) -> None:
    """End open proposals whose setting has another value by now."""
    query = sa.select(_ROW).where(_ROW.state == TuningState.OPEN, _ROW.rule != TuningRule.WORKERS)
    for row in tx.session.scalars(query).all():
        if values.now(deps, tx, row) != row.before:
            _end(tx, row, TuningState.OVERTAKEN, why="The setting was changed since.")
            if row.request_id is not None:
                approvals.take_back(deps, tx, row.request_id, "the setting was changed since")


def observe_workers(deps: Deps, tx: Tx, running: int) -> None:
    """Note that people ran the command of an accepted proposal: so many workers run. It expires after a week."""
    now = tx.now()
    for row in tx.session.scalars(sa.select(_ROW).where(_ROW.state == TuningState.ACCEPTED)).all():
        if running == row.after:
            row.applied_at = now
            _end(tx, row, TuningState.APPLIED, by=row.decided_by or "")
        elif row.decided_at is not None and now > row.decided_at + _EXPIRES / deps.settings.tempo:
            _end(tx, row, TuningState.EXPIRED, why=f"Within a week {rules.WORKERS} did not become {row.after}.")


def changes_today(deps: Deps, tx: Tx) -> int:
    """Return how many settings tuning changed within a day."""
    since = _ROW.applied_at > tx.now() - _DAY / deps.settings.tempo
    query = sa.select(sa.func.count()).where(_ROW.command == "", since)
    return int(tx.scalar(query) or 0)


def lock(tx: Tx) -> None:
    """Let one transaction at a time change settings by tuning: the changes of a day are counted."""
    tx.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtext("fleet.tuning"))))


def locked(tx: Tx, proposal_id: uuid.UUID) -> TuningProposalRow:
    """Return a proposal, locked until the transaction ends. Raises NotFound."""
    row: TuningProposalRow | None = tx.session.get(_ROW, proposal_id, with_for_update=True, populate_existing=True)
    if row is None:
        raise _no_proposal(proposal_id)
    return row


def _no_proposal(proposal_id: uuid.UUID) -> NotFound:
    return NotFound(f"There is no proposal {proposal_id}.", fix="`fleet tuning list` shows them.")


def prune(tx: Tx, *, days: float, limit: int) -> int:
    """Delete up to `limit` proposals that ended and runs that are older than `days`; return how many."""
    age: Any = sa.literal(f"{days} days").cast(sa.Interval)
    which = sa.select(_ROW.id).where(_ROW.made_at < tx.sql_now - age, _ROW.state.not_in(_WAITING)).limit(limit)
    done = tx.execute(sa.delete(_ROW).where(_ROW.id.in_(which))).rowcount
    run = TuningRunRow
    old = sa.select(run.id).where(run.made_at < tx.sql_now - age).limit(limit)
    return done + tx.execute(sa.delete(run).where(run.id.in_(old))).rowcount
