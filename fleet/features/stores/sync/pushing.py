"""Write to a store what changed in the catalogue since both agreed, without reading the store again.

The store's side is what it had when it was last read; a write expects that value, so it never overwrites a newer one.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa

from fleet.core.db import Tx
from fleet.engine import publish
from fleet.engine.jobs.models import JobRow
from fleet.engine.jobs.states import LIVE, DeadReason, JobState
from fleet.features.products import service as catalogue
from fleet.features.products.models import ProductRow, VariantRow
from fleet.features.stores import rules, values
from fleet.features.stores.models import ExternalRefRow, ShopEventRow
from fleet.features.stores.rules import FieldSides, Merge
from fleet.features.stores.state import pins, refs
from fleet.features.stores.state.context import StoreContext, SyncCounts, now_of
from fleet.features.stores.state.refs import FieldState
from fleet.features.stores.sync import conflicts, new_variants
from fleet.features.stores.sync.conflicts import FieldConflict
from fleet.features.stores.writes.plan import WritePlan, new_job

_CHUNK, _MOST_NEW = 200, 200
_LOOKED = ExternalRefRow.details["looked"].astext.cast(sa.Integer)


def _unlooked(context: StoreContext) -> sa.Select[Any]:
    ref = ExternalRefRow
    return sa.select(ProductRow.id).join(ref, sa.and_(
        ref.account_id == context.account_id, ref.kind == "product", ref.local_id == ProductRow.id,
        ref.state == "mapped",
    )).where(_LOOKED.is_distinct_from(ProductRow.version))  # fmt: skip


def _missing(context: StoreContext) -> sa.Select[Any]:
    """Return active products that the store does not have, never had, and that wait for no creation."""
    ref = ExternalRefRow
    known = sa.select(ref.local_id).where(ref.account_id == context.account_id, ref.kind == "product")
    own = (ProductRow.organisation_id == context.organisation_id, ProductRow.status == "active")
    return sa.select(ProductRow.id).where(*own, ProductRow.id.not_in(known))


def is_any_change(tx: Tx, context: StoreContext) -> bool:
    """Say whether the catalogue changed something that the store has, or lacks."""
    found = bool(tx.scalar(sa.select(sa.exists(_unlooked(context)))))
    return found or (context.settings.store_creates and bool(tx.scalar(sa.select(sa.exists(_missing(context))))))


@dataclass(slots=True)
class _Push:
    context: StoreContext
    states: Mapping[tuple[uuid.UUID, str], FieldState]
    pending: frozenset[tuple[uuid.UUID, str]]
    pinned: frozenset[tuple[uuid.UUID, str]]
    plan: WritePlan = field(default_factory=WritePlan)
    conflicts: list[FieldConflict] = field(default_factory=list)

    def merge(self, local_id: uuid.UUID, name: str, local: Any, origins: Mapping[str, Any], about: str,
              *, can_push: bool = True) -> tuple[Merge, Any]:  # fmt: skip
        """Return what becomes of a field, and the store's value."""
        state = self.states.get((local_id, name))
        if state is None or state.remote is None or (local_id, name) in self.pinned:
            return Merge.KEEP, None
        found = origins.get(name.removeprefix(values.VARIANT))
        sides = FieldSides(
            base=state.here, base_remote=state.there, local=local, remote=state.remote, can_push=can_push,
            local_at=datetime.fromisoformat(found["at"]) if found else None, remote_at=state.remote_at,
            is_pending=(local_id, name) in self.pending,
        )  # fmt: skip
        merge = rules.merge_field(sides, self.context.settings.rule_of(name), self.context.direction,
                                  values.same_of(name))  # fmt: skip
        if merge is Merge.CONFLICT:
            self.conflicts.append(FieldConflict(local_id, name, about, state.here, local, state.remote))
        return merge, state.remote


