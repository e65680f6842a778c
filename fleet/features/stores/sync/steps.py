"""The steps of a sync: each call reads one page outside of a transaction, and returns how to store it.

What a page changes, the run's cursor and its counts are stored together: after a kill the next attempt begins with the
page that was not stored.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from fleet.accounts.keys import ring
from fleet.adapters.base import Refused, Vanished
from fleet.adapters.shops import (
    ChangesAdapter,
    OrderingAdapter,
    OrderLine,
    ProductPage,
    ShopAdapter,
    ShopOrder,
    ShopProduct,
    StockLevel,
)
from fleet.core import logs
from fleet.core.db import Tx
from fleet.core.errors import InvalidInput
from fleet.features.orders import points
from fleet.features.orders import service as orders
from fleet.features.stores import rules, service
from fleet.features.stores.rules import Strategy
from fleet.features.stores.state import refs
from fleet.features.stores.state.context import PageReading, StoreContext, SyncCounts
from fleet.features.stores.sync import cursors, levels, pushing, sweeps
from fleet.features.stores.sync.products import apply_products

log = logs.get(__name__)
_FIRST = uuid.UUID(int=0)
_FIRST_SIZE, _MOST_OPEN = 10, 200
"""Objects of the first page of those that are read one by one; later pages follow from the time that it took."""
_OPEN = "open orders"
"""The page of the step "orders" at which open orders are read by their ids, so many in one run at most."""
STEPS: Mapping[Strategy, tuple[str, ...]] = {
    Strategy.FULL: ("named", "products", "stock", "orders", "behind", "levels", "gone", "push"),
    Strategy.INCREMENTAL: ("named", "products", "orders", "behind", "levels", "push"),
    Strategy.SELECTIVE: ("named", "new_orders", "behind", "levels", "push"),
    Strategy.STOCK: ("named", "stock", "orders", "behind", "levels", "push"),
}


@dataclass(frozen=True, slots=True)
class RunPosition:
    """Where a run is: its step, the cursor within it, and what the step remembers, as JSON."""

    step: str
    page: str | None = None
    memory: Mapping[str, Any] = field(default_factory=dict)
    size: int = 0
    """The most objects of the page; 0 for the first page of a step."""


@dataclass(frozen=True, slots=True)
class PageToStore:
    """A page that was read. `store` applies it in a transaction; `page` None: the step is over."""

    store: Callable[[Tx], SyncCounts]
    page: str | None
    memory: Mapping[str, Any] = field(default_factory=dict)
    expected: int | None = None


@dataclass(frozen=True, slots=True)
class Steps:
    """The steps of one run, within one attempt."""

    context: StoreContext
    adapter: ShopAdapter
    strategy: Strategy
    only: Sequence[str]
    started_at: datetime
    added_at: datetime
    """When the store was added: orders that left before took no stock that the catalogue knows."""

    @property
    def limit(self) -> int:
        """The most objects of any page."""
        return max(1, min(self.context.traits.page, self.context.settings.store_batch))

    def size(self, at: RunPosition) -> int:
        """Return the most objects of a page: products and stock come many at a time, all others one by one."""
        return min(self.limit, at.size or (self.limit if at.step in ("products", "stock") else _FIRST_SIZE))

    def read(self, at: RunPosition) -> PageToStore:
        """Read the next page of a step. Raises an AdapterError."""
        steps: Mapping[str, Callable[[RunPosition], PageToStore]] = {
            "named": self._named, "products": self._products, "stock": self._stock, "orders": self._orders,
            "levels": self._levels, "gone": self._gone, "push": self._push, "new_orders": self._new_orders,
            "behind": self._behind,
        }  # fmt: skip
        return steps[at.step](at)

    def following(self, step: str) -> str | None:
        """Return the step after one; None after the last."""
        steps = STEPS[self.strategy]
        place = steps.index(step) + 1
        return steps[place] if place < len(steps) else None

    def _products(self, at: RunPosition) -> PageToStore:
        context, db = self.context, self.context.deps.db
        is_full = self.strategy is Strategy.FULL
        memory = dict(at.memory)
        began = context.deps.now()
        if not memory:
            info = self.adapter.shop()
            with db.transaction() as tx:
                before = cursors.value(tx, context.account_id, "products")
            memory = {
                "sweep": began.isoformat() if is_full else None, "mark": info.clock and info.clock.isoformat(),
                "since": None if before is None else before.isoformat(), "high": None,
            }  # fmt: skip
            with db.transaction() as tx:
                service.note_info(tx, context.account_id, info)
        since = rules.stream_since(_time(memory["since"]), context.traits.cursor_overlap_s)
        if is_full or since is None or not isinstance(self.adapter, ChangesAdapter):
            page = self.adapter.products(cursor=at.page, limit=self.size(at))
        else:
            page = self.adapter.changed_products(since=since, cursor=at.page, limit=self.size(at))
        _refuse_endless(at, page.cursor)
        memory["high"] = _latest(memory["high"], [one.updated_at for one in page.items])
        stock_began = context.deps.now()
        stock = () if is_full else self._stock_of([one.id for product in page.items for one in product.variants])

        def store(tx: Tx) -> SyncCounts:
            done = apply_products(tx, context, page.items, PageReading(began, _time(memory["sweep"])))
            done = _sum(done, levels.apply_levels(tx, context, stock, stock_began)) if stock else done
            if page.cursor is None:
                mark = _time(memory["mark"]) or _time(memory["high"]) or _time(memory["since"])
                cursors.move(tx, context.account_id, "products", mark, sweep=_time(memory["sweep"]))
            return done

        return PageToStore(store, page.cursor, memory, _total(page) if is_full else None)

    def _stock_of(self, variant_ids: Sequence[str]) -> Sequence[StockLevel]:
        return self.adapter.stock_of(variant_ids) if variant_ids else ()

    def _stock(self, at: RunPosition) -> PageToStore:
        context, began = self.context, self.context.deps.now()
        memory = dict(at.memory) or {"sweep": began.isoformat()}
        page = self.adapter.stock(cursor=at.page, limit=self.size(at))
        _refuse_endless(at, page.cursor)

        def store(tx: Tx) -> SyncCounts:
            levels.apply_levels(tx, context, page.items, began)
            if page.cursor is None:
                cursors.move(tx, context.account_id, "stock", None, sweep=_time(memory["sweep"]))
            return SyncCounts()

        return PageToStore(store, page.cursor, memory)

    def _orders(self, at: RunPosition) -> PageToStore:
        context, began = self.context, self.context.deps.now()
        if not isinstance(self.adapter, OrderingAdapter):
            return PageToStore(lambda _: SyncCounts(), None)
        if at.page == _OPEN:
            return self._orders_again(at)
        memory = dict(at.memory)
        if not memory:
            with context.deps.db.transaction() as tx:
                before = cursors.value(tx, context.account_id, "orders")
            memory = {"since": None if before is None else before.isoformat(), "high": None}
        since = rules.stream_since(_time(memory["since"]), context.traits.cursor_overlap_s)
        page = self.adapter.orders(since=since, cursor=at.page, limit=self.size(at))
        _refuse_endless(at, page.cursor)
        memory["high"] = _latest(memory["high"], [one.updated_at or one.placed_at for one in page.items])

        def store(tx: Tx) -> SyncCounts:
            done = self._record(tx, page.items, began)
            if page.cursor is None:
                high = _time(memory["high"]) or _time(memory["since"])
                cursors.move(tx, context.account_id, "orders", high)
            return done

        is_over = page.cursor is None and not context.traits.sees_order_states
        return PageToStore(store, _OPEN if is_over else page.cursor, {} if is_over else memory)

    def _orders_again(self, at: RunPosition) -> PageToStore:
        """Read the next open orders by their ids: their shop does not tell which of them were paid or shipped."""
        context, began, number = self.context, self.context.deps.now(), int(at.memory.get("open", 0))
        with context.deps.db.transaction() as tx:
            asked = orders.open_orders(tx, context.account_id, read_before=self.started_at, limit=self.size(at))
        found = self._orders_by_id(asked)

        def store(tx: Tx) -> SyncCounts:
            done = self._record(tx, found, began)
            orders.note_read(tx, context.account_id, asked, began)  # those that are gone, or cannot be stored
            return done

        is_over = len(asked) < self.size(at) or number + len(asked) >= _MOST_OPEN
        return PageToStore(store, None if is_over else _OPEN, {"open": number + len(asked)})

    def _record(self, tx: Tx, found: Sequence[ShopOrder], began: datetime) -> SyncCounts:
        """Record orders; one that cannot be stored is left out and counted."""
        context = self.context
        known = refs.by_external(
            tx, context.account_id, "variant", {line.variant_id for one in found for line in one.lines}
        )  # fmt: skip

        def variant_of(line: OrderLine) -> uuid.UUID | None:
            ref = known.get(line.variant_id)
            return ref.local_id if ref is not None and ref.state == "mapped" else None

        counts, keys = SyncCounts(), ring(context.deps.settings)
        ordered = sorted({one.id: one for one in found}.values(), key=lambda one: one.id)
        orders.lock(tx, context.account_id, ordered, variant_of=variant_of)
        for one in ordered:
            try:
                with tx.savepoint():
                    recorded = orders.record(
                        tx, keys, context.account_id, context.organisation_id, one, now=began, variant_of=variant_of,
                        location_id=context.main,
                        takes_stock=(one.updated_at or one.placed_at) >= self.added_at,
                    )  # fmt: skip
                    points.recorded(context.deps, tx, recorded)
            except InvalidInput as error:
                log.warning("order_not_recorded", store=context.name, order=one.number[:40], reason=str(error))
                counts.failed += 1
            else:
                counts.orders += recorded.is_new or recorded.is_changed
        return counts

    def _levels(self, at: RunPosition) -> PageToStore:
        context = self.context
        places = levels.places_of(context)
        number = int(at.memory.get("place", 0))
        if number >= len(places):
            return PageToStore(lambda _: SyncCounts(), None)
        after = uuid.UUID(at.page) if at.page else _FIRST
        memory: dict[str, Any] = {"place": number}
        found: list[str | None] = [None]

        def store(tx: Tx) -> SyncCounts:
            done, last = levels.merge_levels(tx, context, places[number], after)
            if last is None and number + 1 < len(places):
                memory["place"] = number + 1
                found[0] = str(_FIRST)
            else:
                found[0] = None if last is None else str(last)
            return done

        return _LatePage(store, None, memory, found=found)

    def _gone(self, at: RunPosition) -> PageToStore:
        context, size = self.context, self.size(at)
        with context.deps.db.transaction() as tx:
            sweep = cursors.swept_at(tx, context.account_id, "products")
            missed = [] if not at.page else sweeps.missed_products(tx, context, at.page.removeprefix("after "), size)
            asked = [(str(one.external_id), one.missed) for one in missed]
        if sweep is None:
            return PageToStore(lambda _: SyncCounts(), None)
        if not at.page:
            found: list[str | None] = [None]

            def judge(tx: Tx) -> SyncCounts:
                found[0] = "after " if sweeps.judge_sweep(tx, context, sweep) else None
                return SyncCounts()

            return _LatePage(judge, None, found=found)
        began = context.deps.now()
        products, vanished = self._by_id([external_id for external_id, _ in asked])
        gone = [
            external_id for external_id, times in asked
            if rules.is_gone(missed=times, known=1, missing=0, is_vanished=external_id in vanished) is rules.Gone.GONE
        ]  # fmt: skip

        def store(tx: Tx) -> SyncCounts:
            sweeps.seen_again(tx, context, [one.id for one in products])
            done = apply_products(tx, context, products, PageReading(began)) if products else SyncCounts()
            return _sum(done, sweeps.end_products(tx, context, gone))

        return PageToStore(store, f"after {asked[-1][0]}" if len(asked) == size else None)

    def _named(self, at: RunPosition) -> PageToStore:
        """Read what webhooks, finished writes or people named, by its id."""
        context, start = self.context, int(at.page or 0)
        # A full sync reads all products and stock anyhow.
        only = [one for one in self.only if self.strategy is not Strategy.FULL or one.startswith(("sku:", "order:"))]
        named = [one.partition(":") for one in only[start : start + self.size(at)]]
        if not named:
            return PageToStore(lambda _: SyncCounts(), None)
        began = context.deps.now()
        ids = list(dict.fromkeys(key for kind, _, key in named if kind == "product"))
        variants = list(dict.fromkeys(key for kind, _, key in named if kind == "variant"))
        with context.deps.db.transaction() as tx:
            known = refs.by_external(tx, context.account_id, "variant", variants)
        products, vanished = self._by_id(ids)
        unresolved: dict[str, int] = {}
        for sku in (key for kind, _, key in named if kind == "sku"):
            hits = self.adapter.find_products(sku=sku)
            products += hits
            unresolved[sku] = len(hits)
        stock_began = context.deps.now()
        asked = [*(one for one in variants if one in known), *(one.id for product in products
                                                               for one in product.variants)]  # fmt: skip
        stock = self._stock_of(list(dict.fromkeys(asked)))
        orders_began = context.deps.now()
        found = self._orders_by_id([key for kind, _, key in named if kind == "order"])

        def store(tx: Tx) -> SyncCounts:
            done = apply_products(tx, context, products, PageReading(began)) if products else SyncCounts()
            sweeps.note_vanished(tx, context, vanished)
            pushing.resolve_creations(tx, context, unresolved)
            levels.apply_levels(tx, context, stock, stock_began)
            return _sum(done, self._record(tx, found, orders_began) if found else SyncCounts())

        following = start + len(named)
        return PageToStore(store, str(following) if following < len(only) else None)

    def _by_id(self, product_ids: Sequence[str]) -> tuple[list[ShopProduct], list[str]]:
        """Return the products that are there, and the ids of those that are not."""
        found, vanished = [], []
        for one in product_ids:
            try:
                found.append(self.adapter.product(one))
            except Vanished:
                vanished.append(one)
        return found, vanished

    def _new_orders(self, at: RunPosition) -> PageToStore:
        """Read new orders if numbers of the shop changed: it may tell of the stock before it tells of the order."""
        if not at.memory and not self._unexplained():
            return PageToStore(lambda _: SyncCounts(), None)
        return self._orders(at)

    def _behind(self, at: RunPosition) -> PageToStore:
        """Read the open orders of variants whose number changed: units that left with them are no edit in the shop."""
        context, began = self.context, self.context.deps.now()
        if at.page:
            ids = [str(one) for one in at.memory["ids"]]
        else:
            changed = self._unexplained()
            with context.deps.db.transaction() as tx:
                ids = orders.open_with(tx, context.account_id, changed)
        if not ids:
            return PageToStore(lambda _: SyncCounts(), None)
        found, rest = self._orders_by_id(ids[: self.size(at)]), ids[self.size(at) :]
        return PageToStore(lambda tx: self._record(tx, found, began), str(len(rest)) if rest else None, {"ids": rest})

    def _unexplained(self) -> list[uuid.UUID]:
        context = self.context
        if not isinstance(self.adapter, OrderingAdapter):
            return []
        with context.deps.db.transaction() as tx:
            return [one for place in levels.places_of(context) for one in levels.unexplained(tx, context, place)]

    def _orders_by_id(self, order_ids: Sequence[str]) -> list[ShopOrder]:
        found = []
        if isinstance(self.adapter, OrderingAdapter):
            for one in dict.fromkeys(order_ids):
                try:
                    found.append(self.adapter.order(one))
                except Vanished:
                    continue
        return found

    def _push(self, at: RunPosition) -> PageToStore:
        context = self.context
        if not context.direction.pushes:
            return PageToStore(lambda _: SyncCounts(), None)
        found: list[str | None] = [None]
        after = uuid.UUID(at.page) if at.page else _FIRST

        def store(tx: Tx) -> SyncCounts:
            done, last = pushing.push_changes(tx, context, after)
            if last is None:
                done = _sum(done, pushing.create_missing(tx, context))
            found[0] = None if last is None else str(last)
            return done

        return _LatePage(store, None, found=found)


@dataclass(frozen=True, slots=True)
class _LatePage(PageToStore):
    """A page whose cursor is known once it is stored."""

    found: list[str | None] = field(default_factory=list)


def page_after(stored: PageToStore) -> str | None:
    """Return the cursor of the page after one that was stored; None: the step is over."""
    return stored.found[0] if isinstance(stored, _LatePage) else stored.page


def _sum(one: SyncCounts, other: SyncCounts) -> SyncCounts:
    return SyncCounts(**other.plus(one.to_data()))


def _time(written: str | None) -> datetime | None:
    return datetime.fromisoformat(written) if written else None


def _latest(before: str | None, times: Sequence[datetime | None]) -> str | None:
    found = [one for one in times if one is not None]
    if before is not None:
        found.append(datetime.fromisoformat(before))
    return max(found).isoformat() if found else None


def _total(page: ProductPage) -> int | None:
    return page.total


def _refuse_endless(at: RunPosition, following: str | None) -> None:
    """Raise Refused for a shop whose next page is the same one."""
    if following is not None and following == at.page:
        raise Refused(f"the shop's pages do not end: {following[:60]!r} leads to itself")
