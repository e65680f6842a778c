"""Stock by location: movements, levels and reservations, given a transaction.

A variant's row is the lock of all its stock, and every verb takes several of them in the order of their ids. A
transaction that calls several verbs for several variants calls `lock` with all of them first; one that also changes
products calls `service.lock` before that.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from fleet.access import audit
from fleet.core import events, ids
from fleet.core.db import Tx
from fleet.core.errors import Conflict, InvalidInput, NotFound
from fleet.engine.deps import Deps
from fleet.features.products.models import (
    LocationRow,
    MovementRow,
    StockReservationRow,
    StockRow,
    VariantRow,
    among,
)
from fleet.features.products.rules import MOST_UNITS

Place = tuple[uuid.UUID, uuid.UUID]
"""A variant and a location."""
DEFAULT_NAME = "Main"
_MOST_EXPIRED = 500


@dataclass(frozen=True, slots=True)
class Stock:
    """The stock of a variant at a location. `reserved` has units by what they are reserved for (`ref`)."""

    on_hand: int
    reserved: Mapping[str, int] = field(default_factory=dict)

    @property
    def available(self) -> int:
        """Units that are neither taken nor promised; negative if a shop sold more than there was."""
        return self.on_hand - sum(self.reserved.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class StockEntry:
    """A change of stock to post: either a difference (`delta`) or a new number of units (`on_hand`).

    `external_event` counts an event of an account once for a variant. `must_fit`: refuse to take units that are not
    available.
    """

    variant_id: uuid.UUID
    location_id: uuid.UUID
    delta: int | None = None
    on_hand: int | None = None
    reason: str
    by: str
    account_id: uuid.UUID | None = None
    external_event: str | None = None
    must_fit: bool = False


@dataclass(frozen=True, slots=True)
class _LockedVariant:
    organisation_id: uuid.UUID
    product_id: uuid.UUID
    sku: str


def lock(tx: Tx, variant_ids: Collection[uuid.UUID]) -> None:
    """Lock the stock of variants until the transaction ends. Raises NotFound."""
    _locked(tx, variant_ids)


def default_location(tx: Tx, organisation_id: uuid.UUID) -> uuid.UUID:
    """Return the default location of an organisation, and create it with its first stock."""
    row = LocationRow
    found = sa.select(row.id).where(row.organisation_id == organisation_id, row.is_default)
    if (own := tx.scalar(found)) is None:
        new = insert(row).values(id=ids.new(), organisation_id=organisation_id, name=DEFAULT_NAME, is_default=True)
        # Another transaction may have made it, or a person a location of this name.
        tx.execute(new.on_conflict_do_nothing())
        if (own := tx.scalar(found)) is None:
            named = (row.organisation_id == organisation_id, row.name == DEFAULT_NAME)
            tx.execute(sa.update(row).where(*named).values(is_default=True))
            own = tx.scalar(found)
    result: uuid.UUID = own
    return result


def add_location(tx: Tx, organisation_id: uuid.UUID, name: str) -> LocationRow:
    """Create a location. Raises InvalidInput for an empty or long name, Conflict for one that exists."""
    name = name.strip()
    if not 1 <= len(name) <= 100 or not name.isprintable():
        raise InvalidInput("A location has a name of 1 to 100 characters.")
    default_location(tx, organisation_id)
    new = insert(LocationRow).values(id=ids.new(), organisation_id=organisation_id, name=name)
    made = tx.scalar(new.on_conflict_do_nothing().returning(LocationRow.id))
    if made is None:
        raise Conflict(f"There is a location {name} already.", fix="Choose another name.")
    audit.note(tx, "location.created", f"location:{name}")
    found: LocationRow = tx.session.get_one(LocationRow, made)
    return found


def locations(tx: Tx, organisation_ids: Collection[uuid.UUID] | None = None) -> Sequence[LocationRow]:
    """Return the locations that the transaction sees, the default one of each organisation first, then by name."""
    row = LocationRow
    query = sa.select(row).order_by(row.is_default.desc(), sa.func.lower(row.name), row.id)
    if organisation_ids is not None:
        query = query.where(row.organisation_id.in_(organisation_ids))
    return tx.session.scalars(query).all()


def set_level(
    tx: Tx, variant_id: uuid.UUID, location_id: uuid.UUID, on_hand: int, *, reason: str, by: str,
    account_id: uuid.UUID | None = None, external_event: str | None = None,
) -> int | None:  # fmt: skip
    """Set the units on hand, and return the difference; None for an event that was counted before.

    Raises NotFound, InvalidInput.
    """
    entry = StockEntry(
        variant_id=variant_id, location_id=location_id, on_hand=on_hand, reason=reason, by=by, account_id=account_id,
        external_event=external_event,
    )  # fmt: skip
    return post(tx, [entry])[0]


def move(
    tx: Tx, variant_id: uuid.UUID, location_id: uuid.UUID, delta: int, *, reason: str, by: str,
    account_id: uuid.UUID | None = None, external_event: str | None = None, must_fit: bool = False,
) -> bool:  # fmt: skip
    """Add units to those on hand, or take some; False for an event that was counted before.

    Raises NotFound, InvalidInput; with `must_fit` Conflict for units that are not available.
    """
    entry = StockEntry(
        variant_id=variant_id, location_id=location_id, delta=delta, reason=reason, by=by, account_id=account_id,
        external_event=external_event, must_fit=must_fit,
    )  # fmt: skip
    return post(tx, [entry])[0] is not None


def post(tx: Tx, entries: Sequence[StockEntry]) -> list[int | None]:
    """Post changes in their order, with few statements for all; return what `set_level` returns for each.

    Raises as `move` and `set_level` do, and posts nothing then.
    """
    if not entries:
        return []
    variants = _locked(tx, {one.variant_id for one in entries})
    _check_places(tx, variants, {(one.variant_id, one.location_id) for one in entries})
    on_hand = dict(_on_hand(tx, variants))
    counted = _counted(tx, entries)
    reserved = _reserved(tx, variants) if any(one.must_fit for one in entries) else {}
    deltas: list[int | None] = []
    rows: list[dict[str, Any]] = []
    for one in entries:
        place = (one.variant_id, one.location_id)
        before = on_hand.get(place, 0)
        if (event := _event(one)) is not None:
            if event in counted:
                deltas.append(None)
                continue
            counted.add(event)
        delta = _delta(one, before)
        _check_fit(one, variants[one.variant_id], before - sum(reserved.get(place, {}).values()), delta)
        deltas.append(delta)
        if delta or event is not None:
            on_hand[place] = before + delta
            rows.append({
                "id": ids.new(), "variant_id": one.variant_id, "location_id": one.location_id, "delta": delta,
                "on_hand": before + delta, "reason": one.reason[:40], "by": one.by[:100],
                "account_id": one.account_id, "external_event": one.external_event,
            })  # fmt: skip
    _store(tx, variants, rows, on_hand)
    return deltas


def reserve(
    tx: Tx, variant_id: uuid.UUID, location_id: uuid.UUID, quantity: int, *, ref: str, reason: str,
    expires_at: datetime | None = None, must_fit: bool = False,
) -> None:  # fmt: skip
    """Promise units of a variant. The quantity is absolute for its `ref`: 0 releases what was promised.

    Raises NotFound, InvalidInput; with `must_fit` Conflict for units that are not available. What a shop has sold is
    reserved without it: also units that there are not.
    """
    _reserve(tx, ref, {(variant_id, location_id): quantity}, reason, expires_at, must_fit=must_fit)


def reserve_exactly(
    tx: Tx, ref: str, quantities: Mapping[Place, int], *, reason: str, expires_at: datetime | None = None,
    must_fit: bool = False,
) -> None:  # fmt: skip
    """Promise units of several variants for one `ref`, and release all others of it. Raises as `reserve`."""
    wanted = dict.fromkeys(reserved_for(tx, ref), 0) | dict(quantities)
    _reserve(tx, ref, wanted, reason, expires_at, must_fit=must_fit)


def reserved_for(tx: Tx, ref: str) -> dict[Place, int]:
    """Return the units that are promised for a `ref`, by variant and location."""
    row = StockReservationRow
    query = sa.select(row.variant_id, row.location_id, row.quantity)
    found = tx.execute(query.where(row.ref == ref, row.released_at.is_(None)))
    return {(one.variant_id, one.location_id): one.quantity for one in found}


def release(tx: Tx, ref: str) -> None:
    """Release all units that are promised for a `ref`."""
    reserve_exactly(tx, ref, {}, reason="")


def levels(tx: Tx, variant_ids: Collection[uuid.UUID]) -> dict[Place, Stock]:
    """Return the stock of variants by location, with the reservations that hold now. Others have none."""
    if not variant_ids:
        return {}
    on_hand, reserved = _on_hand(tx, variant_ids), _reserved(tx, variant_ids)
    return {place: Stock(on_hand.get(place, 0), reserved.get(place, {})) for place in {**on_hand, **reserved}}


def sweep(deps: Deps) -> None:
    """Release reservations that have expired. They count no longer from the moment at which they expire."""
    row = StockReservationRow
    with deps.db.transaction() as tx:
        has_expired = (row.released_at.is_(None), row.expires_at <= tx.sql_now)
        old = tx.execute(sa.select(row.variant_id).where(*has_expired).limit(_MOST_EXPIRED))
        if not (variant_ids := {one.variant_id for one in old}):
            return
        variants = _locked(tx, variant_ids)
        gone = sa.update(row).where(*has_expired, row.variant_id.in_(variants)).values(released_at=tx.sql_now)
        found = tx.execute(gone.returning(row.variant_id, row.quantity, row.ref)).all()
        _emit_reserved(tx, variants, "stock.released", [(one.variant_id, one.quantity, one.ref) for one in found])


def prune(tx: Tx, *, days: int, limit: int) -> int:
    """Delete reservations that were released more than `days` ago. Movements stay: stock is their sum."""
    row = StockReservationRow
    age = sa.literal(timedelta(days=days), sa.Interval)
    old = sa.select(row.id).where(row.released_at < sa.func.clock_timestamp() - age).limit(limit)
    return tx.execute(sa.delete(row).where(row.id.in_(old))).rowcount


def _locked(tx: Tx, variant_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, _LockedVariant]:
    row = VariantRow
    query = sa.select(row.id, row.organisation_id, row.product_id, row.sku).where(among(row.id, variant_ids))
    # Not FOR UPDATE: that would wait for every insert that refers to the variant.
    found = tx.execute(query.order_by(row.id).with_for_update(key_share=True)).all()
    if len(found) < len(set(variant_ids)):
        raise NotFound("There is no such variant.", fix="`fleet products list` shows products.")
    return {one.id: _LockedVariant(one.organisation_id, one.product_id, one.sku) for one in found}


def _check_places(tx: Tx, variants: Mapping[uuid.UUID, _LockedVariant], places: Collection[Place]) -> None:
    row = LocationRow
    wanted = {location_id for _, location_id in places}
    owners = {
        one.id: one.organisation_id
        for one in tx.execute(sa.select(row.id, row.organisation_id).where(row.id.in_(wanted)))
    }
    if any(owners.get(location_id) != variants[variant_id].organisation_id for variant_id, location_id in places):
        raise NotFound("There is no such location.", fix="`fleet products locations` lists them.")


def _on_hand(tx: Tx, variant_ids: Collection[uuid.UUID]) -> dict[Place, int]:
    row = StockRow
    query = sa.select(row.variant_id, row.location_id, row.on_hand).where(among(row.variant_id, variant_ids))
    return {(one.variant_id, one.location_id): one.on_hand for one in tx.execute(query)}


def _reserved(tx: Tx, variant_ids: Collection[uuid.UUID]) -> dict[Place, dict[str, int]]:
    row = StockReservationRow
    query = sa.select(row.variant_id, row.location_id, row.ref, row.quantity)
    query = query.where(among(row.variant_id, variant_ids), row.released_at.is_(None))
    found: dict[Place, dict[str, int]] = defaultdict(dict)
    for one in tx.execute(query.where(row.expires_at.is_(None) | (row.expires_at > tx.sql_now))):
        found[one.variant_id, one.location_id][one.ref] = one.quantity
    return dict(found)


def _event(entry: StockEntry) -> tuple[uuid.UUID, str, uuid.UUID] | None:
    if entry.external_event is None:
        return None
    if entry.account_id is None:
        raise InvalidInput("An event of a shop needs its account.")
    return entry.account_id, entry.external_event, entry.variant_id


def _counted(tx: Tx, entries: Iterable[StockEntry]) -> set[tuple[uuid.UUID, str, uuid.UUID]]:
    """Return which events were counted. The locks of the variants are held, so no other transaction adds one."""
    wanted = {event for one in entries if (event := _event(one)) is not None}
    if not wanted:
        return set()
    row = MovementRow
    key = sa.tuple_(row.account_id, row.external_event, row.variant_id)
    found = tx.execute(sa.select(row.account_id, row.external_event, row.variant_id).where(key.in_(wanted)))
    return {(one.account_id, one.external_event, one.variant_id) for one in found}


def _delta(entry: StockEntry, before: int) -> int:
    if (entry.delta is None) == (entry.on_hand is None):
        raise InvalidInput("A change of stock is a difference or a number of units.")
    delta = entry.delta if entry.delta is not None else (entry.on_hand or 0) - before
    if abs(before + delta) > MOST_UNITS:
        raise InvalidInput(f"Stock is at most {MOST_UNITS:,} units.")
    return delta


def _check_fit(entry: StockEntry, variant: _LockedVariant, available: int, delta: int) -> None:
    if entry.must_fit and delta < 0 and available + delta < 0:
        raise Conflict(
            f"{variant.sku or 'The variant'} has {max(available, 0):,} units available, not {-delta:,}.",
            fix="Take fewer, or count the units and set their number.",
        )


def _store(
    tx: Tx, variants: Mapping[uuid.UUID, _LockedVariant], rows: list[dict[str, Any]], on_hand: Mapping[Place, int]
) -> None:
    if not rows:
        return
    tx.execute(sa.insert(MovementRow), rows)
    places = sorted({(one["variant_id"], one["location_id"]) for one in rows})
    new = insert(StockRow)
    latest = new.on_conflict_do_update(
        index_elements=["variant_id", "location_id"],
        set_={"on_hand": new.excluded.on_hand, "updated_at": sa.func.clock_timestamp()},
    )
    tx.execute(latest, [
        {"variant_id": place[0], "location_id": place[1], "on_hand": on_hand[place]} for place in places
    ])  # fmt: skip
    events.emit_many(tx, [
        _event_row(variants[one["variant_id"]], "stock.changed", delta=one["delta"], on_hand=one["on_hand"],
                   reason=one["reason"], by=one["by"], variant=str(one["variant_id"]),
                   location=str(one["location_id"]))
        for one in rows if one["delta"]
    ])  # fmt: skip


def _reserve(
    tx: Tx, ref: str, wanted: Mapping[Place, int], reason: str, expires_at: datetime | None, *, must_fit: bool
) -> None:
    if not wanted:
        return
    if any(not 0 <= quantity <= MOST_UNITS for quantity in wanted.values()):
        raise InvalidInput(f"A reservation is 0 to {MOST_UNITS:,} units.")
    variants = _locked(tx, {variant_id for variant_id, _ in wanted})
    _check_places(tx, variants, wanted)
    row = StockReservationRow
    key = sa.tuple_(row.variant_id, row.location_id)
    query = sa.select(row.variant_id, row.location_id, row.quantity, row.expires_at)
    held = {
        (one.variant_id, one.location_id): (one.quantity, one.expires_at)
        for one in tx.execute(query.where(row.ref == ref, row.released_at.is_(None), key.in_(list(wanted))))
    }
    changed = {
        place: quantity for place, quantity in wanted.items()
        if held.get(place) != (quantity, expires_at) and (quantity or place in held)
    }  # fmt: skip
    if must_fit:
        _check_available(tx, variants, ref, changed)
    released = [place for place, quantity in changed.items() if not quantity]
    if released:
        gone = sa.update(row).where(row.ref == ref, row.released_at.is_(None), key.in_(released))
        tx.execute(gone.values(released_at=tx.sql_now))
        freed = [(place[0], held[place][0], ref) for place in released]
        _emit_reserved(tx, variants, "stock.released", freed)
    if promised := {place: quantity for place, quantity in changed.items() if quantity}:
        new = insert(row)
        again = {"quantity": new.excluded.quantity, "reason": new.excluded.reason, "released_at": None,
                 "expires_at": new.excluded.expires_at}  # fmt: skip
        tx.execute(new.on_conflict_do_update(index_elements=["ref", "variant_id", "location_id"], set_=again), [
            {"id": ids.new(), "variant_id": place[0], "location_id": place[1], "quantity": quantity,
             "reason": reason[:40], "ref": ref, "expires_at": expires_at}
            for place, quantity in sorted(promised.items())
        ])  # fmt: skip
        _emit_reserved(tx, variants, "stock.reserved", [(place[0], n, ref) for place, n in promised.items()])


def _check_available(
    tx: Tx, variants: Mapping[uuid.UUID, _LockedVariant], ref: str, wanted: Mapping[Place, int]
) -> None:
    found = levels(tx, variants)
    for place, quantity in wanted.items():
        stock = found.get(place, Stock(0))
        available = stock.available + stock.reserved.get(ref, 0)
        if quantity > max(available, 0):
            sku = variants[place[0]].sku or "The variant"
            raise Conflict(f"{sku} has {max(available, 0):,} units available, not {quantity:,}.", fix="Take fewer.")


def _emit_reserved(
    tx: Tx, variants: Mapping[uuid.UUID, _LockedVariant], subject: str, changes: Sequence[tuple[uuid.UUID, int, str]]
) -> None:
    events.emit_many(tx, [
        _event_row(variants[variant_id], subject, units=units, variant=str(variant_id), ref=ref)
        for variant_id, units, ref in changes
    ])  # fmt: skip


def _event_row(variant: _LockedVariant, subject: str, /, **more: Any) -> dict[str, Any]:
    payload = {"organisation": str(variant.organisation_id), "sku": variant.sku, **more,
               "page": f"/products/{variant.product_id}"}  # fmt: skip
    return {"subject": subject, "agent_id": None, "job_id": None, "payload": payload}
