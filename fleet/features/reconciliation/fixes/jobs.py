"""The ends of jobs that write fixes: a success is recorded with it, a failure when the reconciler looks."""

from __future__ import annotations

import uuid
from datetime import timedelta

import sqlalchemy as sa

from fleet.accounts.models import key_of
from fleet.core import events
from fleet.core.db import Tx
from fleet.engine.attempts.work import Work
from fleet.engine.jobs.models import JobRow
from fleet.engine.jobs.outcomes import Done
from fleet.engine.jobs.states import FINAL
from fleet.features.reconciliation.fixes.apply import restore_base
from fleet.features.reconciliation.models import DiscrepancyRow
from fleet.features.stores.models import ExternalRefRow

_IMPORT_WITHIN = timedelta(hours=1)
_AT_ONCE = 500


def written(tx: Tx, work: Work, outcome: Done) -> None:
    """Record that a fix, or its undoing, is written. Nothing for other writes."""
    query = sa.select(DiscrepancyRow).where(DiscrepancyRow.job_id == work.claim.job_id).with_for_update()
    row = tx.session.scalars(query).one_or_none()
    if row is None:
        return
    refused = outcome.result.get("refused")
    if refused:
        _failed(tx, row, f"the shop refused it: {refused}")
        return
    is_fix = row.state == "fixing"
    row.state, row.changed_at, row.problem = "fixed" if is_fix else "undone", tx.now(), ""
    tx.session.flush()
    if not is_fix and row.field:
        restore_base(tx, key_of(work.claim.account_id), row, row.undo["before"])
    events.emit(tx, "discrepancy.fixed" if is_fix else "discrepancy.undone", agent_id=work.claim.agent_id,
                job_id=work.claim.job_id, store=work.claim.payload.get("store"), about=row.about, by=row.changed_by,
                organisation=str(row.organisation_id), page=f"/reconciliation/{row.id}")  # fmt: skip


def _failed(tx: Tx, row: DiscrepancyRow, why: str) -> None:
    row.state, row.problem, row.changed_at = "open" if row.state == "fixing" else "fixed", why[:300], tx.now()
    tx.session.flush()


def settle_ended(tx: Tx) -> int:
    """Open discrepancies again whose write did not happen, and end imports; return how many."""
    row, job = DiscrepancyRow, JobRow
    lost = sa.select(row, job.state, job.error).join(job, job.id == row.job_id).where(
        row.state.in_(("fixing", "undoing")), job.state.in_(FINAL), job.state != "done"
    ).limit(_AT_ONCE).with_for_update(of=row, skip_locked=True)  # fmt: skip
    done = 0
    for one, state, error in tx.execute(lost).tuples():
        _failed(tx, one, error or f"its job is {state}")
        done += 1
    gone = sa.select(row).where(row.state.in_(("fixing", "undoing")), row.job_id.is_not(None),
                                ~sa.exists().where(job.id == row.job_id))  # fmt: skip
    for one in tx.session.scalars(gone.limit(_AT_ONCE)):
        _failed(tx, one, "its job is deleted")
        done += 1
    return done + _settle_imports(tx)


def _settle_imports(tx: Tx) -> int:
    """End imports whose object is known here by now; give up on those that matching could not decide."""
    row, ref, now = DiscrepancyRow, ExternalRefRow, tx.now()
    done = 0
    query = sa.select(row).where(row.state == "fixing", row.action == "import").limit(_AT_ONCE).with_for_update()
    for one in tx.session.scalars(query):
        local_id: uuid.UUID | None = tx.scalar(sa.select(ref.local_id).where(
            ref.account_id == one.account_id, ref.kind == one.thing, ref.external_id == one.external_id,
            ref.state == "mapped"))  # fmt: skip
        if local_id is not None:
            one.state, one.changed_at = "fixed", now
            one.product_id = local_id if one.thing == "product" else one.product_id
            done += 1
        elif now - one.changed_at > _IMPORT_WITHIN:
            _failed(tx, one, "the sync could not take it: the page Conflicts of stores may say why")
            done += 1
    tx.session.flush()
    return done
