"""The preview of a listing: exactly what the store's adapter will send, and what it cannot express."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from fleet.adapters import registry as adapters
from fleet.adapters.shops import PRODUCT_FIELDS, Money, ShopProduct, StockLevel
from fleet.core.db import Tx
from fleet.engine.jobs.models import JobRow
from fleet.engine.jobs.states import LIVE, DeadReason
from fleet.features.listings import rules
from fleet.features.listings.models import ListingRow
from fleet.features.listings.settings import ListingsSettings
from fleet.features.products import service as catalogue
from fleet.features.products import stock
from fleet.features.products.models import ProductRow, VariantRow
from fleet.features.stores import rules as store_rules
from fleet.features.stores import values
from fleet.features.stores.models import ExternalRefRow
from fleet.features.stores.queries import words_of
from fleet.features.stores.state import refs
from fleet.features.stores.state.context import StoreContext
from fleet.features.stores.sync import new_variants
from fleet.features.stores.sync.levels import StockPlace, places_of
from fleet.features.stores.writes import sold_out

CREATE, UPDATE = "create", "update"
_NEVER_SENT = (("brand", "brand"), ("attributes", "facts"))


@dataclass(frozen=True, slots=True)
class PreviewField:
    """A field that is sent. `now` is what the store had when it was last read; None: unknown."""

    key: str
    label: str
    value: Any
    now: Any
    is_override: bool
    is_change: bool

    @property
    def words(self) -> str:
        """The value for people."""
        return words_of(self.value)

    @property
    def now_words(self) -> str:
        """The store's value for people."""
        return "" if self.now is None else words_of(self.now)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListingPreview:
    """What publishing a listing does. `problems` keep it from being published; `left_out` is only told."""

    mode: str
    product: ProductRow
    variants: Sequence[VariantRow]
    fields: Sequence[PreviewField]
    left_out: Sequence[str] = ()
    problems: Sequence[str] = ()
    ref: ExternalRefRow | None = None
    variant_refs: Mapping[uuid.UUID, ExternalRefRow] = field(default_factory=dict)
    new_variants: Sequence[VariantRow] = ()
    """Variants that are added to a product that the store has."""
    place: StockPlace | None = None

    @property
    def sent(self) -> dict[str, Any]:
        """The values by their keys."""
        return {one.key: one.value for one in self.fields}

    @property
    def overridden(self) -> list[str]:
        """The keys of the values of this store alone."""
        return [one.key for one in self.fields if one.is_override]

    @property
    def changes(self) -> Sequence[PreviewField]:
        """The fields that the store does not have so, as far as it is known."""
        return [one for one in self.fields if one.is_change]

    def label(self, key: str) -> str:
        """Return the name of a field for people."""
        local_id, name = rules.field_of(key)
        return label_of(name, next((one.sku for one in self.variants if one.id == local_id), ""))


def label_of(name: str, sku: str) -> str:
    """Return the name of a field for people: "title", "price of MUG-1"."""
    plain = "stock" if name.startswith("s:") or name == values.STOCK else name.removeprefix(values.VARIANT)
    return f"{plain} of {sku}" if sku else plain


def is_stock(key: str) -> bool:
    """Say whether a key is that of units."""
    field = key.partition("/")[2]
    return field == values.STOCK or field.startswith("s:")