def push_changes(tx: Tx, context: StoreContext, after: uuid.UUID) -> tuple[SyncCounts, uuid.UUID | None]:
    """Plan the writes of the next changed products; return the last one, None after the end."""
    found = list(tx.session.scalars(
        _unlooked(context).where(ProductRow.id > after).order_by(ProductRow.id).limit(_CHUNK)
    ))  # fmt: skip
    if not found:
        return SyncCounts(), None
    catalogue.lock(tx, found)
    rows = tx.session.scalars(sa.select(ProductRow).where(ProductRow.id.in_(found)).order_by(ProductRow.id),
                              execution_options={"populate_existing": True}).all()  # fmt: skip
    variants = catalogue.variants_of(tx, found)
    own = refs.by_local(tx, context.account_id, "product", found)
    all_variants = [one.id for several in variants.values() for one in several]
    variant_refs = refs.by_local(tx, context.account_id, "variant", all_variants)
    push = _Push(context, refs.states_of(tx, context.account_id, [*found, *all_variants]),
                 refs.open_writes(tx, context.agent_id),
                 pins.pinned(tx, context.account_id, [*found, *all_variants]))  # fmt: skip
    looked, waiting = [], {local_id for local_id, _ in push.pending}
    for row in rows:
        _push_product(push, row, own[row.id], [
            (one, variant_refs[one.id]) for one in variants[row.id]
            if one.id in variant_refs and variant_refs[one.id].state == "mapped"
        ])  # fmt: skip
        external_id, new = own[row.id].external_id, new_variants.lacking(
            context, variants[row.id], variant_refs, push.pending)  # fmt: skip
        if external_id is not None and new:
            push.plan.new_variants(row.id, external_id, new_variants.data_of(tx, context, new))
        if waiting.isdisjoint((row.id, *(one.id for one in variants[row.id]))):
            looked.append({"kind": "product", "local_id": row.id, **_same(own[row.id]),
                           "details": {"looked": row.version}})  # fmt: skip
    refs.save_refs(tx, context.account_id, looked)
    opened = conflicts.open_fields(tx, context, push.conflicts)
    return SyncCounts(sent=push.plan.add(tx, context), conflicts=opened), found[-1]


def _same(ref: ExternalRefRow) -> dict[str, Any]:
    return {"external_id": ref.external_id, "key": ref.key, "state": ref.state, "digest": ref.digest,
            "changed_at": ref.changed_at, "seen_at": ref.seen_at}  # fmt: skip


def _push_product(
    push: _Push, row: ProductRow, ref: ExternalRefRow, variants: list[tuple[VariantRow, ExternalRefRow]]
) -> None:  # fmt: skip
    traits = push.context.traits
    for name, local in values.product_values(catalogue.product_values(row, ()), traits).items():
        merge, remote = push.merge(row.id, name, local, row.origins, row.title)
        if merge is Merge.PUSH and ref.external_id is not None:
            push.plan.product(row.id, ref.external_id, name, local, remote)
    for one, of_variant in variants:
        for name, local in values.variant_values(catalogue.variant_values(one), traits).items():
            can_push = name in values.PUSHABLE_OF_VARIANTS
            if name == values.PRICE and local is not None and local["currency"] != push.context.currency:
                continue
            merge, remote = push.merge(one.id, name, local, one.origins, f"{row.title} ({one.sku})"[:300],
                                       can_push=can_push)  # fmt: skip
            if merge is Merge.PUSH and of_variant.external_id is not None:
                push.plan.variant(one.id, name, local, remote)


def create_missing(tx: Tx, context: StoreContext) -> SyncCounts:
    """Plan the creation of products that the store lacks, if its settings want that."""
    if not context.settings.store_creates:
        return SyncCounts()
    found = list(tx.session.scalars(_missing(context).order_by(ProductRow.id).limit(_MOST_NEW)))
    return SyncCounts(sent=sum(create_at_store(tx, context, one) is not None for one in found))


