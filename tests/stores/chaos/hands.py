"""People: they edit products by hand in both shops and in the catalogue, count stock, and buy, ship and cancel.

Each SKU has owners for what may be edited where, so that the end is determined. What a person saw succeed is in the
journal. A person whose request failed looks again, and repeats it if it was not done.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
import sqlalchemy as sa

from fleet.adapters.shops import Money, ProductStatus
from fleet.core.db import Tx
from fleet.core.errors import Conflict, FleetError
from fleet.features.products import service as catalogue
from fleet.features.products import stock
from fleet.features.products.models import VariantRow
from fleet.features.products.service import NewProduct, NewVariant
from tests.stores.catalogue import sku
from tests.stores.catalogue import stock as seeded_stock
from tests.stores.chaos.shops import exclusive
from tests.stores.chaos.world import ShopSite, StoresWorld
from tests.stores.servers import ShopError

FLEET = "catalogue"
_BY = "user:chaos"
_TRANSIENT = (httpx.HTTPError, ShopError, FleetError, OSError, ValueError)
"""A shop that was killed, a database that is away. ValueError: half an answer."""
_AGAIN_S, _MOST_TRIES = 0.5, 120
_PACE_S = {FLEET: (0.3, 1.5), "vendure": (0.8, 3.0), "oscar": (0.8, 3.0), "customers": (1.0, 4.0)}
_FEW, _MOST_RUSHED = 4, 12
_DELETED_EVERY, _CONTESTED_EVERY, _SCARCE_EVERY = 50, 10, 25


@dataclass(frozen=True, slots=True)
class Edit:
    """What a person did, and saw succeed: `field` is title, price, status, stock (units added), create or delete."""

    began: datetime
    at: datetime
    where: str
    sku: str
    field: str
    value: Any


@dataclass(frozen=True, slots=True)
class Sale:
    """An order as its customer or its clerk saw it. `field`: placed, shipped or cancelled."""

    at: datetime
    where: str
    code: str
    field: str
    lines: dict[str, int]


def is_deletable(number: int) -> bool:
    """Say whether a product may be deleted by hand at one shop; nothing else is done with it."""
    return number % _DELETED_EVERY == 0


def is_contested(number: int) -> bool:
    """Say whether all three sides edit the title and price of a product."""
    return number % _CONTESTED_EVERY == 1


def is_scarce(number: int) -> bool:
    """Say whether customers of both shops buy the last units of a product at the same time."""
    return number % _SCARCE_EVERY == 7


def owner(number: int) -> str:
    """Return the side that edits a product that is not contested, and counts its stock."""
    return FLEET if is_scarce(number) else (FLEET, "vendure", "oscar")[number % 3]


class Hands:
    """All people of a run, each a thread."""

    def __init__(self, world: StoresWorld, products: int, seed: int) -> None:
        self._world, self._seed = world, seed
        half, only = products // 2, exclusive(products // 2)
        self._numbers = {"vendure": range(1, half + 1), "oscar": range(only + 1, half + only + 1),
                         FLEET: range(1, half + only + 1)}  # fmt: skip
        self._both = range(only + 1, half + 1)
        self._rushed = [one for one in self._both if is_scarce(one)][:_MOST_RUSHED]
        self.edits: list[Edit] = []
        self.sales: list[Sale] = []
        self.refused: Counter[str] = Counter()
        self.problems: list[str] = []
        self._open: dict[tuple[str, str], dict[str, int]] = {}
        self._lock = threading.Lock()
        self._locks = {name: threading.Lock() for name in ("vendure", "oscar")}
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._live, args=(name, work), name=f"hands-{name}-{number}", daemon=True)
            for number, (name, work) in enumerate((
                (FLEET, self._edit_catalogue), ("vendure", self._edit_shop), ("oscar", self._edit_shop),
                ("vendure", self._trade), ("oscar", self._trade), ("customers", self._rush),
            ))
        ]  # fmt: skip

    def start(self) -> None:
        """Let all begin. Of what customers rush for there are few units."""
        for number in self._rushed:
            self._count(sku(number), _FEW - seeded_stock(number), number)
        for thread in self._threads:
            thread.start()

    def finish(self, within_s: float) -> bool:
        """Let all end what they are at; return whether they did."""
        self._stopping.set()
        until = time.monotonic() + within_s
        for thread in self._threads:
            thread.join(max(0.1, until - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def close_orders(self) -> None:
        """Ship or cancel all orders that are open, as the shops themselves list them."""
        for site in self._world.shops.sites.values():
            for number, order in enumerate(site.shop.orders()):
                if order.state in ("PaymentSettled", "Pending"):
                    is_shipped = number % 3 != 0 or site.shop.has_parcels(order.code)
                    if not self._end_order(site, order.code, order.lines, is_shipped=is_shipped):
                        self._end_order(site, order.code, order.lines, is_shipped=False)

    def to_data(self) -> dict[str, Any]:
        """Return the journal as data."""
        return {"edits": [asdict(one) for one in self.edits], "sales": [asdict(one) for one in self.sales]}

    # ---- how they work ------------------------------------------------------------------------------------------

    def _live(self, name: str, work: Callable[[str, random.Random], None]) -> None:
        dice = random.Random(f"{self._seed} {threading.current_thread().name}")
        while not self._stopping.wait(dice.uniform(*_PACE_S[name])):
            try:
                work(name, dice)
            except Exception as error:
                self.problems.append(f"{threading.current_thread().name}: {type(error).__name__}: {error}"[:300])

    def _until_done(self, do: Callable[[], Any], is_done: Callable[[], bool] | None = None) -> Any:
        """Do something until it succeeds. After a failure `is_done` says whether it was done nevertheless."""
        for number in range(_MOST_TRIES):
            try:
                if number and is_done is not None and is_done():
                    return None
                return do()
            except Conflict:
                raise
            except _TRANSIENT:
                if number == _MOST_TRIES - 1:
                    raise
                time.sleep(_AGAIN_S)
        return None

    def _note(self, began: datetime, where: str, which: str, field: str, value: Any) -> None:
        with self._lock:
            self.edits.append(Edit(began, datetime.now(UTC), where, which, field, value))

    def _number(self, name: str, dice: random.Random, wanted: Callable[[int], bool]) -> int:
        numbers = self._numbers[name]
        while True:
            number = dice.choice(numbers)
            if not is_deletable(number) and wanted(number):
                return number

    def _editable(self, name: str, dice: random.Random) -> int:
        """Return a product of one's own; of ten edits one is of a contested product that both shops have."""
        if dice.random() < 0.1:
            return self._number(name, dice, lambda one: is_contested(one) and one in self._both)
        return self._number(name, dice, lambda one: not is_contested(one) and owner(one) == name)

    # ---- edits --------------------------------------------------------------------------------------------------

    def _edit_catalogue(self, name: str, dice: random.Random) -> None:
        number, chance = self._editable(name, dice), dice.random()
        which, began, deps = sku(number), datetime.now(UTC), self._world.deps

        if chance < 0.04:
            which = f"NEW-F-{dice.getrandbits(32):08x}"
            self._until_done(lambda: self._create_here(which, dice.randint(500, 9000), dice.randint(0, 30)),
                             lambda: self._is_here(which))  # fmt: skip
            self._note(began, name, which, "create", f"New {which}")
        elif chance < 0.34:
            title = f"Catalogue {dice.getrandbits(40):010x}"

            def change_title() -> None:
                with deps.db.transaction() as tx:
                    catalogue.change(tx, _variant(tx, which).product_id, {"title": title}, origin=_BY)

            self._until_done(change_title)
            self._note(began, name, which, "title", title)
        elif chance < 0.64:
            price = dice.randint(500, 9999)

            def change_price() -> None:
                with deps.db.transaction() as tx:
                    catalogue.change_variants(tx, {_variant(tx, which).id: {"price": Money(price, "EUR")}}, origin=_BY)

            self._until_done(change_price)
            self._note(began, name, which, "price", price)
        elif chance < 0.7 and not is_contested(number) and not is_scarce(number):
            status = dice.choice((ProductStatus.DRAFT, ProductStatus.ACTIVE))

            def change_status() -> None:
                with deps.db.transaction() as tx:
                    catalogue.change(tx, _variant(tx, which).product_id, {"status": status}, origin=_BY)

            self._until_done(change_status)
            self._note(began, name, which, "status", status.value)
        else:
            if dice.random() < 0.4:
                number = dice.choice(self._rushed)
                which = sku(number)
            self._count(which, dice.choice((-3, -1, 1, 2, 5)), dice.getrandbits(48))

    def _count(self, which: str, delta: int, event: int) -> None:
        """Add units in the catalogue once: the event tells a repeat apart."""
        deps, began = self._world.deps, datetime.now(UTC)
        reason = f"hand:{event:012x}"

        def move() -> None:
            with deps.db.transaction() as tx:
                done = sa.text("SELECT 1 FROM stock_movements WHERE by = :by")
                if tx.scalar(done.bindparams(by=reason)):
                    return
                one = _variant(tx, which)
                place = stock.default_location(tx, one.organisation_id)
                stock.move(tx, one.id, place, delta, reason="count", by=reason, must_fit=True)

        with suppress(Conflict):  # it would take units that are sold
            self._until_done(move)
            self._note(began, FLEET, which, "stock", delta)

    def _create_here(self, which: str, price: int, units: int) -> None:
        with self._world.deps.db.transaction() as tx:
            organisation = tx.scalar(sa.text("SELECT organisation_id FROM stores LIMIT 1"))
            new = NewProduct(title=f"New {which}", variants=(NewVariant(sku=which, price=Money(price, "EUR"),
                                                                        currency="EUR"),))  # fmt: skip
            made = catalogue.create(tx, organisation, new, origin=_BY)
            (variant,) = catalogue.variants_of(tx, [made.id])[made.id]
            place = stock.default_location(tx, organisation)
            stock.move(tx, variant.id, place, units, reason="count", by="hand:new")

    def _is_here(self, which: str) -> bool:
        with self._world.deps.db.transaction() as tx:
            query = sa.text("SELECT 1 FROM product_variants WHERE sku = :sku")
            return bool(tx.scalar(query.bindparams(sku=which)))

    def _edit_shop(self, name: str, dice: random.Random) -> None:
        site, chance = self._world.shops.sites[name], dice.random()
        shop, number, began = site.shop, self._editable(name, dice), datetime.now(UTC)
        which = sku(number)
        if chance < 0.04:
            which = f"NEW-{name[0].upper()}-{dice.getrandbits(32):08x}"
            price, units = dice.randint(500, 9000), dice.randint(0, 30)
            self._until_done(lambda: shop.add_product(which, f"New {which}", price, units),
                             lambda: shop.item(which) is not None)  # fmt: skip
            self._note(began, name, which, "create", f"New {which}")
        elif chance < 0.08:
            numbers = [one for one in self._numbers[name]
                       if is_deletable(one) and (one // _DELETED_EVERY) % 2 == (name == "oscar")]  # fmt: skip
            which = sku(dice.choice(numbers))
            if not self._until_done(lambda: shop.item(which)):
                return
            self._until_done(lambda: shop.delete_product(which), lambda: shop.item(which) is None)
            self._note(began, name, which, "delete", None)
        elif chance < 0.4:
            title = f"{name.title()} {dice.getrandbits(40):010x}"
            self._until_done(lambda: shop.set_title(which, title))
            self._note(began, name, which, "title", title)
        elif chance < 0.7:
            price = dice.randint(500, 9999)
            self._until_done(lambda: shop.set_price(which, price))
            self._note(began, name, which, "price", price)
        elif not is_contested(number):
            self._count_at_shop(site, which, dice.choice((-4, -2, 3, 6)), began)

    def _count_at_shop(self, site: ShopSite, which: str, delta: int, began: datetime) -> None:
        """Set the units at a shop, as a person who counts: nobody else moves this stock there meanwhile."""
        with self._locks[site.name]:
            item = self._until_done(lambda: site.shop.item(which))
            if item is None:
                return
            units = max(item.allocated, item.on_hand + delta)
            self._until_done(lambda: site.shop.set_stock(which, units))
            self._note(began, site.name, which, "stock", units - item.on_hand)

    # ---- orders -------------------------------------------------------------------------------------------------

    def _trade(self, name: str, dice: random.Random) -> None:
        """Place an order, or ship or cancel one that is open."""
        site = self._world.shops.sites[name]
        with self._lock:
            mine = [(code, lines) for (where, code), lines in self._open.items() if where == name]
        if mine and (len(mine) > 15 or dice.random() < 0.5):
            code, lines = dice.choice(mine)
            self._end_order(site, code, lines, is_shipped=dice.random() < 0.75)
            return
        numbers = [self._number(name, dice, lambda one: not is_scarce(one) and owner(one) in (FLEET, name))
                   for _ in range(dice.choice((1, 1, 2, 3)))]  # fmt: skip
        self._buy(site, {sku(one): dice.randint(1, 3) for one in numbers})

    def _rush(self, name: str, dice: random.Random) -> None:
        """Have customers of both shops buy the same scarce product at once, two at each."""
        del name
        if dice.random() < 0.6:
            return
        number = dice.choice(self._rushed)
        units = dice.randint(1, 3)
        buyers = [threading.Thread(target=self._buy, args=(site, {sku(number): units}), daemon=True)
                  for site in self._world.shops.sites.values() for _ in range(2)]  # fmt: skip
        for one in buyers:
            one.start()
        for one in buyers:
            one.join()

    def _buy(self, site: ShopSite, lines: dict[str, int]) -> None:
        """Try once: a customer whose order failed does not know whether it was placed, and the shop tells later."""
        try:
            with self._locks[site.name] if len(lines) > 1 or next(iter(lines)) not in self._scarce else _NoLock():
                order = site.shop.place_order(lines)
        except _TRANSIENT as error:
            kind = "refused by the shop" if isinstance(error, ShopError) else "failed"
            self.refused[f"{site.name}: {kind}"] += 1
            return
        except (KeyError, TypeError):  # Vendure answers an order without payment as null while it is killed
            self.refused[f"{site.name}: failed"] += 1
            return
        with self._lock:
            self._open[site.name, order.code] = lines
            self.sales.append(Sale(datetime.now(UTC), site.name, order.code, "placed", lines))

    @property
    def _scarce(self) -> frozenset[str]:
        return frozenset(sku(one) for one in self._both if is_scarce(one))

    def _end_order(self, site: ShopSite, code: str, lines: dict[str, int], *, is_shipped: bool) -> bool:
        verb = site.shop.ship_order if is_shipped else site.shop.cancel_order
        with self._locks[site.name]:
            began = datetime.now(UTC)
            try:
                verb(code)
            except _TRANSIENT:
                # It may have been done; the end of the run looks at all orders again.
                self.refused[f"{site.name}: an end of an order failed"] += 1
                with self._lock:
                    self._open.pop((site.name, code), None)
                return False
        with self._lock:
            self._open.pop((site.name, code), None)
            self.sales.append(Sale(began, site.name, code, "shipped" if is_shipped else "cancelled", lines))
        return True


def _variant(tx: Tx, which: str) -> VariantRow:
    return tx.session.scalars(
        sa.select(VariantRow).where(VariantRow.sku == which, VariantRow.removed_at.is_(None))
    ).one()


class _NoLock:
    """Stands in for a lock where customers are to collide."""

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...
