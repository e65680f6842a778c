"""Fix a discrepancy, and undo a fix: always under the guard that both sides still have the values compared.

A write to a store is a job with `expected`: the store refuses it if its value changed since. A change here is made
under the lock of the product. Raises Conflict for values that moved: the next comparison looks at them again.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from fleet.access import audit
from fleet.core import events
from fleet.core.db import Tx
from fleet.core.errors import Conflict, InvalidInput
from fleet.engine import publish
from fleet.features.products import service as catalogue
from fleet.features.products import stock
from fleet.features.products.models import VariantRow
from fleet.features.products.stock import StockEntry
from fleet.features.reconciliation import rules
from fleet.features.reconciliation.models import DiscrepancyRow
from fleet.features.reconciliation.rules import Remedy
from fleet.features.stores import decisions, values
from fleet.features.stores.models import ExternalRefRow, FieldStateRow
from fleet.features.stores.state import refs
from fleet.features.stores.state.context import StoreContext
from fleet.features.stores.sync import pushing, sweeps
from fleet.features.stores.sync.levels import StockPlace, places_of
from fleet.features.stores.writes.plan import WritePlan, new_job
from fleet.features.stores.writes.sold_out import StockWrite

_AGAIN = "Compare the store again: `fleet reconcile run` does."


def fix(tx: Tx, context: StoreContext, row: DiscrepancyRow, *, by: str, action: Remedy | None = None) -> None:
    """Begin the fix of an open discrepancy, or carry it out if it changes the catalogue alone.

    `action` None: the suggested one. Raises Conflict, InvalidInput.
    """
    if row.state not in ("open", "proposed", "dismissed", "undone"):
        raise Conflict(f"The discrepancy of {row.about} is {row.state}.")
    chosen = action or Remedy(row.action)
    if row.field == "" and chosen.value != row.action:
        raise InvalidInput(f"{row.about} can only be fixed by {row.action}.")
    if row.field != "" and chosen not in (Remedy.PUSH, Remedy.PULL):
        raise InvalidInput(f"Say whose value {row.about} is to have.", fix="push: the catalogue's; pull: the store's.")
    undo: dict[str, Any] = {"action": chosen.value, "before": None, "after": None, "base": _base(tx, context, row)}
    job_id: uuid.UUID | None = None
    if chosen is Remedy.PUSH:
        _refuse_moved(tx, context, row, row.local)
        job_id = _write(tx, context, row, row.local, row.remote)
        undo |= {"before": row.remote, "after": row.local}
    elif chosen is Remedy.PULL:
        _refuse_moved(tx, context, row, row.local)
        _refuse_newer(tx, context, row)
        _take(tx, context, row, row.remote, by)
        undo |= {"before": row.local, "after": row.remote}
    elif chosen is Remedy.IMPORT:
        external_id = str(row.versions.get("parent") or row.external_id)
        decisions.read_again(tx, context, f"reconcile:{row.id}:{tx.now().timestamp()}", product_id=external_id)
    elif chosen is Remedy.PUBLISH:
        job_id = _publish(tx, context, row)
    elif chosen is Remedy.RELINK:
        undo |= {"before": row.external_id, "after": row.remote}
        _relink(tx, context, row, str(row.remote))
    else:
        raise InvalidInput(f"Nothing in Fleet can fix {row.about}.", fix="Mend it in the shop, or dismiss it.")
    is_done = chosen in (Remedy.PULL, Remedy.RELINK)
    _move(tx, row, "fixed" if is_done else "fixing", by, job_id=job_id, undo=undo)
    audit.note(tx, "discrepancy.fixed", f"store:{context.name}", before={"local": row.local, "remote": row.remote},
               after={"about": row.about, "field": row.field, "action": chosen.value})  # fmt: skip
    if is_done:
        tell(tx, context, row, "discrepancy.fixed", by)


def undo(tx: Tx, context: StoreContext, row: DiscrepancyRow, *, by: str) -> None:
    """Write back what a fix replaced, if the fix's value is still there. Raises Conflict."""
    if row.state != "fixed":
        raise Conflict(f"The discrepancy of {row.about} is {row.state}: there is no fix to undo.")
    done, job_id = row.undo, None
    action = Remedy(done["action"])
    if action is Remedy.PUSH:
        if done["before"] in (None, ""):
            raise Conflict(f"{context.name} had no value of {row.about} to write back.")
        _refuse_other_write(tx, context, row)
        job_id = _write(tx, context, row, done["before"], done["after"], is_undo=True)
    elif action is Remedy.PULL:
        _refuse_moved(tx, context, row, done["after"])
        _take(tx, context, row, done["before"], by, undoes=done)
    elif action is Remedy.PUBLISH:
        job_id = pushing.remove_at_store(tx, context, _id(row.product_id))
    elif action is Remedy.IMPORT:
        _forget_import(tx, context, row, by)
    elif action is Remedy.RELINK:
        _relink(tx, context, row, done["before"])
    _move(tx, row, "undone" if job_id is None else "undoing", by, job_id=job_id)
    audit.note(tx, "discrepancy.undone", f"store:{context.name}", before={"value": done["after"]},
               after={"about": row.about, "field": row.field, "value": done["before"]})  # fmt: skip
    if job_id is None:
        tell(tx, context, row, "discrepancy.undone", by)


