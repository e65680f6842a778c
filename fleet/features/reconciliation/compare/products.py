"""Compare a page of products of a store with the catalogue, field by field, and with what other stores have."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from fleet.accounts.models import AccountRow
from fleet.adapters.shops import ShopProduct, ShopVariant, StockLevel
from fleet.core.db import Tx
from fleet.features.products import service as catalogue
from fleet.features.products import stock
from fleet.features.products.models import MovementRow, ProductRow, VariantRow
from fleet.features.reconciliation import rules
from fleet.features.reconciliation.compare.findings import FoundDiscrepancy, Thing
from fleet.features.reconciliation.confidence import confidence
from fleet.features.reconciliation.rules import (
    Context,
    Discrepancy,
    DiscrepancyType,
    FixPolicy,
    Moved,
    NoDifference,
    Remedy,
    Sides,
)
from fleet.features.stores import values
from fleet.features.stores.models import ExternalRefRow, FieldStateRow
from fleet.features.stores.state import pins, refs
from fleet.features.stores.state.context import StoreContext
from fleet.features.stores.sync.levels import places_of
from fleet.features.stores.writes import sold_out


@dataclass(slots=True)
class ComparedPage:
    """What a page showed. `waiting` counts differences that the next comparison looks at again."""

    found: list[FoundDiscrepancy] = field(default_factory=list)
    compared: set[Thing] = field(default_factory=set)
    unknown: list[ShopProduct] = field(default_factory=list)
    """Products that Fleet does not know: what they are is known at the end of the sweep."""
    known: list[str] = field(default_factory=list)
    waiting: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopReading:
    """A page as it was read, when the reading began, and the stock of its variants by id of the store."""

    began: datetime
    products: Sequence[ShopProduct]
    stock: Mapping[str, Sequence[StockLevel]]
    settles: timedelta
    """The time in which a sync sees a change."""


def compare_page(tx: Tx, context: StoreContext, policy: FixPolicy, reading: ShopReading) -> ComparedPage:
    """Compare a page in a transaction that locks its products here, so that nothing moves until the fixes are added."""
    page = ComparedPage()
    found = refs.by_external(tx, context.account_id, "product", [one.id for one in reading.products])
    pairs: dict[uuid.UUID, ShopProduct] = {}
    for product in reading.products:
        ref = found.get(product.id)
        if ref is None:
            page.unknown.append(product)
        else:
            page.known.append(product.id)
            if ref.state == "mapped":
                pairs[ref.local_id] = product
    if pairs:
        catalogue.lock(tx, list(pairs))
        _Comparison(tx, context, policy, reading, page=page, pairs=pairs).run()
    return page


class _Comparison:
    def __init__(
        self, tx: Tx, context: StoreContext, policy: FixPolicy, reading: ShopReading, *, page: ComparedPage,
        pairs: Mapping[uuid.UUID, ShopProduct],
    ) -> None:  # fmt: skip
        self.tx, self.context, self.policy, self.reading, self.page, self.pairs = (
            tx, context, policy, reading, page, pairs)  # fmt: skip
        self.products = {one.id: one for one in catalogue.products(tx, list(pairs))}
        self.variants = catalogue.variants_of(tx, list(pairs))
        own = [one.id for several in self.variants.values() for one in several]
        self.states = refs.states_of(tx, context.account_id, [*pairs, *own])
        self.pending = refs.open_writes(tx, context.agent_id)
        self.refs = refs.by_local(tx, context.account_id, "variant", own)
        self.levels = stock.levels(tx, own)
        self.moves = _moves(tx, own)
        self.peers = _peers(tx, context.account_id, [*pairs, *own])
        self.pinned = pins.pinned(tx, context.account_id, [*pairs, *own])
        self.without_units = frozenset() if context.traits.zero_stock else sold_out.without_units(
            tx, context.account_id)  # fmt: skip
        self.now = tx.now()

    def run(self) -> None:
        for product_id, shown in self.pairs.items():
            row = self.products[product_id]
            here = values.product_values(catalogue.product_values(row, ()), self.context.traits)
            for name, remote in values.product_values(shown, self.context.traits).items():
                self._field(row, None, name, local=here[name], remote=remote, remote_at=shown.updated_at,
                            external_id=shown.id)  # fmt: skip
            self._variants(row, shown)

    def _variants(self, row: ProductRow, shown: ShopProduct) -> None:
        there = {one.id: one for one in shown.variants}
        mapped: set[str] = set()
        for one in self.variants[row.id]:
            ref = self.refs.get(one.id)
            if ref is None or ref.state != "mapped" or ref.external_id is None:
                continue
            mapped.add(ref.external_id)
            place = ("variant", str(one.id), "")
            self.page.compared.add(place)
            if ref.external_id not in there:
                self._gone_variant(row, one, ref)
                continue
            variant = there[ref.external_id]
            here = values.variant_values(catalogue.variant_values(one), self.context.traits)
            for name, remote in values.variant_values(variant, self.context.traits).items():
                can_push = name in values.PUSHABLE_OF_VARIANTS
                self._field(row, one, name, local=here[name], remote=remote, remote_at=variant.updated_at,
                            external_id=ref.external_id, can_push=can_push)  # fmt: skip
            self._stock(row, one, variant)
        known = refs.by_external(self.tx, self.context.account_id, "variant", set(there) - mapped)
        for variant_id, variant in there.items():
            if variant_id in mapped:
                continue
            self.page.compared.add(("variant", variant_id, ""))
            if variant_id not in known:
                self._new_variant(row, variant)

    def _field(
        self, row: ProductRow, variant: VariantRow | None, name: str, *, local: Any, remote: Any,
        remote_at: datetime | None, external_id: str, can_push: bool = True,
    ) -> None:  # fmt: skip
        thing = row if variant is None else variant
        if (thing.id, name) in self.pinned:
            return  # the store has a value of its own
        origin = thing.origins.get(name.removeprefix(values.VARIANT))
        local_at = datetime.fromisoformat(origin["at"]) if origin else None
        if name == values.PRICE and local is not None and local["currency"] != self.context.currency:
            self._peer_price(row, variant, local, remote, external_id)
            return
        state = self.states.get((thing.id, name))
        sides = Sides(
            field=name, local=local, remote=remote, base=None if state is None else state.here,
            base_there=None if state is None else state.there, local_at=local_at, remote_at=remote_at,
            has_open_write=(thing.id, name) in self.pending, is_newer=self._is_newer(state, local_at),
            can_push=can_push,
        )  # fmt: skip
        self._compare(row, variant, sides, external_id)

    def _is_newer(self, state: refs.FieldState | None, *times: datetime | None) -> bool:
        """Say whether something happened since the store was read: a change here, or a later reading or write."""
        seen = (*times, None if state is None else state.remote_at)
        return any(one is not None and one > self.reading.began for one in seen)

    def _stock(self, row: ProductRow, variant: VariantRow, shown: ShopVariant) -> None:
        context = self.context
        levels = {one.location_id: one.on_hand for one in self.reading.stock.get(shown.id, ())}
        own = f"order:{context.account_id}:"
        for place in places_of(context):
            if place.there not in levels:
                continue
            state = self.states.get((variant.id, place.field))
            level = self.levels.get((variant.id, place.here), stock.Stock(0))
            others = sum(units for ref, units in level.reserved.items() if not ref.startswith(own))
            moves = [one for one in self.moves.get((variant.id, place.here), ())
                     if state is not None and state.base_at is not None and one.at > state.base_at]  # fmt: skip
            orders = sum(one.delta for one in moves if one.account_id == context.account_id and one.external_event)
            base = state.here if state is not None and isinstance(state.here, int) else None
            remote = 0 if self.pairs[row.id].id in self.without_units else levels[place.there]
            sides = Sides(
                field=place.field, remote=remote, has_open_write=(variant.id, place.field) in self.pending,
                local=rules.units_here(level.on_hand, others=others, buffer=context.settings.store_buffer,
                                       direction=context.direction),
                base=None if base is None else base + orders,
                base_there=base if base == remote else None,
                is_newer=self._is_newer(state, *(one.at for one in moves)),
                is_busy=bool(orders) or any(ref.startswith(own) for ref in level.reserved),
                local_at=max((one.at for one in moves if one.account_id != context.account_id), default=None),
                remote_at=shown.updated_at if context.traits.stock_moves_updated_at else None,
            )  # fmt: skip
            self._compare(row, variant, sides, shown.id)

    def _compare(self, row: ProductRow, variant: VariantRow | None, sides: Sides, external_id: str) -> None:
        thing, key = ("product", row.id) if variant is None else ("variant", variant.id)
        result = rules.compare(sides, self.policy)
        if result is NoDifference.COMPARE_AGAIN:
            self.page.waiting += 1
            return
        self.page.compared.add((thing, str(key), sides.field))
        if not isinstance(result, Discrepancy):
            return
        peers = self.peers.get((key, sides.field), {})
        why = rules.context_of(sides, result.moved, now=self.now, settles=self.reading.settles, peers=peers)
        self.page.found.append(FoundDiscrepancy(
            thing=thing, key=str(key), field=sides.field, type=result.type, severity=result.severity,
            moved=result.moved, context=why, confidence=confidence(result.type, result.moved, why),
            action=result.action, local=sides.local, remote=sides.remote,
            base=refs.base_of(sides.base, sides.base_there), about=_about(row, variant), product_id=row.id,
            external_id=external_id, peers=peers, versions=self._versions(row),
        ))  # fmt: skip

    def _versions(self, row: ProductRow) -> dict[str, Any]:
        return {"product": row.version, "read_at": self.reading.began.isoformat()}

    def _peer_price(
        self, row: ProductRow, variant: VariantRow | None, local: Any, remote: Any, external_id: str
    ) -> None:  # fmt: skip
        """Compare a price that the catalogue has in another currency with that of other stores in the same one."""
        assert variant is not None
        self.page.compared.add(("variant", str(variant.id), values.PRICE))
        peers = {name: value for name, value in self.peers.get((variant.id, values.PRICE), {}).items()
                 if remote is not None and value["currency"] == remote["currency"]}  # fmt: skip
        if any(not rules.same(values.PRICE, one, remote) for one in peers.values()):
            kind = DiscrepancyType.PRICE_DRIFT
            self.page.found.append(FoundDiscrepancy(
                thing="variant", key=str(variant.id), field=values.PRICE, type=kind, severity=rules.severity_of(kind),
                moved=Moved.UNKNOWN, context=Context.QUIET, confidence=confidence(kind, Moved.UNKNOWN, Context.QUIET),
                action=Remedy.NONE, local=local, remote=remote, about=_about(row, variant), product_id=row.id,
                external_id=external_id, peers=peers, versions=self._versions(row),
            ))  # fmt: skip

    def _gone_variant(self, row: ProductRow, variant: VariantRow, ref: ExternalRefRow) -> None:
        kind = DiscrepancyType.MISSING_REMOTE
        self.page.found.append(FoundDiscrepancy(
            thing="variant", key=str(variant.id), type=kind, severity=rules.severity_of(kind), moved=Moved.REMOTE,
            context=Context.QUIET, confidence=confidence(kind, Moved.REMOTE, Context.QUIET), action=Remedy.NONE,
            local=variant.sku, about=_about(row, variant), product_id=row.id, external_id=ref.external_id or "",
            versions=self._versions(row),
        ))  # fmt: skip

    def _new_variant(self, row: ProductRow, shown: ShopVariant) -> None:
        kind = DiscrepancyType.MISSING_LOCAL
        why = Context.RECENT if _is_recent(shown.updated_at, self.now, self.reading.settles) else Context.QUIET
        self.page.found.append(FoundDiscrepancy(
            thing="variant", key=shown.id, type=kind, severity=rules.severity_of(kind), moved=Moved.REMOTE,
            context=why, confidence=confidence(kind, Moved.REMOTE, why), action=Remedy.IMPORT,
            remote=values.cut(shown.sku, 100), about=f"{row.title} ({shown.sku})"[:300], product_id=row.id,
            external_id=shown.id, versions={**self._versions(row), "parent": self._external_of(row.id)},
        ))  # fmt: skip

    def _external_of(self, product_id: uuid.UUID) -> str:
        return self.pairs[product_id].id


def _is_recent(at: datetime | None, now: datetime, settles: timedelta) -> bool:
    return at is not None and now - at < settles


def _about(row: ProductRow, variant: VariantRow | None) -> str:
    return (row.title if variant is None else f"{row.title} ({variant.sku})")[:300]


def _moves(tx: Tx, variant_ids: Sequence[uuid.UUID]) -> dict[tuple[uuid.UUID, uuid.UUID], list[Any]]:
    """Return the movements of variants since their stock was last agreed at any store."""
    row, state = MovementRow, FieldStateRow
    since = sa.select(sa.func.min(state.base_at)).where(state.local_id == row.variant_id).scalar_subquery()
    query = sa.select(row.variant_id, row.location_id, row.delta, row.at, row.account_id, row.external_event)
    found: dict[tuple[uuid.UUID, uuid.UUID], list[Any]] = {}
    for one in tx.execute(query.where(row.variant_id.in_(variant_ids), row.at > since)) if variant_ids else ():
        found.setdefault((one.variant_id, one.location_id), []).append(one)
    return found


def _peers(
    tx: Tx, account_id: uuid.UUID, local_ids: Sequence[uuid.UUID]
) -> dict[tuple[uuid.UUID, str], dict[str, Any]]:  # fmt: skip
    """Return what other stores have in the fields of objects, by the stores' names."""
    state, ref = FieldStateRow, ExternalRefRow
    query = sa.select(state.local_id, state.field, state.remote, AccountRow.name).join(ref, sa.and_(
        ref.account_id == state.account_id, ref.local_id == state.local_id, ref.state == "mapped",
    )).join(AccountRow, AccountRow.id == state.account_id)  # fmt: skip
    query = query.where(state.account_id != account_id, state.local_id.in_(local_ids), state.remote.is_not(None))
    found: dict[tuple[uuid.UUID, str], dict[str, Any]] = {}
    for one in tx.execute(query.order_by(AccountRow.name)):
        found.setdefault((one.local_id, one.field), {})[one.name] = one.remote
    return found
