"""Store a page of products of a store: match, create, merge field by field, and plan what is written back.

Everything of a page happens in one transaction, with few statements however many products it has.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from fleet.adapters.base import LONGEST_ID
from fleet.adapters.shops import ProductStatus, ShopProduct, ShopVariant
from fleet.core.db import Tx
from fleet.core.errors import Conflict, InvalidInput
from fleet.core.text import storable
from fleet.features.products import service as catalogue
from fleet.features.products.models import ProductRow, VariantRow
from fleet.features.products.service import NewProduct, NewVariant
from fleet.features.stores import rules, values
from fleet.features.stores.models import ExternalRefRow
from fleet.features.stores.rules import FieldSides, MatchKind, Merge, ProductMatch
from fleet.features.stores.state import pins, refs
from fleet.features.stores.state.context import PageReading, StoreContext, SyncCounts
from fleet.features.stores.state.refs import FieldState
from fleet.features.stores.sync import conflicts, new_variants
from fleet.features.stores.sync.conflicts import FieldConflict, MatchConflict
from fleet.features.stores.writes import sold_out
from fleet.features.stores.writes.plan import WritePlan

_OUT_OF_STEP = -1


@dataclass(slots=True)
class _Page:
    """What a page changes, gathered before it is written."""

    context: StoreContext
    reading: PageReading
    counts: SyncCounts = field(default_factory=SyncCounts)
    plan: WritePlan = field(default_factory=WritePlan)
    products: dict[uuid.UUID, dict[str, Any]] = field(default_factory=dict)
    variants: dict[uuid.UUID, dict[str, Any]] = field(default_factory=dict)
    refs: list[dict[str, Any]] = field(default_factory=list)
    states: list[dict[str, Any]] = field(default_factory=list)
    conflicts: list[FieldConflict] = field(default_factory=list)
    matches: list[MatchConflict] = field(default_factory=list)
    settled: set[tuple[uuid.UUID, str]] = field(default_factory=set)
    matched: set[str] = field(default_factory=set)
    in_step: dict[uuid.UUID, bool] = field(default_factory=dict)
    missing: list[uuid.UUID] = field(default_factory=list)
    """Variants that their product has no more in a complete sweep."""

    def state(self, local_id: uuid.UUID, name: str, base: Any, there: Any, remote: Any) -> None:
        self.states.append({"local_id": local_id, "field": name, "base": refs.base_of(base, there), "remote": remote,
                            "remote_at": self.reading.began})  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class _Field:
    """A field of a product or a variant, as both sides have it now."""

    product_id: uuid.UUID
    local_id: uuid.UUID
    name: str
    local: Any
    remote: Any
    origins: Mapping[str, Any]
    remote_at: datetime | None
    about: str
    can_push: bool = True


@dataclass(frozen=True, slots=True)
class _Local:
    """A product of the catalogue with its variants, locked."""

    product: ProductRow
    variants: Sequence[VariantRow]


def apply_products(tx: Tx, context: StoreContext, items: Sequence[ShopProduct], reading: PageReading) -> SyncCounts:
    """Bring a page of products and the catalogue in step; return what was done."""
    page = _Page(context, reading)
    products = {one.id: one for one in items if _fits(one)}
    page.counts.read = len(products)
    page.counts.failed = len({one.id for one in items}) - len(products)
    found, known_variants = _matches(tx, context, products)
    merging: dict[uuid.UUID, ShopProduct] = {}
    creating: list[ShopProduct] = []
    own = {uuid.UUID(match.local_id) for match, ref in found.values() if ref is None and match.local_id}
    half_made = refs.being_created(tx, context.agent_id, own)
    for product in products.values():
        match, ref = found[product.id]
        if ref is not None and ref.state == "ignored":
            page.counts.unchanged += 1
        elif ref is None and match.local_id and uuid.UUID(match.local_id) in half_made:
            page.counts.unchanged += 1  # its job maps it, or has it looked for when it ends without a result
        elif problem := values.problem_of(product):
            page.counts.failed += 1
            page.matches.append(MatchConflict("match", product.id, _title(product), [], problem))
        elif match.kind in (MatchKind.MAPPED, MatchKind.FOUND):
            local_id = uuid.UUID(match.local_id)
            if local_id in merging:  # two objects of the store are the same product here
                page.matches.append(MatchConflict("sku", product.id, _title(product), [str(local_id)]))
            else:
                merging[local_id] = product
        elif match.kind is MatchKind.NEW:
            creating.append(product)
        else:
            kind = "match" if match.kind is MatchKind.AMBIGUOUS else "sku"
            page.matches.append(MatchConflict(kind, product.id, _title(product), list(match.candidates)))
    if creating and context.direction.pulls:
        _create(tx, page, creating)
    else:
        page.counts.unchanged += len(creating)
    if merging:
        _merge(tx, page, merging, known_variants)
    _write(tx, page)
    _mark_seen(tx, context, list(products.values()), reading)
    return page.counts


def _mark_seen(tx: Tx, context: StoreContext, products: Sequence[ShopProduct], reading: PageReading) -> None:
    if not context.traits.zero_stock:
        shown = [one.id for one in products if one.status is ProductStatus.ACTIVE]
        sold_out.seen_shown(tx, context.account_id, shown, reading.began)
    if reading.sweep is not None:
        refs.mark_seen(tx, context.account_id, "product", [one.id for one in products], reading.sweep)


def _fits(product: ShopProduct) -> bool:
    ids = (product.id, *(one.id for one in product.variants))
    return all(0 < len(one) <= LONGEST_ID and storable(one) == one for one in ids)


def _title(product: ShopProduct) -> str:
    skus = ", ".join(one.sku for one in product.variants[:3] if one.sku)
    return values.cut(f"{product.title} ({skus})" if skus else product.title, 300)


def _matches(
    tx: Tx, context: StoreContext, products: Mapping[str, ShopProduct]
) -> tuple[dict[str, tuple[ProductMatch, ExternalRefRow | None]], dict[str, ExternalRefRow]]:
    """Return how each product was found, with its identity if it has one; and the identities of variants."""
    known = refs.by_external(tx, context.account_id, "product", list(products))
    variants = refs.by_external(
        tx, context.account_id, "variant", [one.id for product in products.values() for one in product.variants]
    )  # fmt: skip
    unknown = [one for one in products.values() if one.id not in known]
    skus = {one.sku for product in unknown for one in product.variants if one.sku}
    by_sku: dict[str, list[str]] = defaultdict(list)
    row = VariantRow
    if skus:
        query = sa.select(row.sku, row.product_id).where(
            row.organisation_id == context.organisation_id, row.sku.in_(skus), row.removed_at.is_(None)
        )
        for sku, product_id in tx.execute(query):
            by_sku[sku].append(str(product_id))
    by_key = _pending(tx, context, {one.key for one in unknown if one.key})
    candidates = {uuid.UUID(one) for found in (*by_sku.values(), *by_key.values()) for one in found}
    taken = {
        str(local_id) for local_id, ref in refs.by_local(tx, context.account_id, "product", candidates).items()
        if ref.external_id is not None and ref.state in ("mapped", "ignored")
    }  # fmt: skip
    found: dict[str, tuple[ProductMatch, ExternalRefRow | None]] = {}
    for product in products.values():
        ref = known.get(product.id)
        match = rules.match(
            mapped=None if ref is None else str(ref.local_id), skus=[one.sku for one in product.variants],
            by_sku=by_sku, by_key=by_key.get(product.key, ()), taken=taken,
        )  # fmt: skip
        found[product.id] = match, ref
    return found, variants


def _pending(tx: Tx, context: StoreContext, keys: Collection[str]) -> dict[str, list[str]]:
    """Return the products whose creation at the store is not confirmed, by the key that was sent."""
    if not keys:
        return {}
    row = ExternalRefRow
    which = (row.account_id == context.account_id, row.kind == "product", row.key.in_(keys), row.state == "pending")
    found: dict[str, list[str]] = defaultdict(list)
    for key, local_id in tx.execute(sa.select(row.key, row.local_id).where(*which)):
        found[key].append(str(local_id))
    return found


def _create(tx: Tx, page: _Page, creating: Sequence[ShopProduct]) -> None:
    """Create products in the catalogue; one that it refuses fails alone."""
    context, seen = page.context, set[str]()
    fresh = []
    for product in creating:
        skus = [one.sku for one in product.variants if one.sku]
        twice = values.duplicates(skus) | (seen & set(skus))
        if twice:
            page.matches.append(
                MatchConflict("sku", product.id, _title(product), [], f"SKU {min(twice)} is not unique")
            )
        else:
            seen |= set(skus)
            fresh.append(product)
    new = [_new(product, context) for product in fresh]
    made: list[uuid.UUID | None]
    try:
        with tx.savepoint():
            made = list(catalogue.create_many(tx, context.organisation_id, new, origin=context.origin,
                                              is_audited=False)) if new else []  # fmt: skip
    except (Conflict, InvalidInput):
        made = [_create_one(tx, page, product, one) for product, one in zip(fresh, new, strict=True)]
    created = {one: product for one, product in zip(made, fresh, strict=True) if one is not None}
    rows = catalogue.variants_of(tx, list(created))
    for product_id, product in created.items():
        page.counts.created += 1
        page.in_step[product_id] = True
        _save_identity(page, product_id, product)
        for name, value in values.product_values(product, context.traits).items():
            page.state(product_id, name, value, None, value)
        for variant, row in zip(product.variants, rows[product_id], strict=True):
            _adopt_variant(page, product, variant, row.id)


def _create_one(tx: Tx, page: _Page, product: ShopProduct, new: NewProduct) -> uuid.UUID | None:
    try:
        with tx.savepoint():
            return catalogue.create_many(tx, page.context.organisation_id, [new], origin=page.context.origin,
                                         is_audited=False)[0]  # fmt: skip
    except (Conflict, InvalidInput) as error:
        page.matches.append(MatchConflict("sku", product.id, _title(product), [], str(error)))
        page.counts.failed += 1
        return None


def _new(product: ShopProduct, context: StoreContext) -> NewProduct:
    shown = values.product_values(product, context.traits)
    return NewProduct(
        **{name: values.typed(name, value) for name, value in shown.items()},
        variants=tuple(_new_variant(one, context) for one in product.variants),
    )  # fmt: skip


def _new_variant(variant: ShopVariant, context: StoreContext) -> NewVariant:
    shown = values.changes_of(values.variant_values(variant, context.traits), of_variant=True)
    currency = context.currency if variant.price is None else variant.price.currency
    return NewVariant(**{"sku": "", **shown, "currency": currency})


def _save_identity(page: _Page, local_id: uuid.UUID, product: ShopProduct) -> None:
    page.refs.append({
        "kind": "product", "local_id": local_id, "external_id": product.id, "key": values.cut(product.key, 300),
        "state": "mapped", "digest": values.content_digest(product, page.context.traits),
        "changed_at": product.updated_at, "seen_at": page.reading.sweep,
        "details": {"url": values.cut(product.url, 2000)} if product.url else {},
    })  # fmt: skip


def _save_variant_identity(page: _Page, product: ShopProduct, variant: ShopVariant, local_id: uuid.UUID) -> None:
    page.refs.append({
        "kind": "variant", "local_id": local_id, "external_id": variant.id, "parent_id": product.id,
        "key": values.cut(variant.sku, 300), "state": "mapped", "changed_at": variant.updated_at,
        "seen_at": page.reading.sweep,
        "details": {"stock_item": variant.stock_item_id} if variant.stock_item_id else {},
    })  # fmt: skip


def _adopt_variant(page: _Page, product: ShopProduct, variant: ShopVariant, local_id: uuid.UUID) -> None:
    """Take a variant that was just created from the store's values."""
    _save_variant_identity(page, product, variant, local_id)
    for name, value in values.variant_values(variant, page.context.traits).items():
        if value is not None:
            page.state(local_id, name, value, None, value)