def tell(tx: Tx, context: StoreContext, row: DiscrepancyRow, subject: str, by: str) -> None:
    """Emit an event about a discrepancy."""
    events.emit(tx, subject, agent_id=context.agent_id, store=context.name, about=row.about, field=row.field, by=by,
                organisation=str(row.organisation_id), page=f"/reconciliation/{row.id}")  # fmt: skip


def _move(
    tx: Tx, row: DiscrepancyRow, state: str, by: str, *, job_id: uuid.UUID | None, undo: dict[str, Any] | None = None
) -> None:  # fmt: skip
    row.state, row.changed_at, row.changed_by, row.problem, row.job_id = state, tx.now(), by[:100], "", job_id
    if undo is not None:
        row.undo, row.request_id = undo, None
    tx.session.flush()


def _id(product_id: uuid.UUID | None) -> uuid.UUID:
    if product_id is None:
        raise Conflict("The catalogue does not have it any more.", fix=_AGAIN)
    return product_id


def _base(tx: Tx, context: StoreContext, row: DiscrepancyRow) -> dict[str, Any] | None:
    """Return what both sides had last agreed on, as the table has it, to restore it when the fix is undone."""
    if not row.field:
        return None
    state = tx.session.get(FieldStateRow, (context.account_id, uuid.UUID(row.key), row.field), populate_existing=True)
    if state is None:
        return None
    return {"value": state.base, "at": state.base_at.isoformat() if state.base_at else None}


def restore_base(tx: Tx, context_account: uuid.UUID, row: DiscrepancyRow, remote: Any) -> None:
    """Let both sides have agreed last on what they had agreed on before the fix."""
    base = row.undo.get("base")
    at = datetime.fromisoformat(base["at"]) if base and base["at"] else None
    refs.save_states(tx, context_account, [{
        "local_id": uuid.UUID(row.key), "field": row.field, "base": base and base["value"], "remote": remote,
        "remote_at": tx.now(), "base_at": at,
    }])  # fmt: skip


def _refuse_moved(tx: Tx, context: StoreContext, row: DiscrepancyRow, compared: Any) -> None:
    """Lock the product and refuse if the catalogue has another value than the one compared."""
    catalogue.lock(tx, [_id(row.product_id)])
    if _current(tx, context, row) != compared:
        raise Conflict(f"{row.about} was changed here since it was compared.", fix=_AGAIN)
    _refuse_other_write(tx, context, row)


def _refuse_other_write(tx: Tx, context: StoreContext, row: DiscrepancyRow) -> None:
    if (uuid.UUID(row.key), row.field) in refs.open_writes(tx, context.agent_id):
        raise Conflict(f"A job is about to write {row.about} to {context.name}.", fix=_AGAIN)


