"""Turn decided values into jobs that write to a store: batches of variants, one job for each product.

A payload has ids of the catalogue and values as JSON; `expected` is what the store had when it was compared, so that a
write never overwrites what changed since. "fields" names what the job is about to write, as "ID/FIELD".
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from fleet.core import ids
from fleet.core.db import Tx
from fleet.engine import publish
from fleet.engine.jobs.ledger import NewJob
from fleet.features.stores.state.context import StoreContext
from fleet.features.stores.state.refs import written
from fleet.features.stores.writes import sold_out
from fleet.features.stores.writes.sold_out import StockWrite


@dataclass(slots=True)
class WritePlan:
    """The writes of one page, gathered before they become jobs."""

    products: dict[uuid.UUID, dict[str, Any]] = field(default_factory=dict)
    variants: dict[uuid.UUID, dict[str, Any]] = field(default_factory=dict)
    stock: list[StockWrite] = field(default_factory=list)
    added: dict[uuid.UUID, dict[str, Any]] = field(default_factory=dict)
    job_ids: list[uuid.UUID] = field(default_factory=list)
    """The jobs that `add` added."""

    def product(self, local_id: uuid.UUID, external_id: str, name: str, value: Any, expected: Any) -> None:
        """Plan a field of a product."""
        one = self.products.setdefault(local_id, {"external_id": external_id, "values": {}, "expected": {}})
        one["values"][name] = value
        if expected is not None:
            one["expected"][name] = expected

    def variant(self, local_id: uuid.UUID, name: str, value: Any, expected: Any) -> None:
        """Plan a field of a variant: its price or its SKU. An empty price or SKU cannot be written."""
        if not value:
            return
        one = self.variants.setdefault(local_id, {"values": {}, "expected": {}})
        one["values"][name] = value
        if expected is not None:
            one["expected"][name] = expected

    def new_variants(self, local_id: uuid.UUID, external_id: str, variants: Sequence[Mapping[str, Any]]) -> None:
        """Plan new variants of a product that the store has, as `sync.new_variants.data_of` returns them."""
        one = self.added.setdefault(local_id, {"external_id": external_id, "variants": []})
        one["variants"] += variants

    def add(self, tx: Tx, context: StoreContext) -> int:
        """Add the jobs in a transaction; return how many values they write."""
        hides: list[dict[str, Any]] = []
        if not context.traits.zero_stock and self.stock:
            self.stock, hides = sold_out.split(tx, context, self.stock)
        jobs = [new_job(context, "update_product", target=one["external_id"], payload=one) for one in hides]
        jobs += self._jobs(context, tx.now())
        publish.add_jobs(tx, context.deps.publisher, jobs)
        self.job_ids += [one.id for one in jobs]
        return sum(len(one.payload["fields"]) for one in jobs)

    def _jobs(self, context: StoreContext, now: datetime) -> Iterator[NewJob]:
        for local_id, one in self.products.items():
            yield new_job(
                context, "update_product", target=one["external_id"],
                payload={"product": str(local_id), "values": one["values"], "expected": one["expected"],
                         "fields": written((local_id, name) for name in one["values"])},
            )  # fmt: skip
        for local_id, one in self.added.items():
            yield new_job(context, "add_variants", target=one["external_id"], payload={
                "product": str(local_id), "variants": one["variants"], "at": now.isoformat(),
                "fields": written((uuid.UUID(each["variant"]), "create") for each in one["variants"]),
            })  # fmt: skip
        size = max(1, context.traits.batch)
        variants = [{"variant": str(local_id), "values": one["values"], "expected": one["expected"]}
                    for local_id, one in self.variants.items()]  # fmt: skip
        for batch in _batches(variants, size):
            fields = written((uuid.UUID(one["variant"]), name) for one in batch for name in one["values"])
            yield new_job(context, "update_variants", payload={"changes": batch, "fields": fields})
        for places in _batches(self.stock, size):
            changes = [{"variant": str(one.variant_id), "field": one.field, "location": one.location,
                        "quantity": one.quantity, "expected": one.expected, "is_undo": one.is_undo}
                       for one in places]  # fmt: skip
            yield new_job(context, "set_stock", payload={
                "changes": changes, "fields": written((one.variant_id, one.field) for one in places),
                "at": now.isoformat(),
            })  # fmt: skip


def new_job(
    context: StoreContext, kind: str, *, payload: Mapping[str, Any], target: str | None = None
) -> NewJob:  # fmt: skip
    """Return a job of the store's agent that writes through the store's account."""
    told = {"store": context.name, **({} if context.run_id is None else {"run": str(context.run_id)})}
    return NewJob(
        ids.new(), context.agent_id, kind, context.adapter, target=target, payload={**payload, **told},
        requested_by=context.requested_by, account_id=context.account_id, priority=context.priority,
    )  # fmt: skip


def _batches(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
