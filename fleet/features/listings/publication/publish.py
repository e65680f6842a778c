"""The jobs that begin a publication, a delisting or a roll back: they read the store, and add the writes to it.

They write nothing outside themselves. All that they decide is recorded with their outcome in one transaction: after a
kill either nothing has happened, or the writes and the verification are in the ledger.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from fleet.core import ids
from fleet.core.db import Tx
from fleet.engine import publish as queue
from fleet.engine.attempts.work import Work
from fleet.engine.jobs.ledger import NewJob
from fleet.engine.jobs.outcomes import Done, Held, Skipped
from fleet.features.listings import budgets, listings, rules
from fleet.features.listings.models import ListingRow
from fleet.features.listings.preview import CREATE, ListingPreview, is_stock, label_of, preview
from fleet.features.listings.publication import reading
from fleet.features.listings.settings import ListingsSettings
from fleet.features.listings.states import ListingAction, ListingEvent, ListingState
from fleet.features.products.models import VariantRow
from fleet.features.stores import values
from fleet.features.stores.state.context import StoreContext
from fleet.features.stores.sync import new_variants, pushing
from fleet.features.stores.writes import pictures
from fleet.features.stores.writes.plan import WritePlan, new_job
from fleet.features.stores.writes.sold_out import StockWrite

Record = Callable[[Tx, ListingRow, StoreContext], None]
_GONE = "gone"


def settings_of(work: Work) -> ListingsSettings:
    """Return the settings of listings for a job's store."""
    return work.settings.of(ListingsSettings)


def _current(work: Work, action: ListingAction) -> tuple[ListingRow, StoreContext] | Skipped | Held:
    """Return the listing of a job; Skipped if people changed their mind, Held while a budget of the store is spent."""
    payload = work.claim.payload
    with work.deps.db.transaction() as tx:
        row = listings.get(tx, uuid.UUID(payload["listing"]))
        is_staged = row.state == ListingState.STAGED and action is ListingAction.PUBLISH
        is_begun = row.state == ListingState.PUBLISHING and row.action == action
        if row.publication != payload["publication"] or row.job_ids or not (is_staged or is_begun):
            return Skipped("the listing was changed since")
        context = listings.context_of(work.deps, tx, row, requested_by=work.claim.requested_by)
        held = budgets.gate(work.deps, tx, context)
        if held is not None and row.problem != held.why:
            listings.change(tx, row, problem=held.why[:500])
        return held if held is not None else (row, context)


def _then(work: Work, record: Record) -> None:
    """Have the outcome's transaction record what a job decided, if the listing is still as it was."""

    def write(tx: Tx) -> None:
        row = listings.get(tx, uuid.UUID(work.claim.payload["listing"]), is_locked=True)
        if row.publication != work.claim.payload["publication"] or row.job_ids:
            return
        record(tx, row, listings.context_of(work.deps, tx, row, requested_by=work.claim.requested_by))

    work.also = write


def _fail(work: Work, why: str) -> Skipped:
    _then(work, lambda tx, row, _: _failed(tx, work, row, why))
    return Skipped(why)


def _failed(tx: Tx, work: Work, row: ListingRow, why: str) -> None:
    listings.move(tx, row, ListingEvent.FAILED, words=why, job_id=work.claim.job_id, problem=why[:500])


def publish(work: Work) -> Done | Skipped | Held:
    """Begin to publish a listing. Raises an AdapterError."""
    current = _current(work, ListingAction.PUBLISH)
    if not isinstance(current, tuple):
        return current
    row, context = current
    there = reading.object_of(work, context, row)
    before: dict[str, Any] = {}
    if there is not None:
        read = reading.read(work, context, there, with_stock=True)
        if read is None:
            return _fail(work, "the store does not have it any more: sync the store, then stage it again")
        before = read
    pictures.note_digests(work, row.product_id)
    with work.deps.db.transaction() as tx:
        seen = preview(tx, context, row)
    if seen.problems:
        return _fail(work, "; ".join(seen.problems))
    moved = [one.label for one in seen.fields if one.now is not None and there is not None
             and not values.same_of(rules.field_of(one.key)[1])(before.get(one.key), one.now)]  # fmt: skip
    if moved:
        return _fail(work, f"the store changed {rules.named(moved)} since it was last read: sync it, then stage again")

    def record(tx: Tx, row: ListingRow, context: StoreContext) -> None:
        now = preview(tx, context, row)  # the catalogue may have moved since
        if now.mode != seen.mode:
            _failed(tx, work, row, "a sync matched it with a product of the store meanwhile: stage it again")
            return
        jobs = _create(tx, context, row, now) if now.mode == CREATE else _update(tx, context, now, before)
        if now.mode == CREATE and not jobs:
            _failed(tx, work, row, "it cannot be sold at this store")
            return
        kept = {name: value for name, value in before.items() if name in now.sent}
        _begun(tx, work, row, jobs, sent=now.sent, previous=kept, pinned=now.overridden)

    _then(work, record)
    return Done(result={"mode": seen.mode, "fields": len(seen.changes), "store": context.name})


