"""Stores in the API, on pages and on the command line."""

from __future__ import annotations

from typing import Any

import pytest

from fleet.access import Role
from fleet.adapters.shops import Money
from fleet.features.stores.rules import Strategy
from tests.features.agents.test_cli import Cli
from tests.features.stores.world import StoreWorld
from tests.web_client import Web


@pytest.fixture
def web(stores: StoreWorld) -> Web:
    return Web(stores.fleet)


def apart(stores: StoreWorld, number: int) -> None:
    """Have so many prices that both sides changed."""
    stores.setting("store_direction", "both")
    added = [stores.shop.add(f"cup-{one}") for one in range(number)]
    stores.sync()
    for one in added:
        stores.change(one["variants"][0]["sku"], price=Money(1100, "EUR"))
        stores.shop.set_price(one["variants"][0]["id"], 1200)
    stores.sync()


def test_a_program_adds_syncs_pauses_and_removes_a_store(stores: StoreWorld, web: Web) -> None:
    api = web.program()
    api.delete("/api/v1/stores/shop").raise_for_status()
    assert api.get("/api/v1/stores").json() == {"items": []}
    assert api.post("/api/v1/stores", json={"account": "gallery"}).status_code == 422
    made = api.post("/api/v1/stores", json={"account": "shop"}).json()
    assert (made["currency"], made["health"], made["direction"]) == ("EUR", "new", "pull")
    assert api.post("/api/v1/stores", json={"account": "shop"}).status_code == 409
    stores.shop.add("cup")
    asked = api.post("/api/v1/stores/shop/sync", json={"strategy": "full"})
    assert asked.status_code == 202
    stores.wake()
    stores.work()
    (run,) = api.get("/api/v1/sync-runs", params={"store": "shop"}).json()["items"]
    assert (run["state"], run["progress"], run["counts"]["created"]) == ("done", 1.0, 1)
    assert api.get(f"/api/v1/sync-runs/{run['id']}").json() == run
    shown = api.get("/api/v1/stores/shop").json()
    assert (shown["health"], shown["products"], [one["stream"] for one in shown["streams"]]) == (
        "good", 1, ["orders", "products", "stock"]
    )  # fmt: skip
    assert api.post("/api/v1/stores/shop/pause", json={"reason": "moving"}).json() == {"changed": True}
    assert api.get("/api/v1/stores/shop").json()["health"] == "paused"
    assert api.post("/api/v1/stores/shop/sync", json={}).status_code == 409
    assert api.post("/api/v1/stores/shop/resume").json() == {"changed": True}


def test_all_conflicts_of_a_field_are_decided_alike(stores: StoreWorld, web: Web) -> None:
    apart(stores, 3)
    api = web.program()
    found = api.get("/api/v1/sync-conflicts", params={"store": "shop"}).json()["items"]
    assert [(one["local"]["minor"], one["remote"]["minor"], one["base"]["minor"]) for one in found] == [
        (1100, 1200, 1000)
    ] * 3
    body = {"all": True, "store": "shop", "field": "variant.price", "decision": "push"}
    assert web.program(Role.VIEWER).post("/api/v1/sync-conflicts/decide", json=body).status_code == 403
    assert api.post("/api/v1/sync-conflicts/decide", json=body).json() == {"decided": 3, "problems": []}
    stores.work()
    assert {one["variants"][0]["priceMinor"] for one in stores.shop.products().values()} == {1100}
    assert api.get("/api/v1/sync-conflicts").json()["items"] == []


def test_a_person_decides_and_sets_on_pages(stores: StoreWorld, web: Web) -> None:
    apart(stores, 2)
    ann = web.browser()
    page = ann.get("/stores/conflicts").text
    assert "11.00 EUR" in page and "12.00 EUR" in page
    one, two = stores.conflicts()
    ann.post("/stores/conflicts", ids=[str(one.id), str(two.id)], decision="pull")
    assert stores.conflicts() == []
    assert stores.variant("cup-0-1").price_minor == 1200
    ann.post("/stores/shop/settings", name="store_interval", value="5m", scope="store")
    assert "store_interval" not in ann.post("/stores/shop/settings", name="store_interval", value="7m").text
    stores.fleet.deps.live.expire()
    stores.fleet.deps.live.refresh()
    assert "every 5m, both" in ann.get("/stores").text


def test_texts_of_a_shop_are_shown_as_texts(stores: StoreWorld, web: Web) -> None:
    hostile = "<script>alert('x')</script>{{ 7 * 7 }}"
    stores.setting("store_direction", "both")
    cup = stores.shop.add("cup", title="Cup")
    stores.sync()
    stores.change_product("Cup", title="Mug")
    stores.shop.change(cup["id"], title=hostile)
    stores.sync()
    page = web.browser().get("/stores/conflicts").text
    assert hostile not in page
    assert "&lt;script&gt;" in page and "{{ 7 * 7 }}" in page


def test_the_terminal_shows_the_progress_until_the_sync_ends(
    stores: StoreWorld, broker_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        stores.shop.add(f"cup-{number}")
    monkeypatch.setenv("FLEET_SECRET_KEYS", stores.fleet.deps.settings.secret_keys.get_secret_value())
    cli = Cli(stores.fleet.deps.settings.database_url, broker_url)

    def work(_: float) -> None:
        stores.wake()
        stores.work()

    monkeypatch.setattr("fleet.features.stores.cli.time.sleep", work)
    shown: Any = cli("stores", "sync", "shop", "--strategy", "full", "--wait", code=0).stdout
    assert "3 read, 3 created" in shown and "done" in shown
    assert "good" in cli("stores", code=0).stdout
    assert stores.runs()[-1].strategy == Strategy.FULL


def test_a_sweep_reads_rows_that_are_added_meanwhile_and_keeps_memory_flat(stores: StoreWorld) -> None:
    """1,000 products in pages of 50: no page is held after it was stored."""
    import tracemalloc

    from bench.bench_sync import GeneratedShop

    shop = GeneratedShop(600)
    peaks: list[int] = []
    read = shop.products

    def growing(**which: Any) -> Any:
        shop.size = min(1000, shop.size + 40)  # rows are added while the sweep reads
        peaks.append(tracemalloc.get_traced_memory()[0])
        return read(**which)

    shop.products = growing  # type: ignore[method-assign]
    stores.connect(shop)
    stores.setting("store_batch", 50)
    tracemalloc.start()
    try:
        run = stores.sync()
    finally:
        tracemalloc.stop()
    assert (run.counts["created"], run.counts["failed"]) == (1000, 0), run.problem
    assert max(peaks[5:]) - peaks[4] < 6_000_000, "memory grows with the pages"
