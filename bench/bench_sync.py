"""Stores: writes of stock and prices beside a plain loop, memory of a sync, and what an incremental sync reads.

Run `python -m bench.bench_sync`; `--quick` tries the program itself. Writes go to a real Vendure shop where one is
installed (`make stores`), a worker with four threads against a sequential loop of single calls, in turns. Memory and
readings are measured against a shop that makes its products as they are asked for, so that its limits do not count.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import statistics
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType

import psutil
from pydantic import SecretStr
from sqlalchemy import make_url

from bench.results import Goal, Result, Table, write
from fleet import app
from fleet.adapters import registry
from fleet.adapters.base import AnyAction, Receipt, Refused, Resolution, SurfaceObject
from fleet.adapters.manifest import AccountAccess
from fleet.adapters.shops import (
    Money,
    ProductPage,
    ShopInfo,
    ShopProduct,
    ShopVariant,
    StockLevel,
    StockPage,
)
from fleet.core import db
from fleet.engine.attempts import perform
from fleet.features.products import service as catalogue
from fleet.features.products import stock
from fleet.features.products.stock import StockEntry
from fleet.features.stores.rules import Strategy
from fleet.sandbox.servers.postgres import EmbeddedPostgres
from tests.features.stores.world import StoreWorld, world_at
from tests.stores import servers
from tests.stores.catalogue import sku
from tests.stores.servers import PASSWORD, USERNAME
from tests.stores.vendure_server import Vendure

THREADS = 4
_LOOK_S = 0.02
"""Seconds until the bench looks for jobs that a running sync added: a worker hears of them at once."""
LEAST_SPEEDUP, MOST_READ, MOST_GROWTH_MB = 2.5, 300, 40.0
_NOW = datetime(2026, 11, 1, tzinfo=UTC)
_MUTATION = "mutation($input: [UpdateProductVariantInput!]!) { updateProductVariants(input: $input) { id } }"


class GeneratedShop:
    """A shop of any size that holds nothing: a product is made when it is asked for. Counts what is read."""

    name, scheme, host, port, third_party = "sandbox_shop", "http", "127.0.0.1", 8650, False
    actions: Mapping[str, Resolution] = MappingProxyType({})

    def __init__(self, products: int) -> None:
        self.size, self.read, self.peak_mb = products, 0, 0.0
        self.changed: dict[int, datetime] = {}

    def _product(self, number: int) -> ShopProduct:
        self.read += 1
        at = self.changed.get(number, _NOW - timedelta(seconds=number))
        price = Money(1000 + number % 500 + (number in self.changed), "EUR")
        variant = ShopVariant(id=f"v{number}", sku=f"G-{number:07}", price=price, on_hand=number % 50, updated_at=at)
        return ShopProduct(id=f"p{number}", key=f"thing-{number}", title=f"Thing {number}", variants=(variant,),
                           description="A thing that nobody made. " * 8, updated_at=at)  # fmt: skip

    def _page(self, numbers: Sequence[int], cursor: str | None, limit: int) -> tuple[list[int], str | None]:
        self.peak_mb = max(self.peak_mb, _memory_mb())
        start = int(cursor or 0)
        return list(numbers[start : start + limit]), str(start + limit) if start + limit < len(numbers) else None

    def shop(self) -> ShopInfo:
        return ShopInfo(name="Generated", currency="EUR", clock=_NOW)

    def products(self, *, cursor: str | None, limit: int) -> ProductPage:
        numbers, following = self._page(range(self.size), cursor, limit)
        return ProductPage(tuple(map(self._product, numbers)), following, self.size)

    def changed_products(self, *, since: datetime, cursor: str | None, limit: int) -> ProductPage:
        due = sorted({number for number in range(self.size)
                      if self.changed.get(number, _NOW - timedelta(seconds=number)) >= since})  # fmt: skip
        numbers, following = self._page(due, cursor, limit)
        return ProductPage(tuple(map(self._product, numbers)), following)

    def product(self, product_id: str) -> ShopProduct:
        return self._product(int(product_id[1:]))

    def find_products(self, *, sku: str = "", key: str = "") -> Sequence[ShopProduct]:
        del sku, key
        return ()

    def stock(self, *, cursor: str | None, limit: int) -> StockPage:
        numbers, following = self._page(range(self.size), cursor, limit)
        return StockPage(tuple(StockLevel(variant_id=f"v{one}", on_hand=one % 50) for one in numbers), following)

    def stock_of(self, variant_ids: Sequence[str]) -> Sequence[StockLevel]:
        self.read += len(variant_ids)
        return [StockLevel(variant_id=one, on_hand=int(one[1:]) % 50) for one in variant_ids]

    def write(self, action: AnyAction, *, timeout_s: float) -> Receipt:
        raise Refused("this shop is only read")

    def probe(self, action: AnyAction, *, since: datetime, known: frozenset[str]) -> Receipt | None:
        raise Refused("this shop is only read")

    def url_of(self, found: SurfaceObject) -> str | None:
        return None

    def close(self) -> None: ...


def _memory_mb() -> float:
    return float(psutil.Process().memory_info().rss) / 2**20


@contextmanager
def postgres() -> Iterator[str]:
    """Serve a database with all of Fleet's tables."""
    with tempfile.TemporaryDirectory(prefix="fleet-bench-") as folder:
        server = EmbeddedPostgres(Path(folder) / "data")
        server.start()
        try:
            yield server.url("postgres")
        finally:
            server.stop()