def _create(tx: Tx, context: StoreContext, row: ListingRow, now: ListingPreview) -> list[uuid.UUID]:
    own = {rules.field_of(one.key): one.value for one in now.fields if one.is_override}
    job_id = pushing.create_at_store(tx, context, row.product_id, own)
    return [] if job_id is None else [job_id]


def _update(tx: Tx, context: StoreContext, now: ListingPreview, before: Mapping[str, Any]) -> list[uuid.UUID]:
    assert now.ref is not None and now.ref.external_id is not None
    wanted = {one.key: one.value for one in now.fields}
    return _write(tx, context, now.ref.external_id, wanted, before, now=now)


def _write(
    tx: Tx, context: StoreContext, external_id: str, wanted: Mapping[str, Any], before: Mapping[str, Any], *,
    now: ListingPreview,
) -> list[uuid.UUID]:  # fmt: skip
    """Add the jobs that give a store other values, each expecting the value that was just read."""
    plan, product_id = WritePlan(), now.product.id
    new = {one.id for one in now.new_variants}
    if new & {rules.field_of(key)[0] for key in wanted}:
        own = {rules.field_of(one.key): one.value for one in now.fields if one.is_override}
        plan.new_variants(product_id, external_id, new_variants.data_of(tx, context, now.new_variants, own))
    for key, value in wanted.items():
        local_id, name = rules.field_of(key)
        if local_id in new or values.same_of(name)(before.get(key), value):
            continue
        if is_stock(key):
            assert now.place is not None
            plan.stock.append(StockWrite(variant_id=local_id, field=name, location=now.place.there,
                                         quantity=int(value), expected=before.get(key)))  # fmt: skip
        elif local_id == product_id:
            plan.product(product_id, external_id, name, value, before.get(key))
        else:
            plan.variant(local_id, name, value, before.get(key))
    plan.add(tx, context)
    return plan.job_ids


def _begun(
    tx: Tx, work: Work, row: ListingRow, jobs: list[uuid.UUID], *, sent: Mapping[str, Any], pinned: list[str],
    previous: Mapping[str, Any] | None = None,
) -> None:  # fmt: skip
    """Note a publication whose jobs are added, and add the one that verifies it."""
    given: dict[str, Any] = {
        "job_ids": [str(one) for one in jobs] or [str(work.claim.job_id)], "sent": dict(sent), "pinned": pinned,
        "problem": "", "differences": [], "found": {}, "publish_at": None, "published_at": tx.sql_now,
        "verified_at": None,
    }  # fmt: skip
    if previous is not None:
        given["previous"] = dict(previous)
    if row.state == ListingState.STAGED:  # its time has come
        row = listings.move(tx, row, ListingEvent.BEGAN, by=row.began_by or listings.FLEET, job_id=work.claim.job_id)
    listings.change(tx, row, **given)
    wait = (
        timedelta(seconds=settings_of(work).listing_verify_s) / work.deps.settings.tempo if not jobs else timedelta(0)
    )
    claim = work.claim
    queue.add_jobs(tx, work.deps.publisher, [NewJob(
        ids.derived("verify_listing", row.id, row.publication), claim.agent_id, "verify_listing", claim.surface,
        target=str(row.id), payload={"listing": str(row.id), "publication": row.publication,
                                     "store": claim.payload.get("store"), "title": claim.payload.get("title")},
        requested_by=claim.requested_by, account_id=claim.account_id, due_in=wait,
    )])  # fmt: skip