def preview(tx: Tx, context: StoreContext, row: ListingRow) -> ListingPreview:
    """Return what publishing a listing would send now. Makes no call. Raises NotFound for a product that is gone."""
    product = catalogue.get(tx, row.product_id)
    variants = catalogue.variants_of(tx, [product.id])[product.id]
    ref = refs.by_local(tx, context.account_id, "product", [product.id]).get(product.id)
    is_there = ref is not None and ref.state == "mapped" and ref.external_id is not None
    of_variants = refs.by_local(tx, context.account_id, "variant", [one.id for one in variants])
    mapped = {one: found for one, found in of_variants.items() if found.state == "mapped"} if is_there else {}
    settings = context.deps.settings_of(None, context.account_id, None, context.organisation_id).of(ListingsSettings)
    pending = refs.open_writes(tx, context.agent_id)
    new = new_variants.lacking(context, variants, of_variants, pending) if is_there else []
    known = refs.states_of(tx, context.account_id, [product.id, *mapped]) if is_there else {}
    wanted = _Wanted(row, context, settings, product, variants)
    place = next(iter(places_of(context)), None)
    found: list[PreviewField] = []
    own_status = sold_out.pinned(tx, context.account_id, [product.id])
    for local_id, name, value, is_override in wanted.values({one.id for one in new}, mapped if is_there else None):
        if (local_id, name) in own_status:
            continue  # it is hidden until it has units again
        state = known.get((local_id, name))
        now = None if state is None else state.remote
        if state is not None and now is None and str(state.written_by) in row.job_ids:
            now = row.found.get(rules.key(local_id, name))  # its verification read what the shop made of it
        is_change = not is_there or now is None or not values.same_of(name)(now, value)
        sku = next((one.sku for one in variants if one.id == local_id), "")
        found.append(PreviewField(rules.key(local_id, name), label_of(name, sku), value, now, is_override, is_change))
    if place is not None:
        stocked = list(variants) if not is_there else [
            one for one in variants if one in new or (settings.listing_stock and one.id in mapped)
        ]  # fmt: skip
        levels = _told(tx, context, place, stocked)
        for one, units in levels:
            state = known.get((one.id, place.field))
            now = None if state is None else state.remote
            found.append(PreviewField(rules.key(one.id, place.field), label_of(place.field, one.sku), units, now, False,
                                      now != units))  # fmt: skip
    return ListingPreview(
        mode=UPDATE if is_there else CREATE, product=product, variants=variants, fields=found,
        left_out=_left_out(context, product, variants, {*mapped, *(one.id for one in new)} if is_there else None),
        problems=_problems(
            context, wanted, ref, found, is_there=is_there,
            may_be_there=not is_there and ref is not None and _may_be_there(tx, context, product.id),
        ), ref=ref if is_there else None,
        variant_refs=mapped, place=place, new_variants=new,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Wanted:
    """The values that a store is to get: the catalogue's, or the store's own."""

    row: ListingRow
    context: StoreContext
    settings: ListingsSettings
    product: ProductRow
    variants: Sequence[VariantRow]

    def values(
        self, new: Collection[uuid.UUID], mapped: Collection[uuid.UUID] | None
    ) -> list[tuple[uuid.UUID, str, Any, bool]]:  # fmt: skip
        """Return object, field, value and whether it is an override; of an update only what can be written.

        `new` has the variants that an update adds, with all values.
        """
        own = self.row.overrides
        shown = values.product_values(catalogue.product_values(self.product, ()), self.context.traits)
        found: list[tuple[uuid.UUID, str, Any, bool]] = []
        for name, value in shown.items():
            is_own = name in ("title", "description") and name in own
            found.append((self.product.id, name, own[name] if is_own else value, is_own))
        for one in self.variants:
            is_new = mapped is None or one.id in new
            if mapped is not None and one.id not in mapped and not is_new:
                continue
            for name, value in values.variant_values(catalogue.variant_values(one), self.context.traits).items():
                if not is_new and name not in values.PUSHABLE_OF_VARIANTS:
                    continue
                minor = own.get("prices", {}).get(str(one.id)) if name == values.PRICE else None
                if minor is not None:
                    found.append((one.id, name, values.money_value(Money(int(minor), one.currency)), True))
                elif value is not None and (name != values.VARIANT_TITLE or value):  # shops fill an empty title
                    found.append((one.id, name, value, False))
        return found


def _may_be_there(tx: Tx, context: StoreContext, product_id: uuid.UUID) -> bool:
    """Say whether the newest creation of a product at a store is under way, or ended without anybody knowing how."""
    job = JobRow
    own = (job.agent_id == context.agent_id, job.kind == "create_product", job.target == str(product_id))
    query = sa.select(job.state, job.dead_reason).where(*own).order_by(job.created_at.desc()).limit(1)
    newest = tx.execute(query).one_or_none()
    if newest is None:
        return False
    return newest.state in LIVE or newest.dead_reason == DeadReason.UNKNOWN_OUTCOME


def _told(
    tx: Tx, context: StoreContext, place: StockPlace, variants: Sequence[VariantRow]
) -> list[tuple[VariantRow, int]]:  # fmt: skip
    levels = stock.levels(tx, [one.id for one in variants])
    own = f"order:{context.account_id}:"
    found = []
    for one in variants:
        level = levels.get((one.id, place.here))
        others = 0 if level is None else sum(n for ref, n in level.reserved.items() if not ref.startswith(own))
        units = store_rules.told(0 if level is None else level.on_hand, others=others,
                                 buffer=context.settings.store_buffer)  # fmt: skip
        found.append((one, units))
    return found


def _left_out(
    context: StoreContext, product: ProductRow, variants: Sequence[VariantRow], mapped: Collection[uuid.UUID] | None
) -> list[str]:  # fmt: skip
    fields = context.traits.fields
    found = [f"{name}: {context.adapter} does not store it" for name in PRODUCT_FIELDS
             if name not in fields and getattr(product, name)]  # fmt: skip
    found += [f"{words}: no shop is sent it" for name, words in _NEVER_SENT if getattr(product, name)]
    of_variants = {"title": "title", "options": "options", "barcode": "barcode"}
    for name, words in of_variants.items():
        if any(getattr(one, name) for one in variants):
            if f"{values.VARIANT}{name}" not in fields:
                found.append(f"{words} of variants: {context.adapter} does not store it")
            elif mapped is not None:
                found.append(f"{words} of variants: it is sent with a new one alone")
    if mapped is not None:
        missing = [one.sku or "without SKU" for one in variants if one.id not in mapped]
        if missing:
            found.append(f"variants that the store does not have: {rules.named(missing)}")
    return found


def _problems(
    context: StoreContext, wanted: _Wanted, ref: ExternalRefRow | None, fields: Sequence[PreviewField], *,
    is_there: bool, may_be_there: bool,
) -> list[str]:  # fmt: skip
    variants, settings, traits = wanted.variants, wanted.settings, context.traits
    found = []
    if not is_there:
        if ref is not None and ref.state in ("conflict", "ignored"):
            found.append("matching: a person has to decide which product of the store it is")
        if may_be_there:
            found.append("an earlier creation may have happened: sync the store, which looks for it")
        if any(not one.sku for one in variants):
            found.append("sku: a variant has none, and a lost creation could not be found again")
        if len(variants) > traits.most_variants:
            found.append(f"variants: {len(variants)}, {traits.most_variants} allowed")
        if not traits.zero_stock and not any(one.value for one in fields if is_stock(one.key)):
            found.append("stock: no variant has units, and the store takes no product without any")
        if any(one.price_minor is None for one in variants) and values.PRICE in traits.fields:
            found.append("price: a variant has none")
    other = sorted({one.currency for one in variants if one.price_minor is not None} - {context.currency})
    if other:
        found.append(f"price: the catalogue's is in {', '.join(other)}, the store's in {context.currency}")
    manifest = adapters.get(context.adapter)
    own = {rules.field_of(one.key)[1]: one.value for one in fields
           if rules.field_of(one.key)[0] == wanted.product.id}  # fmt: skip
    found += rules.unheld(own, manifest.texts, manifest.pictures)
    prices = wanted.row.overrides.get("prices", {})
    for one in variants:
        if (minor := prices.get(str(one.id))) is not None:
            why = rules.price_problem(int(minor), catalogue=one.price_minor, floor=one.floor_minor,
                                      percent=settings.listing_price_percent)  # fmt: skip
            found += [f"price of {one.sku}: {why}"] if why else []
    return found


def found_at(
    product: ShopProduct, levels: Sequence[StockLevel], context: StoreContext, *, product_id: uuid.UUID,
    variants: Mapping[str, uuid.UUID], place: StockPlace | None,
) -> dict[str, Any]:  # fmt: skip
    """Return what a store was read to have, by the keys of its fields. `variants`: ids here by those of the store."""
    found = {rules.key(product_id, name): value
             for name, value in values.product_values(product, context.traits).items()}  # fmt: skip
    for one in product.variants:
        if (local_id := variants.get(one.id)) is not None:
            of_variant = values.variant_values(one, context.traits)
            found |= {rules.key(local_id, name): value for name, value in of_variant.items()}
    for level in levels:
        local_id = variants.get(level.variant_id)
        if local_id is not None and place is not None and level.location_id in (place.there, ""):
            found[rules.key(local_id, place.field)] = level.on_hand
    return found
