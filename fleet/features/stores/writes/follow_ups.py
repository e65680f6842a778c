"""What a finished write changes here, in the transaction that records it: both sides agree on what was sent."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from fleet.accounts.models import key_of
from fleet.core import events, ids
from fleet.core.db import Tx
from fleet.engine import publish
from fleet.engine.agents import loop
from fleet.engine.attempts.work import Work
from fleet.engine.jobs.ledger import NewJob
from fleet.engine.jobs.outcomes import Done
from fleet.features.products.models import VariantRow
from fleet.features.stores import values
from fleet.features.stores.models import ExternalRefRow, ShopEventRow
from fleet.features.stores.state import refs
from fleet.features.stores.writes import sold_out

_ORDER_OF_NOW = "now"


def created(tx: Tx, work: Work, outcome: Done) -> None:
    """Map a product that was created, and its variants by their SKUs."""
    account_id, payload = key_of(work.claim.account_id), work.claim.payload
    product_id, external_id = uuid.UUID(payload["product"]), str(outcome.remote_id)
    rows: list[dict[str, Any]] = [{"kind": "product", "local_id": product_id, "external_id": external_id,
                                   "key": payload["key"], "state": "mapped", "details": {}}]  # fmt: skip
    states = _states(work, product_id, {name: value for name, value in payload["values"].items()
                                        if name in values.PRODUCT_FIELD_NAMES}, {})  # fmt: skip
    of_variants, more = _new_variants(work, outcome, external_id, payload["values"]["variants"])
    rows += of_variants
    states += more
    _free(tx, account_id, rows)
    refs.save_refs(tx, account_id, rows)
    refs.save_states(tx, account_id, _at(tx, states))
    events.emit(tx, "product.listed", agent_id=work.claim.agent_id, job_id=work.claim.job_id,
                store=payload.get("store"), title=payload["values"].get("title"), product=payload["product"],
                page=f"/products/{product_id}")  # fmt: skip


def added_variants(tx: Tx, work: Work, outcome: Done) -> None:
    """Map variants that were added to a product, by their SKUs."""
    account_id, payload = key_of(work.claim.account_id), work.claim.payload
    product_id = uuid.UUID(payload["product"])
    ref = refs.by_local(tx, account_id, "product", [product_id]).get(product_id)
    if ref is None or ref.external_id is None:
        return
    rows, states = _new_variants(work, outcome, ref.external_id, payload["variants"])
    _free(tx, account_id, rows)
    refs.save_refs(tx, account_id, rows)
    refs.save_states(tx, account_id, _at(tx, states))


def _new_variants(
    work: Work, outcome: Done, external_id: str, variants: list[dict[str, Any]]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:  # fmt: skip
    """Return the identities and the states of variants that were created; those without an id there are left out."""
    made = outcome.result.get("variants") or {}
    rows: list[dict[str, Any]] = []
    states: list[dict[str, Any]] = []
    for one in variants:
        variant_id, sku = uuid.UUID(one["variant"]), one.get("variant.sku", "")
        if sku not in made:
            continue
        rows.append({"kind": "variant", "local_id": variant_id, "external_id": str(made[sku]), "parent_id": external_id,
                     "key": sku, "state": "mapped", "details": {}})  # fmt: skip
        states += _states(work, variant_id, {name: value for name, value in one.items()
                                             if name.startswith(values.VARIANT) and value is not None}, {})  # fmt: skip
        if one.get("on_hand") is not None and one.get("stock_field"):
            states.append(_state(work, variant_id, one["stock_field"], one["on_hand"], now=one["on_hand"],
                                 base_at=_moment(work.claim.payload.get("at"))))  # fmt: skip
    return rows, states


def _free(tx: Tx, account_id: uuid.UUID, rows: list[dict[str, Any]]) -> None:
    """Take ids from identities that a sync mapped meanwhile to other objects: what Fleet created is what it was for."""
    row = ExternalRefRow
    for one in rows:
        other = (row.account_id == account_id, row.kind == one["kind"], row.external_id == one["external_id"],
                 row.local_id != one["local_id"], row.state != "gone")  # fmt: skip
        tx.execute(sa.update(row).where(*other).values(state="gone", gone_at=tx.sql_now)
                   .execution_options(synchronize_session=False))  # fmt: skip


def updated_product(tx: Tx, work: Work, outcome: Done) -> None:
    """Note the values of a product's fields as agreed."""
    payload = work.claim.payload
    if payload.get(sold_out.NOTE):
        sold_out.written(tx, key_of(work.claim.account_id), payload)
        return
    now = next(iter(_now(outcome)), {})
    found = {name: now[name] for name in payload["values"] if name in now}
    states = _states(work, uuid.UUID(payload["product"]), payload["values"], found)
    refs.save_states(tx, key_of(work.claim.account_id), _at(tx, states))


def updated_variants(tx: Tx, work: Work, outcome: Done) -> None:
    """Note the prices and SKUs of variants as agreed; those that the shop refused stay as they were."""
    account_id = key_of(work.claim.account_id)
    refused = _refused(outcome)
    found = _externals(tx, account_id, work.claim.payload["changes"])
    states: list[dict[str, Any]] = []
    for one in work.claim.payload["changes"]:
        if found.get(one["variant"]) not in refused:
            states += _states(work, uuid.UUID(one["variant"]), one["values"], {})
    refs.save_states(tx, account_id, _at(tx, states))


