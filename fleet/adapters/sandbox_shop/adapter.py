"""The sandbox shop: every call and status code that Fleet uses.

How an unknown outcome is resolved: a creation by the product's key, all other writes by reading back what they set.
Removals and states of orders are sent again. Creations carry an Idempotency-Key besides: one that still arrives after
the probe creates nothing a second time.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote, urlsplit

from fleet.adapters import base
from fleet.adapters.answers import (
    aware,
    body_of,
    dict_of,
    dicts_of,
    missing_variants,
    moment_of,
    retry_after_s,
    text_of,
)
from fleet.adapters.base import AnyAction, Receipt, RemoteAccount, Resolution, SurfaceObject
from fleet.adapters.http import MAX_ANSWER_BYTES, HttpClient, Response
from fleet.adapters.network import before_the_write
from fleet.adapters.sandbox_shop import wire
from fleet.adapters.shops import (
    ADD_VARIANTS,
    CREATE_PRODUCT,
    PRODUCT_FIELDS,
    REMOVE_PRODUCT,
    SET_STOCK,
    UPDATE_ORDER,
    UPDATE_PRODUCT,
    UPDATE_VARIANTS,
    AddVariantsPayload,
    CreateProductPayload,
    OrderPage,
    ProductPage,
    RemoveProductPayload,
    SetStockPayload,
    ShopInfo,
    ShopLocation,
    ShopOrder,
    ShopProduct,
    Stale,
    StockLevel,
    StockPage,
    UpdateOrderPayload,
    UpdateProductPayload,
    UpdateVariantsPayload,
)
from fleet.core import logs
from fleet.core.errors import InvalidInput

BATCH, PAGE = 50, 100
_CLOCK_SKEW = timedelta(minutes=10)


class SandboxShop:
    """The adapter. One an account and process; safe to use from many threads."""

    name = "sandbox_shop"
    actions: Mapping[str, Resolution] = {
        CREATE_PRODUCT.name: Resolution.PROBE,
        UPDATE_PRODUCT.name: Resolution.PROBE,
        ADD_VARIANTS.name: Resolution.PROBE,
        UPDATE_VARIANTS.name: Resolution.PROBE,
        SET_STOCK.name: Resolution.PROBE,
        REMOVE_PRODUCT.name: Resolution.NATURAL,
        UPDATE_ORDER.name: Resolution.NATURAL,
    }

    def __init__(self, url: str, credentials: str, *, timeout_s: float = 30.0) -> None:
        try:
            parts = urlsplit(url)
            port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
        except ValueError:
            parts, port = urlsplit(""), 0
        if not port or not parts.hostname or "@" in parts.netloc:
            raise InvalidInput(f"The shop's address is not a URL: {logs.mask(url)!r}.", fix="Write it as https://host.")
        self.scheme, self.host, self.port = parts.scheme, parts.hostname, port
        self.third_party = self.host not in ("127.0.0.1", "localhost", "::1")
        headers = {"Authorization": f"Bearer {_token_of(credentials)}"}
        self._http = HttpClient(url, timeout_s=timeout_s, headers=headers, most_bytes=MAX_ANSWER_BYTES)
        self._pages = url.rstrip("/")

    # Reads

    def check(self, *, timeout_s: float) -> RemoteAccount:
        """Return the shop as the account that the token opens."""
        name = text_of(self._call("GET", "/api/shop", timeout_s=timeout_s).get("name"), 200)
        return RemoteAccount(id=f"{self.host}:{self.port}", username=name, url=self._pages)

    def shop(self) -> ShopInfo:
        """Return the shop's name, currency, locations and clock."""
        body = self._call("GET", "/api/shop")
        places = [ShopLocation(id=wire.id_of(one.get("id")), name=text_of(one.get("name"), 200))
                  for one in dicts_of(body.get("locations"))]  # fmt: skip
        currency = wire.money_of(0, body.get("currency")).currency
        return ShopInfo(name=text_of(body.get("name"), 200), currency=currency, locations=tuple(places),
                        url=text_of(body.get("url"), 2000), clock=moment_of(body.get("clock")))  # fmt: skip

    def products(self, *, cursor: str | None, limit: int) -> ProductPage:
        """Return a page of all products by id. New ones come last."""
        return self._products({"limit": min(limit, PAGE)}, cursor)

    def changed_products(self, *, since: datetime, cursor: str | None, limit: int) -> ProductPage:
        """Return products that changed at or after a time, those that changed first. Stock does not count."""
        return self._products({"limit": min(limit, PAGE), "since": since.isoformat()}, cursor)

    def product(self, product_id: str) -> ShopProduct:
        """Return one product. Raises Vanished."""
        return wire.product_of(self._call("GET", _product(product_id)).get("product"))

    def find_products(self, *, sku: str = "", key: str = "") -> Sequence[ShopProduct]:
        """Return the products that have a SKU or a key; none if neither is given."""
        query = {name: value for name, value in (("sku", sku), ("key", key)) if value}
        return self._products(query, None).items if query else ()

    def stock(self, *, cursor: str | None, limit: int) -> StockPage:
        """Return a page of the stock of all variants, by variant and location."""
        body = self._page("/api/stock", {"limit": min(limit, PAGE)}, cursor)
        return StockPage(tuple(wire.level_of(one) for one in _items(body)), _cursor(body))

    def stock_of(self, variant_ids: Sequence[str]) -> Sequence[StockLevel]:
        """Return the levels of some variants; those that are gone have none."""
        found: list[StockLevel] = []
        for start in range(0, len(variant_ids), PAGE):
            query = {"variants": ",".join(variant_ids[start : start + PAGE])}
            found += [wire.level_of(one) for one in _items(self._call("GET", "/api/stock", params=query))]
        return found

    def orders(self, *, since: datetime | None, cursor: str | None, limit: int) -> OrderPage:
        """Return orders that were placed or changed at or after a time, those that changed first."""
        query = {"limit": min(limit, PAGE), **({"since": since.isoformat()} if since else {})}
        body = self._page("/api/orders", query, cursor)
        return OrderPage(tuple(wire.order_of(one) for one in _items(body)), _cursor(body))

    def order(self, order_id: str) -> ShopOrder:
        """Return one order. Raises Vanished."""
        return wire.order_of(self._call("GET", _order(order_id)).get("order"))

    def url_of(self, found: SurfaceObject) -> str | None:
        """Return the page of a product, or of an order."""
        if found.action in (CREATE_PRODUCT.name, UPDATE_PRODUCT.name):
            return f"{self._pages}/products/{quote(found.id, safe='')}"
        if found.action == UPDATE_ORDER.name:
            return f"{self._pages}/orders/{quote(found.id, safe='')}"
        return None

    # Writes

    def write(self, action: AnyAction, *, timeout_s: float) -> Receipt:
        """Make one write. Raises an AdapterError: Stale where the shop has other values than expected."""
        match action.payload:
            case CreateProductPayload(product):
                body = self._call("POST", "/api/products", json=wire.written(product), key=action.key,
                                  timeout_s=timeout_s)  # fmt: skip
                return _created(wire.product_of(body.get("product")))
            case UpdateProductPayload() as update:
                return self._update_product(update, timeout_s)
            case AddVariantsPayload(product_id, variants):
                with before_the_write():
                    missing_variants(self.product(product_id), variants)
                new = {"variants": [wire.variant(one) for one in variants]}
                body = self._call("POST", f"{_product(product_id)}/variants", json=new, timeout_s=timeout_s)
                return _created(wire.product_of(body.get("product")))
            case UpdateVariantsPayload() as update:
                return self._update_variants(update, timeout_s)
            case SetStockPayload() as levels:
                return self._set_stock(levels, timeout_s)
            case RemoveProductPayload(product_id):
                try:
                    self._call("DELETE", _product(product_id), timeout_s=timeout_s)
                except base.Vanished:
                    return Receipt(product_id, {"was": "gone already"})
                return Receipt(product_id)
            case UpdateOrderPayload() as update:
                request = {"state": update.state.value, "tracking": update.tracking, "reason": update.reason}
                self._call("PATCH", _order(update.order_id), json=request, timeout_s=timeout_s)
                return Receipt(update.order_id, {"state": update.state.value})
        raise base.Refused(f"the shop's API has no {action.type.noun}")

    def probe(self, action: AnyAction, *, since: datetime, known: frozenset[str]) -> Receipt | None:
        """Look for the effect of a write sent at or after `since`; None if it is surely not there.

        A product that is older is not ours, even if it has our key. The shop's clock may differ by ten minutes.
        """
        match action.payload:
            case CreateProductPayload(product):
                body = self._call("GET", "/api/products", params={"key": product.key})
                for one in _items(body):
                    found = wire.product_of(one)
                    is_new = aware(moment_of(one.get("createdAt"))) >= since - _CLOCK_SKEW
                    if found.id not in known and is_new and _skus(found) == _skus(product):
                        return _adopted(_created(found))
                return None
            case UpdateProductPayload() as update:
                return _adopted(Receipt(update.product_id)) if self._is_updated(update) else None
            case AddVariantsPayload(product_id, variants):
                found = self.product(product_id)
                return _adopted(_created(found)) if {one.sku for one in variants} <= _skus(found) else None
            case UpdateVariantsPayload() as update:
                return _adopted(_first(update.changes)) if self._are_updated(update) else None
            case SetStockPayload() as levels:
                return _adopted(_first(levels.changes)) if self._is_stocked(levels) else None
        return None

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def _update_product(self, update: UpdateProductPayload, timeout_s: float) -> Receipt:
        unknown = {*update.changes, *update.expected} - set(PRODUCT_FIELDS)
        if unknown:
            raise base.Refused(f"the shop's products have no {', '.join(sorted(unknown))}")
        request: dict[str, Any] = {name: wire.field(name, value) for name, value in update.changes.items()}
        request["expected"] = {name: wire.field(name, value) for name, value in update.expected.items()}
        try:
            body = self._call("PATCH", _product(update.product_id), json=request, timeout_s=timeout_s)
        except Stale as error:
            # Our own write, delivered twice, makes itself stale.
            if self._is_updated(update):
                return _adopted(Receipt(update.product_id))
            found = wire.product_of({**_NO_PRODUCT, **error.found})
            raise Stale(error.message, found={name: getattr(found, name) for name in error.found
                                              if name in PRODUCT_FIELDS}) from None  # fmt: skip
        return Receipt(wire.product_of(body.get("product")).id)

    def _update_variants(self, update: UpdateVariantsPayload, timeout_s: float) -> Receipt:
        changes = []
        for one in update.changes:
            change: dict[str, Any] = {"id": one.variant_id}
            if one.price is not None:
                change["priceMinor"] = one.price.minor
            if one.sku:
                change["sku"] = one.sku
            if one.expected_price is not None:
                change["expectedPriceMinor"] = one.expected_price.minor
            changes.append(change)
        try:
            self._call("PATCH", "/api/variants", json={"changes": changes}, timeout_s=timeout_s)
        except Stale as error:
            if self._are_updated(update):
                return _adopted(_first(update.changes))
            variant_id = str(error.found.get("variantId", ""))
            currency = next((one.expected_price.currency for one in update.changes if one.expected_price), None)
            price = wire.money_of(error.found.get("priceMinor"), currency)
            raise Stale(error.message, found={"variant_id": variant_id, "price": price}) from None
        return _first(update.changes)

    def _set_stock(self, levels: SetStockPayload, timeout_s: float) -> Receipt:
        changes = [
            {"variantId": one.variant_id, "onHand": one.quantity,
             **({"locationId": one.location_id} if one.location_id else {}),
             **({} if one.expected is None else {"expected": one.expected})}
            for one in levels.changes
        ]  # fmt: skip
        try:
            self._call("PUT", "/api/stock", json={"changes": changes}, timeout_s=timeout_s)
        except Stale as error:
            if self._is_stocked(levels):
                return _adopted(_first(levels.changes))
            found = error.found
            raise Stale(error.message, found={"variant_id": found.get("variantId"), "on_hand": found.get("onHand"),
                                              "location_id": found.get("locationId")}) from None  # fmt: skip
        return _first(levels.changes)

    def _is_updated(self, update: UpdateProductPayload) -> bool:
        found = self.product(update.product_id)
        return all(wire.comparable(name, getattr(found, name)) == wire.comparable(name, value)
                   for name, value in update.changes.items())  # fmt: skip

    def _are_updated(self, update: UpdateVariantsPayload) -> bool:
        owners = {one.product_id for one in update.changes}
        found = {variant.id: variant for owner in owners for variant in self.product(owner).variants}
        for one in update.changes:
            variant = found.get(one.variant_id)
            if variant is None or (one.price is not None and variant.price != one.price):
                return False
            if one.sku and variant.sku != one.sku:
                return False
        return True

    def _is_stocked(self, levels: SetStockPayload) -> bool:
        found = {(one.variant_id, one.location_id): one.on_hand
                 for one in self.stock_of([one.variant_id for one in levels.changes])}  # fmt: skip
        main = ""
        if any(not one.location_id for one in levels.changes):
            main = next((place.id for place in self.shop().locations), "")
        return all(found.get((one.variant_id, one.location_id or main)) == one.quantity for one in levels.changes)

    # Calls

    def _products(self, query: dict[str, Any], cursor: str | None) -> ProductPage:
        body = self._page("/api/products", query, cursor)
        total = body.get("total")
        items = tuple(wire.product_of(one) for one in _items(body))
        return ProductPage(items, _cursor(body), total if isinstance(total, int) else None)

    def _page(self, path: str, query: dict[str, Any], cursor: str | None) -> dict[str, Any]:
        return self._call("GET", path, params={**query, **({"cursor": cursor} if cursor else {})})

    def _call(self, method: str, path: str, *, key: str | None = None, timeout_s: float | None = None,
              **request: Any) -> dict[str, Any]:  # fmt: skip
        headers = {"Idempotency-Key": key} if key is not None else {}
        response = self._http.request(method, path, headers=headers, timeout_s=timeout_s, **request)
        body = body_of(response)
        if response.is_success:
            return body
        raise _error_of(response, body)