def _merge(
    tx: Tx, page: _Page, merging: Mapping[uuid.UUID, ShopProduct], known: Mapping[str, ExternalRefRow]
) -> None:  # fmt: skip
    context = page.context
    own = refs.by_local(tx, context.account_id, "product", list(merging))
    versions = {one.id: one.version for one in tx.execute(
        sa.select(ProductRow.id, ProductRow.version).where(ProductRow.id.in_(merging)))}  # fmt: skip
    with_conflicts = conflicts.open_products(tx, context.account_id, list(merging))
    changed: dict[uuid.UUID, ShopProduct] = {}
    for local_id, product in merging.items():
        ref = own.get(local_id)
        is_known = ref is not None and ref.state == "mapped" and ref.external_id == product.id
        if (
            ref is not None and is_known and local_id not in with_conflicts
            and ref.digest == values.content_digest(product, context.traits)
            and ref.details.get("version") == versions.get(local_id)
        ):  # fmt: skip
            page.counts.unchanged += 1
        else:
            changed[local_id] = product
    if not changed:
        return
    catalogue.lock(tx, list(changed))
    rows = {
        one.id: one
        for one in tx.session.scalars(
            sa.select(ProductRow).where(ProductRow.id.in_(changed)), execution_options={"populate_existing": True}
        )
    }
    variants = catalogue.variants_of(tx, list(changed))
    objects = [*changed, *(one.id for found in variants.values() for one in found)]
    states = refs.states_of(tx, context.account_id, objects)
    pending = refs.open_writes(tx, context.agent_id)
    pinned = pins.pinned(tx, context.account_id, objects)
    mapped = refs.variants_of_product(tx, context.account_id, [one.id for one in changed.values()])
    had = refs.by_local(tx, context.account_id, "variant", [one.id for found in variants.values() for one in found])
    created = frozenset(
        local_id
        for local_id, product in changed.items()
        if (ref := own.get(local_id)) is not None and ref.state == "pending" and ref.key == product.key
    )
    merger = _Merger(tx, page, states, pending, known, pinned, frozenset(had), created)
    for local_id, product in changed.items():
        merger.product(_Local(rows[local_id], variants[local_id]), product,
                       [one for one in mapped if one.parent_id == product.id])  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Merger:
    """Merges products of one page."""

    tx: Tx
    page: _Page
    states: Mapping[tuple[uuid.UUID, str], FieldState]
    pending: Collection[tuple[uuid.UUID, str]]
    known: Mapping[str, ExternalRefRow]
    pinned: Collection[tuple[uuid.UUID, str]]
    had: Collection[uuid.UUID]
    """Variants that the store has or had."""
    created: Collection[uuid.UUID]
    """Products whose creation here ended without a result: what they lack at the store is still to be sent."""

    def product(self, local: _Local, product: ShopProduct, mapped: Sequence[ExternalRefRow]) -> None:
        """Merge a product and its variants."""
        page, context = self.page, self.page.context
        row = local.product
        page.in_step[row.id] = True
        page.matched.add(product.id)
        _save_identity(page, row.id, product)
        here = values.product_values(catalogue.product_values(row, ()), context.traits)
        about = _title(product)
        for name, remote in values.product_values(product, context.traits).items():
            merge = self._field(_Field(product_id=row.id, local_id=row.id, name=name, local=here[name], remote=remote,
                                       origins=row.origins, remote_at=product.updated_at, about=about))  # fmt: skip
            if merge is Merge.PULL:
                page.products.setdefault(row.id, {})[name] = remote
            elif merge is Merge.PUSH:
                page.plan.product(row.id, product.id, name, here[name], remote)
        by_id = {one.id: one for one in local.variants}
        by_sku = {one.sku: one for one in local.variants if one.sku}
        taken = {one.local_id for one in mapped}
        mapped_ids = {str(one.external_id): one for one in mapped}  # read later: a creation may have ended meanwhile
        for variant in product.variants:
            ref = mapped_ids.get(variant.id) or self.known.get(variant.id)
            found = by_id.get(ref.local_id) if ref is not None else None
            if found is None and (candidate := by_sku.get(variant.sku)) is not None and candidate.id not in taken:
                found = candidate
            if found is None and len(product.variants) == len(local.variants) == 1 and not taken:
                found = local.variants[0]
            if found is None:
                self._add(row, product, variant)
            else:
                taken.add(found.id)
                self._variant(row, found, product, variant, about)
        if page.context.direction.pushes:
            new = new_variants.lacking(context, local.variants, {*self.had, *taken}, self.pending)
            if new:
                page.plan.new_variants(row.id, product.id, new_variants.data_of(self.tx, context, new))
                page.in_step[row.id] = False
        present = {one.id for one in product.variants}
        for ref in mapped:
            if ref.external_id not in present and page.reading.sweep is not None:
                page.missing.append(ref.local_id)

    def _variant(
        self, row: ProductRow, found: VariantRow, product: ShopProduct, variant: ShopVariant, about: str
    ) -> None:  # fmt: skip
        page, context = self.page, self.page.context
        _save_variant_identity(page, product, variant, found.id)
        here = values.variant_values(catalogue.variant_values(found), context.traits)
        for name, remote in values.variant_values(variant, context.traits).items():
            if name == values.PRICE and remote is not None and remote["currency"] != found.currency:
                continue  # amounts of two currencies are not compared
            merge = self._field(_Field(
                product_id=row.id, local_id=found.id, name=name, local=here[name], remote=remote, origins=found.origins,
                remote_at=variant.updated_at or product.updated_at, about=about,
                can_push=name in values.PUSHABLE_OF_VARIANTS,
            ))  # fmt: skip
            if merge is Merge.PULL:
                page.variants.setdefault(found.id, {})[name] = remote
            elif merge is Merge.PUSH:
                page.plan.variant(found.id, name, here[name], remote)

    def _field(self, one: _Field) -> Merge:
        """Merge one field, and store its state; the caller applies a pull or a push."""
        page, product_id, local_id, name = self.page, one.product_id, one.local_id, one.name
        local, remote = one.local, one.remote
        state = self.states.get((local_id, name))
        if state is not None and state.remote_at > page.reading.began:
            page.in_step[product_id] = False  # a job of ours wrote it after the page was read
            return Merge.KEEP
        base, there = (None, None) if state is None else (state.here, state.there)
        if state is None and product_id in self.created:
            base = there = remote
        if state is not None and state.written_by is not None and state.there is None and state.remote is None:
            there = remote  # the first reading after our write: the store's form of what we wrote
        if (local_id, name) in self.pinned:
            page.state(local_id, name, base, there, remote)
            return Merge.KEEP
        rule = page.context.settings.rule_of(name)
        sides = FieldSides(
            base=base, base_remote=there, local=_known(local) if base is None else local, remote=remote,
            local_at=_origin_at(one.origins, name), remote_at=one.remote_at, can_push=one.can_push,
            is_pending=(local_id, name) in self.pending,
        )  # fmt: skip
        merge = rules.merge_field(sides, rule, page.context.direction, values.same_of(name))
        if merge is Merge.AGREE or merge is Merge.PULL:
            page.state(local_id, name, remote, None, remote)
        elif remote is not None:
            page.state(local_id, name, base, there, remote)
        if merge is Merge.CONFLICT:
            page.conflicts.append(FieldConflict(local_id, name, one.about, base, local, remote))
        elif not sides.is_pending:
            page.settled.add((local_id, name))
        is_apart = merge is Merge.KEEP and remote is not None and _differs(sides, values.same_of(name))
        if is_apart or merge in (Merge.PUSH, Merge.CONFLICT):
            page.in_step[product_id] = False
        return merge

    def _add(self, row: ProductRow, product: ShopProduct, variant: ShopVariant) -> None:
        page = self.page
        if not page.context.direction.pulls:
            page.in_step[row.id] = False
            return
        try:
            with self.tx.savepoint():
                made = catalogue.add_variant(self.tx, row.id, _new_variant(variant, page.context),
                                             origin=page.context.origin)  # fmt: skip
        except (Conflict, InvalidInput) as error:
            page.matches.append(MatchConflict("sku", product.id, _title(product), [], str(error)))
            page.counts.failed += 1
            page.in_step[row.id] = False
            return
        _adopt_variant(page, product, variant, made.id)


