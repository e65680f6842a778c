"""The end of a complete reading: what one side has and the other lacks.

As in a sync, a reading that misses a fifth of what is known is distrusted, and an object is missing only if a read by
its id says so. A missing object whose SKUs another object of the store has is that one with a new id: relink.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from fleet.adapters.shops import ShopProduct
from fleet.core.db import Tx
from fleet.features.products import service as catalogue
from fleet.features.products.models import ProductRow
from fleet.features.reconciliation import rules
from fleet.features.reconciliation.compare.findings import FoundDiscrepancy, Thing
from fleet.features.reconciliation.confidence import confidence
from fleet.features.reconciliation.models import DiscrepancyRow, ReconciledObjectRow
from fleet.features.reconciliation.rules import Context, DiscrepancyType, Moved, Remedy
from fleet.features.stores import values
from fleet.features.stores.models import ExternalRefRow
from fleet.features.stores.rules import is_trusted
from fleet.features.stores.state import refs
from fleet.features.stores.state.context import StoreContext

BATCH = 20
_CHUNK = 200


def note_seen(tx: Tx, run_id: uuid.UUID, known: Sequence[str], unknown: Sequence[ShopProduct]) -> None:
    """Note which objects of the store a run has seen."""
    rows: list[dict[str, Any]] = [{"run_id": run_id, "external_id": one, "skus": [], "about": "", "is_known": True}
                                  for one in known]  # fmt: skip
    rows += [
        {"run_id": run_id, "external_id": one.id, "skus": sorted({each.sku for each in one.variants if each.sku}),
         "about": values.cut(one.title, 300), "is_known": False}
        for one in unknown
    ]  # fmt: skip
    if rows:
        tx.execute(insert(ReconciledObjectRow).on_conflict_do_nothing(), rows)


def forget_seen(tx: Tx, run_id: uuid.UUID) -> None:
    """Delete what a run has seen."""
    tx.execute(sa.delete(ReconciledObjectRow).where(ReconciledObjectRow.run_id == run_id)
               .execution_options(synchronize_session=False))  # fmt: skip


def _unseen(account_id: uuid.UUID, run_id: uuid.UUID, began: datetime) -> tuple[sa.ColumnElement[bool], ...]:
    ref, seen = ExternalRefRow, ReconciledObjectRow
    is_seen = sa.exists().where(seen.run_id == run_id, seen.external_id == ref.external_id)
    return (ref.account_id == account_id, ref.kind == "product", ref.state == "mapped", ref.created_at < began,
            ~is_seen)  # fmt: skip


def is_believed(tx: Tx, account_id: uuid.UUID, run_id: uuid.UUID, began: datetime) -> bool:
    """Say whether a complete reading that misses so much of what is known is believed."""
    ref = ExternalRefRow
    own = (ref.account_id == account_id, ref.kind == "product", ref.state == "mapped", ref.created_at < began)
    known = tx.scalar(sa.select(sa.func.count()).select_from(ref).where(*own))
    missing = tx.scalar(sa.select(sa.func.count()).select_from(ref).where(*_unseen(account_id, run_id, began)))
    return is_trusted(known=known or 0, missing=missing or 0)


def unseen(
    tx: Tx, account_id: uuid.UUID, run_id: uuid.UUID, began: datetime, after: str
) -> list[tuple[uuid.UUID, str]]:
    """Return the next products that the reading missed, by their ids here and there."""
    ref = ExternalRefRow
    query = sa.select(ref.local_id, ref.external_id).where(*_unseen(account_id, run_id, began), ref.external_id > after)
    found = tx.execute(query.order_by(ref.external_id).limit(BATCH))
    return [(one.local_id, str(one.external_id)) for one in found]


def missing_there(
    tx: Tx, context: StoreContext, run_id: uuid.UUID, gone: Collection[tuple[uuid.UUID, str]], began: datetime
) -> list[FoundDiscrepancy]:  # fmt: skip
    """Return the products whose read by id said that the store has them no more."""
    pending = refs.open_writes(tx, context.agent_id)
    found = []
    for local_id, external_id in gone:
        if (local_id, "remove") in pending or (local_id, "create") in pending:
            continue
        row = catalogue.get(tx, local_id)
        variants = catalogue.variants_of(tx, [local_id])[local_id]
        other = _same_skus(tx, run_id, [one.sku for one in variants if one.sku])
        action = Remedy.PUBLISH if other is None else Remedy.RELINK
        kind = DiscrepancyType.MISSING_REMOTE
        found.append(FoundDiscrepancy(
            thing="product", key=str(local_id), type=kind, severity=rules.severity_of(kind), moved=Moved.REMOTE,
            context=Context.QUIET, confidence=confidence(kind, Moved.REMOTE, Context.QUIET), action=action,
            local=row.title, remote=None if other is None else other.external_id, about=row.title, product_id=local_id,
            external_id=external_id, versions={"product": row.version, "read_at": began.isoformat()},
        ))  # fmt: skip
    return found


def _same_skus(tx: Tx, run_id: uuid.UUID, skus: Sequence[str]) -> ReconciledObjectRow | None:
    """Return the one unknown object of the store that has all the SKUs; None without one, or with several."""
    if not skus:
        return None
    row = ReconciledObjectRow
    query = sa.select(row).where(row.run_id == run_id, ~row.is_known, row.skus.contains(list(skus)))
    found: Sequence[ReconciledObjectRow] = tx.session.scalars(query.limit(2)).all()
    return found[0] if len(found) == 1 else None


def never_there(
    tx: Tx, context: StoreContext, after: uuid.UUID, began: datetime
) -> tuple[list[FoundDiscrepancy], uuid.UUID | None]:
    """Return the next active products that the store never had, where its settings want all of them."""
    if not (context.settings.store_creates and context.direction.pushes):
        return [], None
    ref = ExternalRefRow
    known = sa.select(ref.local_id).where(ref.account_id == context.account_id, ref.kind == "product")
    query = sa.select(ProductRow).where(
        ProductRow.organisation_id == context.organisation_id, ProductRow.status == "active",
        ProductRow.id.not_in(known), ProductRow.id > after, ProductRow.created_at < began,
    ).order_by(ProductRow.id).limit(_CHUNK)  # fmt: skip
    kind, rows = DiscrepancyType.MISSING_REMOTE, tx.session.scalars(query).all()
    found = [
        FoundDiscrepancy(
            thing="product", key=str(one.id), type=kind, severity=rules.severity_of(kind), moved=Moved.LOCAL,
            context=Context.QUIET, confidence=confidence(kind, Moved.LOCAL, Context.QUIET), action=Remedy.PUBLISH,
            local=one.title, about=one.title, product_id=one.id,
            versions={"product": one.version, "read_at": began.isoformat()},
        )
        for one in rows
    ]  # fmt: skip
    return found, rows[-1].id if len(rows) == _CHUNK else None


def missing_here(
    tx: Tx, context: StoreContext, run_id: uuid.UUID, after: str, began: datetime
) -> tuple[list[FoundDiscrepancy], str | None]:  # fmt: skip
    """Return the next products of the store that Fleet does not know and does not leave alone."""
    row = ReconciledObjectRow
    query = sa.select(row).where(row.run_id == run_id, ~row.is_known, row.external_id > after)
    rows = tx.session.scalars(query.order_by(row.external_id).limit(_CHUNK)).all()
    mapped = set(refs.by_external(tx, context.account_id, "product", [one.external_id for one in rows]))
    relinked = _relinked(tx, context.account_id, [one.external_id for one in rows])
    kind = DiscrepancyType.MISSING_LOCAL
    found = [
        FoundDiscrepancy(
            thing="product", key=one.external_id, type=kind, severity=rules.severity_of(kind), moved=Moved.REMOTE,
            context=Context.QUIET, confidence=confidence(kind, Moved.REMOTE, Context.QUIET), action=Remedy.IMPORT,
            remote=one.about, about=one.about or one.external_id, external_id=one.external_id,
            versions={"read_at": began.isoformat()},
        )
        for one in rows if one.external_id not in mapped | relinked
    ]  # fmt: skip
    return found, rows[-1].external_id if len(rows) == _CHUNK else None


def _relinked(tx: Tx, account_id: uuid.UUID, external_ids: Sequence[str]) -> set[str]:
    """Return the objects that are known ones with a new id: they are no products that Fleet lacks."""
    row = DiscrepancyRow
    query = sa.select(row.remote).where(
        row.account_id == account_id, row.action == Remedy.RELINK, row.state.in_(("open", "proposed", "fixing"))
    )
    return set(map(str, tx.session.scalars(query))) & set(external_ids)


def places_not_seen(tx: Tx, account_id: uuid.UUID, run_id: uuid.UUID) -> set[Thing]:
    """Return the places of open discrepancies of missing products that a complete run did not find again."""
    row = DiscrepancyRow
    query = sa.select(row.thing, row.key, row.field).where(
        row.account_id == account_id, row.thing == "product", row.field == "", row.state.in_(("open", "proposed")),
        row.run_id.is_distinct_from(run_id),
    )  # fmt: skip
    return {(one.thing, one.key, one.field) for one in tx.execute(query)}
