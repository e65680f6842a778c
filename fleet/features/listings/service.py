"""The verbs of listings: stage, unstage, publish, schedule, accept, delist, roll back."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from fleet.core.db import Tx
from fleet.core.errors import Conflict, FleetError, InvalidInput
from fleet.engine.deps import Deps
from fleet.features.listings import listings, rules
from fleet.features.listings.models import ListingRow
from fleet.features.listings.preview import CREATE, ListingPreview, preview
from fleet.features.listings.publication.publish import add_job
from fleet.features.listings.states import ListingAction, ListingEvent, ListingState
from fleet.features.products import service as catalogue
from fleet.features.products.models import ProductRow
from fleet.features.stores import service as stores
from fleet.features.stores.models import StoreRow

MOST = 1000
"""Listings that one request is about, at most."""
_FURTHEST = timedelta(days=366)
_JOBS = {ListingAction.PUBLISH: "publish_listing", ListingAction.DELIST: "delist_listing",
         ListingAction.ROLLBACK: "revert_listing"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ListingOverrides:
    """Values of one store alone. None: as it is; an empty text or price: that of the catalogue again."""

    title: str | None = None
    description: str | None = None
    prices: Mapping[uuid.UUID, int | None] = field(default_factory=dict)
    """Minor units by variant."""


@dataclass(frozen=True, slots=True)
class ListingCounts:
    """What a request about several listings does, or would do."""

    staged: int = 0
    blocked: int = 0
    skipped: int = 0
    create: int = 0
    update: int = 0
    problems: Sequence[str] = ()
    listing_ids: Sequence[uuid.UUID] = ()

    @property
    def matched(self) -> int:
        """All of them."""
        return self.staged + self.blocked + self.skipped


def stage(
    deps: Deps, product_ids: Collection[uuid.UUID], store_names: Collection[str], *, by: str,
    overrides: ListingOverrides | None = None, dry_run: bool = False, expected: int | None = None,
) -> ListingCounts:  # fmt: skip
    """Stage products for stores, so that they can be published; those with problems become drafts.

    One that is being published is left out. `expected`: how many the caller was told. Raises NotFound, InvalidInput,
    Conflict for another number than was expected.
    """
    number = len(set(product_ids)) * len(set(store_names))
    if not 0 < number <= MOST:
        raise InvalidInput(f"Choose products and stores: 1 to {MOST:,} listings at once.")
    if overrides is not None and number != 1:
        raise InvalidInput("Values of one store are set for one product at one store.")
    if expected is not None and expected != number:
        raise Conflict(f"{number:,} listings are meant by now, not {expected:,}.", fix="Look at it again.")
    counts = _Counts()
    try:
        with deps.db.transaction() as tx:
            products = {one.id: one for one in catalogue.products(tx, set(product_ids))}
            for store in [stores.named(tx, name)[0] for name in sorted(set(store_names))]:
                for product in products.values():
                    _stage(deps, tx, product, store, by=by, overrides=overrides, counts=counts)
            if dry_run:
                raise _DryRun
    except _DryRun:
        return counts.result(with_ids=False)
    return counts.result()


class _DryRun(Exception):
    """Undoes what was counted."""


@dataclass(slots=True)
class _Counts:
    staged: int = 0
    blocked: int = 0
    skipped: int = 0
    create: int = 0
    update: int = 0
    problems: list[str] = field(default_factory=list)
    listing_ids: list[uuid.UUID] = field(default_factory=list)

    def result(self, *, with_ids: bool = True) -> ListingCounts:
        return ListingCounts(self.staged, self.blocked, self.skipped, self.create, self.update,
                             list(dict.fromkeys(self.problems))[:20],
                             list(self.listing_ids) if with_ids else [])  # fmt: skip


def _stage(
    deps: Deps, tx: Tx, product: ProductRow, store: StoreRow, *, by: str, overrides: ListingOverrides | None,
    counts: _Counts,
) -> None:  # fmt: skip
    if product.organisation_id != store.organisation_id:
        raise InvalidInput("The product and the store belong to different organisations.")
    row = listings.find(tx, product.id, store.account_id) or listings.create(tx, product, store, by=by)
    if row.state == ListingState.PUBLISHING:
        counts.skipped += 1
        counts.problems.append(f"{product.title[:60]}: it is being published")
        return
    if overrides is not None:
        row = listings.change(tx, row, overrides=_merged(tx, row, overrides))
    seen = preview(tx, listings.context_of(deps, tx, row), row)
    counts.listing_ids.append(row.id)
    if seen.problems:
        counts.blocked += 1
        counts.problems += [f"{product.title[:60]}: {one}" for one in seen.problems]
        why = "; ".join(seen.problems)
        if row.state != ListingState.DRAFT or row.problem != why[:500]:
            # What is at the store stays there: only a listing that is nowhere becomes a draft.
            if row.published_at is None or row.state in (ListingState.STAGED, ListingState.DELISTED):
                listings.move(tx, row, ListingEvent.DRAFTED, by=by, words=why, problem=why[:500], publish_at=None,
                              publication=row.publication + 1, job_ids=[])  # fmt: skip
            else:
                listings.change(tx, row, problem=why[:500])
        return
    counts.staged += 1
    counts.create += seen.mode == CREATE
    counts.update += seen.mode != CREATE
    details = {"mode": seen.mode, "fields": {one.label: one.words[:200] for one in seen.changes[:50]}}
    listings.move(tx, row, ListingEvent.STAGED, by=by, details=details, problem="", publish_at=None,
                  publication=row.publication + 1, job_ids=[])  # fmt: skip


def _merged(tx: Tx, row: ListingRow, new: ListingOverrides) -> dict[str, Any]:
    """Return a listing's own values with new ones. Raises InvalidInput for one out of bounds."""
    rules.check_texts(new.title or None, new.description)
    found = dict(row.overrides)
    for name, value in (("title", new.title), ("description", new.description)):
        if value is not None:
            found[name] = value.strip() if name == "title" else value
        if not found.get(name):
            found.pop(name, None)
    prices = dict(found.get("prices", {}))
    own = {one.id for one in catalogue.variants_of(tx, [row.product_id])[row.product_id]}
    for variant_id, minor in new.prices.items():
        if variant_id not in own:
            raise InvalidInput("prices: there is no such variant of the product.")
        if minor is None:
            prices.pop(str(variant_id), None)
        else:
            prices[str(variant_id)] = minor
    found.pop("prices", None)
    return {**found, "prices": prices} if prices else found