def _refuse_newer(tx: Tx, context: StoreContext, row: DiscrepancyRow) -> None:
    """Refuse a value of the store that a later reading has replaced."""
    state = refs.states_of(tx, context.account_id, [uuid.UUID(row.key)]).get((uuid.UUID(row.key), row.field))
    read_at = datetime.fromisoformat(row.versions["read_at"])
    if state is not None and state.remote_at > read_at and not rules.same(row.field, state.remote, row.remote):
        raise Conflict(f"{row.about} was changed at {context.name} since it was compared.", fix=_AGAIN)


def _current(tx: Tx, context: StoreContext, row: DiscrepancyRow) -> Any:
    """Return the catalogue's value of a field now."""
    if row.thing == "product":
        product = catalogue.get(tx, _id(row.product_id))
        return values.product_values(catalogue.product_values(product, ()), context.traits).get(row.field)
    variant = tx.session.get(VariantRow, uuid.UUID(row.key), populate_existing=True)
    if variant is None or variant.removed_at is not None:
        return None
    if not rules.is_stock(row.field):
        return values.variant_values(catalogue.variant_values(variant), context.traits).get(row.field)
    place = _place(context, row)
    level = stock.levels(tx, [variant.id]).get((variant.id, place.here), stock.Stock(0))
    own = f"order:{context.account_id}:"
    others = sum(units for ref, units in level.reserved.items() if not ref.startswith(own))
    return rules.units_here(level.on_hand, others=others, buffer=context.settings.store_buffer,
                                       direction=context.direction)  # fmt: skip


def _place(context: StoreContext, row: DiscrepancyRow) -> StockPlace:
    found = next((one for one in places_of(context) if one.field == row.field), None)
    if found is None:
        raise Conflict("The location of this stock is not known any more.", fix=_AGAIN)
    return found


def _write(
    tx: Tx, context: StoreContext, row: DiscrepancyRow, value: Any, expected: Any, *, is_undo: bool = False
) -> uuid.UUID:  # fmt: skip
    """Add the job that writes a value to the store, if the store still has the expected one; return its id."""
    local_id = uuid.UUID(row.key)
    fields = refs.written([(local_id, row.field)])
    had = {} if expected is None else {row.field: expected}
    if row.thing == "product":
        job = new_job(context, "update_product", target=row.external_id, payload={
            "product": row.key, "values": {row.field: value}, "expected": had, "fields": fields})  # fmt: skip
    elif rules.is_stock(row.field):
        plan = WritePlan(stock=[StockWrite(variant_id=local_id, field=row.field, location=_place(context, row).there,
                                           quantity=int(value), expected=expected, is_undo=is_undo)])  # fmt: skip
        plan.add(tx, context)
        if not plan.job_ids:
            raise Conflict(f"{row.about} has no units at {context.name} already.", fix=_AGAIN)
        return plan.job_ids[0]
    elif row.field in values.PUSHABLE_OF_VARIANTS and value:
        job = new_job(context, "update_variants", payload={
            "changes": [{"variant": row.key, "values": {row.field: value}, "expected": had}],
            "fields": fields})  # fmt: skip
    else:
        raise Conflict(f"{row.field.removeprefix(values.VARIANT)} of {row.about} cannot be written to a shop.")
    publish.add_jobs(tx, context.deps.publisher, [job])
    return job.id