def delist(work: Work) -> Done | Skipped | Held:
    """Begin to take a product from its store: archive it there, or remove it, by the setting."""
    current = _current(work, ListingAction.DELIST)
    if not isinstance(current, tuple):
        return current
    row, context = current
    there = reading.object_of(work, context, row)
    before = None if there is None else reading.read(work, context, there, with_stock=False)
    if there is None or before is None:
        return _gone_already(work)
    status = rules.key(row.product_id, "status")
    archives = settings_of(work).listing_delist == "archive" and "status" in context.traits.fields

    def record(tx: Tx, row: ListingRow, context: StoreContext) -> None:
        if not archives:
            _remove(tx, work, row, context)
            return
        plan, hidden = WritePlan(), values.status_value("archived", context.traits)
        if before.get(status) != hidden:
            plan.product(row.product_id, there.external_id, "status", hidden, before.get(status))
            plan.add(tx, context)
        _begun(tx, work, row, plan.job_ids, sent={status: hidden}, pinned=sorted({*row.pinned, status}),
               previous={status: before.get(status)})  # fmt: skip

    _then(work, record)
    return Done(result={"mode": "archive" if archives else "remove", "store": context.name})


def _remove(tx: Tx, work: Work, row: ListingRow, context: StoreContext) -> None:
    job_id = pushing.remove_at_store(tx, context, row.product_id)
    _begun(tx, work, row, [job_id], sent={_GONE: True}, pinned=[])


def _gone_already(work: Work) -> Done:
    def record(tx: Tx, row: ListingRow, _: StoreContext) -> None:
        listings.move(tx, row, ListingEvent.DELISTED, words="the store did not have it", problem="",
                      job_id=work.claim.job_id)  # fmt: skip

    _then(work, record)
    return Done(result={"mode": "none"})


def rollback(work: Work) -> Done | Skipped | Held:
    """Begin to give a store the values back that it had before the newest publication.

    A value that somebody changed at the store since is not overwritten: then nothing is.
    """
    current = _current(work, ListingAction.ROLLBACK)
    if not isinstance(current, tuple):
        return current
    row, context = current
    there = reading.object_of(work, context, row)
    before = None if there is None else reading.read(work, context, there, with_stock=True)
    if there is None or before is None:
        return _gone_already(work) if not row.previous else _fail(work, "the store does not have it any more")
    previous = row.previous or {}
    moved = [key for key in ({**row.sent, **previous} if previous else row.sent)
             if not is_stock(key) and not _is_known(row, key, before.get(key))]  # fmt: skip
    if moved:
        with work.deps.db.transaction() as tx:
            labels = [_label(tx, key) for key in moved]
        return _fail(work, f"{rules.named(labels)} changed at the store since: nothing is taken back")

    def record(tx: Tx, row: ListingRow, context: StoreContext) -> None:
        if not row.previous:
            _remove(tx, work, row, context)
            return
        now = preview(tx, context, row)
        # Units moved with sales since: stock is not taken back.
        wanted = {key: value for key, value in row.previous.items()
                  if not is_stock(key) and value is not None}  # fmt: skip
        jobs = _write(tx, context, there.external_id, wanted, before, now=now)
        apart = [key for key, value in wanted.items()
                 if not values.same_of(rules.field_of(key)[1])(value, now.sent.get(key))]  # fmt: skip
        _begun(tx, work, row, jobs, sent=wanted, pinned=sorted(apart))

    _then(work, record)
    return Done(result={"mode": "write" if previous else "remove", "store": context.name})


def _is_known(row: ListingRow, key: str, value: Any) -> bool:
    """Say whether a value of a store is one that the publication sent, read back, or found before it."""
    same = values.same_of(rules.field_of(key)[1])
    sides = [side[key] for side in (row.sent, row.found, row.previous or {}) if key in side]
    return any(same(value, one) for one in sides)


def _label(tx: Tx, key: str) -> str:
    local_id, name = rules.field_of(key)
    variant = tx.session.get(VariantRow, local_id)
    return label_of(name, "" if variant is None else variant.sku)


def add_job(tx: Tx, work_kind: str, context: StoreContext, row: ListingRow, title: str) -> uuid.UUID:
    """Add the job that begins a publication, a delisting or a roll back; at its time if it has one."""
    wait = timedelta(0) if row.publish_at is None else max(timedelta(0), row.publish_at - tx.now())
    one = new_job(context, work_kind, target=str(row.id), payload={
        "listing": str(row.id), "publication": row.publication, "title": title[:120],
    })  # fmt: skip
    job = NewJob(
        ids.derived(work_kind, row.id, row.publication), one.agent_id, work_kind, one.surface, target=one.target,
        payload=one.payload, requested_by=one.requested_by, account_id=one.account_id, due_in=wait,
        worth_doing=wait + timedelta(days=31),
    )  # fmt: skip
    queue.add_jobs(tx, context.deps.publisher, [job])
    return job.id
