"""The adapter of the sandbox shop against the shop itself, over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from fleet.adapters import base, shops
from fleet.adapters.base import Account, AnyAction
from fleet.adapters.sandbox_shop import ADAPTER
from fleet.adapters.sandbox_shop.adapter import SandboxShop
from fleet.adapters.shops import Money, StockChange
from fleet.sandbox.gallery import FaultRule
from tests.factories import act
from tests.shops import ShopWorld, product

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