def unstage(deps: Deps, listing_id: uuid.UUID, *, by: str) -> ListingRow:
    """Withdraw a staged listing, and its time if it has one. Raises NotFound, Conflict."""
    with deps.db.transaction() as tx:
        row = listings.get(tx, listing_id, is_locked=True)
        return listings.move(tx, row, ListingEvent.UNSTAGED, by=by, publish_at=None, problem="",
                             publication=row.publication + 1, job_ids=[])  # fmt: skip


def accept(deps: Deps, listing_id: uuid.UUID, *, by: str) -> ListingRow:
    """Take a failed listing as published: the differences are wanted. Raises NotFound, Conflict."""
    with deps.db.transaction() as tx:
        row = listings.get(tx, listing_id, is_locked=True)
        if row.state == ListingState.FAILED and not row.differences:
            raise Conflict("Nothing was found at the store that could be accepted.", fix="Stage it again.")
        return listings.move(tx, row, ListingEvent.ACCEPTED, by=by, problem="",
                             words=f"accepted {len(row.differences)} as the store has it")  # fmt: skip


def publish(deps: Deps, listing_ids: Sequence[uuid.UUID], *, by: str, at: datetime | None = None) -> ListingCounts:
    """Begin to publish staged listings, now or at a time. Others are left out. Raises NotFound, InvalidInput."""

    def begin(tx: Tx, row: ListingRow, now: datetime) -> None:
        if row.state != ListingState.STAGED:
            raise Conflict(f"it is {row.state}, not staged")
        later = at is not None and at > now
        row = listings.change(tx, row, publication=row.publication + 1, job_ids=[], began_by=by[:100], problem="",
                              previous=None, action=ListingAction.PUBLISH,
                              publish_at=at if later else None)  # fmt: skip
        if later:
            assert at is not None
            listings.note(tx, row, "scheduled", by=by, words=f"for {at.isoformat()}")
        else:
            row = listings.move(tx, row, ListingEvent.BEGAN, by=by, words="publish")
        _add(deps, tx, row, ListingAction.PUBLISH, by)

    return _each(deps, listing_ids, begin, at=at)