def _take(
    tx: Tx, context: StoreContext, row: DiscrepancyRow, value: Any, by: str, *, undoes: Mapping[str, Any] | None = None
) -> None:  # fmt: skip
    """Give the catalogue a value. Both sides agree on it then; after an undo they agree on what they did before."""
    local_id, is_variant = uuid.UUID(row.key), row.thing == "variant"
    if rules.is_stock(row.field):
        before: Any = row.local if undoes is None else undoes["after"]
        stock.post(tx, [StockEntry(
            variant_id=local_id, location_id=_place(context, row).here, delta=int(value) - int(before),
            reason="reconciliation", by=by[:100], account_id=context.account_id,
        )])  # fmt: skip
    else:
        change = catalogue.change_variants if is_variant else catalogue.change_many
        origin = f"user:{by.rpartition(':')[2]}"[:120] if ":" in by else context.origin
        change(tx, {local_id: values.changes_of({row.field: value}, of_variant=is_variant)}, origin=origin,
               is_audited=False)  # fmt: skip
    if undoes is not None:
        restore_base(tx, context.account_id, row, undoes["after"])
        return
    now = tx.now()
    refs.save_states(tx, context.account_id, [{"local_id": local_id, "field": row.field, "base": value,
                                               "remote": value, "remote_at": now, "base_at": now}])  # fmt: skip


def _publish(tx: Tx, context: StoreContext, row: DiscrepancyRow) -> uuid.UUID:
    """Create a product at the store again, or for the first time."""
    product_id = _id(row.product_id)
    catalogue.lock(tx, [product_id])
    known = refs.by_local(tx, context.account_id, "product", [product_id]).get(product_id)
    if known is not None and known.state == "mapped":
        if known.external_id != row.external_id:
            raise Conflict(f"{row.about} is at {context.name} again.", fix=_AGAIN)
        sweeps.end_products(tx, context, [row.external_id])
    elif known is not None and known.state != "gone":
        raise Conflict(f"{row.about} is {known.state} at {context.name}.", fix=_AGAIN)
    job_id = pushing.create_at_store(tx, context, product_id)
    if job_id is None:
        raise Conflict(f"{row.about} cannot be sold at {context.name}.",
                       fix="All its variants need a SKU and prices in the store's currency.")  # fmt: skip
    return job_id


def _relink(tx: Tx, context: StoreContext, row: DiscrepancyRow, external_id: str) -> None:
    """Map a product to another object of the store; its variants are matched by their SKUs when it is read."""
    product_id = _id(row.product_id)
    known = refs.by_local(tx, context.account_id, "product", [product_id]).get(product_id)
    taken = refs.by_external(tx, context.account_id, "product", [external_id]).get(external_id)
    if known is None or known.state != "mapped" or (taken is not None and taken.local_id != product_id):
        raise Conflict(f"{row.about} is another object of {context.name} by now.", fix=_AGAIN)
    ref = ExternalRefRow
    tx.execute(sa.update(ref).where(
        ref.account_id == context.account_id, ref.kind == "variant", ref.parent_id == known.external_id,
        ref.state == "mapped",
    ).values(state="gone", gone_at=tx.sql_now).execution_options(synchronize_session=False))  # fmt: skip
    refs.save_refs(tx, context.account_id, [{"kind": "product", "local_id": product_id, "state": "mapped",
                                             "external_id": external_id, "key": known.key}])  # fmt: skip
    decisions.read_again(tx, context, f"relink:{row.id}:{tx.now().timestamp()}", product_id=external_id)


def _forget_import(tx: Tx, context: StoreContext, row: DiscrepancyRow, by: str) -> None:
    """Archive what an import created here, and leave the store's object alone from now on."""
    if row.thing != "product":
        raise Conflict("An imported variant stays.", fix="Remove it from its product.")
    ref = refs.by_external(tx, context.account_id, "product", [row.external_id]).get(row.external_id)
    if ref is None or ref.state != "mapped":
        raise Conflict(f"{row.about} is not mapped any more.", fix=_AGAIN)
    catalogue.change(tx, ref.local_id, {"status": "archived"}, origin=f"user:{by.rpartition(':')[2]}"[:120])
    kind = ExternalRefRow
    tx.execute(sa.update(kind).where(kind.account_id == context.account_id, kind.kind == "product",
                                     kind.external_id == row.external_id).values(state="ignored")
               .execution_options(synchronize_session=False))  # fmt: skip