_NO_PRODUCT = {"id": "0", "status": "active"}


def _token_of(credentials: str) -> str:
    """Return the token of credentials: they are one, or a JSON object with one."""
    if not credentials.lstrip().startswith("{"):
        return credentials
    try:
        token = dict_of(json.loads(credentials)).get("token")
    except ValueError:
        token = None
    if not isinstance(token, str) or not token:
        raise InvalidInput(
            "The shop's credentials hold no token.", fix='Write {"token": "shp_...", "webhook_secret": "..."}.'
        )
    return token


def _error_of(response: Response, body: dict[str, Any]) -> base.AdapterError:
    """Translate a refusal by its status and code. A server error may come after the write."""
    code, status = str(body.get("code", "")), response.status_code
    said = f"{status} {code} {text_of(body.get('error'), 300) or response.reason_phrase}"
    if status == 409 and code == "STALE":
        return Stale(said, found=dict_of(body.get("found")))
    if status == 429:
        return base.Throttled(said, retry_after_s=retry_after_s(response))
    if status in (401, 403):
        return base.TokenRefused(said)
    if status in (404, 410):
        return base.Vanished(said)
    if 300 <= status < 500 and status != 408:
        return base.Refused(said)
    return base.Uncertain(said)


def _items(body: dict[str, Any]) -> list[dict[str, Any]]:
    if not isinstance(body.get("items"), list):
        raise base.Uncertain("the shop's page has no items")
    return dicts_of(body["items"])


def _cursor(body: dict[str, Any]) -> str | None:
    return text_of(body.get("cursor"), 200) or None


def _created(product: ShopProduct) -> Receipt:
    return Receipt(product.id, {"variants": {one.sku: one.id for one in product.variants}})


def _adopted(receipt: Receipt) -> Receipt:
    return Receipt(receipt.remote_id, {**receipt.detail, "adopted": True})


def _first(changes: Sequence[Any]) -> Receipt:
    return Receipt(changes[0].variant_id if changes else None)


def _skus(product: ShopProduct) -> set[str]:
    return {one.sku for one in product.variants}


def _product(product_id: str) -> str:
    return f"/api/products/{quote(product_id, safe='')}"


def _order(order_id: str) -> str:
    return f"/api/orders/{quote(order_id, safe='')}"
