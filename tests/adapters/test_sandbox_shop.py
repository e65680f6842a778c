"""The adapter of the sandbox shop against the shop itself, over HTTP."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from fleet.adapters import base, shops
from fleet.adapters.base import Account, AnyAction, SurfaceObject
from fleet.adapters.sandbox_shop import ADAPTER
from fleet.adapters.sandbox_shop.adapter import SandboxShop
from fleet.adapters.shops import (
    Money,
    OrderState,
    ProductImage,
    ProductStatus,
    ShopEvent,
    ShopEventKind,
    ShopVariant,
    StockChange,
    VariantChange,
)
from fleet.core.errors import InvalidInput
from fleet.sandbox.gallery import FaultRule
from tests.factories import act
from tests.shops import SECRET, TOKEN, ShopWorld, product

ACCOUNT = Account("0001", "shop", "Shop", None)
NOBODY = frozenset[str]()


@pytest.fixture
def adapter(sandbox_shop: ShopWorld) -> SandboxShop:
    return sandbox_shop.adapter()


def set_stock(variant_id: str, quantity: int, expected: int | None = None, product_id: str = "0") -> AnyAction:
    change = StockChange(variant_id=variant_id, product_id=product_id, quantity=quantity, expected=expected)
    return act(shops.SET_STOCK, ACCOUNT, "job-1", changes=(change,))


def test_it_is_a_shop_that_tells_changes_and_orders(adapter: SandboxShop) -> None:
    assert isinstance(adapter, shops.ShopAdapter)
    assert isinstance(adapter, shops.ChangesAdapter)
    assert isinstance(adapter, shops.OrderingAdapter)
    assert isinstance(adapter, base.CheckingAdapter)
    assert ADAPTER.writes == SandboxShop.actions
    info = adapter.shop()
    assert (info.currency, [place.name for place in info.locations]) == ("EUR", ["Warehouse", "Shop floor"])
    assert adapter.check(timeout_s=5).username == info.name


def test_a_sweep_reads_every_product_once_while_products_are_added(
    sandbox_shop: ShopWorld, adapter: SandboxShop
) -> None:
    for number in range(5):
        sandbox_shop.add(f"cup-{number}", variants=2)
    seen, cursor = [], None
    while True:
        page = adapter.products(cursor=cursor, limit=2)
        seen += [one.key for one in page.items]
        if len(seen) == 2:
            sandbox_shop.add("late")
        cursor = page.cursor
        if cursor is None:
            break
    assert seen == [*(f"cup-{number}" for number in range(5)), "late"]
    (found,) = adapter.find_products(sku="cup-3-2")
    assert (found.key, [one.price for one in found.variants]) == ("cup-3", [Money(1000, "EUR")] * 2)
    assert adapter.product(found.id) == found
    with pytest.raises(base.Vanished):
        adapter.product("999999999")


def test_changes_name_what_changed_but_neither_stock_nor_orders(sandbox_shop: ShopWorld, adapter: SandboxShop) -> None:
    cup, pot, jug = (sandbox_shop.add(key) for key in ("cup", "pot", "jug"))
    start = adapter.shop().clock
    assert start is not None
    sandbox_shop.set_price(pot["variants"][0]["id"], 1200)
    sandbox_shop.change(cup["id"], title="Mug")
    sandbox_shop.set_stock(jug["variants"][0]["id"], 3)
    sandbox_shop.sell(jug["variants"][0]["id"])
    keys, cursor = [], None
    while True:
        page = adapter.changed_products(since=start, cursor=cursor, limit=1)
        keys += [one.key for one in page.items]
        cursor = page.cursor
        if cursor is None:
            break
    assert keys == ["pot", "cup"]


def test_stock_is_read_and_set_by_location_and_orders_allocate_it(
    sandbox_shop: ShopWorld, adapter: SandboxShop
) -> None:
    cup = sandbox_shop.add("cup", on_hand=10)["variants"][0]["id"]
    main, floor = (place.id for place in adapter.shop().locations)
    order = sandbox_shop.sell(cup, 4)
    assert [(one.location_id, one.on_hand, one.available) for one in adapter.stock_of([cup])] == [
        (main, 10, 6), (floor, 0, 0)
    ]  # fmt: skip
    adapter.write(set_stock(cup, 20, expected=10), timeout_s=5)
    sandbox_shop.move(order["id"], "shipped")
    first, cursor = adapter.stock(cursor=None, limit=1).items, adapter.stock(cursor=None, limit=1).cursor
    assert [one.on_hand for one in first] == [16]
    assert [one.location_id for one in adapter.stock(cursor=cursor, limit=1).items] == [floor]


def test_stock_that_moved_meanwhile_is_not_overwritten(sandbox_shop: ShopWorld, adapter: SandboxShop) -> None:
    one, two = (sandbox_shop.add(key, on_hand=10)["variants"][0]["id"] for key in ("cup", "pot"))
    sandbox_shop.set_stock(two, 7)
    changes = tuple(StockChange(variant_id=variant, product_id="0", quantity=5, expected=10) for variant in (one, two))
    with pytest.raises(shops.Stale) as raised:
        adapter.write(act(shops.SET_STOCK, ACCOUNT, changes=changes), timeout_s=5)
    assert (raised.value.found["variant_id"], raised.value.found["on_hand"]) == (two, 7)
    assert (sandbox_shop.on_hand(one), sandbox_shop.on_hand(two)) == (10, 7)


def test_a_lost_reply_is_found_by_reading_back(sandbox_shop: ShopWorld, adapter: SandboxShop) -> None:
    cup = sandbox_shop.add("cup", on_hand=10)["variants"][0]["id"]
    since = datetime.now(UTC) - timedelta(seconds=1)
    action = set_stock(cup, 4, expected=10)
    assert adapter.probe(action, since=since, known=NOBODY) is None
    sandbox_shop.play(FaultRule(methods=("PUT",), drop_rate=1.0, limit=1))
    with pytest.raises(base.Uncertain):
        adapter.write(action, timeout_s=5)
    found = adapter.probe(action, since=since, known=NOBODY)
    assert found is not None and found.remote_id == cup and found.detail["adopted"]
    assert adapter.write(action, timeout_s=5).detail["adopted"]  # sent again it does nothing, and is not stale


def test_a_creation_whose_reply_is_lost_is_found_by_its_key(sandbox_shop: ShopWorld, adapter: SandboxShop) -> None:
    since = datetime.now(UTC)
    action = act(shops.CREATE_PRODUCT, ACCOUNT, "job-7", product=product("cup", variants=2))
    sandbox_shop.play(FaultRule(methods=("POST",), drop_rate=1.0, limit=1))
    with pytest.raises(base.Uncertain):
        adapter.write(action, timeout_s=5)
    found = adapter.probe(action, since=since, known=NOBODY)
    again = adapter.write(action, timeout_s=5)
    assert found is not None and again.remote_id == found.remote_id
    assert again.detail["variants"].keys() == {"cup-1", "cup-2"}
    assert list(sandbox_shop.products()) == ["cup"]
    assert adapter.probe(action, since=since, known=frozenset({str(found.remote_id)})) is None


def test_a_creation_whose_key_is_not_honoured_is_not_done_twice(sandbox_shop: ShopWorld, adapter: SandboxShop) -> None:
    sandbox_shop.honour_keys(False)
    action = act(shops.CREATE_PRODUCT, ACCOUNT, "job-8", product=product("pot"))
    adapter.write(action, timeout_s=5)
    with pytest.raises(base.Refused, match="SKU_TAKEN"):
        adapter.write(action, timeout_s=5)


def test_a_product_of_somebody_else_is_not_adopted(sandbox_shop: ShopWorld, adapter: SandboxShop) -> None:
    sandbox_shop.add("cup")
    later = datetime.now(UTC) + timedelta(hours=1)
    action = act(shops.CREATE_PRODUCT, ACCOUNT, "job-9", product=product("cup"))
    assert adapter.probe(action, since=later, known=NOBODY) is None
    other = act(shops.CREATE_PRODUCT, ACCOUNT, "job-9", product=product("cup", variants=2))
    assert adapter.probe(other, since=datetime.now(UTC), known=NOBODY) is None


def test_a_created_product_reads_back_as_it_was_sent(adapter: SandboxShop) -> None:
    image = ProductImage("https://pictures.example/cup.png", "A cup")
    variant = ShopVariant(
        sku="CUP", title="Red", options={"Colour": "Red"}, price=Money(990, "EUR"), on_hand=3, barcode="2000001000001"
    )
    sent = product("cup", categories=("Kitchen",), images=(image,), status=ProductStatus.DRAFT)
    sent = replace(sent, variants=(variant,))
    receipt = adapter.write(act(shops.CREATE_PRODUCT, ACCOUNT, product=sent), timeout_s=5)
    found = adapter.product(str(receipt.remote_id))
    (made,), (shown,) = found.variants, found.images
    assert replace(found, id="", variants=(), images=(), updated_at=None, url="") == replace(
        sent, variants=(), images=()
    )
    assert replace(made, id="", updated_at=None) == variant
    assert replace(shown, id="") == image
    assert receipt.detail["variants"] == {"CUP": made.id}
    with pytest.raises(base.Refused, match="no price"):
        unpriced = replace(sent, variants=(replace(variant, price=None),))
        adapter.write(act(shops.CREATE_PRODUCT, ACCOUNT, product=unpriced), timeout_s=5)


def test_fields_are_changed_only_if_they_are_as_expected(sandbox_shop: ShopWorld, adapter: SandboxShop) -> None:
    cup = sandbox_shop.add("cup", categories=["Kitchen", "Gifts"])
    image = ProductImage(f"{sandbox_shop.url}/art/cup.webp", "A cup")
    action = act(
        shops.UPDATE_PRODUCT, ACCOUNT, product_id=cup["id"],
        changes={"title": "Mug", "status": ProductStatus.ARCHIVED, "images": (image,)},
        expected={"title": "Cup", "categories": ("Gifts", "Kitchen")},
    )  # fmt: skip
    assert adapter.write(action, timeout_s=5).remote_id == cup["id"]
    assert adapter.write(action, timeout_s=5).detail["adopted"]  # delivered twice it is no conflict
    assert adapter.product(cup["id"]).images[0].url == image.url
    (stored,) = sandbox_shop.products()["cup"]["images"]
    assert stored["url"] == "/art/cup.webp"  # the shop may have another address tomorrow
    sandbox_shop.change(cup["id"], title="Beaker")
    with pytest.raises(shops.Stale) as raised:
        adapter.write(action, timeout_s=5)
    assert raised.value.found == {"title": "Beaker"}
    assert adapter.probe(action, since=datetime.now(UTC), known=NOBODY) is None
    with pytest.raises(base.Refused, match="no colour"):
        adapter.write(act(shops.UPDATE_PRODUCT, ACCOUNT, product_id=cup["id"], changes={"colour": "red"}), timeout_s=5)


def test_prices_are_written_in_a_batch_or_not_at_all(sandbox_shop: ShopWorld, adapter: SandboxShop) -> None:
    cup, pot = (sandbox_shop.add(key) for key in ("cup", "pot"))
    changes = tuple(
        VariantChange(
            variant_id=one["variants"][0]["id"], product_id=one["id"], price=Money(1200, "EUR"),
            expected_price=Money(1000, "EUR"),
        )
        for one in (cup, pot)
    )  # fmt: skip
    action = act(shops.UPDATE_VARIANTS, ACCOUNT, changes=changes)
    sandbox_shop.set_price(pot["variants"][0]["id"], 1100)
    with pytest.raises(shops.Stale) as raised:
        adapter.write(action, timeout_s=5)
    assert raised.value.found == {"variant_id": pot["variants"][0]["id"], "price": Money(1100, "EUR")}
    assert adapter.product(cup["id"]).variants[0].price == Money(1000, "EUR")
    sandbox_shop.set_price(pot["variants"][0]["id"], 1000)
    sandbox_shop.play(FaultRule(methods=("PATCH",), duplicate_rate=1.0))
    assert adapter.write(action, timeout_s=5).remote_id == cup["variants"][0]["id"]
    found = adapter.probe(action, since=datetime.now(UTC), known=NOBODY)
    assert found is not None and found.detail["adopted"]
    assert {adapter.product(one["id"]).variants[0].price for one in (cup, pot)} == {Money(1200, "EUR")}


def test_orders_are_read_by_change_and_shipped_with_tracking(sandbox_shop: ShopWorld, adapter: SandboxShop) -> None:
    cup = sandbox_shop.add("cup", price=990)["variants"][0]["id"]
    placed = [sandbox_shop.sell(cup, 2)["id"] for _ in range(3)]
    first = adapter.orders(since=None, cursor=None, limit=2)
    rest = adapter.orders(since=None, cursor=first.cursor, limit=2)
    assert [one.id for one in (*first.items, *rest.items)] == placed
    assert rest.cursor is None
    start = adapter.shop().clock
    ship = act(shops.UPDATE_ORDER, ACCOUNT, order_id=placed[0], state=OrderState.SHIPPED, tracking="PT1")
    for _ in range(2):
        adapter.write(ship, timeout_s=5)
    (order,) = adapter.orders(since=start, cursor=None, limit=10).items
    assert order == adapter.order(placed[0])
    assert (order.state, order.total, order.lines[0].fulfilled) == (OrderState.SHIPPED, Money(1980, "EUR"), 2)
    assert [(one.tracking, dict(one.quantities)) for one in order.fulfilments] == [("PT1", {order.lines[0].id: 2})]
    assert (order.customer.name, order.customer.country) == ("Carla Cook", "PT")
    with pytest.raises(base.Refused, match="WRONG_STATE"):
        cancel = act(shops.UPDATE_ORDER, ACCOUNT, order_id=placed[0], state=OrderState.CANCELLED)
        adapter.write(cancel, timeout_s=5)


def test_an_order_keeps_the_line_of_a_product_that_is_gone(sandbox_shop: ShopWorld, adapter: SandboxShop) -> None:
    cup = sandbox_shop.add("cup")
    order = sandbox_shop.sell(cup["variants"][0]["id"])
    remove = act(shops.REMOVE_PRODUCT, ACCOUNT, product_id=cup["id"], key="cup")
    assert adapter.write(remove, timeout_s=5).detail == {}
    assert adapter.write(remove, timeout_s=5).detail == {"was": "gone already"}
    (line,) = adapter.order(order["id"]).lines
    assert (line.variant_id, line.sku, line.title) == ("", "cup-1", "Cup")


@pytest.mark.parametrize(
    ("rule", "error"),
    [
        (FaultRule(too_many_rate=1.0, retry_after_s=3), base.Throttled),
        (FaultRule(error_rate=1.0), base.Uncertain),
        (FaultRule(cut_rate=1.0), base.Uncertain),
        (FaultRule(latency_rate=1.0, latency_ms=3000), base.Uncertain),
    ],
)
def test_a_fault_is_the_error_that_says_what_follows(
    sandbox_shop: ShopWorld, adapter: SandboxShop, rule: FaultRule, error: type[base.AdapterError]
) -> None:
    cup = sandbox_shop.add("cup")["variants"][0]["id"]
    sandbox_shop.play(rule)
    with pytest.raises(error) as raised:
        adapter.write(set_stock(cup, 3), timeout_s=0.5)
    assert getattr(raised.value, "retry_after_s", 3) == 3


def test_credentials_hold_the_token_and_others_are_refused(sandbox_shop: ShopWorld) -> None:
    other = SandboxShop(sandbox_shop.url, "shp_another_token")
    with pytest.raises(base.TokenRefused):
        other.shop()
    other.close()
    for credentials in ("{}", "{", '{"token": 3}'):
        with pytest.raises(InvalidInput, match="token"):
            SandboxShop(sandbox_shop.url, credentials)
    with pytest.raises(InvalidInput, match="not a URL"):
        SandboxShop("shop", TOKEN)


def test_pages_of_products_and_orders_are_found(sandbox_shop: ShopWorld, adapter: SandboxShop) -> None:
    made = SurfaceObject(action="create_product", id="7", username="")
    assert adapter.url_of(made) == f"{sandbox_shop.url}/products/7"
    assert adapter.url_of(replace(made, action="update_order")) == f"{sandbox_shop.url}/orders/7"
    assert adapter.url_of(replace(made, action="set_stock")) is None


def test_webhooks_name_what_is_to_be_read_again() -> None:
    rules = ADAPTER.shop.webhooks if ADAPTER.shop else None
    assert rules is not None
    body = {"id": "e1", "kind": "product_deleted", "productId": "7", "variantId": "", "orderId": ""}
    (event,) = rules.read({}, json.dumps(body).encode())
    assert event == ShopEvent(id="e1", kind=ShopEventKind.PRODUCT_DELETED, product_id="7")
    for wrong in (b"[]", b"{", b"{}", json.dumps({**body, "kind": "party"}).encode(),
                  json.dumps({**body, "productId": 7}).encode()):  # fmt: skip
        with pytest.raises(ValueError):
            rules.read({}, wrong)
    assert not rules.is_genuine(SECRET, {"x-shop-timestamp": "NaN", "x-shop-signature": ""}, b"", 0.0)
