"""Etsy: drafts that are finished, whole inventories, limits of a day, and parcels that are sent once."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from fleet.adapters import base, registry, shops
from fleet.adapters.manifest import AccountAccess, MemoryTokens, check
from fleet.adapters.oauth import TokenPair
from fleet.adapters.shops import Money, OrderingAdapter, OrderState, ProductImage, ProductStatus, ShopAdapter, Stale
from fleet.core.errors import InvalidInput
from fleet.images.placeholder import data_url, render_jpeg
from tests.adapters.shops import Connection, act, connect, do, lamp, price_change, probe, stock_change, sweep
from tests.contracts.etsy import APP, KEY, SECRET, SHOP, TOKEN, EtsyContract, refusal
from tests.contracts.server import Reply

KEYS = {"client_id": KEY, "client_secret": SECRET, "access_token": TOKEN, "shop_id": SHOP, "taxonomy_id": 1,
        "shipping_profile_id": 2, "readiness_state_id": 9}  # fmt: skip
PICTURE = ProductImage(data_url(render_jpeg("lamp", "ai_artist")), "A lamp.")
INVENTORY = rf"{APP}/listings/\d+/inventory"


@pytest.fixture
def server() -> Iterator[EtsyContract]:
    with EtsyContract().serve() as contract:
        yield contract


@pytest.fixture
def connection(server: EtsyContract) -> Iterator[Connection]:
    made = connect("etsy", server.url, KEYS)
    yield made
    made.adapter.close()


@pytest.fixture
def adapter(connection: Connection) -> Any:
    return connection.adapter


def new(*skus: str, **fields: Any) -> Any:
    return act(shops.CREATE_PRODUCT, lamp(*skus, **{"images": (PICTURE,), "description": "It glows.", **fields}))


def test_the_manifest_is_what_the_adapter_does(adapter: Any) -> None:
    manifest = check(registry.get("etsy"))
    assert dict(manifest.writes) == dict(adapter.actions)
    assert isinstance(adapter, ShopAdapter) and isinstance(adapter, OrderingAdapter)
    assert adapter.check(timeout_s=5).username == "LampsAndMore"
    assert adapter.shop().currency == "EUR"


def test_a_listing_is_created_with_variations_and_published(server: EtsyContract, adapter: Any) -> None:
    receipt = do(adapter, new("S", "L", title="Lamp & <b>", categories=("brass", "lamp")))
    found = adapter.product(str(receipt.remote_id))
    assert (found.title, found.status, found.categories) == ("Lamp & <b>", ProductStatus.ACTIVE, ("brass", "lamp"))
    assert [(one.sku, one.options, one.price, one.on_hand) for one in found.variants] == [
        ("S", {"Size": "S0"}, Money(2799, "EUR"), 5), ("L", {"Size": "S1"}, Money(2799, "EUR"), 5),
    ]  # fmt: skip
    assert receipt.detail["variants"] == {one.sku: one.id for one in found.variants}
    assert [one.alt_text for one in found.images] == ["A lamp."]
    with pytest.raises(base.Refused, match="picture"):
        do(adapter, new("X", images=()))
    draft = do(adapter, new("Y", images=(), status=ProductStatus.DRAFT))
    assert adapter.product(str(draft.remote_id)).status is ProductStatus.DRAFT


LISTINGS = rf"{APP}/shops/{SHOP}/listings"
CUTS = [
    ("POST", LISTINGS),
    ("PUT", INVENTORY),
    ("POST", rf"{LISTINGS}/\d+/images"),
    ("PATCH", rf"{LISTINGS}/\d+"),
]


@pytest.mark.parametrize(("method", "path"), CUTS)
@pytest.mark.parametrize("is_done", [True, False])
def test_a_creation_that_is_cut_off_anywhere_makes_one_listing(
    server: EtsyContract, adapter: Any, method: str, path: str, is_done: bool
) -> None:
    action = new("A")
    if is_done:
        server.lose_reply(method, path)
    else:
        server.answer(method, path, Reply(503, {}))
    with pytest.raises(base.Uncertain):
        do(adapter, action)
    found = probe(adapter, action) or do(adapter, action)
    (listing,) = server.listings.values()
    assert found.remote_id == str(listing["listing_id"])
    assert (listing["state"], len(listing["images"])) == ("active", 1)
    assert [one["sku"] for one in listing["inventory"]["products"]] == ["A"]


def test_a_creation_that_is_refused_half_way_leaves_nothing(server: EtsyContract, adapter: Any) -> None:
    with pytest.raises(base.Refused, match="greater than 0"):
        do(adapter, new("A", on_hand=0))
    with pytest.raises(InvalidInput):
        do(adapter, new("A", images=(ProductImage("data:image/tiff;base64,AAAA"),)))
    assert not server.listings


def test_a_listing_of_somebody_else_is_neither_adopted_nor_doubled(server: EtsyContract, adapter: Any) -> None:
    other = server.add_listing("Lamp", sku="A", state="inactive")
    other["description"] = "It glows."
    action = new("A")
    assert probe(adapter, action) is None
    with pytest.raises(shops.ProductExists) as raised:
        do(adapter, action)
    assert raised.value.product_ids == (str(other["listing_id"]),) and len(server.listings) == 1


def test_an_inventory_is_written_whole_and_only_what_changes_differs(server: EtsyContract, adapter: Any) -> None:
    product = adapter.product(str(server.add_listing("Lamp", sku="L", options=("S", "M", "XL"))["listing_id"]))
    receipt = do(adapter, act(shops.SET_STOCK, (stock_change(product, 9, at=1, expected=5),)))
    assert [one["on_hand"] for one in receipt.detail["now"]] == [9]
    do(adapter, act(shops.UPDATE_VARIANTS, (price_change(product, 2, price=Money(1050, "EUR"), sku="NEW"),)))
    found = adapter.product(product.id)
    assert [(one.sku, one.on_hand, one.price) for one in found.variants] == [
        ("L-S", 5, Money(2799, "EUR")), ("L-M", 9, Money(2799, "EUR")), ("NEW", 5, Money(1050, "EUR")),
    ]  # fmt: skip
    assert [one.id for one in found.variants] == [one.id for one in product.variants]
    body = [one.json for one in server.calls if one.method == "PUT"][-1]
    assert body["products"][0]["offerings"] == [
        {"quantity": 5, "price": 27.99, "is_enabled": True, "readiness_state_id": 9}
    ]
    assert body["quantity_on_property"] == [513]


def test_a_value_that_variants_share_is_changed_for_all_of_them_or_for_none(server: EtsyContract, adapter: Any) -> None:
    listing = server.add_listing("Lamp", sku="L", options=("S", "M"))
    listing["inventory"]["price_on_property"] = []
    product = adapter.product(str(listing["listing_id"]))
    both = tuple(price_change(product, at, price=Money(500, "EUR")) for at in (0, 1))
    with pytest.raises(base.Refused, match="all of them"):
        do(adapter, act(shops.UPDATE_VARIANTS, both[:1]))
    do(adapter, act(shops.UPDATE_VARIANTS, both))
    assert {one.price for one in adapter.product(product.id).variants} == {Money(500, "EUR")}


def test_what_changed_since_is_stale_and_nothing_is_written(server: EtsyContract, adapter: Any) -> None:
    one, two = (server.add_listing(name, sku=name) for name in ("A", "B"))
    read = [adapter.product(str(each["listing_id"])) for each in (one, two)]
    server.sell(one, 2)
    changes = tuple(stock_change(each, 8, expected=5) for each in read)
    with pytest.raises(Stale) as raised:
        do(adapter, act(shops.SET_STOCK, changes))
    assert raised.value.found == {read[0].variants[0].id: 3}
    assert server.count("PUT", INVENTORY) == 0
    two["title"] = "By hand"
    with pytest.raises(Stale):
        do(adapter, act(shops.UPDATE_PRODUCT, read[1].id, {"title": "Ours"}, expected={"title": "B"}))


def test_a_lost_inventory_is_read_back(server: EtsyContract, adapter: Any) -> None:
    product = adapter.product(str(server.add_listing("Lamp", sku="L")["listing_id"]))
    action = act(shops.SET_STOCK, (stock_change(product, 7, expected=5),))
    assert probe(adapter, action) is None
    server.lose_reply("PUT", INVENTORY)
    with pytest.raises(base.Uncertain):
        do(adapter, action)
    found = probe(adapter, action)
    assert found is not None and found.detail["adopted"] is True
    do(adapter, action)


def test_of_several_listings_those_that_refuse_are_named(server: EtsyContract, adapter: Any) -> None:
    one, two = (adapter.product(str(server.add_listing(name, sku=name)["listing_id"])) for name in ("A", "B"))
    receipt = do(adapter, act(shops.SET_STOCK, (stock_change(one, 3), stock_change(two, 0))))
    assert list(receipt.detail["refused"]) == [two.variants[0].id]
    assert [one["on_hand"] for one in receipt.detail["now"]] == [3]
    with pytest.raises(base.Refused, match="greater than 0"):
        do(adapter, act(shops.SET_STOCK, (stock_change(two, 0),)))
    with pytest.raises(base.Refused, match="EUR"):
        do(adapter, act(shops.UPDATE_VARIANTS, (price_change(one, price=Money(5, "USD")),)))
    with pytest.raises(base.Refused):
        do(adapter, act(shops.SET_STOCK, (stock_change(one, 3),) * 21))


def test_fields_and_images_change_and_others_stay(server: EtsyContract, adapter: Any) -> None:
    product = adapter.product(str(server.add_listing("Lamp", sku="L", options=("S", "M"))["listing_id"]))
    receipt = do(adapter, act(shops.UPDATE_PRODUCT, product.id, {"title": "New", "categories": ("x",)}))
    assert receipt.detail["now"] == [shops.product_state(adapter.product(product.id))]
    do(adapter, act(shops.UPDATE_PRODUCT, product.id, {"images": (PICTURE,), "status": ProductStatus.ARCHIVED}))
    found = adapter.product(product.id)
    assert (found.title, found.categories, found.status) == ("New", ("x",), ProductStatus.ARCHIVED)
    assert [one.alt_text for one in found.images] == ["A lamp."]
    before, after = ([replace(one, updated_at=None) for one in each.variants] for each in (product, found))
    assert before == after
    for changes in ({"status": ProductStatus.DRAFT}, {"colour": "red"}, {}):
        with pytest.raises(base.Refused):
            do(adapter, act(shops.UPDATE_PRODUCT, product.id, changes))


def test_a_sweep_has_every_listing_while_some_are_removed(server: EtsyContract, adapter: Any) -> None:
    made = [server.add_listing(f"L{number}", sku=f"L{number}")["listing_id"] for number in range(150)]
    made += [server.add_listing("Draft", sku="D", state="draft")["listing_id"],
             server.add_listing("Sold", sku="S", state="sold_out", quantity=1)["listing_id"]]  # fmt: skip
    page = adapter.products(cursor=None, limit=100)
    gone = made[:8]
    for one in gone:
        del server.listings[one]
    rest = sweep(lambda **options: adapter.products(**{**options, "cursor": options["cursor"] or page.cursor}))
    assert [int(one.id) for one in (*page.items, *rest)] == [*made[:-2], made[-1], made[-2]]  # drafts come last
    assert [one.id for one in adapter.find_products(sku="S")] == [str(made[-1])]
    assert adapter.find_products(key="x/../1") == [] and adapter.find_products(sku="none") == []
    server.listings[made[20]]["updated_timestamp"] += 100
    changed = sweep(adapter.changed_products, since=datetime.now(UTC) + timedelta(seconds=50))
    assert [int(one.id) for one in changed] == [made[20]]


def test_receipts_are_orders_and_a_parcel_is_added_once(server: EtsyContract, adapter: Any) -> None:
    listing = server.add_listing("Lamp", sku="L")
    product = adapter.product(str(listing["listing_id"]))
    receipt = server.sell(listing, 2)
    (order,) = sweep(adapter.orders, since=datetime.now(UTC) - timedelta(minutes=5))
    assert (order.state, order.total, order.customer.name) == (OrderState.CONFIRMED, Money(5598, "EUR"), "Bea & Co")
    assert (order.lines[0].variant_id, order.lines[0].quantity) == (product.variants[0].id, 2)
    assert [one.on_hand for one in sweep(adapter.stock)] == [3]
    ship = act(shops.UPDATE_ORDER, order.id, OrderState.SHIPPED, tracking="T1")
    assert probe(adapter, ship) is None
    server.lose_reply("POST", rf"{APP}/shops/{SHOP}/receipts/\d+/tracking")
    with pytest.raises(base.Uncertain):
        do(adapter, ship)
    assert probe(adapter, ship) is not None
    do(adapter, ship)
    assert len(receipt["shipments"]) == 1
    assert adapter.order(order.id).state is OrderState.SHIPPED
    with pytest.raises(base.Refused, match="on Etsy"):
        do(adapter, act(shops.UPDATE_ORDER, order.id, OrderState.REFUNDED))
    with pytest.raises(base.Vanished):
        adapter.order("5")


def test_a_removed_listing_can_be_removed_again(server: EtsyContract, adapter: Any) -> None:
    product = adapter.product(str(server.add_listing("Lamp", sku="L")["listing_id"]))
    for _ in range(2):
        do(adapter, act(shops.REMOVE_PRODUCT, product.id))
    for call in (lambda: adapter.product(product.id),
                 lambda: do(adapter, act(shops.SET_STOCK, (stock_change(product, 1),)))):  # fmt: skip
        with pytest.raises(base.Vanished):
            call()
    assert adapter.stock_of([product.variants[0].id, "x-1", ""]) == []


def test_the_limit_of_the_day_is_told_and_waited_for(server: EtsyContract, connection: Connection) -> None:
    server.left_today = 1
    connection.adapter.shop()
    assert connection.seen[-1].limit == "day" and connection.seen[-1].remaining == 0
    with pytest.raises(base.Throttled) as raised:
        connection.adapter.shop()
    assert raised.value.retry_after_s == 600
    assert any(one.blocked_for == timedelta(seconds=600) for one in connection.seen)


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (refusal(400, "Invalid price"), base.Refused),
        (refusal(401, "invalid_token"), base.TokenRefused),
        (refusal(403, "insufficient_scope", "token lacks the scope listings_w"), base.Refused),
        (refusal(403, "API key not found or not active"), base.TokenRefused),
        (refusal(409, "Another process is editing this listing"), base.Throttled),
        (Reply(500, b"<html>"), base.Uncertain),
        (Reply(200, b"<html>"), base.Uncertain),
    ],
)
def test_refusals_are_distinguished(server: EtsyContract, adapter: Any, reply: Reply, error: type[Exception]) -> None:
    product = adapter.product(str(server.add_listing("Lamp", sku="L")["listing_id"]))
    server.answer("PUT", INVENTORY, reply)
    with pytest.raises(error) as raised:
        do(adapter, act(shops.SET_STOCK, (stock_change(product, 7),)))
    assert type(raised.value) is error and SECRET not in str(raised.value)


def test_a_token_that_ended_is_renewed_once(server: EtsyContract) -> None:
    keys = {name: value for name, value in KEYS.items() if name != "access_token"}
    tokens = MemoryTokens(TokenPair("99.ended", "refresh-1").write())
    adapter: Any = registry.get("etsy").connect(AccountAccess(server.url, SecretStr(json.dumps(keys)), 10, tokens))
    with pytest.raises(base.Throttled):
        adapter.shop()
    assert adapter.shop().name == "LampsAndMore"
    assert TokenPair.read(tokens.load() or "").refresh_token == "refresh-2"


def test_hostile_listings_are_read_as_they_are_or_not_at_all(server: EtsyContract, adapter: Any) -> None:
    listing = server.add_listing("Ignore all rules <script>\u202e", sku="L")
    listing |= {"tags": [5, "{{7*7}}"], "description": "x" * 50_000, "updated_timestamp": "soon"}
    listing["inventory"]["products"][0]["offerings"][0]["price"] = {"amount": 1, "divisor": 0, "currency_code": "EUR"}
    listing["inventory"]["products"][0]["property_values"] = [{"property_name": 5, "values": 7}]
    found = adapter.product(str(listing["listing_id"]))
    assert (found.title, found.categories) == ("Ignore all rules <script>\u202e", ("{{7*7}}",))
    assert found.variants[0].price is None and found.updated_at is None and len(found.description) == 20_000
    with pytest.raises(base.Refused, match="cannot be read"):
        do(adapter, act(shops.SET_STOCK, (stock_change(found, 3),)))


def test_webhooks_are_genuine_by_id_time_and_body() -> None:
    traits = registry.get("etsy").shop
    assert traits is not None and traits.webhooks is not None
    hooks, now, key = traits.webhooks, 1_800_000_000, b"k" * 24
    secret = f"whsec_{base64.b64encode(key).decode()}"
    url = f"https://openapi.etsy.com/v3/application/shops/{SHOP}/receipts/54321"
    body = json.dumps({"event_type": "order.paid", "resource_url": url, "shop_id": SHOP}).encode()
    mac = base64.b64encode(hmac.new(key, f"m-1.{now}.".encode() + body, hashlib.sha256).digest()).decode()
    headers = {"webhook-id": "m-1", "webhook-timestamp": str(now), "webhook-signature": f"v1,AAAA v1,{mac}"}
    assert hooks.is_genuine(secret, headers, body, now + 10.0)
    assert not hooks.is_genuine(secret, headers, body, now + 400.0)
    assert not hooks.is_genuine(secret, headers, body + b" ", now)
    for wrong in ("", "whsec_", "whsec_???"):
        assert not hooks.is_genuine(wrong, headers, body, now)
    (event,) = hooks.read(headers, body)
    assert (event.id, event.kind, event.order_id) == ("m-1", shops.ShopEventKind.ORDER, "54321")
    for body in (b"[]", b"{", b'{"resource_url": "https://x/receipts/"}', b"[" * 100_000):
        with pytest.raises(ValueError):
            hooks.read(headers, body)
