"""The sandbox shop: its API, its customers, its webhooks, its pages, and the faults that it plays."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from fleet.adapters.sandbox_shop import hooks
from fleet.core.errors import InvalidInput
from fleet.sandbox.gallery import FaultRule
from fleet.sandbox.shop import ShopConfig, catalogue
from fleet.sandbox.shop.config import VARIABLES, from_environment
from fleet.sandbox.shop.traffic import CustomerTraffic
from tests import receiver
from tests.shops import SECRET, TOKEN, ShopWorld

CUP = {"key": "cup", "title": "Cup", "variants": [{"sku": "CUP", "priceMinor": 990, "onHand": 5}]}


@pytest.fixture
def client(sandbox_shop: ShopWorld) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with httpx.Client(base_url=sandbox_shop.url, headers=headers, trust_env=False, timeout=20) as made:
        yield made


@pytest.fixture
def visitor(sandbox_shop: ShopWorld) -> Iterator[httpx.Client]:
    headers = {"Origin": sandbox_shop.url}
    with httpx.Client(base_url=sandbox_shop.url, headers=headers, trust_env=False, timeout=20) as made:
        yield made


def test_the_api_needs_the_token_and_refuses_what_it_does_not_know(client: httpx.Client) -> None:
    assert client.get("/api/products", headers={"Authorization": "Bearer shp_other_token"}).status_code == 401
    assert client.post("/api/products", json={**CUP, "colour": "red"}).json()["errors"][0]["path"] == "colour"
    assert client.get("/api/products", params={"cursor": "nonsense"}).status_code == 422
    assert client.get("/api/products/1%00").status_code == 404


def test_a_creation_is_done_once_by_its_key_unless_keys_are_off(client: httpx.Client) -> None:
    key = {"Idempotency-Key": "job-1"}
    first, again = (client.post("/api/products", json=CUP, headers=key) for _ in range(2))
    assert (first.status_code, again.json()) == (201, first.json())
    assert client.post("/api/products", json={**CUP, "title": "Mug"}, headers=key).json()["code"] == "KEY_REUSED"
    assert client.post("/api/products", json={**CUP, "key": "other"}).json()["code"] == "SKU_TAKEN"
    client.put("/api/sandbox/keys", json={"honourKeys": False})
    assert client.post("/api/products", json=CUP, headers=key).json()["code"] == "SKU_TAKEN"


def test_a_change_writes_nothing_where_one_value_is_not_as_expected(client: httpx.Client) -> None:
    product = client.post("/api/products", json=CUP).json()["product"]
    path, variant = f"/api/products/{product['id']}", product["variants"][0]["id"]
    stale = client.patch(path, json={"title": "Mug", "expected": {"title": "Glass"}})
    assert (stale.status_code, stale.json()["found"]) == (409, {"title": "Cup"})
    done = client.patch(path, json={"title": "Mug", "expected": {"title": "Cup", "categories": []}}).json()["product"]
    assert (done["title"], done["updatedAt"] > product["updatedAt"]) == ("Mug", True)
    changes = [{"id": variant, "priceMinor": 500, "expectedPriceMinor": 1}]
    assert client.patch("/api/variants", json={"changes": changes}).json()["found"]["priceMinor"] == 990


def test_parallel_customers_never_buy_more_than_there_is(sandbox_shop: ShopWorld, client: httpx.Client) -> None:
    cup = sandbox_shop.add("cup", on_hand=5)["variants"][0]["id"]
    order = {"lines": [{"variantId": cup, "quantity": 1}]}
    with ThreadPoolExecutor(8) as pool:
        found = [one.status_code for one in pool.map(lambda _: client.post("/api/orders", json=order), range(12))]
    assert sorted(found) == [201] * 5 + [409] * 7


@pytest.mark.parametrize(
    ("states", "on_hand", "available"),
    [
        ((), 10, 7),
        (("shipped", "delivered", "refunded"), 7, 7),
        (("processing", "cancelled"), 10, 10),
        (("refunded",), 10, 10),
    ],
)
def test_the_stock_follows_the_states_of_an_order(
    sandbox_shop: ShopWorld, states: tuple[str, ...], on_hand: int, available: int
) -> None:
    cup = sandbox_shop.add("cup", on_hand=10)["variants"][0]["id"]
    order = sandbox_shop.sell(cup, 3)
    for state in states:
        sandbox_shop.move(order["id"], state)
        sandbox_shop.move(order["id"], state)  # again: nothing moves twice
    (variant,) = sandbox_shop.products()["cup"]["variants"]
    assert (variant["onHand"], variant["available"]) == (on_hand, available)


def test_webhooks_are_signed_and_come_again_until_they_are_answered(sandbox_shop: ShopWorld) -> None:
    with receiver.running() as hears:
        hears.answer(503)
        sandbox_shop.send_hooks(hears.url)
        product = sandbox_shop.add("cup")
        eventually(lambda: len(hears.got) == 2)
        first, again = hears.got
        assert first.body == again.body
        stamp = float(first.headers["x-shop-timestamp"])
        assert hooks.is_genuine(SECRET, first.headers, first.body, stamp)
        assert not hooks.is_genuine("another secret", first.headers, first.body, stamp)
        assert not hooks.is_genuine(SECRET, first.headers, first.body + b" ", stamp)
        assert not hooks.is_genuine(SECRET, first.headers, first.body, stamp + 301)
        (event,) = hooks.read(first.headers, first.body)
        assert (event.kind, event.product_id) == ("product", product["id"])
        eventually(lambda: not sandbox_shop.waiting_hooks())


def test_webhooks_come_twice_and_out_of_order(sandbox_shop: ShopWorld) -> None:
    with receiver.running() as hears:
        sandbox_shop.send_hooks(hears.url, twice=0.5, late=0.5, late_s=0.3)
        made = [sandbox_shop.add(f"cup-{number}")["id"] for number in range(20)]
        eventually(lambda: not sandbox_shop.waiting_hooks())
        events = [hooks.read(one.headers, one.body)[0] for one in hears.got]
    order = [event.product_id for event in events]
    assert set(order) == set(made) and len(order) > len(made)
    assert len({event.id for event in events}) == len(made)
    assert list(dict.fromkeys(order)) != made


def test_an_order_is_told_with_the_stock_that_it_moves(sandbox_shop: ShopWorld) -> None:
    cup = sandbox_shop.add("cup")
    with receiver.running() as hears:
        sandbox_shop.send_hooks(hears.url)
        order = sandbox_shop.sell(cup["variants"][0]["id"])
        eventually(lambda: not sandbox_shop.waiting_hooks())
        events = [hooks.read(one.headers, one.body)[0] for one in hears.got]
    assert [(one.kind, one.order_id, one.product_id, one.variant_id) for one in events] == [
        ("order", order["id"], "", ""), ("stock", "", cup["id"], cup["variants"][0]["id"])
    ]  # fmt: skip


def test_customers_order_pay_and_are_served_without_emptying_the_shop(sandbox_shop: ShopWorld) -> None:
    with sandbox_shop.shop.change() as tx:
        assert catalogue.fill(tx, seed=1) == 60
        assert catalogue.fill(tx, seed=1) == 0
    found = sandbox_shop.products().values()
    assert all(one["images"] and one["categories"] and one["description"] for one in found)
    assert sum(len(one["variants"]) > 1 for one in found) > 20
    assert all(_is_ean13(variant["barcode"]) for one in found for variant in one["variants"])
    customers = CustomerTraffic(sandbox_shop.shop)
    for _ in range(40):
        customers.step()
    states = {one["state"] for one in sandbox_shop.orders()}
    assert {"confirmed", "processing", "shipped"} <= states
    shown = sandbox_shop.products().values()
    assert all(variant["available"] >= 0 for one in shown for variant in one["variants"])


def test_a_person_edits_a_product_by_hand(sandbox_shop: ShopWorld, visitor: httpx.Client) -> None:
    cup = sandbox_shop.add("cup", title="Cup <b>", price=990)["variants"][0]["id"]
    page = visitor.get("/p/cup").text
    assert "Cup &lt;b&gt;" in page and "€9.90" in page
    (main, _floor) = (one["locationId"] for one in sandbox_shop.levels(cup))
    form = {"title": "Mug", f"price-{cup}": "12,50", f"stock-{cup}-{main}": "3"}
    assert visitor.post("/p/cup/edit", data=form, headers={"Origin": "http://elsewhere"}).status_code == 403
    assert visitor.post("/p/cup/edit", data={**form, f"price-{cup}": "12.505"}).status_code == 422
    assert visitor.post("/p/cup/edit", data=form).headers["location"] == "/p/cup?said=saved"
    product = sandbox_shop.products()["cup"]
    (variant,) = product["variants"]
    assert (product["title"], variant["priceMinor"], variant["onHand"]) == ("Mug", 1250, 3)
    shown = {"title": "Beaker", "was-title": "Mug", f"stock-{cup}-{main}": "9", f"was-stock-{cup}-{main}": "9"}
    visitor.post("/p/cup/edit", data=shown)  # the form is older than the stock, which was not edited
    product = sandbox_shop.products()["cup"]
    assert (product["title"], product["variants"][0]["onHand"]) == ("Beaker", 3)
    assert visitor.post("/p/cup/buy", data={"variant": cup}).status_code == 303
    assert "1 × Beaker" in visitor.get("/orders").text
    assert visitor.get(f"/products/{product['id']}").headers["location"] == "/p/cup"
    assert visitor.post("/new", data={"title": "Été", "price": "5", "stock": "2"}).status_code == 303
    assert visitor.post("/p/cup/delete").status_code == 303
    (left,) = sandbox_shop.products().values()
    assert (left["title"], left["variants"][0]["priceMinor"]) == ("Été", 500)
    assert visitor.get("/p/cup").status_code == 404
    assert "Beaker" in visitor.get("/orders").text  # orders keep what was sold


def test_a_picture_is_drawn_from_the_words_of_its_address(visitor: httpx.Client) -> None:
    found = visitor.get("/art/brass-desk-lamp.webp")
    assert (found.headers["content-type"], found.content[8:12]) == ("image/webp", b"WEBP")
    assert found.content == visitor.get("/art/brass-desk-lamp.webp").content
    assert visitor.get("/art/Lamp.webp").status_code == 404


def test_faults_are_played_and_end(sandbox_shop: ShopWorld, client: httpx.Client) -> None:
    rule = {"match": "/api/products", "tooManyRate": 1.0, "retryAfterS": 7, "limit": 1}
    assert client.put("/api/sandbox/faults", json=rule).status_code == 200
    throttled = client.get("/api/products")
    assert (throttled.status_code, throttled.headers["retry-after"]) == (429, "7")
    sandbox_shop.play(FaultRule(methods=("POST",), drop_rate=1.0, limit=1))
    with pytest.raises(httpx.TransportError):
        client.post("/api/products", json=CUP)
    assert list(sandbox_shop.products()) == ["cup"]  # done, only its answer is lost


def test_settings_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    url = "postgresql+psycopg://shop@127.0.0.1:1/shop"
    given = {"DATABASE_URL": url, "TOKEN": TOKEN, "ORDERS_PER_HOUR": "0", "CATALOGUE": "false"}
    for name, value in given.items():
        assert f"FLEET_SHOP_{name}" in VARIABLES
        monkeypatch.setenv(f"FLEET_SHOP_{name}", value)
    monkeypatch.setenv("FLEET_TEMPO", "20")
    assert from_environment() == ShopConfig(url, TOKEN, tempo=20.0)
    monkeypatch.setenv("FLEET_SHOP_PORT", "many")
    with pytest.raises(InvalidInput, match="FLEET_SHOP_PORT"):
        from_environment()
    with pytest.raises(InvalidInput, match="token"):
        ShopConfig(url, "fst_not_a_shop")


def _is_ean13(text: str) -> bool:
    return len(text) == 13 and sum(int(one) * (3 if at % 2 else 1) for at, one in enumerate(text)) % 10 == 0


def eventually(holds: Callable[[], object]) -> None:
    """Wait until something holds."""
    deadline_s = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline_s, "it never held"
        time.sleep(0.01)
