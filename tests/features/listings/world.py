"""A fleet with two stores at sandbox shops, and its listings, published by hand."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from fleet.engine.attempts import perform
from fleet.engine.sweep import sweep
from fleet.features.listings import listings, service
from fleet.features.listings.models import ListingHistoryRow, ListingRow
from fleet.features.listings.service import ListingOverrides
from tests.features.stores import world as store_world
from tests.features.stores.world import StoreWorld
from tests.shops import ShopWorld, emptied, serving

SHOP, OTHER = "shop", "second"


@dataclass
class ListingWorld:
    """Two stores, `shop` and `second`, each at a sandbox shop of its own."""

    stores: StoreWorld
    shops: dict[str, ShopWorld]
    mug: uuid.UUID

    @property
    def shop(self) -> ShopWorld:
        """The shop of the store `shop`."""
        return self.shops[SHOP]

    def stage(self, *names: str, product_id: uuid.UUID | None = None, **own: Any) -> uuid.UUID:
        """Stage a product; return the listing at the first store."""
        overrides = ListingOverrides(**own) if own else None
        product_id = product_id or self.mug
        service.stage(self.stores.fleet.deps, [product_id], names or (SHOP,), by="tests", overrides=overrides)
        return self.at((names or (SHOP,))[0], product_id).id

    def publish(self, *listing_ids: uuid.UUID, **more: Any) -> None:
        """Begin to publish listings."""
        service.publish(self.stores.fleet.deps, listing_ids, by="tests", **more)

    def published(self, **own: Any) -> uuid.UUID:
        """Stage, publish and verify the mug at the store `shop`."""
        found = self.stage(**own)
        self.publish(found)
        self.finish()
        return found

    def work(self) -> None:
        """Carry out jobs that are due, until none is."""
        self.stores.work()

    def finish(self) -> None:
        """Carry out jobs, and let time pass, until the verification is done."""
        for _ in range(8):
            self.work()
            unknown = self.stores.fleet.jobs(state="unknown")
            for job in unknown:
                perform.perform(self.stores.fleet.deps, job.id)
            if not unknown and not self.stores.fleet.jobs(state="ready"):
                return
            self.later()

    def later(self) -> None:
        """Let a minute pass: what waits is due, and what was written is a minute old."""
        self.stores.fleet.sql("UPDATE jobs SET finished_at = finished_at - interval '61 s', "
                              "created_at = created_at - interval '61 s'")  # fmt: skip
        self.stores.fleet.time_passes()

    def sweep(self) -> None:
        """Carry out one sweep."""
        sweep(self.stores.fleet.deps)

    def perform(self, kind: str) -> None:
        """Carry out the one ready job of a kind."""
        (job,) = self.stores.fleet.jobs(kind=kind, state="ready")
        perform.perform(self.stores.fleet.deps, job.id)

    def at(self, name: str, product_id: uuid.UUID | None = None) -> ListingRow:
        """Return the listing of a product, the mug, at a store."""
        account_id = self.stores.fleet.accounts[name]
        with self.stores.fleet.deps.db.transaction() as tx:
            own = (ListingRow.account_id == account_id, ListingRow.product_id == (product_id or self.mug))
            return tx.session.scalars(sa.select(ListingRow).where(*own)).one()

    def get(self, listing_id: uuid.UUID) -> ListingRow:
        """Return a listing."""
        with self.stores.fleet.deps.db.transaction() as tx:
            return listings.get(tx, listing_id)

    def history(self, listing_id: uuid.UUID) -> list[ListingHistoryRow]:
        """Return what happened to a listing, oldest first."""
        with self.stores.fleet.deps.db.transaction() as tx:
            return list(reversed(listings.history(tx, listing_id)))

    def there(self, name: str = SHOP) -> dict[str, dict[str, Any]]:
        """Return what a shop has, by title."""
        return {one["title"]: one for one in self.shops[name].products().values()}


@contextmanager
def world(database_url: str, first: ShopWorld) -> Iterator[ListingWorld]:
    """Make the fleet, its stores, and a product."""
    with store_world.world(database_url, first) as stores:
        mug = stores.create("mug", on_hand=7, price=1200)
        yield ListingWorld(stores, {SHOP: first}, mug)


@contextmanager
def second_shop(made: ListingWorld, database_url: str) -> Iterator[ShopWorld]:
    """Add the store `second` at a shop of its own."""
    with serving(database_url) as server:
        other = emptied(server)
        made.shops[OTHER] = other
        made.stores.connect(other.adapter(), OTHER)
        made.stores.fleet.account(OTHER, adapter="sandbox_shop", credentials=other.credentials)
        made.stores.add(OTHER)
        try:
            yield other
        finally:
            other.close()