def delist(deps: Deps, listing_ids: Sequence[uuid.UUID], *, by: str) -> ListingCounts:
    """Begin to take products from their stores. Raises NotFound, InvalidInput."""
    return _each(deps, listing_ids, lambda tx, row, _: _begin(deps, tx, row, ListingAction.DELIST, by))


def rollback(deps: Deps, listing_ids: Sequence[uuid.UUID], *, by: str) -> ListingCounts:
    """Begin to give stores the values back that they had before the newest publication. Raises as `delist`."""

    def begin(tx: Tx, row: ListingRow, _: datetime) -> None:
        if row.previous is None or row.action != ListingAction.PUBLISH:
            raise Conflict("nothing is kept from before its newest publication")
        _begin(deps, tx, row, ListingAction.ROLLBACK, by)

    return _each(deps, listing_ids, begin)


def _begin(deps: Deps, tx: Tx, row: ListingRow, action: ListingAction, by: str) -> None:
    if row.state not in (ListingState.PUBLISHED, ListingState.FAILED):
        raise Conflict(f"it is {row.state}, not published or failed")
    row = listings.move(tx, row, ListingEvent.BEGAN, by=by, words=action, action=action, began_by=by[:100], problem="",
                        publication=row.publication + 1, job_ids=[], publish_at=None)  # fmt: skip
    _add(deps, tx, row, action, by)


def _add(deps: Deps, tx: Tx, row: ListingRow, action: ListingAction, by: str) -> None:
    context = listings.context_of(deps, tx, row, requested_by=by)
    title = tx.scalar(sa.select(ProductRow.title).where(ProductRow.id == row.product_id)) or ""
    add_job(tx, _JOBS[action], context, row, title)


def _each(
    deps: Deps, listing_ids: Sequence[uuid.UUID], begin: Callable[[Tx, ListingRow, datetime], None], *,
    at: datetime | None = None,
) -> ListingCounts:  # fmt: skip
    """Do something with each listing in one transaction; those that refuse it are left out, with the reason."""
    if not 0 < len(listing_ids) <= MOST:
        raise InvalidInput(f"Name 1 to {MOST:,} listings.")
    counts = _Counts()
    with deps.db.transaction() as tx:
        now = tx.now()
        for listing_id in sorted(set(listing_ids)):
            row = listings.get(tx, listing_id, is_locked=True)
            if at is not None and at > now + _FURTHEST:
                raise InvalidInput("at: at most a year from now.")
            try:
                with tx.savepoint():
                    begin(tx, row, now)
                counts.staged += 1
                counts.listing_ids.append(listing_id)
            except FleetError as error:
                counts.skipped += 1
                counts.problems.append(error.plain)
        if not counts.staged:
            raise Conflict(f"Nothing was done: {counts.problems[0]}", fix="Its page shows what it can do.")
    return counts.result()


def previewed(deps: Deps, listing_id: uuid.UUID) -> ListingPreview:
    """Return what publishing a listing would send now. Raises NotFound."""
    with deps.db.transaction() as tx:
        row = listings.get(tx, listing_id)
        return preview(tx, listings.context_of(deps, tx, row), row)
