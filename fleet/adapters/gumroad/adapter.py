"""Gumroad, API v2: every call that Fleet uses. A product is its own only variant, known by its permalink.

Gumroad's source is open, and says what its documentation does not: refusals come with status 200, prices are in cents,
a page has 10 entries. How an unknown outcome is resolved: a new product by its permalink, which is unique in a shop;
everything else by reading back. A repeated creation goes on with the product that an earlier attempt made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from fleet.adapters import base
from fleet.adapters.answers import count_of, dict_of, dicts_of, moment_of, retry_after_s, text_of, texts_of
from fleet.adapters.base import AnyAction, Receipt, RemoteAccount, Resolution, SurfaceObject
from fleet.adapters.http import Response
from fleet.adapters.manifest import AccountAccess, OAuth
from fleet.adapters.network import (
    ADOPTED,
    CallDeadline,
    ConnectedAdapter,
    NetworkToken,
    after_the_write,
    before_the_write,
    read_back,
    removed,
    words,
)
from fleet.adapters.shops import (
    CreateProductPayload,
    Fulfilment,
    Money,
    OrderCustomer,
    OrderLine,
    OrderPage,
    OrderState,
    ProductExists,
    ProductPage,
    ProductStatus,
    RemoveProductPayload,
    SetStockPayload,
    ShopInfo,
    ShopOrder,
    ShopProduct,
    ShopVariant,
    Stale,
    StockChange,
    StockLevel,
    StockPage,
    UpdateOrderPayload,
    UpdateProductPayload,
    UpdateVariantsPayload,
    VariantChange,
    differences,
    order_state,
    product_state,
    require_batch,
    require_unchanged,
    stock_state,
    variant_state,
)
from fleet.core.errors import InvalidInput
from fleet.core.net import web_address

OAUTH = OAuth(
    authorize_url="https://gumroad.com/oauth/authorize",
    token_url="https://api.gumroad.com/oauth/token",  # noqa: S106 - an address
    scopes=("view_profile", "edit_products", "view_sales", "mark_sales_as_shipped", "edit_sales"),
    has_pkce=False,
)
FIELDS = ("title", "description", "status", "categories")
PAGE = 10
_MOST_PAGES, _LONGEST_KEY = 500, 200
_NOT_FOUND = ("The product was not found.", "The sale was not found.")
"""Gumroad has no codes: the whole message is compared."""


class Gumroad(ConnectedAdapter[NetworkToken]):
    """The adapter of one seller."""

    name = "gumroad"
    credentials = NetworkToken
    oauth = OAUTH
    actions: Mapping[str, Resolution] = {
        "create_product": Resolution.PROBE, "update_product": Resolution.PROBE, "update_variants": Resolution.PROBE,
        "set_stock": Resolution.PROBE, "remove_product": Resolution.NATURAL, "update_order": Resolution.PROBE,
    }  # fmt: skip

    def __init__(self, access: AccountAccess) -> None:
        super().__init__(access)
        self._currencies: dict[str, str] = {}

    # Reads

    def check(self, *, timeout_s: float) -> RemoteAccount:
        """Return the seller."""
        found = dict_of(self._call("GET", "/v2/user", timeout_s=timeout_s).get("user"))
        user_id = text_of(found.get("user_id") or found.get("id"), base.LONGEST_ID)
        if not user_id:
            raise base.Uncertain("Gumroad does not say whose token it is")
        name = text_of(found.get("name"), 200) or user_id
        return RemoteAccount(id=user_id, username=name, url=text_of(found.get("url"), 1000) or None)

    def shop(self) -> ShopInfo:
        """Return the shop. Its currency is that of the newest product: each product has its own."""
        found = dict_of(self._call("GET", "/v2/user").get("user"))
        newest = dicts_of(self._call("GET", "/v2/products").get("products"))
        currency = text_of(newest[0].get("currency"), 3).upper() if newest else ""
        return ShopInfo(name=text_of(found.get("name"), 200), currency=currency or "USD",
                        url=text_of(found.get("url"), 1000))  # fmt: skip

    def products(self, *, cursor: str | None, limit: int) -> ProductPage:
        """Return a page of all products, the newest first; one that is added meanwhile is not among them."""
        body = self._call("GET", "/v2/products", params=_page_of(cursor))
        items = tuple(product_of(one) for one in dicts_of(body.get("products")))
        return ProductPage(items, text_of(body.get("next_page_key"), 200) or None)

    def product(self, product_id: str) -> ShopProduct:
        """Return a product. Raises Vanished."""
        return product_of(self._raw(product_id, self._timeout_s))

    def find_products(self, *, sku: str = "", key: str = "") -> Sequence[ShopProduct]:
        """Return the product that has a permalink: it is the SKU, too. All products are read for it."""
        cursor: str | None = None
        for _ in range(_MOST_PAGES):
            page = self.products(cursor=cursor, limit=PAGE)
            hits = [one for one in page.items if one.key in (sku, key)]
            cursor = page.cursor
            if hits or cursor is None:
                return hits
        raise base.Uncertain("the shop has too many products to say that a permalink is new")

    def stock(self, *, cursor: str | None, limit: int) -> StockPage:
        """Return how many units of a page of products can still be sold, where a product has a limit."""
        page = self.products(cursor=cursor, limit=limit)
        return StockPage(tuple(level for one in page.items for level in _levels(one)), page.cursor)

    def stock_of(self, variant_ids: Sequence[str]) -> Sequence[StockLevel]:
        """Return how many units of products can still be sold; those that are gone are left out."""
        levels: list[StockLevel] = []
        for one in variant_ids:
            try:
                levels += _levels(self.product(one))
            except base.Vanished:
                continue
        return levels

    def orders(self, *, since: datetime | None, cursor: str | None, limit: int) -> OrderPage:
        """Return sales that were made at or after a time, the newest first. Those that changed do not come again."""
        params = _page_of(cursor)
        if since is not None:  # days are those of the seller's time zone
            params["after"] = (since.astimezone(UTC) - timedelta(days=1)).strftime("%Y-%m-%d")
        body = self._call("GET", "/v2/sales", params=params)
        found = [self._order(one) for one in dicts_of(body.get("sales"))]
        items = tuple(one for one in found if since is None or one.placed_at >= since.replace(microsecond=0))
        return OrderPage(items, text_of(body.get("next_page_key"), 200) or None)

    def order(self, order_id: str) -> ShopOrder:
        """Return a sale. Raises Vanished."""
        return self._order(dict_of(self._call("GET", f"/v2/sales/{_id(order_id)}").get("sale")))

    def url_of(self, found: SurfaceObject) -> str | None:
        """Return None: pages are named by permalinks, not by ids."""
        return None

    # Writes

    def probe(self, action: AnyAction, *, since: datetime, known: frozenset[str]) -> Receipt | None:
        """Look for the effect of a write: a product by its permalink, everything else by its values."""
        match action.payload:
            case CreateProductPayload(product):
                try:
                    made = self._begun(product)
                except ProductExists:
                    return None
                if made is None or made.id in known or not _is_complete(made, product):
                    return None
                return Receipt(made.id, {**_states(made), **ADOPTED})
            case UpdateProductPayload(product_id, changes):
                found = self.product(product_id)
                is_done = not differences(found, changes)
                return Receipt(product_id, {**ADOPTED, "now": [product_state(found)]}) if is_done else None
            case UpdateVariantsPayload((change,)) | SetStockPayload((change,)):
                found = self.product(change.variant_id)
                is_done = _has(found.variants[0], change)
                return Receipt(found.id, {**ADOPTED, "now": _now(found, change)}) if is_done else None
            case UpdateOrderPayload(order_id, state):
                order = self.order(order_id)
                return Receipt(order_id, {**ADOPTED, "now": [order_state(order)]}) if order.state is state else None
        return None

    def _write(self, action: AnyAction, deadline: CallDeadline) -> Receipt:
        match action.payload:
            case CreateProductPayload(product):
                return self._create(product, deadline)
            case UpdateProductPayload() as update:
                return self._update(update, deadline)
            case UpdateVariantsPayload(changes) | SetStockPayload(changes):
                require_batch(changes, 1)
                return self._change(changes[0], deadline)
            case RemoveProductPayload(product_id):
                return removed(product_id, lambda: self._call(
                    "DELETE", f"/v2/products/{_id(product_id)}", timeout_s=deadline.left_s
                ))  # fmt: skip
            case UpdateOrderPayload() as order:
                return self._move(order, deadline)
        raise base.Refused(f"Gumroad has no {action.type.name}")

    def _create(self, product: ShopProduct, deadline: CallDeadline) -> Receipt:
        """Make a draft, limit its units, and publish it. What an earlier attempt made is finished."""
        if len(product.variants) != 1 or product.variants[0].price is None or not _key(product):
            raise base.Refused("a product of Gumroad needs a permalink and one variant with a price")
        if product.status is ProductStatus.ARCHIVED:
            raise base.Refused("a new product of Gumroad is a draft or published")
        with before_the_write():
            made = self._begun(product)
        variant = product.variants[0]
        assert variant.price is not None
        if made is None:
            request = {"name": product.title, "price": variant.price.minor, "description": product.description,
                       "price_currency_type": variant.price.currency.lower(), "custom_permalink": _key(product),
                       "tags": list(product.categories)}  # fmt: skip
            body = self._call("POST", "/v2/products", json=request, timeout_s=deadline.left_s)
            made = product_of(dict_of(body.get("product")))
        path = f"/v2/products/{_id(made.id)}"
        try:
            if variant.on_hand is not None and made.variants[0].on_hand != variant.on_hand:
                self._limit(made.id, variant.on_hand, deadline)
            if product.status is ProductStatus.ACTIVE and made.status is not ProductStatus.ACTIVE:
                self._call("PUT", f"{path}/enable", timeout_s=deadline.left_s)
        except base.Refused:
            with suppress(base.AdapterError):  # what a refusal leaves is of no use
                self._call("DELETE", path, timeout_s=deadline.left_s)
            raise
        product_id = made.id
        with after_the_write():
            return Receipt(product_id, _states(self.product(product_id)))

    def _begun(self, product: ShopProduct) -> ShopProduct | None:
        """Return the product that an earlier attempt made. Raises ProductExists for another with its permalink."""
        found = next(iter(self.find_products(key=_key(product))), None)
        if found is None:
            return None
        wanted = (product.title, product.description, product.variants[0].price)
        if (found.title, found.description, found.variants[0].price) != wanted:
            raise ProductExists("the shop has another product with this permalink", product_ids=[found.id])
        return found

    def _update(self, update: UpdateProductPayload, deadline: CallDeadline) -> Receipt:
        path = f"/v2/products/{_id(update.product_id)}"
        with before_the_write():
            found = product_of(self._raw(update.product_id, deadline.left_s))
        require_unchanged(found, update.changes, update.expected)
        if unknown := sorted(set(update.changes) - set(FIELDS)):
            raise base.Refused(f"Gumroad's API changes no {', '.join(unknown)}")
        names = {"title": "name", "description": "description", "categories": "tags"}
        request = {names[name]: list(value) if name == "categories" else value
                   for name, value in update.changes.items() if name in names}  # fmt: skip
        if request:
            self._call("PUT", path, json=request, timeout_s=deadline.left_s)
        if "status" in update.changes and update.changes["status"] is not found.status:
            verb = "enable" if update.changes["status"] is ProductStatus.ACTIVE else "disable"
            self._call("PUT", f"{path}/{verb}", timeout_s=deadline.left_s)
        return Receipt(found.id, read_back(lambda: [product_state(self.product(found.id))]))

    def _change(self, change: VariantChange | StockChange, deadline: CallDeadline) -> Receipt:
        with before_the_write():
            found = product_of(self._raw(change.variant_id, deadline.left_s))
        variant = found.variants[0]
        if isinstance(change, StockChange):
            if change.expected is not None and variant.on_hand not in (change.expected, change.quantity):
                raise Stale("the shop has another number of units", found={change.variant_id: variant.on_hand})
            self._limit(found.id, change.quantity, deadline)
        else:
            if (
                change.price is not None
                and variant.price is not None
                and change.price.currency != variant.price.currency
            ):
                raise base.Refused(f"the product's price is in {variant.price.currency}")
            if change.expected_price is not None and variant.price not in (change.expected_price, change.price):
                raise Stale("the shop has another price", found={change.variant_id: variant.price})
            request: dict[str, Any] = {} if change.price is None else {"price": change.price.minor}
            request |= {"custom_permalink": change.sku} if change.sku else {}
            self._call("PUT", f"/v2/products/{_id(found.id)}", json=request, timeout_s=deadline.left_s)
        return Receipt(found.id, read_back(lambda: _now(self.product(found.id), change)))

    def _limit(self, product_id: str, units: int, deadline: CallDeadline) -> None:
        """Let so many more units be sold: Gumroad limits all sales of a product together."""
        if units < 0:
            raise base.Refused("a stock below zero")
        with before_the_write():
            found = self._raw(product_id, deadline.left_s)
        sold = count_of(found.get("sales_count"))
        if sold is None:
            raise base.Refused("the token may not see how many units were sold: it lacks the scope view_sales")
        request = {"max_purchase_count": sold + units}
        self._call("PUT", f"/v2/products/{_id(product_id)}", json=request, timeout_s=deadline.left_s)

    def _move(self, update: UpdateOrderPayload, deadline: CallDeadline) -> Receipt:
        path = f"/v2/sales/{_id(update.order_id)}"
        with before_the_write():
            found = self._order(dict_of(self._call("GET", path, timeout_s=deadline.left_s).get("sale")))
        if found.state is update.state:
            return Receipt(update.order_id, {**ADOPTED, "now": [order_state(found)]})
        match update.state:
            case OrderState.SHIPPED:
                if update.tracking and web_address.split(update.tracking) is None:
                    raise base.Refused("Gumroad takes the address of a page for tracking, not a number")
                request = {"tracking_url": update.tracking} if update.tracking else {}
                self._call("PUT", f"{path}/mark_as_shipped", json=request, timeout_s=deadline.left_s)
            case OrderState.REFUNDED:
                self._call("PUT", f"{path}/refund", timeout_s=deadline.left_s)
            case _:
                raise base.Refused(f"Gumroad's API cannot make a sale {update.state}")
        return Receipt(update.order_id, read_back(lambda: [order_state(self.order(update.order_id))]))

    # Help

    def _raw(self, product_id: str, timeout_s: float) -> dict[str, Any]:
        found = dict_of(self._call("GET", f"/v2/products/{_id(product_id)}", timeout_s=timeout_s).get("product"))
        if found.get("deleted"):
            raise base.Vanished("the product is deleted")
        return found

    def _order(self, found: dict[str, Any]) -> ShopOrder:
        product_id = text_of(found.get("product_id"), base.LONGEST_ID)
        currency = text_of(found.get("currency"), 3).upper() or self._currency(product_id)
        return order_of(found, currency)

    def _currency(self, product_id: str) -> str:
        """Return the currency of a product; US dollars if it is gone."""
        if product_id and product_id not in self._currencies:
            try:
                price = self.product(product_id).variants[0].price
            except base.Vanished:
                price = None
            self._currencies[product_id] = price.currency if price else "USD"
        return self._currencies.get(product_id, "USD")

    def _error_of(self, response: Response, body: dict[str, Any]) -> base.AdapterError:
        status, message = response.status_code, text_of(body.get("message") or body.get("error"), 200)
        said = words(response, message)
        if status == 429:
            return base.Throttled(said, retry_after_s=retry_after_s(response))
        if status in (401, 403):
            return base.TokenRefused(said)
        if status == 404 or message in _NOT_FOUND:
            return base.Vanished(said)
        return base.Refused(said) if status < 500 and status != 408 else base.Uncertain(said)

    def _is_failure(self, response: Response, body: dict[str, Any]) -> bool:
        return not response.is_success or body.get("success") is not True


def _id(value: str) -> str:
    """Return an id for a path. Raises Vanished for none."""
    if (
        not value
        or len(value) > base.LONGEST_ID
        or not value.isascii()
        or not value.isprintable()
        or value in (".", "..")
    ):
        raise base.Vanished("this is no id of Gumroad")
    return quote(value, safe="")


def _page_of(cursor: str | None) -> dict[str, str]:
    """Return the query of a page. Raises InvalidInput for a cursor that Gumroad cannot have given."""
    if cursor is not None and not (cursor.isascii() and cursor.isprintable() and 0 < len(cursor) <= _LONGEST_KEY):
        raise InvalidInput("This cursor is not one that Gumroad gave.", fix="Begin at the first page.")
    return {"page_key": cursor} if cursor else {}


def _key(product: ShopProduct) -> str:
    return product.key or (product.variants[0].sku if product.variants else "")


def product_of(found: dict[str, Any]) -> ShopProduct:
    """Return a product. Raises Uncertain for one without an id."""
    product_id = text_of(found.get("id"), base.LONGEST_ID)
    if not product_id:
        raise base.Uncertain("Gumroad's product has no id")
    key = text_of(found.get("custom_permalink"), 255) or product_id
    currency = text_of(found.get("currency"), 3).upper()
    limit, sold = count_of(found.get("max_purchase_count")), count_of(found.get("sales_count"))
    variant = ShopVariant(
        id=product_id, sku=key, price=Money.of_minor(found.get("price"), currency),
        on_hand=None if limit is None or sold is None else max(0, limit - sold),
    )  # fmt: skip
    return ShopProduct(
        id=product_id, key=key, title=text_of(found.get("name"), 255), description=text_of(found.get("description")),
        status=ProductStatus.ACTIVE if found.get("published") is True else ProductStatus.DRAFT,
        categories=texts_of(found.get("tags"), 100),
        variants=(variant,), url=text_of(found.get("short_url"), 1000),
    )  # fmt: skip


def order_of(found: dict[str, Any], currency: str) -> ShopOrder:
    """Return a sale as an order of one line. Raises Uncertain for one without an id, a price or a time."""
    sale_id, total = text_of(found.get("id"), base.LONGEST_ID), Money.of_minor(found.get("price"), currency)
    placed_at = moment_of(found.get("created_at"))
    if not sale_id or total is None or placed_at is None:
        raise base.Uncertain("Gumroad's sale has no id, price or time")
    product_id, units = text_of(found.get("product_id"), base.LONGEST_ID), max(1, count_of(found.get("quantity")) or 1)
    state = OrderState.SHIPPED if found.get("shipped") is True else OrderState.CONFIRMED
    if found.get("refunded") is True or found.get("chargedback") is True:
        state = OrderState.REFUNDED
    shipped = units if state is OrderState.SHIPPED else 0
    tracking = text_of(found.get("tracking_url"), 1000)
    line = OrderLine(
        id=sale_id, variant_id=product_id, sku=text_of(found.get("product_permalink"), 255), quantity=units,
        title=text_of(found.get("product_name"), 255), fulfilled=shipped,
        unit_price=Money(total.minor // units, currency),
    )  # fmt: skip
    return ShopOrder(
        id=sale_id, number=str(count_of(found.get("order_id")) or sale_id), state=state, placed_at=placed_at,
        total=total, lines=(line,),
        fulfilments=(Fulfilment(id=sale_id, quantities={sale_id: units}, tracking=tracking),) if shipped else (),
        customer=OrderCustomer(name=text_of(found.get("full_name"), 200), email=text_of(found.get("email"), 320),
                               country=text_of(found.get("country_iso2"), 2)),
    )  # fmt: skip


def _levels(product: ShopProduct) -> list[StockLevel]:
    return [StockLevel(variant_id=one.id, on_hand=one.on_hand) for one in product.variants if one.on_hand is not None]


def _has(found: ShopVariant, change: VariantChange | StockChange) -> bool:
    if isinstance(change, StockChange):
        return found.on_hand == change.quantity
    return change.price in (None, found.price) and change.sku in ("", found.sku)


def _is_complete(found: ShopProduct, wanted: ShopProduct) -> bool:
    units = wanted.variants[0].on_hand
    return found.status is wanted.status and units in (None, found.variants[0].on_hand)


def _now(found: ShopProduct, change: VariantChange | StockChange) -> list[dict[str, Any]]:
    if isinstance(change, StockChange):
        return [stock_state(one) for one in _levels(found)]
    return [variant_state(found.variants[0], found.id)]


def _states(product: ShopProduct) -> dict[str, Any]:
    now = [product_state(product), *(variant_state(one, product.id) for one in product.variants)]
    return {"variants": {one.sku: one.id for one in product.variants}, "now": now}
