"""A catalogue with weeks of orders at known prices, for tests of forecasts and prices."""

from __future__ import annotations

import random
import uuid
from datetime import datetime, timedelta

import sqlalchemy as sa

from fleet.access.models import DEFAULT_ORGANISATION
from fleet.adapters.shops import Money
from fleet.core import ids
from fleet.core.db import Tx
from fleet.engine import system_agents
from fleet.engine.attempts.perform import perform
from fleet.features.orders.models import OrderLineRow, StoreOrderRow
from fleet.features.products import service as catalogue
from fleet.features.products import stock
from fleet.features.products.models import MovementRow, VariantRow
from fleet.features.products.service import NewProduct, NewVariant
from tests.factories import Fleet
from tests.features.pricing.market import poisson

DAY = timedelta(days=1)


class SellingShop:
    """A store whose orders are rows, without a shop behind it."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.account = fleet.accounts.get("shop") or fleet.account("shop")
        self.dice = random.Random(5)
        system_agents.staff(fleet.deps.db)
        with fleet.deps.db.transaction() as tx:
            self.now = tx.now()
            self.place = stock.default_location(tx, DEFAULT_ORGANISATION)

    def variant(
        self, sku: str, *, price: int = 2999, cost: int | None = 1500, floor: int | None = None, on_hand: int = 100,
        age: int = 400,
    ) -> uuid.UUID:  # fmt: skip
        money = {name: None if one is None else Money(one, "EUR")
                 for name, one in (("price", price), ("cost", cost), ("floor", floor))}  # fmt: skip
        new = NewVariant(sku=sku, currency="EUR", **money)
        with self.fleet.deps.db.transaction() as tx:
            made = catalogue.create(
                tx, DEFAULT_ORGANISATION, NewProduct(title=f"Lamp {sku}", categories=("Lamps",), variants=(new,)),
                origin="user:ann",
            )  # fmt: skip
            variant = catalogue.variants_of(tx, [made.id])[made.id][0].id
            stock.set_level(tx, variant, self.place, on_hand, reason="count", by="ann")
            old = self.now - age * DAY
            tx.execute(sa.update(MovementRow).where(MovementRow.variant_id == variant).values(at=old))
            tx.execute(sa.update(VariantRow).where(VariantRow.id == variant).values(created_at=old))
        return variant

    def sold(self, variant: uuid.UUID, days_ago: int, units: int, price: int = 2999, state: str = "delivered") -> None:
        """Record an order of so many days ago."""
        with self.fleet.deps.db.transaction() as tx:
            self.order(tx, variant, self.now - days_ago * DAY, units, price, state)

    def order(self, tx: Tx, variant: uuid.UUID, at: datetime, units: int, price: int, state: str) -> None:
        order_id = ids.new()
        tx.execute(sa.insert(StoreOrderRow).values(
            id=order_id, organisation_id=DEFAULT_ORGANISATION, account_id=self.account, external_id=str(order_id),
            number=f"A-{order_id}"[:100], state=state, total_minor=units * price, currency="EUR", placed_at=at,
        ))  # fmt: skip
        tx.execute(sa.insert(OrderLineRow).values(
            order_id=order_id, external_id="1", variant_id=variant, sku="x", title="Lamp", quantity=units,
            fulfilled=units, unit_minor=price,
        ))  # fmt: skip

    def sells(self, variant: uuid.UUID, days: int, rate: float, elasticity: float = 0.0, price: int = 2999) -> None:
        """Have a variant sell for days until yesterday; with an elasticity its price moves every two weeks."""
        with self.fleet.deps.db.transaction() as tx:
            for ago in range(days, 0, -1):
                asked = price if not elasticity else round(price * (0.9, 1.0, 1.1)[((ago - 1) // 14) % 3])
                units = poisson(self.dice, rate * (asked / price) ** elasticity)
                if units:
                    self.order(tx, variant, self.now - ago * DAY, units, asked, "delivered")

    def price(self, variant: uuid.UUID) -> int | None:
        with self.fleet.deps.db.transaction() as tx:
            return tx.scalar(sa.select(VariantRow.price_minor).where(VariantRow.id == variant))

    def work(self, kind: str) -> str:
        """Carry out the waiting job of a kind; return its state."""
        (job,) = self.fleet.jobs(kind=kind, state="ready")
        perform(self.fleet.deps, job.id)
        (done,) = [one for one in self.fleet.jobs(kind=kind) if one.id == job.id]
        assert done.error is None or done.state != "dead", done.error
        return str(done.state)
