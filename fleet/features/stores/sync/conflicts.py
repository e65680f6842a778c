"""Conflicts: fields that both sides changed, and objects that matching could not decide."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from fleet.core import events, ids
from fleet.core.db import Tx
from fleet.features.products.models import VariantRow
from fleet.features.stores.models import SyncConflictRow
from fleet.features.stores.state.context import StoreContext

_OBJECT = sa.text("coalesce(local_id::text, external_id)")


@dataclass(frozen=True, slots=True)
class FieldConflict:
    """A field with three different values."""

    local_id: uuid.UUID
    field: str
    about: str
    base: Any
    local: Any
    remote: Any


@dataclass(frozen=True, slots=True)
class MatchConflict:
    """An object of a store that is not mapped. `kind`: match (several candidates) or sku (taken by another)."""

    kind: str
    external_id: str
    about: str
    candidates: Sequence[str]
    why: str = ""
    local_id: uuid.UUID | None = None


def open_fields(tx: Tx, context: StoreContext, found: Sequence[FieldConflict]) -> int:
    """Open conflicts of fields, or renew the values of those that are open; return how many are new."""
    return _open(tx, context, [
        {"kind": "field", "local_id": one.local_id, "external_id": "", "field": one.field, "about": one.about[:300],
         "base": one.base, "local": one.local, "remote": one.remote, "candidates": []}
        for one in found
    ])  # fmt: skip


def open_matches(tx: Tx, context: StoreContext, found: Sequence[MatchConflict]) -> int:
    """Open conflicts of matching; return how many are new."""
    return _open(tx, context, [
        {"kind": one.kind, "local_id": one.local_id, "external_id": one.external_id, "field": "",
         "about": one.about[:300], "base": None, "local": None, "remote": one.why[:300] or None,
         "candidates": list(one.candidates)}
        for one in {(each.kind, each.local_id or each.external_id): each for each in found}.values()
    ])  # fmt: skip


def _open(tx: Tx, context: StoreContext, rows: Sequence[dict[str, Any]]) -> int:
    opened = 0
    row = SyncConflictRow
    for one in rows:
        new = insert(row).values(id=ids.new(), account_id=context.account_id, organisation_id=context.organisation_id,
                                 run_id=context.run_id, **one)  # fmt: skip
        renewed = {name: new.excluded[name] for name in ("about", "base", "local", "remote", "candidates")}
        stored = new.on_conflict_do_update(
            index_elements=[row.account_id, row.kind, _OBJECT, row.field], index_where=row.state != "settled",
            set_={**renewed, "state": "open", "run_id": new.excluded.run_id},
        )  # fmt: skip
        is_new = tx.scalar(stored.returning(sa.literal_column("xmax = 0")))
        if is_new:
            opened += 1
            events.emit(tx, "sync.conflict", agent_id=context.agent_id, store=context.name, about=one["about"],
                        field=one["field"] or one["kind"], organisation=str(context.organisation_id),
                        page="/stores/conflicts")  # fmt: skip
    return opened


def settle(tx: Tx, account_id: uuid.UUID, fields: Collection[tuple[uuid.UUID, str]]) -> None:
    """Settle open conflicts of fields on which both sides agree by now."""
    if not fields:
        return
    row = SyncConflictRow
    ids_of = {local_id for local_id, _ in fields}
    query = sa.select(row.id, row.local_id, row.field).where(
        row.account_id == account_id, row.kind == "field", row.state != "settled", row.local_id.in_(ids_of)
    )
    done = [one.id for one in tx.execute(query) if (one.local_id, one.field) in fields]
    if done:
        tx.execute(sa.update(row).where(row.id.in_(done)).values(state="settled"))


def settle_matches(tx: Tx, account_id: uuid.UUID, external_ids: Collection[str]) -> None:
    """Settle open conflicts about products of a store that are matched by now."""
    if not external_ids:
        return
    row = SyncConflictRow
    which = (row.account_id == account_id, row.kind != "field", row.state != "settled",
             row.external_id.in_(external_ids))  # fmt: skip
    tx.execute(sa.update(row).where(*which).values(state="settled").execution_options(synchronize_session=False))


def open_products(tx: Tx, account_id: uuid.UUID, product_ids: Collection[uuid.UUID]) -> set[uuid.UUID]:
    """Return the products that have open conflicts, of their own or of a variant."""
    if not product_ids:
        return set()
    row = SyncConflictRow
    which = (row.account_id == account_id, row.kind == "field", row.state != "settled")
    owner = sa.func.coalesce(VariantRow.product_id, row.local_id)
    query = sa.select(owner).select_from(row).outerjoin(VariantRow, VariantRow.id == row.local_id).where(*which)
    return set(tx.session.scalars(query.where(owner.in_(product_ids))))
