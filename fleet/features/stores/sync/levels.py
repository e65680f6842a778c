"""Stock: store what a shop has, then bring the catalogue and the shop in step.

A run reads stock first, then orders, then merges: units that an order took are never counted twice. See
`rules.merge_stock` for the arithmetic.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from fleet.adapters.shops import StockLevel
from fleet.core.db import Tx
from fleet.features.products import stock
from fleet.features.products.models import ProductRow, VariantRow
from fleet.features.products.stock import StockEntry
from fleet.features.stores import rules
from fleet.features.stores.rules import StockSides
from fleet.features.stores.state import refs
from fleet.features.stores.state.context import StoreContext, SyncCounts, now_of
from fleet.features.stores.sync import conflicts, lost_writes
from fleet.features.stores.sync.conflicts import FieldConflict
from fleet.features.stores.values import STOCK, stock_field
from fleet.features.stores.writes import sold_out
from fleet.features.stores.writes.plan import WritePlan
from fleet.features.stores.writes.sold_out import StockWrite

_CHUNK = 200
_DIFFERING = """
SELECT ref.local_id, ref.external_id, coalesce(level.on_hand, 0) AS on_hand,
    coalesce(others.units, 0)::int AS others, (state.base #>> '{}')::int AS base,
    (state.remote #>> '{}')::int AS remote, state.remote_at, state.base_at
FROM external_refs ref
JOIN field_states state ON state.account_id = ref.account_id AND state.local_id = ref.local_id AND state.field = :field
LEFT JOIN stock_levels level ON level.variant_id = ref.local_id AND level.location_id = :place
LEFT JOIN LATERAL (
    SELECT sum(quantity) AS units FROM stock_reservations promised
    WHERE promised.variant_id = ref.local_id AND promised.location_id = :place AND promised.released_at IS NULL
        AND (promised.expires_at IS NULL OR promised.expires_at > :now)
        AND NOT starts_with(promised.ref, :own)
) others ON true
WHERE ref.account_id = :account_id AND ref.kind = 'variant' AND ref.state = 'mapped'
    AND jsonb_typeof(state.remote) = 'number'
    AND (state.base IS NULL OR state.base IS DISTINCT FROM state.remote
        OR greatest(0, coalesce(level.on_hand, 0) - coalesce(others.units, 0) - :buffer)
            <> (state.remote #>> '{}')::numeric)
"""
_CANDIDATES = sa.text(_DIFFERING + " AND ref.local_id > :after ORDER BY ref.local_id LIMIT :limit")
_AGAIN = sa.text(_DIFFERING + " AND ref.local_id = ANY(:ids) ORDER BY ref.local_id").bindparams(
    sa.bindparam("ids", type_=ARRAY(sa.Uuid))
)
_ANY = sa.text(f"""SELECT EXISTS ({_DIFFERING} AND state.base IS NOT NULL AND ref.local_id <> ALL(:pending)
    AND greatest(0, coalesce(level.on_hand, 0) - coalesce(others.units, 0) - :buffer)
        <> (state.base #>> '{{}}')::numeric)""").bindparams(sa.bindparam("pending", type_=ARRAY(sa.Uuid)))
_OWN_MOVES = sa.text("""
SELECT move.variant_id,
    coalesce(sum(move.delta) FILTER (WHERE own.is_own AND move.at < state.remote_at AND NOT own.is_covered), 0)::int
        AS before,
    coalesce(sum(move.delta) FILTER (WHERE own.is_own AND move.at >= state.remote_at AND NOT own.is_covered), 0)::int
        AS after,
    bool_or(move.account_id IS DISTINCT FROM :account_id) AS has_others
FROM stock_movements move
JOIN field_states state ON state.account_id = :account_id AND state.local_id = move.variant_id AND state.field = :field
LEFT JOIN jobs job ON job.id = state.written_by AND job.kind = 'set_stock' AND job.state = 'done'
CROSS JOIN LATERAL (
    SELECT move.account_id = :account_id AND move.external_event IS NOT NULL AND move.at > state.base_at AS is_own,
        job.id IS NOT NULL AND state.remote IS NOT DISTINCT FROM state.base AND EXISTS (
            SELECT FROM order_lines line
            JOIN orders ON orders.id = line.order_id AND orders.account_id = :account_id
            JOIN order_fulfilments parcel ON parcel.order_id = orders.id AND parcel.quantities ? line.external_id
            WHERE line.variant_id = move.variant_id
                AND starts_with(move.external_event, 'order:' || orders.external_id || ':' || line.external_id || ':')
                AND parcel.at BETWEEN state.base_at - :slack AND job.finished_at + :slack
        ) AS is_covered
) own
WHERE move.variant_id = ANY(:ids) AND move.location_id = :place
    AND (state.base_at IS NULL OR move.at > state.base_at)
GROUP BY move.variant_id
""").bindparams(sa.bindparam("ids", type_=ARRAY(sa.Uuid)), sa.bindparam("slack", type_=sa.Interval))
"""`is_covered`: units left while Fleet's own write was under way, and the shop has exactly the number that was written.
A shop without compare-and-set lost them under that number; they are no count by a person."""
_CLOCKS_APART = timedelta(seconds=2)
"""How far the clocks of a shop and of the database may differ, with what a shop rounds."""


@dataclass(frozen=True, slots=True)
class StockPlace:
    """A location of a store, and the one here that it is."""

    there: str
    here: uuid.UUID

    @property
    def field(self) -> str:
        """The name of the field of its stock."""
        return stock_field(self.there, self.here)


def places_of(context: StoreContext) -> list[StockPlace]:
    """Return the locations of a store in a stable order, that of its orders and new products first."""
    found = [StockPlace(there, here) for there, here in sorted(context.places.items())]
    return sorted(found, key=lambda one: one.here != context.main)


def apply_levels(tx: Tx, context: StoreContext, levels: Sequence[StockLevel], read_at: datetime) -> SyncCounts:
    """Store the units that a shop has; levels of variants or locations that are not known here are left out."""
    known = refs.by_external(tx, context.account_id, "variant", {one.variant_id for one in levels})
    rows = {}
    empty = frozenset() if context.traits.zero_stock else sold_out.without_units(tx, context.account_id)
    for one in levels:
        ref, here = known.get(one.variant_id), context.places.get(one.location_id)
        if ref is not None and ref.state == "mapped" and here is not None:
            field = stock_field(one.location_id, here)
            units = 0 if ref.parent_id in empty else one.on_hand
            rows[ref.local_id, field] = {"local_id": ref.local_id, "field": field, "remote": units}
    refs.save_remote(tx, context.account_id, list(rows.values()), read_at=read_at)
    return SyncCounts(stock=len(rows))


def is_any_unsent(tx: Tx, context: StoreContext) -> bool:
    """Say whether the store is to be told another number of units, and no job is about to. Conflicts wait."""
    pending = {local_id for local_id, _ in refs.open_writes(tx, context.agent_id)}
    for place in places_of(context):
        parameters = {**_parameters(tx, context, place), "pending": list(pending)}
        if tx.scalar(_ANY.bindparams(**parameters)):
            return True
    return False


def unexplained(tx: Tx, context: StoreContext, place: StockPlace) -> list[uuid.UUID]:
    """Return variants, a page of them at most, whose number at the store changed by something else than its orders."""
    parameters = _parameters(tx, context, place)
    rows = tx.execute(_CANDIDATES, {**parameters, "after": uuid.UUID(int=0), "limit": _CHUNK}).all()
    moves = _own_moves(tx, context, place, [one.local_id for one in rows])
    before = {one: moved.before for one, moved in moves.items()}
    return [one.local_id for one in rows
            if one.base is not None and one.remote != one.base + before.get(one.local_id, 0)]  # fmt: skip


def _own_moves(
    tx: Tx, context: StoreContext, place: StockPlace, ids: Collection[uuid.UUID]
) -> dict[uuid.UUID, sa.Row[Any]]:  # fmt: skip
    found = tx.execute(_OWN_MOVES, {"account_id": context.account_id, "field": place.field, "place": place.here,
                                    "ids": list(ids), "slack": _CLOCKS_APART})  # fmt: skip
    return {one.variant_id: one for one in found}


def merge_levels(
    tx: Tx, context: StoreContext, place: StockPlace, after: uuid.UUID
) -> tuple[SyncCounts, uuid.UUID | None]:
    """Merge the next variants of a location; return the last one, None after the end."""
    parameters = _parameters(tx, context, place)
    found = tx.execute(_CANDIDATES, {**parameters, "after": after, "limit": _CHUNK}).all()
    ids = [one.local_id for one in found]
    if not ids:
        return SyncCounts(), None
    stock.lock(tx, ids)  # from here on nobody moves this stock
    unsure = lost_writes.settle(tx, context, place.field, place.here, ids)
    rows = [one for one in tx.execute(_AGAIN, {**parameters, "ids": ids}) if one.local_id not in unsure]
    moves = _own_moves(tx, context, place, ids)
    pending, now = refs.open_writes(tx, context.agent_id), now_of(tx)
    counts, plan = SyncCounts(), WritePlan()
    entries: list[StockEntry] = []
    states = []
    in_conflict = []
    rule = context.settings.rule_of(STOCK)
    for one in rows:
        moved = moves.get(one.local_id)
        sides = StockSides(
            base=one.base, remote=one.remote,
            told=rules.told(one.on_hand, others=one.others, buffer=context.settings.store_buffer),
            has_local=moved is not None and bool(moved.has_others),
            kept=one.others + context.settings.store_buffer,
            own_before=moved.before if moved is not None else 0, own_after=moved.after if moved is not None else 0,
            is_pending=(one.local_id, place.field) in pending,
        )  # fmt: skip
        merge = rules.merge_stock(sides, rule, context.direction)
        if merge.is_conflict:
            in_conflict.append(FieldConflict(one.local_id, place.field, "", one.base, sides.told, one.remote))
            continue
        if merge.level is not None or merge.delta:
            entries.append(StockEntry(
                variant_id=one.local_id, location_id=place.here, on_hand=merge.level,
                delta=None if merge.level is not None else merge.delta, reason="store", by=context.origin,
                account_id=context.account_id,
            ))  # fmt: skip
        if merge.base is not None:
            is_late = bool(sides.own_after) and not merge.includes_later
            # Never back: orders from before the last agreement are in its number.
            agreed = max(one.remote_at, one.base_at or one.remote_at) if is_late else now
            states.append({"local_id": one.local_id, "field": place.field, "base": merge.base, "remote": one.remote,
                           "remote_at": one.remote_at, "base_at": agreed})  # fmt: skip
        if merge.push is not None:
            plan.stock.append(StockWrite(variant_id=one.local_id, field=place.field, location=place.there,
                                         quantity=merge.push, expected=one.remote))  # fmt: skip
    counts.stock += sum(delta not in (0, None) for delta in stock.post(tx, entries))
    refs.save_states(tx, context.account_id, states)
    conflicts.settle(tx, context.account_id, {(one["local_id"], place.field) for one in states})
    counts.conflicts += conflicts.open_fields(tx, context, _named(tx, in_conflict))
    counts.sent += plan.add(tx, context)
    return counts, ids[-1]


def _parameters(tx: Tx, context: StoreContext, place: StockPlace) -> dict[str, object]:
    return {
        "account_id": context.account_id, "field": place.field, "place": place.here, "now": now_of(tx),
        "own": f"order:{context.account_id}:", "buffer": context.settings.store_buffer,
    }  # fmt: skip


def _named(tx: Tx, found: Collection[FieldConflict]) -> list[FieldConflict]:
    """Return conflicts with the titles and SKUs of their variants."""
    if not found:
        return []
    query = sa.select(VariantRow.id, VariantRow.sku, ProductRow.title).join(ProductRow)
    query = query.where(VariantRow.id.in_([one.local_id for one in found]))
    names = {one.id: f"{one.title} ({one.sku})"[:300] for one in tx.execute(query)}
    return [FieldConflict(one.local_id, one.field, names.get(one.local_id, ""), one.base, one.local, one.remote)
            for one in found]  # fmt: skip