def _differs(sides: FieldSides, same: Callable[[Any, Any], bool]) -> bool:
    """Return whether the sides are apart, and not just two forms of one value."""
    if sides.base_remote is not None and sides.base is not None:
        is_agreed = same(sides.local, sides.base) and same(sides.remote, sides.base_remote)
        return not is_agreed and not same(sides.local, sides.remote)
    return not same(sides.local, sides.remote)


def _known(value: Any) -> Any:
    """Return a value of the catalogue; None for an empty one that a store may fill without a conflict."""
    return None if value in ("", {}) else value


def _origin_at(origins: Mapping[str, Any], name: str) -> datetime | None:
    found = origins.get(name.removeprefix(values.VARIANT))
    return datetime.fromisoformat(found["at"]) if found else None


def _write(tx: Tx, page: _Page) -> None:
    context = page.context
    updated = _change(tx, page)
    page.counts.updated += len(updated)
    _note_versions(tx, page)
    refs.save_refs(tx, context.account_id, page.refs)
    refs.save_states(tx, context.account_id, page.states)
    refs.miss_variants(tx, context.account_id, page.missing)
    conflicts.settle(tx, context.account_id, page.settled)
    conflicts.settle_matches(tx, context.account_id, page.matched - {one.external_id for one in page.matches})
    page.counts.conflicts += conflicts.open_fields(tx, context, page.conflicts)
    page.counts.conflicts += conflicts.open_matches(tx, context, page.matches)
    page.counts.sent += page.plan.add(tx, context)


