"""Printify, API v1: every call that Fleet uses. It prints on demand, so there is no stock.

How an unknown outcome is resolved: a new product among the shop's newest ones since its job was added, by title, text
and SKUs; everything else by reading back. A repeated creation goes on with the product that an earlier attempt made.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from pydantic import Field

from fleet.adapters import base
from fleet.adapters.answers import aware, dict_of, dicts_of, moment_of, number_of_cursor, retry_after_s, text_of
from fleet.adapters.base import AnyAction, Receipt, RemoteAccount, Resolution, SurfaceObject
from fleet.adapters.http import Response
from fleet.adapters.manifest import AccountAccess, MediaRule
from fleet.adapters.network import (
    ADOPTED,
    CallDeadline,
    ConnectedAdapter,
    NetworkToken,
    after_the_write,
    before_the_write,
    read_back,
    removed,
    since_of,
    words,
)
from fleet.adapters.printify.answers import number_of, order_of, product_of
from fleet.adapters.shops import (
    CreateProductPayload,
    OrderPage,
    OrderState,
    ProductPage,
    ProductStatus,
    RemoveProductPayload,
    ShopInfo,
    ShopOrder,
    ShopProduct,
    ShopVariant,
    Stale,
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
    variant_state,
)
from fleet.adapters.social import read_data_url

ARTWORK = MediaRule(most=1, types=("image/png", "image/jpeg"), most_bytes=5_000_000, is_required=True)
FIELDS = ("title", "description", "status", "categories")
BATCH, PAGE, ORDER_PAGE = 100, 50, 10
_PROBE_PAGES, _LOCKED_CODE, _LOCKED_S = 5, 8252, 30.0
_PUBLISHED = ("title", "description", "images", "variants", "tags", "keyFeatures", "shipping_template")


class PrintifyToken(NetworkToken):
    """The credentials of a shop, and what new products are printed on."""

    access_token: str = Field(min_length=1, repr=False)
    shop_id: int = Field(gt=0)
    currency: str = Field("USD", pattern=r"^[A-Z]{3}$")
    """Of all prices: Printify names none."""
    blueprint_id: int = 0
    print_provider_id: int = 0
    position: str = "front"
    """Where the artwork is printed."""


class Printify(ConnectedAdapter[PrintifyToken]):
    """The adapter of one shop."""

    name = "printify"
    credentials = PrintifyToken
    actions: Mapping[str, Resolution] = {
        "create_product": Resolution.PROBE, "update_product": Resolution.PROBE, "update_variants": Resolution.PROBE,
        "remove_product": Resolution.NATURAL, "update_order": Resolution.PROBE,
    }  # fmt: skip

    def __init__(self, access: AccountAccess) -> None:
        super().__init__(access)
        self._shop = f"/v1/shops/{self._settings.shop_id}"

    # Reads

    def check(self, *, timeout_s: float) -> RemoteAccount:
        """Return the shop. Raises TokenRefused if the token does not open it."""
        found = self._own_shop(timeout_s)
        return RemoteAccount(id=str(self._settings.shop_id), username=text_of(found.get("title"), 200))

    def shop(self) -> ShopInfo:
        """Return the shop. Printify has no locations."""
        return ShopInfo(
            name=text_of(self._own_shop(self._timeout_s).get("title"), 200), currency=self._settings.currency
        )

    def products(self, *, cursor: str | None, limit: int) -> ProductPage:
        """Return a page of all products, the newest first; one that is added meanwhile moves others to later pages."""
        body, number = self._page("products", cursor, PAGE)
        following = str(number + 1) if number < number_of(body.get("last_page")) else None
        total = body.get("total")
        items = tuple(self._read(one) for one in dicts_of(body.get("data")))
        return ProductPage(items, following, total if isinstance(total, int) else None)

    def product(self, product_id: str) -> ShopProduct:
        """Return a product. Raises Vanished."""
        return self._read(self._raw(product_id, self._timeout_s))

    def find_products(self, *, sku: str = "", key: str = "") -> Sequence[ShopProduct]:
        """Return the products that have a SKU, by a sweep; or the one with an id."""
        if key:
            try:
                return [self.product(key)]
            except base.Vanished:
                return []
        return [one for one in self._all() if any(each.sku == sku for each in one.variants)] if sku else []

    def stock(self, *, cursor: str | None, limit: int) -> StockPage:
        """Return nothing: what is printed on demand has no stock."""
        return StockPage(())

    def stock_of(self, variant_ids: Sequence[str]) -> Sequence[StockLevel]:
        """Return nothing: what is printed on demand has no stock."""
        return []

    def orders(self, *, since: datetime | None, cursor: str | None, limit: int) -> OrderPage:
        """Return orders that were placed at or after a time, the newest first. Those that changed do not come again."""
        body, number = self._page("orders", cursor, ORDER_PAGE)
        found = [order_of(one, self._settings.currency) for one in dicts_of(body.get("data"))]
        items = tuple(one for one in found if since is None or one.placed_at >= since.replace(microsecond=0))
        has_more = number < number_of(body.get("last_page")) and len(items) == len(found)
        return OrderPage(items, str(number + 1) if has_more else None)

    def order(self, order_id: str) -> ShopOrder:
        """Return an order. Raises Vanished."""
        return order_of(self._call("GET", f"{self._shop}/orders/{_id(order_id)}.json"), self._settings.currency)

    def url_of(self, found: SurfaceObject) -> str | None:
        """Return the page of a product or an order in Printify's administration."""
        if not found.id.isalnum() or found.action == "remove_product":
            return None
        kind = "order" if found.action == "update_order" else "product-details"
        return f"https://printify.com/app/{kind}/{found.id}"

    # Writes

    def upload(self, action: AnyAction, *, timeout_s: float) -> Mapping[str, Any] | None:
        """Upload the artwork of a new product to the account's library, which nobody sees."""
        if not isinstance(action.payload, CreateProductPayload) or action.uploads.get("image"):
            return action.uploads or None
        images = action.payload.product.images
        if not images:
            raise base.Refused("a product of Printify needs its artwork: give it a picture")
        file = self._media.fit(read_data_url(images[0].url), ARTWORK)
        request = {"file_name": "artwork", "contents": base64.b64encode(file.data).decode()}
        with before_the_write():
            found = self._call("POST", "/v1/uploads/images.json", json=request, timeout_s=timeout_s)
        if not text_of(found.get("id"), 100):
            raise base.Unreachable("Printify gives the upload no id")
        return {"image": found["id"]}

    def probe(self, action: AnyAction, *, since: datetime, known: frozenset[str]) -> Receipt | None:
        """Look for the effect of a write: a new product among the newest ones, everything else by its values."""
        match action.payload:
            case CreateProductPayload(product):
                made = self._begun(product, since_of(action, since))
                if made is None or made.id in known or made.status is not product.status:
                    return None
                return Receipt(made.id, {**_states(made), **ADOPTED})
            case UpdateProductPayload(product_id, changes):
                found = self.product(product_id)
                is_done = not differences(found, changes)
                return Receipt(product_id, {**ADOPTED, "now": [product_state(found)]}) if is_done else None
            case UpdateVariantsPayload(changes):
                product_ids = dict.fromkeys(one.product_id for one in changes)
                variants = {one.id: one for each in product_ids for one in self.product(each).variants}
                is_done = all(_has(variants.get(one.variant_id), one) for one in changes)
                now = [variant_state(variants[one.variant_id], one.product_id) for one in changes] if is_done else []
                return Receipt(changes[0].variant_id, {**ADOPTED, "now": now}) if is_done else None
            case UpdateOrderPayload(order_id, state):
                order = self.order(order_id)
                return Receipt(order_id, {**ADOPTED, "now": [order_state(order)]}) if order.state is state else None
        return None

    def _write(self, action: AnyAction, deadline: CallDeadline) -> Receipt:
        match action.payload:
            case CreateProductPayload(product):
                return self._create(action, product, deadline)
            case UpdateProductPayload() as update:
                return self._update(update, deadline)
            case UpdateVariantsPayload(changes):
                return self._update_variants(changes, deadline)
            case RemoveProductPayload(product_id):
                return removed(product_id, lambda: self._call(
                    "DELETE", f"{self._shop}/products/{_id(product_id)}.json", timeout_s=deadline.left_s
                ))  # fmt: skip
            case UpdateOrderPayload() as order:
                return self._cancel(order, deadline)
        raise base.Refused(f"Printify has no {action.type.name}: it prints on demand")

    def _create(self, action: AnyAction, product: ShopProduct, deadline: CallDeadline) -> Receipt:
        settings, image = self._settings, text_of(action.uploads.get("image"), 100)
        if not settings.blueprint_id or not settings.print_provider_id:
            raise base.Refused("the account's credentials name no blueprint_id and print_provider_id for new products")
        if product.status is ProductStatus.ARCHIVED or not image:
            raise base.Refused("a new product of Printify has artwork, and is a draft or published")
        with before_the_write():
            made = self._begun(product, since_of(action, action.created_at)) if action.created_at else None
            chosen = {} if made else self._catalogue(product, deadline)
        if made is None:
            variants = [{"id": number, "price": one.price.minor, "sku": one.sku, "is_enabled": True}
                        for number, one in chosen.items() if one.price is not None]  # fmt: skip
            placed = {"id": image, "x": 0.5, "y": 0.5, "scale": 1, "angle": 0}
            request = {
                "title": product.title, "description": product.description, "tags": list(product.categories),
                "blueprint_id": settings.blueprint_id, "print_provider_id": settings.print_provider_id,
                "variants": variants,
                "print_areas": [{"variant_ids": [*chosen],
                                 "placeholders": [{"position": settings.position, "images": [placed]}]}],
            }  # fmt: skip
            made = self._read(
                self._call("POST", f"{self._shop}/products.json", json=request, timeout_s=deadline.left_s)
            )
        if product.status is ProductStatus.ACTIVE and made.status is not ProductStatus.ACTIVE:
            try:
                self._publish(made.id, _PUBLISHED, deadline)
            except base.Refused:
                with suppress(base.AdapterError):  # what a refusal leaves is of no use
                    self._call("DELETE", f"{self._shop}/products/{_id(made.id)}.json", timeout_s=deadline.left_s)
                raise
        with after_the_write():
            return Receipt(made.id, _states(self.product(made.id)))

    def _catalogue(self, product: ShopProduct, deadline: CallDeadline) -> dict[int, ShopVariant]:
        """Return the variants by the number that the print provider has for their options. Raises Refused."""
        settings = self._settings
        path = (
            f"/v1/catalog/blueprints/{settings.blueprint_id}/print_providers/{settings.print_provider_id}/variants.json"
        )
        offered = dicts_of(self._call("GET", path, timeout_s=deadline.left_s).get("variants"))
        numbers = {_choice(dict_of(one.get("options"))): number_of(one.get("id")) for one in offered}
        chosen: dict[int, ShopVariant] = {}
        for one in product.variants:
            number = numbers.get(_choice(one.options))
            if not number or one.price is None or number in chosen:
                shown = ", ".join(one.options.values()) or one.sku
                raise base.Refused(f"the print provider has no variant {shown[:100]!r}, or it has no price")
            chosen[number] = one
        if not chosen:
            raise base.Refused("a product needs a variant")
        return chosen

    def _begun(self, product: ShopProduct, since: datetime) -> ShopProduct | None:
        """Return the product that an earlier attempt made: by title, text, SKUs and time."""
        wanted = {one.sku for one in product.variants}
        for number in range(1, _PROBE_PAGES + 1):
            body, _ = self._page("products", str(number), PAGE)
            data = dicts_of(body.get("data"))
            for one in data:
                found = self._read(one)
                is_same = (found.title, found.description) == (product.title, product.description)
                if aware(moment_of(one.get("created_at"))) >= since and is_same and wanted == _skus(found):
                    return found
            if not data or any(aware(moment_of(one.get("created_at"))) < since for one in data):
                return None
        raise base.Uncertain("the shop has too many new products to say that one is not there")

    def _update(self, update: UpdateProductPayload, deadline: CallDeadline) -> Receipt:
        with before_the_write():
            found = self._read(self._raw(update.product_id, deadline.left_s))
        require_unchanged(found, update.changes, update.expected)
        if unknown := sorted(set(update.changes) - set(FIELDS)):
            raise base.Refused(f"Printify's API changes no {', '.join(unknown)} of a product")
        if update.changes.get("status", found.status) not in (found.status, ProductStatus.ACTIVE):
            raise base.Refused("a product that was published is taken down in its sales channel")
        names = {"title": "title", "description": "description", "categories": "tags"}
        request = {names[name]: list(value) if name == "categories" else value
                   for name, value in update.changes.items() if name in names}  # fmt: skip
        if request:
            path = f"{self._shop}/products/{_id(found.id)}.json"
            self._call("PUT", path, json=request, timeout_s=deadline.left_s)
        if update.changes.get("status", found.status) is ProductStatus.ACTIVE:
            # The sales channel has it by publishing alone: all of a new product, and what changed of another.
            self._publish(found.id, _PUBLISHED if found.status is not ProductStatus.ACTIVE else [*request], deadline)
        return Receipt(found.id, read_back(lambda: [product_state(self.product(found.id))]))

    def _update_variants(self, changes: tuple[VariantChange, ...], deadline: CallDeadline) -> Receipt:
        """Write the variants of each product. All are sent: one that is left out could be disabled."""
        require_batch(changes, BATCH)
        groups: dict[str, list[VariantChange]] = {}
        for one in changes:
            groups.setdefault(_id(one.product_id), []).append(one)
        bodies: dict[str, tuple[list[dict[str, Any]], bool]] = {}
        stale: dict[str, Any] = {}
        with before_the_write():
            for product_id, group in groups.items():
                raw = self._raw(product_id, deadline.left_s)
                found = self._read(raw)
                stale |= self._stale(found, group)
                by_number = {one.variant_id.partition("-")[2]: one for one in group}
                sent = [_sent(one, by_number.get(str(one.get("id")))) for one in dicts_of(raw.get("variants"))]
                bodies[product_id] = (sent, found.status is ProductStatus.ACTIVE)
            if stale:
                raise Stale("the shop has another price", found=stale)
        now: list[dict[str, Any]] = []
        refused: dict[str, base.AdapterError] = {}
        for product_id, (variants, is_published) in bodies.items():
            path = f"{self._shop}/products/{product_id}.json"
            try:
                answer = self._call("PUT", path, json={"variants": variants}, timeout_s=deadline.left_s)
                if is_published:
                    self._publish(product_id, ("variants",), deadline)
            except (base.Refused, base.Vanished) as error:
                refused |= {one.variant_id: error for one in groups[product_id]}
                continue
            ids = {one.variant_id for one in groups[product_id]}
            now += [variant_state(one, product_id) for one in self._read(answer).variants if one.id in ids]
        if len(refused) == len(changes):
            raise next(iter(refused.values()))
        detail = {"refused": {name: str(error) for name, error in refused.items()}} if refused else {}
        return Receipt(changes[0].variant_id, {**detail, "now": now})

    def _stale(self, found: ShopProduct, changes: Sequence[VariantChange]) -> dict[str, Any]:
        variants = {one.id: one for one in found.variants}
        wrong: dict[str, Any] = {}
        for one in changes:
            if one.variant_id not in variants:
                raise base.Vanished("the product has no such variant")
            if one.price is not None and (one.price.currency != self._settings.currency or one.price.minor <= 0):
                raise base.Refused(f"the shop's prices are in {self._settings.currency}, and above 0")
            price = variants[one.variant_id].price
            if one.expected_price is not None and price not in (one.expected_price, one.price):
                wrong[one.variant_id] = price
        return wrong

    def _publish(self, product_id: str, fields: Sequence[str], deadline: CallDeadline) -> None:
        request = {name: name in fields for name in _PUBLISHED}
        path = f"{self._shop}/products/{_id(product_id)}/publish.json"
        if any(request.values()):
            self._call("POST", path, json=request, timeout_s=deadline.left_s)

    def _cancel(self, update: UpdateOrderPayload, deadline: CallDeadline) -> Receipt:
        if update.state is not OrderState.CANCELLED:
            raise base.Refused(f"Printify makes orders {update.state} itself")
        with before_the_write():
            found = self.order(update.order_id)
        if found.state is OrderState.CANCELLED:
            return Receipt(update.order_id, {**ADOPTED, "now": [order_state(found)]})
        self._call("POST", f"{self._shop}/orders/{_id(update.order_id)}/cancel.json", timeout_s=deadline.left_s)
        return Receipt(update.order_id, read_back(lambda: [order_state(self.order(update.order_id))]))

    # Help

    def _own_shop(self, timeout_s: float) -> dict[str, Any]:
        token = self._access_token()
        response = self._http.request("GET", "/v1/shops.json", headers=self._token_headers(token), timeout_s=timeout_s)
        if not response.is_success:
            raise self._error_of(response, {})
        try:
            shops = dicts_of(response.json())
        except (ValueError, RecursionError):
            raise base.Uncertain("Printify's answer is not JSON") from None
        found = next((one for one in shops if one.get("id") == self._settings.shop_id), None)
        if found is None:
            raise base.TokenRefused("the token does not open the shop in the credentials")
        return found

    def _page(self, kind: str, cursor: str | None, size: int) -> tuple[dict[str, Any], int]:
        number = max(1, number_of_cursor(cursor))
        return self._call("GET", f"{self._shop}/{kind}.json", params={"limit": size, "page": number}), number

    def _all(self) -> Iterator[ShopProduct]:
        cursor: str | None = None
        while True:
            page = self.products(cursor=cursor, limit=PAGE)
            yield from page.items
            cursor = page.cursor
            if cursor is None:
                return

    def _raw(self, product_id: str, timeout_s: float) -> dict[str, Any]:
        return self._call("GET", f"{self._shop}/products/{_id(product_id)}.json", timeout_s=timeout_s)

    def _read(self, found: dict[str, Any]) -> ShopProduct:
        return product_of(found, self._settings.currency)

    def _error_of(self, response: Response, body: dict[str, Any]) -> base.AdapterError:
        errors = body.get("errors")
        reason = text_of(dict_of(errors).get("reason") or body.get("message") or body.get("error"), 200)
        code = body.get("code") or dict_of(errors).get("code")
        status, said = response.status_code, words(response, code if isinstance(code, int) else "", reason)
        if status == 429:
            return base.Throttled(said, retry_after_s=retry_after_s(response) or 60.0)
        if code == _LOCKED_CODE:  # it is being published
            return base.Throttled(said, retry_after_s=_LOCKED_S)
        if status in (401, 403):
            return base.TokenRefused(said)
        if status == 404:
            return base.Vanished(said)
        return base.Refused(said) if 300 <= status < 500 and status != 408 else base.Uncertain(said)


def _id(value: str) -> str:
    """Return an id for a path. Raises Vanished for one that Printify cannot have."""
    if not (value.isascii() and value.isalnum() and len(value) <= 64):
        raise base.Vanished("this is no id of Printify")
    return value


def _choice(options: Mapping[str, Any]) -> frozenset[str]:
    return frozenset(text_of(one, 100).strip().casefold() for one in options.values())


def _skus(product: ShopProduct) -> set[str]:
    return {one.sku for one in product.variants}


def _has(found: ShopVariant | None, change: VariantChange) -> bool:
    return found is not None and change.price in (None, found.price) and change.sku in ("", found.sku)


def _sent(variant: dict[str, Any], change: VariantChange | None) -> dict[str, Any]:
    sent: dict[str, Any] = {name: variant[name] for name in ("id", "price", "sku", "is_enabled") if name in variant}
    if change is not None and change.price is not None:
        sent["price"] = change.price.minor
    return sent | ({"sku": change.sku} if change is not None and change.sku else {})


def _states(product: ShopProduct) -> dict[str, Any]:
    now = [product_state(product), *(variant_state(one, product.id) for one in product.variants)]
    return {"variants": {one.sku: one.id for one in product.variants}, "now": now}
