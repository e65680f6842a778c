"""A fleet with a store at the sandbox shop: what tests of the feature stores are made of."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from fleet.adapters.base import Adapter, Refused
from fleet.adapters.shops import Money, ProductPage
from fleet.core.settings import SettingScope
from fleet.engine import tick
from fleet.engine.agents.models import AgentRow
from fleet.engine.attempts import perform
from fleet.engine.jobs.models import JobRow
from fleet.engine.jobs.ticks import TickKey
from fleet.engine.settings import store as settings_store
from fleet.engine.settings.store import ScopeKey
from fleet.features.orders.models import StoreOrderRow
from fleet.features.products import service as catalogue
from fleet.features.products import stock
from fleet.features.products.models import ProductRow, StockRow, VariantRow
from fleet.features.products.service import NewProduct, NewVariant
from fleet.features.stores import service
from fleet.features.stores.models import StoreRow, SyncConflictRow, SyncRunRow
from fleet.features.stores.rules import Strategy
from tests.factories import Fleet, InMemory, make_fleet
from tests.shops import ShopWorld

MOST_ROUNDS = 30


@dataclass
class StoreWorld:
    """A store named "shop" (and others), its agent and its jobs, carried out by hand."""

    fleet: Fleet
    shop: ShopWorld
    account_id: uuid.UUID

    def add(self, name: str = "shop", *, adapter: Adapter | None = None) -> StoreRow:
        """Add a store."""
        if name not in self.fleet.accounts:
            self.connect(adapter, name)
            self.fleet.account(name, adapter="sandbox_shop", credentials=self.shop.credentials)
        return service.add(self.fleet.deps, name, by="tests")

    def adapter(self, name: str = "shop") -> Any:
        """Return the adapter of a store, as the fleet has it."""
        outside = self.fleet.deps.outside
        assert isinstance(outside, InMemory)
        return outside.systems[name]

    def connect(self, adapter: Any, name: str = "shop") -> None:
        """Let the fleet reach a store by another adapter from now on."""
        outside = self.fleet.deps.outside
        assert isinstance(outside, InMemory)
        outside.systems[name] = adapter
        self.fleet.deps._gateways.clear()

    def setting(self, name: str, value: Any, *, store: str = "shop") -> None:
        """Set a setting of a store."""
        key = ScopeKey(SettingScope.ACCOUNT, str(self.fleet.accounts[store]))
        with self.fleet.deps.db.transaction() as tx:
            settings_store.put(tx, key, name, value, by="tests", reason="")
        self.fleet.deps.live.expire()
        self.fleet.deps.live.refresh()

    def agent(self, name: str = "shop") -> AgentRow:
        """Return the agent of a store."""
        with self.fleet.deps.db.transaction() as tx:
            row, _ = service.named(tx, name)
            return tx.session.get_one(AgentRow, row.agent_id)

    def store(self, name: str = "shop") -> StoreRow:
        """Return the row of a store."""
        with self.fleet.deps.db.transaction() as tx:
            return service.named(tx, name)[0]

    def wake(self, name: str = "shop") -> None:
        """Have the agent of a store decide now."""
        agent = self.agent(name)
        with self.fleet.deps.db.transaction() as tx:
            tx.execute(sa.update(AgentRow).where(AgentRow.id == agent.id).values(tick_no=AgentRow.tick_no + 1))
        number = agent.tick_no + 1
        self.fleet.sql("INSERT INTO ticks (agent_id, tick_no, due_at) VALUES (:id, :no, clock_timestamp())",
                       id=agent.id, no=number)  # fmt: skip
        tick.tick(self.fleet.deps, TickKey(agent.id, number))

    def ready(self) -> list[JobRow]:
        """Return the jobs that can be carried out."""
        return self.fleet.jobs(state="ready")

    def work(self) -> list[JobRow]:
        """Carry out jobs until none is ready; return them as they ended."""
        done: dict[uuid.UUID, None] = {}
        for _ in range(MOST_ROUNDS):
            waiting = [job.id for job in self.ready() if job.id not in done]
            if not waiting:
                break
            for job_id in waiting:
                perform.perform(self.fleet.deps, job_id)
                done[job_id] = None
        return [self.fleet.job(job_id) for job_id in done]

    def sync(self, strategy: Strategy | None = Strategy.FULL, *, name: str = "shop") -> SyncRunRow:
        """Have a store synced, with what follows; return the run."""
        service.request_sync(self.fleet.deps, name, by="tests", strategy=strategy)
        self.wake(name)
        self.work()
        return self.runs(name)[-1]

    def request(self, strategy: Strategy | None, name: str = "shop") -> None:
        """Ask for a sync, and have the agent begin it."""
        service.request_sync(self.fleet.deps, name, by="tests", strategy=strategy)
        self.wake(name)

    def runs(self, name: str = "shop") -> list[SyncRunRow]:
        """Return the runs of a store, oldest first."""
        with self.fleet.deps.db.transaction() as tx:
            query = sa.select(SyncRunRow).where(SyncRunRow.account_id == self.fleet.accounts[name])
            return list(tx.session.scalars(query.order_by(SyncRunRow.started_at, SyncRunRow.id)))

    def products(self) -> dict[str, ProductRow]:
        """Return the catalogue by title."""
        with self.fleet.deps.db.transaction() as tx:
            return {one.title: one for one in tx.session.scalars(sa.select(ProductRow))}

    def variant(self, sku: str) -> VariantRow:
        """Return a variant of the catalogue."""
        with self.fleet.deps.db.transaction() as tx:
            return tx.session.scalars(
                sa.select(VariantRow).where(VariantRow.sku == sku, VariantRow.removed_at.is_(None))
            ).one()

    def on_hand(self, sku: str) -> int:
        """Return the units of a variant in all locations of the catalogue."""
        with self.fleet.deps.db.transaction() as tx:
            query = sa.select(sa.func.coalesce(sa.func.sum(StockRow.on_hand), 0)).join(
                VariantRow, VariantRow.id == StockRow.variant_id)  # fmt: skip
            return int(tx.scalar(query.where(VariantRow.sku == sku)))

    def change(self, sku: str, /, **changes: Any) -> None:
        """Change a variant as a person does."""
        with self.fleet.deps.db.transaction() as tx:
            catalogue.change_variant(tx, self.variant(sku).id, changes, origin="user:tests")

    def change_product(self, title: str, /, **changes: Any) -> None:
        """Change a product as a person does."""
        product_id = self.products()[title].id
        with self.fleet.deps.db.transaction() as tx:
            catalogue.change(tx, product_id, changes, origin="user:tests")

    def create(self, sku: str, *, on_hand: int = 0, price: int = 1000) -> uuid.UUID:
        """Create a product as a person does, titled as its SKU."""
        organisation_id = self.store().organisation_id
        with self.fleet.deps.db.transaction() as tx:
            new = NewProduct(title=sku.title(), variants=(NewVariant(sku=sku, price=Money(price, "EUR"),
                                                                     currency="EUR"),))  # fmt: skip
            product_id = catalogue.create(tx, organisation_id, new, origin="user:tests").id
            (variant,) = catalogue.variants_of(tx, [product_id])[product_id]
            place = stock.default_location(tx, organisation_id)
            stock.set_level(tx, variant.id, place, on_hand, reason="count", by="user:tests")
        return product_id

    def count(self, sku: str, on_hand: int) -> None:
        """Set the stock of a variant as a person does, at the default location."""
        with self.fleet.deps.db.transaction() as tx:
            variant = self.variant(sku)
            place = stock.default_location(tx, variant.organisation_id)
            stock.set_level(tx, variant.id, place, on_hand, reason="count", by="user:tests")

    def move(self, sku: str, delta: int) -> None:
        """Add units, as a person does."""
        with self.fleet.deps.db.transaction() as tx:
            variant = self.variant(sku)
            place = stock.default_location(tx, variant.organisation_id)
            stock.move(tx, variant.id, place, delta, reason="count", by="user:tests")

    def reserve(self, sku: str, quantity: int, *, ref: str) -> None:
        """Promise units, as the order of another store does."""
        with self.fleet.deps.db.transaction() as tx:
            variant = self.variant(sku)
            place = stock.default_location(tx, variant.organisation_id)
            stock.reserve(tx, variant.id, place, quantity, ref=ref, reason="order")

    def reserved(self, sku: str) -> int:
        """Return the units of a variant that are promised."""
        with self.fleet.deps.db.transaction() as tx:
            found = stock.levels(tx, [self.variant(sku).id])
            return sum(sum(one.reserved.values()) for one in found.values())

    def order(self) -> StoreOrderRow:
        """Return the one order."""
        with self.fleet.deps.db.transaction() as tx:
            return tx.session.scalars(sa.select(StoreOrderRow)).one()

    def gone(self) -> int:
        """Return how many objects of the store are gone."""
        return int(self.fleet.sql("SELECT count(*) FROM external_refs WHERE state = 'gone'").scalar_one())

    def conflicts(self) -> list[SyncConflictRow]:
        """Return the conflicts that are not settled."""
        with self.fleet.deps.db.transaction() as tx:
            query = sa.select(SyncConflictRow).where(SyncConflictRow.state != "settled")
            return list(tx.session.scalars(query.order_by(SyncConflictRow.created_at)))

    def events(self, *subjects: str) -> list[Any]:
        """Return events, oldest first."""
        query = "SELECT subject, payload FROM events WHERE subject = ANY(:subjects) ORDER BY id"
        return list(self.fleet.sql(query, subjects=list(subjects)).all())


class EmptyShop:
    """A shop whose lists are empty all at once; everything else is the shop behind it."""

    def __init__(self, adapter: Any) -> None:
        self._adapter = adapter

    def __getattr__(self, name: str) -> Any:
        return getattr(self._adapter, name)

    def products(self, *, cursor: str | None, limit: int) -> ProductPage:
        return ProductPage((), None, 0)


class RefusingShop(EmptyShop):
    """A shop that refuses to list its products."""

    def products(self, *, cursor: str | None, limit: int) -> ProductPage:
        raise Refused("no products today")


@contextmanager
def world(database_url: str, shop: ShopWorld, **settings: Any) -> Iterator[StoreWorld]:
    """Make a fleet with a store at the sandbox shop. Nothing is synced yet."""
    with world_at(database_url, shop.adapter(), "sandbox_shop", shop.credentials, shop=shop, **settings) as made:
        yield made


@contextmanager
def world_at(
    database_url: str, adapter: Any, kind: str, credentials: str, *, shop: Any = None, **settings: Any
) -> Iterator[StoreWorld]:  # fmt: skip
    """Make a fleet with a store named "shop" behind an adapter."""
    fleet = make_fleet(database_url, systems={"shop": adapter}, **settings)
    account_id = fleet.account("shop", adapter=kind, credentials=credentials)
    made = StoreWorld(fleet, shop, account_id)
    made.add()
    try:
        yield made
    finally:
        fleet.deps.close()