def create_at_store(
    tx: Tx, context: StoreContext, product_id: uuid.UUID,
    own: Mapping[tuple[uuid.UUID, str], Any] = MappingProxyType({}),
) -> uuid.UUID | None:  # fmt: skip
    """Add the job that creates a product at a store; return its id, None for a product that cannot be sold there.

    `own` has values of this store alone, by the object here and the field.

    Its identity is pending with the key that is sent, so that a lost reply leaves what to look for. Variants without a
    SKU, or with a price in another currency than the store's, cannot be.
    """
    rows = catalogue.variants_of(tx, [product_id])[product_id]
    row = catalogue.get(tx, product_id)
    is_sellable = all(new_variants.is_sellable(context, one) for one in rows)
    if not rows or not is_sellable or len(rows) > context.traits.most_variants:
        return None
    shown = catalogue.product_values(row, rows)
    sent = {name: own.get((product_id, name), value)
            for name, value in values.product_values(shown, context.traits).items()}  # fmt: skip
    variants = new_variants.data_of(tx, context, rows, own)
    key = f"{shown.key or 'product'}-{str(product_id)[:8]}"
    refs.save_refs(tx, context.account_id, [{"kind": "product", "local_id": product_id, "external_id": None,
                                             "key": key, "state": "pending"}])  # fmt: skip
    job = new_job(context, "create_product", target=str(product_id), payload={
        "product": str(product_id), "key": key, "values": {**sent, "variants": variants}, "at": now_of(tx).isoformat(),
        "fields": refs.written([(product_id, "create")]),
    })  # fmt: skip
    publish.add_jobs(tx, context.deps.publisher, [job])
    return job.id


def resolve_creations(tx: Tx, context: StoreContext, hits: Mapping[str, int]) -> None:
    """Free the identities of creations that ended without a result, where the shop has nothing with their SKU.

    `hits`: how many products of the shop have a SKU. One is mapped when its page is stored; several are conflicts. One
    that the shop may still be working on is looked for again at the next look of the agent; one that it refused stays
    for an hour.
    """
    ref, event = ExternalRefRow, ShopEventRow
    for sku, number in hits.items():
        query = sa.select(ref.local_id, ref.created_at).join(VariantRow, VariantRow.product_id == ref.local_id)
        query = query.where(ref.account_id == context.account_id, ref.kind == "product", ref.state == "pending")
        for one in tx.execute(query.where(VariantRow.sku == sku, VariantRow.removed_at.is_(None))).all():
            match _after_creation(tx, context, one.local_id, one.created_at, number):
                case rules.AfterUnknown.RESEND:
                    own = (ref.account_id == context.account_id, ref.kind == "product", ref.local_id == one.local_id)
                    tx.execute(sa.delete(ref).where(*own, ref.state == "pending"))
                case rules.AfterUnknown.WAIT:
                    asked = (event.account_id == context.account_id, event.kind == "sku", event.product_id == sku)
                    tx.execute(sa.delete(event).where(*asked, event.handled_at.is_(None)))


def _after_creation(
    tx: Tx, context: StoreContext, product_id: uuid.UUID, began_at: datetime, hits: int
) -> rules.AfterUnknown:  # fmt: skip
    """Return what follows from the newest creation of a product, of which the shop has so many."""
    job = JobRow
    own = (job.agent_id == context.agent_id, job.kind == "create_product", job.target == str(product_id))
    query = sa.select(job.state, job.dead_reason, job.finished_at).where(*own).order_by(job.created_at.desc()).limit(1)
    newest = tx.execute(query).one_or_none()
    if newest is not None and newest.state in LIVE:
        return rules.AfterUnknown.DONE  # its end has an event of its own
    is_refused = newest is not None and newest.state == JobState.DEAD \
        and newest.dead_reason != DeadReason.UNKNOWN_OUTCOME  # fmt: skip
    if is_refused and (product_id, "create") in refs.open_writes(tx, context.agent_id):
        return rules.AfterUnknown.DONE
    ended_at = began_at if newest is None else newest.finished_at
    return rules.after_unknown(hits=hits, age=now_of(tx) - ended_at, settle=context.deps.settle)


def remove_at_store(tx: Tx, context: StoreContext, product_id: uuid.UUID) -> uuid.UUID:
    """Add the job that removes a product from a store; return its id. The catalogue keeps the product."""
    job = new_job(context, "remove_product", target=str(product_id), payload={
        "product": str(product_id), "fields": refs.written([(product_id, "remove")]),
    })  # fmt: skip
    publish.add_jobs(tx, context.deps.publisher, [job])
    return job.id
