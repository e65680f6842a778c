"""The promises of adapters of shops. They create products, and remove them at the end."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from urllib.parse import urlsplit

from fleet.adapters import base, shops
from fleet.adapters.base import Action, Receipt, SurfaceObject
from fleet.adapters.shops import Money, ProductExists, ShopProduct, ShopTraits, ShopVariant, Stale, StockChange
from fleet.core import clock
from fleet.core.errors import InvalidInput
from fleet.features.adapters.conformance import stand_in
from fleet.features.adapters.conformance.bench import (
    NOBODY,
    SLOWEST_S,
    TIMEOUT_S,
    Bench,
    Broken,
    NotApplicable,
    raises,
)

_MOST_PAGES = 5
_GONE = "999999999"


def _shop(bench: Bench) -> None:
    """Its shop has a name and a currency."""
    found = shops.shop(bench.adapter).shop()
    if not found.name or len(found.currency) != 3:
        raise Broken(f"the shop is {found.name!r}, its currency {found.currency!r}")


def _create(bench: Bench) -> None:
    """A product is found by its SKU and by its key, as it was written."""
    bench.needs("create_product")
    wanted = _product(bench, "Lampe “Söhne” 静か 🌅")
    receipt = _created(bench, bench.action(shops.CREATE_PRODUCT, wanted))
    found = bench.adapter.product(receipt.remote_id)
    names = [name for name in ("key", "title", "description") if getattr(found, name) != getattr(wanted, name)]
    if names or found.status is not wanted.status:
        raise Broken(f"the product has another {', '.join(names) or 'status'}")
    written = [(one.sku, one.price, one.on_hand) for one in wanted.variants]
    if [(one.sku, one.price, one.on_hand) for one in found.variants] != written:
        raise Broken(f"its variants are {found.variants}")
    if receipt.detail.get("variants") != {one.sku: one.id for one in found.variants}:
        raise Broken("the receipt does not name the variants by SKU")
    for query in ({"sku": wanted.variants[0].sku}, {"key": wanted.key}):
        if [one.id for one in bench.adapter.find_products(**query)] != [found.id]:
            raise Broken(f"the product is not found by {query}")


def _creation(bench: Bench) -> None:
    """A creation whose outcome is unknown is found by a probe, and no second product is made."""
    bench.needs("create_product")
    since, action = clock.now(), bench.action(shops.CREATE_PRODUCT, _product(bench))
    if bench.adapter.probe(action, since=since, known=NOBODY) is not None:
        raise Broken("the probe finds a product that was never created")
    made = _created(bench, action).remote_id
    found = bench.adapter.probe(action, since=since, known=NOBODY)
    if found is None or found.remote_id != made:
        raise Broken("the probe does not find the product")
    if bench.adapter.probe(action, since=since, known=frozenset({made})) is not None:
        raise Broken("the probe finds a product of another job")
    with suppress(ProductExists):
        _created(bench, action)
    if len(bench.adapter.find_products(key=action.payload.product.key)) != 1:
        raise Broken("sent twice, it makes two products")


def _sweep(bench: Bench) -> None:
    """The pages of all products fit together."""
    bench.needs("products", "create_product")
    made = [_created(bench, bench.action(shops.CREATE_PRODUCT, _product(bench))).remote_id for _ in range(3)]
    seen: list[str] = []
    cursor: str | None = None
    for _ in range(_MOST_PAGES):
        page = bench.adapter.products(cursor=cursor, limit=2)
        seen += [one.id for one in page.items]
        cursor = page.cursor
        if cursor is None:
            break
    if cursor is None and not set(made) <= set(seen):
        raise Broken("a sweep lacks a product")
    if cursor is not None and len(set(seen)) < 2 * _MOST_PAGES - 1:
        raise Broken(f"{_MOST_PAGES} pages of 2 have {len(set(seen))} products")


def _stock(bench: Bench) -> None:
    """Stock is set to an exact number, as often as it is sent, and a probe tells whether it is there."""
    bench.needs("set_stock", "create_product")
    product_id = _created(bench, bench.action(shops.CREATE_PRODUCT, _product(bench))).remote_id or ""
    change = _change(bench, product_id, 41)
    action, other = (
        bench.action(shops.SET_STOCK, (change,)),
        bench.action(shops.SET_STOCK, (replace(change, quantity=9),)),
    )
    for _ in range(2):
        receipt = bench.adapter.write(action, timeout_s=TIMEOUT_S)
        levels = bench.adapter.stock_of([change.variant_id])
        if sum(one.on_hand for one in levels) != 41:
            raise Broken(f"set to 41, the stock is {levels}")
    if not receipt.detail.get("now"):
        raise Broken("the receipt does not say what the shop has now")
    if bench.adapter.probe(action, since=clock.now(), known=NOBODY) is None:
        raise Broken("the probe does not find the stock that is there")
    if bench.adapter.probe(other, since=clock.now(), known=NOBODY) is not None:
        raise Broken("the probe finds a stock that was never set")
    raises(lambda: bench.adapter.write(bench.action(shops.SET_STOCK, (replace(change, quantity=-1),)),
                                       timeout_s=TIMEOUT_S), base.Refused)  # fmt: skip


def _stale(bench: Bench) -> None:
    """A write that expects another value than the shop has is Stale, and changes nothing."""
    bench.needs("set_stock", "update_product", "create_product")
    product_id = _created(bench, bench.action(shops.CREATE_PRODUCT, _product(bench))).remote_id or ""
    change = replace(_change(bench, product_id, 41), expected=40)
    title = bench.action(shops.UPDATE_PRODUCT, product_id, {"title": "Ours"}, {"title": "Theirs"})
    before = bench.adapter.product(product_id)
    for action in (bench.action(shops.SET_STOCK, (change,)), title):
        raises(lambda one=action: bench.adapter.write(one, timeout_s=TIMEOUT_S), Stale)  # type: ignore[misc]
    if bench.adapter.product(product_id) != before:
        raise Broken("the product is another one afterwards")


def _fields(bench: Bench) -> None:
    """A new title and a new price are read back, and no other field changes."""
    bench.needs("update_product", "update_variants", "create_product")
    product_id = _created(bench, bench.action(shops.CREATE_PRODUCT, _product(bench))).remote_id or ""
    before = bench.adapter.product(product_id)
    variant, price = before.variants[0], Money(4321, bench.adapter.shop().currency)
    change = shops.VariantChange(variant_id=variant.id, product_id=product_id, price=price)
    for action in (
        bench.action(shops.UPDATE_PRODUCT, product_id, {"title": "Another title"}),
        bench.action(shops.UPDATE_VARIANTS, (change,)),
    ):
        bench.adapter.write(action, timeout_s=TIMEOUT_S)
        if bench.adapter.probe(action, since=clock.now(), known=NOBODY) is None:
            raise Broken(f"the probe does not find the {action.type.noun}")
    found = bench.adapter.product(product_id)
    if (found.title, found.variants[0].price) != ("Another title", price):
        raise Broken(f"the title is {found.title!r}, the price {found.variants[0].price}")
    if (found.description, found.status, found.variants[0].on_hand) != (
        before.description, before.status, variant.on_hand
    ):  # fmt: skip
        raise Broken("another field changed")


def _gone(bench: Bench) -> None:
    """What is not there is Vanished."""
    raises(lambda: bench.adapter.product(_GONE), base.Vanished)
    if list(bench.adapter.stock_of([_GONE])):
        raise Broken("a variant that is not there has stock")


def _remove(bench: Bench) -> None:
    """A product that was removed is Vanished, as often as it is removed."""
    bench.needs("create_product", "remove_product")
    product_id = _created(bench, bench.action(shops.CREATE_PRODUCT, _product(bench))).remote_id or ""
    for _ in range(2):
        bench.adapter.write(bench.action(shops.REMOVE_PRODUCT, product_id), timeout_s=TIMEOUT_S)
    raises(lambda: bench.adapter.product(product_id), base.Vanished)


def _pages(bench: Bench) -> None:
    """The page of a product is a web address."""
    for one in ("1", '/../"><'):
        url = bench.adapter.url_of(SurfaceObject(action="create_product", id=one, username="shop"))
        if url is not None and (urlsplit(url).scheme not in ("http", "https") or '"' in url or "/../" in url):
            raise Broken(f"the page is {url!r}")


def _cursor(bench: Bench) -> None:
    """A cursor that the shop never gave is InvalidInput."""
    raises(lambda: bench.adapter.products(cursor="\x00[nonsense", limit=1), InvalidInput)


def _faults(bench: Bench) -> None:
    """A write to a server that is silent, fails or talks nonsense is Uncertain, or Unreachable before it is sent."""
    bench.needs("set_stock")
    change = StockChange(variant_id="1", product_id="1", quantity=1, stock_item_id="1")
    for fault in ("silent", "nonsense", "fails"):
        since_s = clock.monotonic_s()
        with stand_in.serving(fault) as address:
            broken = bench.connect(address=address, timeout_s=SLOWEST_S)
            action = bench.action(shops.SET_STOCK, (change,))
            raises(lambda one=broken, it=action: one.write(it, timeout_s=SLOWEST_S),  # type: ignore[misc]
                   base.Uncertain, base.Unreachable)  # fmt: skip
        if clock.monotonic_s() - since_s > 4 * SLOWEST_S:
            raise Broken(f"a call with a deadline of {SLOWEST_S:g} s took {clock.monotonic_s() - since_s:.0f} s")


def clean(bench: Bench) -> None:
    """Its products of this run can be removed."""
    bench.needs("create_product", "remove_product")
    for one in bench.products:
        bench.adapter.write(bench.action(shops.REMOVE_PRODUCT, one), timeout_s=TIMEOUT_S)


def _product(bench: Bench, title: str = "A lamp") -> ShopProduct:
    key = f"fleet-test-{uuid.uuid4().hex[:12]}"
    variant = ShopVariant(sku=key.upper(), price=Money(1999, bench.adapter.shop().currency), on_hand=7)
    description = f"<p>{title}</p>" if _traits(bench).has_html else title
    return ShopProduct(key=key, title=title, description=description, variants=(variant,))


def _created(bench: Bench, action: Action[shops.CreateProductPayload]) -> Receipt:
    receipt: Receipt = bench.adapter.write(action, timeout_s=TIMEOUT_S)
    if not receipt.remote_id or len(receipt.remote_id) > base.LONGEST_ID:
        raise Broken(f"a product has the id {receipt.remote_id!r}")
    bench.products.append(receipt.remote_id)
    return receipt


def _change(bench: Bench, product_id: str, quantity: int) -> StockChange:
    variant = bench.adapter.product(product_id).variants[0]
    return StockChange(variant_id=variant.id, product_id=product_id, quantity=quantity,
                       stock_item_id=variant.stock_item_id)  # fmt: skip


def _traits(bench: Bench) -> ShopTraits:
    if bench.kind.shop is None:
        raise NotApplicable("it is no shop")
    return bench.kind.shop


PROMISES: tuple[Callable[[Bench], None], ...] = (
    _shop, _create, _creation, _sweep, _stock, _stale, _fields, _gone, _remove, _pages, _cursor, _faults,
)  # fmt: skip
"""In the order in which they are checked."""
