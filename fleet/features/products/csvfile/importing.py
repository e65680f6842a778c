"""Look at a CSV file of products, then apply it: all of its changes or none, and only those that were shown."""

from __future__ import annotations

import base64
import binascii
import uuid
from collections.abc import Sequence
from datetime import timedelta

import sqlalchemy as sa

from fleet.access import Principal, audit
from fleet.core import events, ids
from fleet.core.db import Tx
from fleet.core.errors import Conflict, InvalidInput, NotFound
from fleet.core.text import clean
from fleet.engine.deps import Deps
from fleet.features.products import commands, service, stock
from fleet.features.products.csvfile import planning, reading
from fleet.features.products.csvfile.planning import ImportPlan
from fleet.features.products.csvfile.reading import ReadFile
from fleet.features.products.models import ProductImportRow
from fleet.features.products.schema import ImportOut, LineChangeOut, LineErrorOut
from fleet.features.products.stock import StockEntry

_SHOWN = 200
COUNTS = (
    "lines", "products_created", "products_changed", "variants_created", "variants_changed", "stock_changed",
    "unchanged", "errors",
)  # fmt: skip


def from_base64(written: str) -> bytes:
    """Return the bytes of a file. Raises InvalidInput."""
    try:
        return base64.b64decode(written, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidInput("content: this is no Base64.", fix="Encode the file in Base64.") from None


def look(deps: Deps, name: str, content: bytes, *, organisation: str, who: Principal) -> ImportOut:
    """Read a file, store it, and return what it would change. Raises InvalidInput for one that cannot be read."""
    file = reading.read(content)
    with deps.db.transaction() as tx:
        organisation_id = commands.organisation(tx, organisation)
        stock.default_location(tx, organisation_id)
        plan = planning.plan(tx, file, organisation_id)
        row = ProductImportRow(
            id=ids.new(), organisation_id=organisation_id, name=clean(name)[:200] or "products.csv", content=content,
            digest=plan.digest, counts=_counts(plan), created_by=who.by[:100],
        )  # fmt: skip
        tx.session.add(row)
        tx.session.flush()
        return _shown(row, file, plan)


def show(deps: Deps, import_id: uuid.UUID) -> ImportOut:
    """Return what a file would change by now; of one that was applied, what it has changed. Raises NotFound."""
    with deps.db.transaction() as tx:
        row = _row(tx, import_id)
        file = reading.read(row.content)
        plan = ImportPlan() if row.applied_at else planning.plan(tx, file, row.organisation_id)
        return _shown(row, file, plan)


def apply(deps: Deps, import_id: uuid.UUID, who: Principal) -> ImportOut:
    """Make the changes of a file. Applying it again changes nothing.

    Raises NotFound, InvalidInput for a file with errors, Conflict if the changes are others by now than were shown.
    """
    with deps.db.transaction() as tx:
        row = _row(tx, import_id, is_locked=True)
        file = reading.read(row.content)
        if row.applied_at is not None:
            return _shown(row, file, ImportPlan())
        if product_ids := planning.products_of(tx, file, row.organisation_id):
            service.lock(tx, product_ids)
        plan = planning.plan(tx, file, row.organisation_id)
        if plan.errors:
            first = plan.errors[0]
            raise InvalidInput(f"Line {first.line}: {first.column} {first.message}.", fix="Correct the file.")
        if plan.digest != row.digest:
            raise Conflict(
                "Products were changed since the file was looked at.", fix="Look at what it would change now."
            )
        _make(tx, plan, row, who)
        row.applied_at, row.counts = tx.now(), _counts(plan)
        tx.session.flush()
        done = {name: number for name, number in row.counts.items() if name not in ("lines", "unchanged", "errors")}
        audit.note(tx, "products.imported", f"file:{row.name}", after=done)
        events.emit(tx, "products.imported", organisation=str(row.organisation_id), name=row.name, by=who.by,
                    page="/products", counts=done)  # fmt: skip
        return _shown(row, file, plan)


def prune(tx: Tx, *, days: int, limit: int) -> int:
    """Delete files that were given more than `days` ago, and after a day those that nobody applied."""
    row = ProductImportRow
    now = sa.func.clock_timestamp()
    is_old = row.created_at < now - sa.literal(timedelta(days=days), sa.Interval)
    is_left = row.applied_at.is_(None) & (row.created_at < now - sa.literal(timedelta(days=1), sa.Interval))
    old = sa.select(row.id).where(is_old | is_left).limit(limit)
    return tx.execute(sa.delete(row).where(row.id.in_(old))).rowcount


def _make(tx: Tx, plan: ImportPlan, row: ProductImportRow, who: Principal) -> None:
    made: list[uuid.UUID] = []
    if plan.new_products:
        made = service.create_many(tx, row.organisation_id, plan.new_products, origin="file", is_audited=False)
    service.change_many(tx, plan.product_changes, origin="file", is_audited=False)
    if plan.new_variants:
        owners = {one.id: one for one in service.products(tx, {product_id for product_id, _ in plan.new_variants})}
        new = [(owners[product_id], variant) for product_id, variant in plan.new_variants]
        service.add_variants(tx, new, origin="file", is_audited=False)
    service.change_variants(tx, plan.variant_changes, origin="file", is_audited=False)
    if plan.stock:
        by_sku = _by_sku(tx, [*made, *{product_id for product_id, _ in plan.new_variants}])
        stock.post(tx, [
            StockEntry(variant_id=by_sku[which] if isinstance(which, str) else which, location_id=place,
                       on_hand=units, reason="file", by=who.by)
            for which, place, units in plan.stock
        ])  # fmt: skip


def _by_sku(tx: Tx, product_ids: Sequence[uuid.UUID]) -> dict[str, uuid.UUID]:
    found = service.variants_of(tx, product_ids) if product_ids else {}
    return {one.sku: one.id for variants in found.values() for one in variants}


def _counts(plan: ImportPlan) -> dict[str, int]:
    return {name: plan.counts[name] for name in COUNTS}


def _shown(row: ProductImportRow, file: ReadFile, plan: ImportPlan) -> ImportOut:
    state = "applied" if row.applied_at else plan.state
    return ImportOut(
        id=row.id, name=row.name, state=state, counts=row.counts if row.applied_at else _counts(plan),
        notes=list(file.notes),
        errors=[LineErrorOut(line=one.line, column=one.column, message=one.message) for one in plan.errors[:_SHOWN]],
        changes=[
            LineChangeOut(line=one.line, action=one.action, about=one.about,
                          fields={name: list(pair) for name, pair in one.fields.items()})
            for one in plan.changes[:_SHOWN]
        ],
    )  # fmt: skip


def _row(tx: Tx, import_id: uuid.UUID, *, is_locked: bool = False) -> ProductImportRow:
    query = sa.select(ProductImportRow).where(ProductImportRow.id == import_id)
    query = query.with_for_update() if is_locked else query
    found = tx.session.scalars(query).one_or_none()
    if found is None:
        raise NotFound("There is no such file.", fix="Files that were not applied are deleted after a day.")
    return found
