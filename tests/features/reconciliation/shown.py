"""What tests of reconciliation do again and again."""

from __future__ import annotations

import uuid
from typing import Any

import sqlalchemy as sa

from fleet.engine.attempts import perform
from fleet.features.reconciliation import service
from fleet.features.reconciliation.models import DiscrepancyRow, ReconciliationRow
from tests.features.stores.world import StoreWorld


def compare(stores: StoreWorld, name: str = "shop") -> ReconciliationRow:
    """Compare a store; return the run before the jobs of fixes are carried out."""
    run_id = service.request(stores.fleet.deps, name, by="web:ana")
    (job,) = [one for one in stores.ready() if one.kind == "reconcile_store"]
    perform.perform(stores.fleet.deps, job.id)
    return run_of(stores, run_id)


def run_of(stores: StoreWorld, run_id: uuid.UUID) -> ReconciliationRow:
    """Return a run as it is now."""
    with stores.fleet.deps.db.transaction() as tx:
        return tx.session.get_one(ReconciliationRow, run_id)


def rows(stores: StoreWorld) -> list[DiscrepancyRow]:
    """Return all discrepancies, oldest first."""
    with stores.fleet.deps.db.transaction() as tx:
        return list(tx.session.scalars(sa.select(DiscrepancyRow).order_by(DiscrepancyRow.found_at, DiscrepancyRow.id)))


def states(stores: StoreWorld) -> list[str]:
    """Return the states of all discrepancies, oldest first."""
    return [one.state for one in rows(stores)]


def ids(stores: StoreWorld) -> list[uuid.UUID]:
    """Return the ids of all discrepancies, oldest first."""
    return [one.id for one in rows(stores)]


def price(stores: StoreWorld, key: str = "cup") -> tuple[Any, Any]:
    """Return the price of a product here and there."""
    return stores.variant(f"{key}-1").price_minor, stores.shop.products()[key]["variants"][0]["priceMinor"]