def _database(admin_url: str, name: str) -> str:
    import psycopg

    plain = make_url(admin_url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    url = make_url(admin_url).set(database=name).render_as_string(hide_password=False)
    db.migrate(url)
    return url


Size = tuple[int, float, float, int, float]
"""Products, seconds of a full sync, the most memory of the process in MB, items read by 100 changes, their seconds."""


def sizes(admin_url: str, numbers: Sequence[int]) -> list[Size]:
    """Return the figures of each size, each measured in a process of its own."""
    found = []
    for number in numbers:
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            found.append(pool.submit(size, _database(admin_url, f"size_{number}"), number).result())
        print(f"{number:,} products: {found[-1]}", flush=True)
    return found


def size(url: str, number: int) -> Size:
    """Sync a generated shop of a size, then 100 changes of it."""
    app.load()
    shop = GeneratedShop(number)
    with world_at(url, shop, "sandbox_shop", '{"token": "t"}') as stores:
        stores.setting("store_timeout_min", 600)
        stores.setting("store_full_h", 700)
        began = time.perf_counter()
        run = stores.sync(Strategy.FULL)
        took_s = time.perf_counter() - began
        assert run.counts["created"] == number, run.problem
        shop.changed = {one: _NOW + timedelta(seconds=1 + one) for one in range(number - 100, number)}
        shop.read, began = 0, time.perf_counter()
        run = stores.sync(Strategy.INCREMENTAL)
        assert run.counts["updated"] == 100, run.counts
        return number, took_s, shop.peak_mb, shop.read, time.perf_counter() - began


@dataclass(frozen=True, slots=True)
class Speed:
    """Values a second, and milliseconds of a processor for each value: of the shop, and of whoever writes to it."""

    values_s: float
    shop_ms: float
    own_ms: float


@contextmanager
def timed(shop: Vendure, values: int, found: list[Speed]) -> Iterator[None]:
    """Measure the block, in which so many values are written."""
    process = psutil.Process(shop.pid)

    def shop_s() -> float:
        used = process.cpu_times()
        return float(used.user + used.system)

    began, own_s, shop_began_s = time.perf_counter(), time.process_time(), shop_s()
    yield
    found.append(Speed(values / (time.perf_counter() - began), 1000 * (shop_s() - shop_began_s) / values,
                       1000 * (time.process_time() - own_s) / values))  # fmt: skip


def writes(admin_url: str, variants: int, rounds: int) -> tuple[list[Speed], list[Speed]]:
    """Return the speeds of a plain loop and of Fleet, in turns: a stock level and a price for each variant."""
    loop: list[Speed] = []
    own: list[Speed] = []
    with tempfile.TemporaryDirectory(prefix="fleet-bench-shop-") as folder, Vendure(Path(folder)) as shop:
        shop.reset(variants)
        login = SecretStr(json.dumps({"username": USERNAME, "password": PASSWORD}))
        adapter = registry.get("vendure").connect(AccountAccess(shop.url, login, 60.0))
        with world_at(_database(admin_url, "writes"), adapter, "vendure", login.get_secret_value()) as stores:
            stores.setting("store_direction", "both")
            stores.sync(Strategy.FULL)
            ids = _ids(shop)
            for round_no in range(rounds):
                with timed(shop, 2 * len(ids), loop):
                    _loop(shop, ids, 5000 + round_no)
                stores.sync(Strategy.FULL)  # takes in what the loop changed
                jobs = _changed(stores, variants, 7000 + round_no)
                with timed(shop, 2 * variants, own):
                    done = _carried(jobs)
                assert done == 2 * variants, f"{done} of {2 * variants} values were written"
                print(f"round {round_no}: loop {loop[-1]}, Fleet {own[-1]}", flush=True)
    return loop, own


def _ids(shop: Vendure) -> list[str]:
    page = shop.admin("{ productVariants(options: {take: 1000, sort: {id: ASC}}) { items { id } } }")
    return [str(one["id"]) for one in page["productVariants"]["items"]]


def _loop(shop: Vendure, ids: Sequence[str], value: int) -> None:
    """Write as a script does: one call for each value, one after the other, on one connection."""
    for one in ids:
        shop.admin(_MUTATION, input=[{"id": one, "stockOnHand": value}])
        shop.admin(_MUTATION, input=[{"id": one, "price": value}])


def _changed(stores: StoreWorld, variants: int, value: int) -> StoreWorld:
    """Change stock and prices in the catalogue."""
    found = [stores.variant(sku(number)) for number in range(1, variants + 1)]
    with stores.fleet.deps.db.transaction() as tx:
        place = stock.default_location(tx, found[0].organisation_id)
        catalogue.change_variants(tx, {one.id: {"price": Money(value, "EUR")} for one in found}, origin="user:bench")
        stock.post(tx, [StockEntry(variant_id=one.id, location_id=place, on_hand=value, reason="count", by="bench")
                        for one in found])  # fmt: skip
    return stores


def _carried(stores: StoreWorld) -> int:
    """Let a worker with four threads carry everything to the shop; return how many values were written.

    The threads take a job as soon as it is ready, as a worker does: the first batches leave while the sync plans more.
    """
    stores.wake()
    done: set[uuid.UUID] = set()
    running: set[Future[object]] = set()
    with ThreadPoolExecutor(THREADS) as pool:
        while (ready := [job.id for job in stores.ready() if job.id not in done]) or running:
            done.update(ready)
            running |= {pool.submit(perform.perform, stores.fleet.deps, one) for one in ready}
            ended, running = wait(running, timeout=_LOOK_S, return_when=FIRST_COMPLETED)
            for one in ended:
                one.result()
    jobs = [stores.fleet.job(one) for one in done]
    return sum(len(job.payload["fields"]) for job in jobs if job.kind in ("set_stock", "update_variants")
               and job.state == "done")  # fmt: skip


def result(
    speeds: tuple[list[Speed], list[Speed]] | None, measured: Sequence[Size]
) -> Result:  # fmt: skip
    """Put the figures into the report's shape, and judge the goals."""
    largest = measured[-1]
    growth = max(one[2] for one in measured) - measured[0][2]
    goals = [
        Goal(f"memory of a full sync, {measured[0][0]:,} to {largest[0]:,} products",
             f"at most {MOST_GROWTH_MB:.0f} MB more", f"{growth:.0f} MB more", growth <= MOST_GROWTH_MB),
        Goal(f"100 changes in {largest[0]:,} products", f"at most {MOST_READ} items read", f"{largest[3]} items read",
             largest[3] <= MOST_READ),
    ]  # fmt: skip
    tables = [Table("A full sync, and an incremental one after 100 changes",
                    ("products", "full sync s", "products a second", "most memory MB", "items read", "incremental s"),
                    [(one[0], round(one[1], 1), round(one[0] / one[1]), round(one[2], 1), one[3], round(one[4], 2))
                     for one in measured])]  # fmt: skip
    notes = ["A shop that makes its products as they are asked for, in the process that is measured."]
    if speeds is None:
        notes.append("No Vendure was installed: writes were not measured.")
    else:
        times = statistics.median(two.values_s / one.values_s for one, two in zip(*speeds, strict=True))
        goals.append(Goal("stock and prices to Vendure", f"at least {LEAST_SPEEDUP} times a plain loop",
                          f"{times:.1f} times", times >= LEAST_SPEEDUP))  # fmt: skip
        tables.append(Table(
            "Stock and prices to Vendure",
            ("round", "loop values/s", "Fleet values/s", "loop: shop ms", "Fleet: shop ms", "loop: own ms",
             "Fleet: own ms"),
            [(number + 1, round(one.values_s), round(two.values_s), *(round(each, 1) for each in (
                one.shop_ms, two.shop_ms, one.own_ms, two.own_ms)))
             for number, (one, two) in enumerate(zip(*speeds, strict=True))],
            note="Vendure 3.7.3 without search, SQLite with WAL, batches of 100. ms: of a processor, for each value.",
        ))  # fmt: skip
    return Result(
        name="sync", title="Stores in step with the catalogue", order=70,
        method=(
            "A worker with four threads carries stock and prices of the catalogue to a real Vendure shop, beside a "
            "loop of single calls on one connection, in turns. The time of Fleet begins with the tick of the store's "
            "agent and ends with the record of the last job; nothing is written that the ledger does not hold."
        ),
        command="python -m bench.bench_sync", tables=tables, goals=goals, notes=notes,
    )  # fmt: skip


def main() -> None:
    """Measure, and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few products: tries the program")
    quick = parser.parse_args().quick
    app.load()
    with postgres() as admin_url:
        has_shop = not servers.lacking()
        speeds = writes(admin_url, 50 if quick else 500, 1 if quick else 5) if has_shop else None
        measured = sizes(admin_url, (200, 1000) if quick else (1_000, 10_000, 100_000))
    print(write(result(speeds, measured)))


if __name__ == "__main__":
    main()
