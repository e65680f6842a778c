"""The end of a complete sweep: which objects of a store are gone.

Only two complete sweeps in a row that miss an object, and a read by its id, make it gone; a sweep that misses a fifth
of what is known is distrusted. What is gone at one store stays in the catalogue.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from fleet.core import events
from fleet.core.db import Tx
from fleet.features.products.models import ProductRow, VariantRow
from fleet.features.stores import rules
from fleet.features.stores.models import ExternalRefRow, SyncConflictRow
from fleet.features.stores.state.context import StoreContext, SyncCounts


def judge_sweep(tx: Tx, context: StoreContext, sweep: datetime) -> bool:
    """Count what a complete sweep missed; False if it is distrusted, which changes nothing."""
    row = ExternalRefRow
    own = (row.account_id == context.account_id, row.kind == "product", row.state == "mapped",
           row.created_at < sweep)  # fmt: skip
    is_missing = row.seen_at.is_(None) | (row.seen_at < sweep)
    known, missing = tx.execute(
        sa.select(sa.func.count(), sa.func.count().filter(is_missing)).where(*own)
    ).one()  # fmt: skip
    if not rules.is_trusted(known=known, missing=missing):
        events.emit(tx, "sync.distrusted", agent_id=context.agent_id, store=context.name, known=known, missing=missing,
                    organisation=str(context.organisation_id), page=f"/stores/{context.name}")  # fmt: skip
        return False
    if missing:
        tx.execute(sa.update(row).where(*own, is_missing).values(missed=row.missed + 1)
                   .execution_options(synchronize_session=False))  # fmt: skip
    return True


def missed_products(tx: Tx, context: StoreContext, after: str, limit: int) -> Sequence[ExternalRefRow]:
    """Return the next products that enough sweeps missed: each is read by its id."""
    row = ExternalRefRow
    own = (row.account_id == context.account_id, row.kind == "product", row.state == "mapped",
           row.missed >= rules.GONE_AFTER, row.external_id > after)  # fmt: skip
    return tx.session.scalars(sa.select(row).where(*own).order_by(row.external_id).limit(limit)).all()


def end_products(tx: Tx, context: StoreContext, external_ids: Sequence[str]) -> SyncCounts:
    """Mark products, and their variants, as gone at the store."""
    if not external_ids:
        return SyncCounts()
    row = ExternalRefRow
    own = (row.account_id == context.account_id, row.state != "gone")
    gone = sa.update(row).where(*own, row.kind == "product", row.external_id.in_(external_ids))
    gone = gone.values(state="gone", gone_at=tx.sql_now).returning(row.local_id, row.external_id)
    ended = tx.execute(gone.execution_options(synchronize_session=False)).all()
    tx.execute(sa.update(row).where(*own, row.kind == "variant", row.parent_id.in_(external_ids))
               .values(state="gone", gone_at=tx.sql_now)
               .execution_options(synchronize_session=False))  # fmt: skip
    local_ids = [one.local_id for one in ended]
    titles = dict(tx.execute(sa.select(ProductRow.id, ProductRow.title)
                             .where(ProductRow.id.in_(local_ids))).tuples().all())  # fmt: skip
    _settle(tx, context, local_ids)
    for one in ended:
        events.emit(tx, "product.gone", agent_id=context.agent_id, store=context.name, product=str(one.local_id),
                    title=titles.get(one.local_id, one.external_id), organisation=str(context.organisation_id),
                    page=f"/products/{one.local_id}")  # fmt: skip
    return SyncCounts(gone=len(ended))


def seen_again(tx: Tx, context: StoreContext, external_ids: Sequence[str]) -> None:
    """Note that products which sweeps missed are there."""
    row = ExternalRefRow
    which = (row.account_id == context.account_id, row.kind == "product", row.external_id.in_(external_ids))
    tx.execute(sa.update(row).where(*which).values(missed=0).execution_options(synchronize_session=False))


def note_vanished(tx: Tx, context: StoreContext, external_ids: Sequence[str]) -> None:
    """Count a read by id that found nothing, after a webhook said so, as one sweep that missed the product."""
    row = ExternalRefRow
    which = (row.account_id == context.account_id, row.kind == "product", row.external_id.in_(external_ids),
             row.state == "mapped")  # fmt: skip
    tx.execute(sa.update(row).where(*which).values(missed=sa.func.greatest(row.missed, 1))
               .execution_options(synchronize_session=False))  # fmt: skip


def _settle(tx: Tx, context: StoreContext, product_ids: Sequence[uuid.UUID]) -> None:
    """Settle open conflicts about products that are gone."""
    row = SyncConflictRow
    variants = sa.select(VariantRow.id).where(VariantRow.product_id.in_(product_ids))
    which = (row.account_id == context.account_id, row.state != "settled",
             row.local_id.in_(product_ids) | row.local_id.in_(variants))  # fmt: skip
    tx.execute(sa.update(row).where(*which).values(state="settled").execution_options(synchronize_session=False))
