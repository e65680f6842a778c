"""The job `verify_listing`: it reads a store back some time after a publication, and says what it found.

The store is read twice: right after the last write, and once more after the setting's time. What differs at once is the
store's own form of a value; what differs only later was changed by somebody at the store.
"""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from fleet.core.db import Tx
from fleet.engine.attempts.work import Work
from fleet.engine.deps import Deps
from fleet.engine.jobs.models import JobRow
from fleet.engine.jobs.outcomes import Done, Held, Skipped
from fleet.engine.jobs.states import FINAL, JobState
from fleet.features.listings import listings, rules
from fleet.features.listings.models import ListingRow
from fleet.features.listings.preview import is_stock, label_of
from fleet.features.listings.publication import reading
from fleet.features.listings.publication.publish import settings_of
from fleet.features.listings.rules import Difference
from fleet.features.listings.states import ListingAction, ListingEvent, ListingState
from fleet.features.products import service as catalogue
from fleet.features.stores import values

_LOOK_EVERY = timedelta(seconds=15)
_FIRST = "first"
_LOST_AFTER = timedelta(minutes=10)
_MOST_LOST = 100
_KINDS = ("publish_listing", "delist_listing", "revert_listing", "verify_listing")


def verify(work: Work) -> Done | Skipped | Held:
    """Compare what a store has with what was sent. Raises an AdapterError."""
    payload, deps = work.claim.payload, work.deps
    tempo = deps.settings.tempo
    with deps.db.transaction() as tx:
        row = listings.get(tx, uuid.UUID(payload["listing"]))
        if row.publication != payload["publication"] or row.state != ListingState.PUBLISHING:
            return Skipped("the listing was changed since")
        context = listings.context_of(deps, tx, row)
        job = JobRow
        written = tx.execute(sa.select(job.id, job.state, job.error, job.finished_at)
                             .where(job.id.in_([uuid.UUID(one) for one in row.job_ids]))).all()  # fmt: skip
        variants = catalogue.variants_of(tx, [row.product_id])[row.product_id]
    if any(one.state not in FINAL for one in written):
        return Held("its writes are not done yet", deps.now() + _LOOK_EVERY / tempo, is_quiet=True)
    undone = [one for one in written if one.state != JobState.DONE]
    if undone:
        return _end(work, ListingEvent.FAILED, f"not written: {undone[0].error or undone[0].state}")
    last = max((one.finished_at for one in written), default=work.claim.created_at)
    due: datetime = last + timedelta(seconds=settings_of(work).listing_verify_s) / tempo
    there = reading.object_of(work, context, row)
    if row.sent.get("gone"):
        found = None if there is None else reading.read(work, context, there, with_stock=False)
        if found is None:
            return _end(work, ListingEvent.DELISTED, "")
        return _end(work, ListingEvent.FAILED, "the store still has it")
    if there is None:
        return _end(work, ListingEvent.FAILED, "the store does not have it any more")
    with_stock = any(is_stock(key) for key in row.sent)
    first = work.step(_FIRST, lambda: reading.read(work, context, there, with_stock=with_stock))
    if deps.now() < due:
        return Held(f"it is read back {settings_of(work).listing_verify_s:g} s after the publication", due,
                    is_quiet=True)  # fmt: skip
    found = reading.read(work, context, there, with_stock=with_stock)
    if found is None:
        return _end(work, ListingEvent.FAILED, "it was removed at the store after it was published")
    skus = {one.id: one.sku for one in variants}

    def label(key: str) -> str:
        local_id, name = rules.field_of(key)
        return label_of(name, skus.get(local_id, ""))

    # Units that were sold meanwhile are no difference: a sync reads them.
    wanted = {key: value for key, value in row.sent.items() if not is_stock(key)}
    apart = rules.differences(wanted, first or {}, found, label, values.same_of)
    if apart:
        words = "; ".join(one.words for one in apart[:3])
        return _end(work, ListingEvent.FAILED, words, apart=apart, found=found)
    is_delisted = row.action == ListingAction.DELIST
    return _end(work, ListingEvent.DELISTED if is_delisted else ListingEvent.PUBLISHED, "", found=found)


def _end(
    work: Work, event: ListingEvent, why: str, *, apart: list[Difference] | None = None,
    found: dict[str, Any] | None = None,
) -> Done:  # fmt: skip
    """End a publication with what was found, in the transaction that records the job."""
    told = [one.to_data() for one in apart or ()]
    publication = work.claim.payload["publication"]

    def record(tx: Tx) -> None:
        row = listings.get(tx, uuid.UUID(work.claim.payload["listing"]), is_locked=True)
        if row.publication != publication or row.state != ListingState.PUBLISHING:
            return
        kept = {key: value for key, value in (found or {}).items() if key in row.sent}
        listings.move(
            tx, row, event, words=why, details={"differences": told}, job_id=work.claim.job_id, problem=why[:500],
            differences=told, found=kept, verified_at=tx.sql_now,
        )  # fmt: skip

    work.also = record
    return Done(result={"listing": str(event), "differences": len(told), "store": work.claim.payload.get("store")})


def sweep(deps: Deps) -> None:
    """Fail publications whose job ended without them: it died, was cancelled, or its store was removed."""
    row, job = ListingRow, JobRow
    with deps.db.transaction() as tx:
        is_live = sa.exists(
            sa.select(job.id).where(
                job.kind.in_(_KINDS),
                job.target == sa.cast(row.id, sa.String), job.state.not_in(FINAL),
            )
        )  # fmt: skip
        old = sa.select(row).where(row.state == ListingState.PUBLISHING, row.updated_at < tx.now() - _LOST_AFTER,
                                   ~is_live)  # fmt: skip
        for one in tx.session.scalars(old.limit(_MOST_LOST).with_for_update(skip_locked=True)).all():
            why = tx.scalar(sa.select(job.error).where(
                                job.kind.in_(_KINDS), job.target == str(one.id), job.error.is_not(None),
                            ).order_by(job.created_at.desc()).limit(1))  # fmt: skip
            words = f"its job ended: {why or 'nobody knows why'}"
            listings.move(tx, one, ListingEvent.FAILED, words=words, problem=words[:500])