def _change(tx: Tx, page: _Page) -> set[uuid.UUID]:
    """Apply pulls to the catalogue; return the products that changed. A refused value leaves its object as it was."""
    origin = page.context.origin
    of_products = {one: values.changes_of(fields, of_variant=False) for one, fields in page.products.items()}
    of_variants = {one: values.changes_of(fields, of_variant=True) for one, fields in page.variants.items()}
    updated: set[uuid.UUID] = set()
    owners = dict(tx.execute(sa.select(VariantRow.id, VariantRow.product_id)
                             .where(VariantRow.id.in_(of_variants))).tuples().all()) if of_variants else {}  # fmt: skip
    for change, wanted in ((catalogue.change_many, of_products), (catalogue.change_variants, of_variants)):
        if not wanted:
            continue
        try:
            with tx.savepoint():
                updated |= change(tx, wanted, origin=origin, is_audited=False)
        except (Conflict, InvalidInput):
            for local_id, fields in wanted.items():
                found = _change_one(tx, page, change, local_id, fields)
                updated |= found
                if not found:
                    page.in_step[owners.get(local_id, local_id)] = False
    return {owners.get(one, one) for one in updated}


def _change_one(
    tx: Tx, page: _Page, change: Any, local_id: uuid.UUID, fields: Mapping[str, Any]
) -> set[uuid.UUID]:  # fmt: skip
    try:
        with tx.savepoint():
            found: set[uuid.UUID] = change(tx, {local_id: fields}, origin=page.context.origin, is_audited=False)
            return found
    except (Conflict, InvalidInput) as error:
        page.counts.failed += 1
        page.states = [one for one in page.states if one["local_id"] != local_id]
        page.matches.append(MatchConflict("sku", "", values.cut(str(error), 300), [], str(error), local_id))
        return set()


def _note_versions(tx: Tx, page: _Page) -> None:
    """Note with each identity the catalogue's version that was compared, if nothing is left to do for it."""
    found = dict(tx.execute(sa.select(ProductRow.id, ProductRow.version)
                            .where(ProductRow.id.in_(page.in_step))).tuples().all())  # fmt: skip
    for ref in page.refs:
        if ref["kind"] == "product":
            version = found.get(ref["local_id"], _OUT_OF_STEP)
            is_in_step = page.in_step.get(ref["local_id"], False)
            ref["details"] = {**ref["details"], "version": version if is_in_step else _OUT_OF_STEP}
            if page.context.direction.pushes:
                ref["details"]["looked"] = version