def stocked(tx: Tx, work: Work, outcome: Done) -> None:
    """Note the units of variants as agreed, at the moment at which the catalogue was compared.

    Units that a probe found may be there by an order too: they are read again, and `sync.lost_writes` compares both.
    """
    account_id, payload = key_of(work.claim.account_id), work.claim.payload
    refused = _refused(outcome)
    found = _externals(tx, account_id, payload["changes"])
    taken = [one for one in payload["changes"] if found.get(one["variant"]) not in refused]
    if outcome.result.get("adopted"):
        _read_again(tx, work, [found[one["variant"]] for one in taken])
    else:
        refs.save_states(tx, account_id, _at(tx, [
            _state(work, uuid.UUID(one["variant"]), one["field"], one["quantity"], now=one["quantity"],
                   base_at=_moment(payload["at"]))
            for one in taken
        ]))  # fmt: skip
    claim = work.claim
    shown = sold_out.show_again(tx, account_id, [uuid.UUID(one["variant"]) for one in taken if one["quantity"]])
    publish.add_jobs(tx, work.deps.publisher, [
        NewJob(ids.new(), claim.agent_id, "update_product", claim.surface, target=one["external_id"],
               payload={**one, "store": payload.get("store", "")}, requested_by=claim.requested_by,
               account_id=claim.account_id)
        for one in shown
    ])  # fmt: skip


def _read_again(tx: Tx, work: Work, variant_ids: Sequence[str | None]) -> None:
    row, account_id = ShopEventRow, key_of(work.claim.account_id)
    for number, one in enumerate(variant_ids):
        if one is not None:
            tx.execute(insert(row).values(
                account_id=account_id, event_id=f"job:{work.claim.job_id}:{number}", kind="stock", priority=8,
                variant_id=one[:200],
            ).on_conflict_do_nothing())  # fmt: skip
    loop.wake(tx, work.claim.agent_id)


def removed(tx: Tx, work: Work, outcome: Done) -> None:  # noqa: ARG001 - the shape of all follow-ups
    """Note that a product of a store is gone."""
    account_id, payload = key_of(work.claim.account_id), work.claim.payload
    product_id = uuid.UUID(payload["product"])
    row = ExternalRefRow
    own = sa.select(VariantRow.id).where(VariantRow.product_id == product_id)
    tx.execute(sa.update(row).where(
        row.account_id == account_id, row.state != "gone",
        sa.or_(sa.and_(row.kind == "product", row.local_id == product_id),
               sa.and_(row.kind == "variant", row.local_id.in_(own))),
    ).values(state="gone", gone_at=tx.sql_now).execution_options(synchronize_session=False))  # fmt: skip
    events.emit(tx, "product.delisted", agent_id=work.claim.agent_id, job_id=work.claim.job_id,
                store=payload.get("store"), product=payload["product"], page=f"/products/{product_id}")  # fmt: skip


def _states(
    work: Work, local_id: uuid.UUID, sent: Mapping[str, Any], now: Mapping[str, Any]
) -> list[dict[str, Any]]:  # fmt: skip
    return [_state(work, local_id, name, value, now=now.get(name)) for name, value in sent.items()]


def _state(
    work: Work, local_id: uuid.UUID, name: str, sent: Any, *, now: Any, base_at: datetime | None = None
) -> dict[str, Any]:  # fmt: skip
    """Return the state after a write. Without what the shop made of it, the next reading tells it (`remote` is None).

    Only texts and images have forms of the shop's own.
    """
    has_forms = name in ("title", "description", "images", "categories", values.VARIANT_TITLE)
    there = now if now is not None else None if has_forms else sent
    return {"local_id": local_id, "field": name, "base": refs.base_of(sent, there), "remote": there,
            "written_by": work.claim.job_id, "base_at": base_at}  # fmt: skip


def _at(tx: Tx, states: list[dict[str, Any]]) -> list[dict[str, Any]]:
    now = tx.now()
    return [{**one, "remote_at": now} for one in states]


def _moment(written: str | None) -> datetime | None:
    return None if written is None else datetime.fromisoformat(written)


def _now(outcome: Done) -> list[dict[str, Any]]:
    found = outcome.result.get(_ORDER_OF_NOW)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _refused(outcome: Done) -> frozenset[str]:
    found = outcome.result.get("refused")
    if isinstance(found, Mapping):
        return frozenset(map(str, found))
    return frozenset(str(one.get("variant_id", "")) if isinstance(one, Mapping) else str(one) for one in found or ())


def _externals(tx: Tx, account_id: uuid.UUID, changes: list[dict[str, Any]]) -> dict[str, str | None]:
    found = refs.by_local(tx, account_id, "variant", [uuid.UUID(one["variant"]) for one in changes])
    return {str(local_id): one.external_id for local_id, one in found.items()}


def updated_order(tx: Tx, work: Work, outcome: Done) -> None:  # noqa: ARG001 - the shape of all follow-ups
    """Have the order read again at once: its units leave stock when the shop says so."""
    account_id, payload = key_of(work.claim.account_id), work.claim.payload
    row = ShopEventRow
    tx.execute(insert(row).values(
        account_id=account_id, event_id=f"job:{work.claim.job_id}", kind="order", priority=10,
        order_id=str(payload["external_id"])[:200],
    ).on_conflict_do_nothing())  # fmt: skip
    loop.wake(tx, work.claim.agent_id)
