"""Amazon, Selling Partner API: every call that Fleet uses. A product is a listing with one variant, known by its SKU.

How an unknown outcome is resolved: a new listing by its SKU and the time since its job was added, everything else by
reading back. Amazon accepts first and shows later: what is not seen yet is sent again, which changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from pydantic import Field

from fleet.adapters import base
from fleet.adapters.amazon import answers, listings
from fleet.adapters.amazon.answers import created_of, product_of, refusal_of
from fleet.adapters.answers import aware, dict_of, dicts_of, moment_of, number_of_cursor, text_of
from fleet.adapters.base import AnyAction, Receipt, RemoteAccount, Resolution, SurfaceObject
from fleet.adapters.http import Response
from fleet.adapters.manifest import AccountAccess, MediaRule, OAuth
from fleet.adapters.network import (
    ADOPTED,
    CallDeadline,
    ConnectedAdapter,
    NetworkToken,
    before_the_write,
    removed,
    since_of,
)
from fleet.adapters.oauth import AppKeys, OAuthClient, TokenPair
from fleet.adapters.shops import (
    CreateProductPayload,
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
    Stale,
    StockChange,
    StockLevel,
    StockPage,
    UpdateOrderPayload,
    UpdateProductPayload,
    UpdateVariantsPayload,
    differences,
    order_state,
    product_state,
    require_batch,
    require_unchanged,
    stock_state,
    variant_state,
)
from fleet.core import clock

FIELDS = ("title", "description", "images")
PICTURES = MediaRule(most=9, types=("image/jpeg", "image/png"), most_bytes=10_000_000, min_width=500, by_url=True)
BATCH, SINGLE, PAGE, ORDER_PAGE = 1000, 20, 20, 20
"""Up to `SINGLE` changes are patched one by one; more go into a feed."""
_LISTINGS, _FEEDS = "/listings/2021-08-01/items", "/feeds/2021-06-30"
_MOST_RESULTS = 900
"""Amazon's search ends after 1,000 listings: a sweep begins a new one at the time of the last before that."""
_BEFORE_ITS_END = timedelta(minutes=5)


class AmazonToken(NetworkToken):
    """The credentials of a seller in one marketplace."""

    client_secret: str = Field("", repr=False)
    refresh_token: str = Field("", repr=False)
    """Of the seller's own authorisation; it does not change when it is used."""
    login_address: str = "https://api.amazon.com"
    seller_id: str = Field(pattern=r"^[A-Z0-9]{5,20}$")
    marketplace_id: str = Field(pattern=r"^[A-Z0-9]{5,20}$")
    currency: str = Field("EUR", pattern=r"^[A-Z]{3}$")
    language: str = Field("en_US", pattern=r"^[a-z]{2}_[A-Z]{2}$")
    product_type: str = "PRODUCT"
    """Of new listings, as Amazon's product type definitions name it."""


class Amazon(ConnectedAdapter[AmazonToken]):
    """The adapter of one seller."""

    name = "amazon"
    credentials = AmazonToken
    upload_hosts = (".amazonaws.com",)
    actions: Mapping[str, Resolution] = {
        "create_product": Resolution.PROBE, "update_product": Resolution.PROBE, "update_variants": Resolution.PROBE,
        "set_stock": Resolution.PROBE, "remove_product": Resolution.NATURAL, "update_order": Resolution.PROBE,
    }  # fmt: skip

    def __init__(self, access: AccountAccess) -> None:
        super().__init__(access)
        self._login = OAuthClient(self._oauth(), self._settings.login_address, timeout_s=access.timeout_s)
        self._tokens = access.tokens
        self._items = f"{_LISTINGS}/{self._settings.seller_id}"
        self._here = {"marketplaceIds": self._settings.marketplace_id}

    def _oauth(self) -> OAuth:
        address = self._settings.login_address.rstrip("/")
        return OAuth(authorize_url="", token_url=f"{address}/auth/o2/token", scopes=())

    # Reads

    def check(self, *, timeout_s: float) -> RemoteAccount:
        """Return the seller. Raises TokenRefused if it does not sell in the marketplace of the credentials."""
        place = self._marketplace(timeout_s)
        return RemoteAccount(id=self._settings.seller_id, username=text_of(place.get("name"), 200) or "Amazon")

    def shop(self) -> ShopInfo:
        """Return the marketplace. Fleet sees no locations."""
        place = self._marketplace(self._timeout_s)
        return ShopInfo(name=text_of(place.get("name"), 200), currency=text_of(place.get("defaultCurrencyCode"), 3))

    def products(self, *, cursor: str | None, limit: int) -> ProductPage:
        """Return a page of all listings, those that were made first first."""
        return self._search(cursor, "createdDate", "createdAfter", "")

    def changed_products(self, *, since: datetime, cursor: str | None, limit: int) -> ProductPage:
        """Return listings that changed at or after a time, those that changed first first."""
        return self._search(cursor, "lastUpdatedDate", "lastUpdatedAfter", _stamp(since))

    def product(self, product_id: str) -> ShopProduct:
        """Return a listing. Raises Vanished."""
        return product_of(self._raw(product_id, self._timeout_s), self._settings.marketplace_id)

    def find_products(self, *, sku: str = "", key: str = "") -> Sequence[ShopProduct]:
        """Return the listing with a SKU: it is the key, too."""
        try:
            return [self.product(sku or key)]
        except base.Vanished:
            return []

    def stock(self, *, cursor: str | None, limit: int) -> StockPage:
        """Return the units that the seller ships, of a page of listings."""
        page = self.products(cursor=cursor, limit=limit)
        return StockPage(tuple(level for one in page.items for level in _levels(one)), page.cursor)

    def stock_of(self, variant_ids: Sequence[str]) -> Sequence[StockLevel]:
        """Return the units that the seller ships; listings that are gone or that Amazon ships are left out."""
        found = self._several(variant_ids, self._timeout_s)
        return [level for one in found.values() for level in _levels(product_of(one, self._settings.marketplace_id))]

    def orders(self, *, since: datetime | None, cursor: str | None, limit: int) -> OrderPage:
        """Return orders that changed at or after a time, with their lines; each order is two calls."""
        params: dict[str, Any] = {"MarketplaceIds": self._settings.marketplace_id, "MaxResultsPerPage": ORDER_PAGE}
        start = since or datetime(2000, 1, 1, tzinfo=UTC)
        params |= {"NextToken": cursor} if cursor else {"LastUpdatedAfter": _stamp(start)}
        payload = dict_of(self._call("GET", "/orders/v0/orders", params=params).get("payload"))
        items = tuple(self._order(one) for one in dicts_of(payload.get("Orders")))
        return OrderPage(items, text_of(payload.get("NextToken"), 2000) or None)

    def order(self, order_id: str) -> ShopOrder:
        """Return an order. Raises Vanished."""
        return self._order(dict_of(self._call("GET", f"/orders/v0/orders/{_order_id(order_id)}").get("payload")))

    def url_of(self, found: SurfaceObject) -> str | None:
        """Return None: pages are named by Amazon's own numbers."""
        return None

    # Writes

    def upload(self, action: AnyAction, *, timeout_s: float) -> Mapping[str, Any] | None:
        """Store the file of a feed, which nobody sees until the write names it. None for a write without a feed."""
        payload = action.payload
        if not isinstance(payload, SetStockPayload | UpdateVariantsPayload) or len(payload.changes) <= SINGLE:
            return None
        if action.uploads.get("document"):
            return action.uploads
        require_batch(payload.changes, BATCH)
        deadline = CallDeadline(timeout_s)
        with before_the_write():
            found = self._several([one.variant_id for one in payload.changes], deadline.left_s)
            self._require_expected(found, payload.changes)
            place = self._settings.marketplace_id
            patches = {
                one.variant_id: listings.patches_of(found[one.variant_id], one, place) for one in payload.changes
            }
            file = listings.feed_file(self._settings.seller_id, patches, self._settings.product_type)
            begun = self._call("POST", f"{_FEEDS}/documents", json={"contentType": listings.FEED_CONTENT},
                               timeout_s=deadline.left_s)  # fmt: skip
            document = text_of(begun.get("feedDocumentId"), base.LONGEST_ID)
            with self._upload_client(text_of(begun.get("url"), 4000), deadline.left_s) as (client, path):
                answer = client.request("PUT", path, content=file, headers={"Content-Type": listings.FEED_CONTENT})
        if not document or not answer.is_success:
            raise base.Unreachable(f"Amazon does not take the file of the feed: {answer.status_code}")
        return {"document": document}

    def probe(self, action: AnyAction, *, since: datetime, known: frozenset[str]) -> Receipt | None:
        """Look for the effect of a write: a listing made since, or the values that were sent."""
        match action.payload:
            case CreateProductPayload(product):
                raw = self._existing(product)
                if raw is None or not self._is_own(raw, since_of(action, since)):
                    return None
                made = product_of(raw, self._settings.marketplace_id)
                return None if made.id in known else Receipt(made.id, {**_states(made), **ADOPTED})
            case UpdateProductPayload(product_id, changes):
                found = self.product(product_id)
                is_done = not differences(found, changes)
                return Receipt(product_id, {**ADOPTED, "now": [product_state(found)]}) if is_done else None
            case UpdateVariantsPayload(changes) | SetStockPayload(changes):
                shown = self._several([one.variant_id for one in changes], self._timeout_s)
                is_done = all(self._has(shown.get(one.variant_id), one) for one in changes)
                return (
                    Receipt(changes[0].variant_id, {**ADOPTED, "now": self._now(shown, changes)}) if is_done else None
                )
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
            case UpdateVariantsPayload(changes) | SetStockPayload(changes):
                require_batch(changes, BATCH)
                if len(changes) > SINGLE:
                    return self._send_feed(action, changes, deadline)
                return self._change(changes, deadline)
            case RemoveProductPayload(product_id):
                return removed(product_id, lambda: self._call(
                    "DELETE", self._path(product_id), params=self._here, timeout_s=deadline.left_s
                ))  # fmt: skip
            case UpdateOrderPayload() as order:
                return self._ship(order, deadline)
        raise base.Refused(f"Amazon has no {action.type.name}")

    def _create(self, action: AnyAction, product: ShopProduct, deadline: CallDeadline) -> Receipt:
        """Put a listing after Amazon has checked it. A SKU that the seller had before is not overwritten."""
        settings = self._settings
        pictures = [self._public_url(one.url, PICTURES) for one in product.images]
        attributes = listings.attributes_of(product, pictures, settings.marketplace_id, settings.language)
        if product.status is not ProductStatus.ACTIVE:
            raise base.Refused("Amazon has no drafts")
        sku = product.variants[0].sku
        request = {"productType": settings.product_type, "requirements": "LISTING", "attributes": attributes}
        preview = {**self._here, "mode": "VALIDATION_PREVIEW"}
        with before_the_write():
            raw = self._existing(product)
            if raw is not None and not (action.created_at and self._is_own(raw, since_of(action, action.created_at))):
                raise ProductExists("the seller has a listing with this SKU", product_ids=[sku])
            checked = self._call("PUT", self._path(sku), params=preview, json=request, timeout_s=deadline.left_s)
            refusal = refusal_of(checked)
        if refusal is None:
            refusal = refusal_of(self._call("PUT", self._path(sku), params=self._here, json=request,
                                            timeout_s=deadline.left_s))  # fmt: skip
        if refusal is not None:
            raise refusal
        return Receipt(sku, {"variants": {sku: sku}, **_if_shown(lambda: _states(self.product(sku))["now"])})

    def _update(self, update: UpdateProductPayload, deadline: CallDeadline) -> Receipt:
        with before_the_write():
            found = product_of(self._raw(update.product_id, deadline.left_s), self._settings.marketplace_id)
        require_unchanged(found, update.changes, update.expected)
        if unknown := sorted(set(update.changes) - set(FIELDS)):
            raise base.Refused(f"a listing of Amazon has no {', '.join(unknown)} to change")
        place = self._settings.marketplace_id
        title, description = (update.changes.get(name) for name in ("title", "description"))
        changed = listings.texts_of(title, description, place, self._settings.language)
        pictures = [self._public_url(one.url, PICTURES) for one in update.changes.get("images", ())]
        changed |= listings.pictures_of(pictures, place)
        self._patch(found.id, listings.replaced(changed), deadline)
        return Receipt(found.id, _if_shown(lambda: [product_state(self.product(found.id))]))

    def _change(self, changes: Sequence[listings.Change], deadline: CallDeadline) -> Receipt:
        """Patch listings one by one. Those that Amazon refuses are named in the receipt."""
        with before_the_write():
            found = self._several([one.variant_id for one in changes], deadline.left_s)
            self._require_expected(found, changes)
        refused: dict[str, base.AdapterError] = {}
        for one in changes:
            try:
                raw = found[one.variant_id]
                self._patch(one.variant_id, listings.patches_of(raw, one, self._settings.marketplace_id), deadline)
            except (base.Refused, base.Vanished) as error:
                refused[one.variant_id] = error
        if len(refused) == len(changes):
            raise next(iter(refused.values()))
        detail = {"refused": {name: str(error) for name, error in refused.items()}} if refused else {}
        done = [one for one in changes if one.variant_id not in refused]
        states = _if_shown(lambda: self._now(self._several([one.variant_id for one in done], self._timeout_s), done))
        return Receipt(changes[0].variant_id, {**detail, **states})

    def _send_feed(self, action: AnyAction, changes: Sequence[listings.Change], deadline: CallDeadline) -> Receipt:
        """Let Amazon work on an uploaded file: it takes minutes, and the next read of the shop shows what it did."""
        document = text_of(action.uploads.get("document"), base.LONGEST_ID)
        if not document:
            raise base.UploadsLost("the feed has no file yet")
        if any(_expected(one) is not None for one in changes):
            with before_the_write():
                found = self._several([one.variant_id for one in changes], deadline.left_s)
                self._require_expected(found, changes)
        request = {"feedType": listings.FEED_TYPE, "marketplaceIds": [self._settings.marketplace_id],
                   "inputFeedDocumentId": document}  # fmt: skip
        made = self._call("POST", f"{_FEEDS}/feeds", json=request, timeout_s=deadline.left_s)
        feed = text_of(made.get("feedId"), base.LONGEST_ID)
        if not feed:
            raise base.Uncertain("Amazon's answer names no feed")
        return Receipt(changes[0].variant_id, {"feed": feed, "now": []})

    def _require_expected(self, found: Mapping[str, dict[str, Any]], changes: Sequence[listings.Change]) -> None:
        """Raise Vanished for a listing that is gone, Refused for another currency, Stale for other values."""
        wrong: dict[str, Any] = {}
        for one in changes:
            if one.variant_id not in found:
                raise base.Vanished("the seller has no such listing")
            variant = product_of(found[one.variant_id], self._settings.marketplace_id).variants[0]
            if isinstance(one, StockChange):
                if one.quantity < 0:
                    raise base.Refused("a stock below zero")
                if one.expected is not None and variant.on_hand not in (one.expected, one.quantity):
                    wrong[one.variant_id] = variant.on_hand
                continue
            if one.price is not None and (one.price.currency != self._settings.currency or one.price.minor <= 0):
                raise base.Refused(f"the prices of the marketplace are in {self._settings.currency}, and above 0")
            if one.expected_price is not None and variant.price not in (one.expected_price, one.price):
                wrong[one.variant_id] = variant.price
        if wrong:
            raise Stale("the shop has other values", found=wrong)

    def _ship(self, update: UpdateOrderPayload, deadline: CallDeadline) -> Receipt:
        if update.state is not OrderState.SHIPPED or not update.tracking:
            raise base.Refused(
                "Fleet confirms shipments with a tracking number; anything else is done in Seller Central"
            )
        path = f"/orders/v0/orders/{_order_id(update.order_id)}"
        with before_the_write():
            found = self.order(update.order_id)
        if found.state is OrderState.SHIPPED:
            return Receipt(update.order_id, {**ADOPTED, "now": [order_state(found)]})
        parcel = {
            "packageReferenceId": "1", "carrierCode": "Other", "trackingNumber": update.tracking,
            "shipDate": _stamp(clock.now()),
            "orderItems": [{"orderItemId": one.id, "quantity": one.quantity - one.fulfilled} for one in found.lines
                           if one.quantity > one.fulfilled],
        }  # fmt: skip
        request = {"marketplaceId": self._settings.marketplace_id, "packageDetail": parcel}
        self._call("POST", f"{path}/shipmentConfirmation", json=request, timeout_s=deadline.left_s)
        return Receipt(update.order_id, _if_shown(lambda: [order_state(self.order(update.order_id))]))

    # Help

    def _search(self, cursor: str | None, by: str, after: str, since: str) -> ProductPage:
        """Return a page of a search. A cursor is a time, a token and how many listings the search has shown."""
        start, token, shown = _place(cursor, since)
        params = {**self._here, "includedData": "summaries,attributes,offers,fulfillmentAvailability", "pageSize": PAGE,
                  "sortBy": by, "sortOrder": "ASC"}  # fmt: skip
        params |= {after: start} if start else {}
        body = self._call("GET", self._items, params=params | ({"pageToken": token} if token else {}))
        found = dicts_of(body.get("items"))
        following = text_of(dict_of(body.get("pagination")).get("nextToken"), 2000)
        items = tuple(product_of(one, self._settings.marketplace_id) for one in found)
        if not following or not found:
            return ProductPage(items)
        summary = next((one for one in dicts_of(found[-1].get("summaries"))), {})
        last = text_of(summary.get(by), 40)
        if shown + len(found) >= _MOST_RESULTS and last and last != start:
            return ProductPage(items, f"{last}|0|")
        return ProductPage(items, f"{start}|{shown + len(found)}|{following}")

    def _several(self, skus: Sequence[str], timeout_s: float) -> dict[str, dict[str, Any]]:
        """Return listings by their SKUs; those that are gone are left out."""
        deadline, wanted = CallDeadline(timeout_s), list(dict.fromkeys(one for one in skus if one and "," not in one))
        found: dict[str, dict[str, Any]] = {}
        for start in range(0, len(wanted), PAGE):
            params = {**self._here, "includedData": "summaries,attributes,offers,fulfillmentAvailability",
                      "identifiers": ",".join(wanted[start : start + PAGE]), "identifiersType": "SKU",
                      "pageSize": PAGE}  # fmt: skip
            body = self._call("GET", self._items, params=params, timeout_s=deadline.left_s)
            found |= {text_of(one.get("sku"), 60): one for one in dicts_of(body.get("items"))}
        return {sku: found[sku] for sku in wanted if sku in found}

    def _raw(self, sku: str, timeout_s: float) -> dict[str, Any]:
        params = {**self._here, "includedData": "summaries,attributes,offers,fulfillmentAvailability"}
        return self._call("GET", self._path(sku), params=params, timeout_s=timeout_s)

    def _existing(self, product: ShopProduct) -> dict[str, Any] | None:
        try:
            return self._raw(product.variants[0].sku, self._timeout_s)
        except base.Vanished:
            return None

    def _is_own(self, raw: dict[str, Any], since: datetime) -> bool:
        """Return whether a listing was made since a job was added. One that only just came has no time yet."""
        created = moment_of(created_of(raw, self._settings.marketplace_id))
        return created is None or aware(created) >= since

    def _patch(self, sku: str, patches: Sequence[Mapping[str, Any]], deadline: CallDeadline) -> None:
        if not patches:
            return
        request = {"productType": self._settings.product_type, "patches": [*patches]}
        body = self._call("PATCH", self._path(sku), params=self._here, json=request, timeout_s=deadline.left_s)
        refusal = refusal_of(body)
        if refusal is not None:
            raise refusal

    def _has(self, raw: dict[str, Any] | None, change: listings.Change) -> bool:
        if raw is None:
            return False
        variant = product_of(raw, self._settings.marketplace_id).variants[0]
        if isinstance(change, StockChange):
            return variant.on_hand == change.quantity
        return change.price in (None, variant.price) and change.sku in ("", variant.sku)

    def _now(self, found: Mapping[str, dict[str, Any]], changes: Sequence[listings.Change]) -> list[dict[str, Any]]:
        states: list[dict[str, Any]] = []
        for one in changes:
            if one.variant_id in found:
                product = product_of(found[one.variant_id], self._settings.marketplace_id)
                if isinstance(one, StockChange):
                    states += [stock_state(level, product.updated_at) for level in _levels(product)]
                else:
                    states.append(variant_state(product.variants[0], product.id))
        return states

    def _order(self, found: dict[str, Any]) -> ShopOrder:
        path = f"/orders/v0/orders/{_order_id(text_of(found.get('AmazonOrderId'), 40))}/orderItems"
        items = dicts_of(dict_of(self._call("GET", path).get("payload")).get("OrderItems"))
        return answers.order_of(found, items, self._settings.currency)

    def _marketplace(self, timeout_s: float) -> dict[str, Any]:
        body = self._call("GET", "/sellers/v1/marketplaceParticipations", timeout_s=timeout_s)
        places = [dict_of(one.get("marketplace")) for one in dicts_of(body.get("payload"))]
        found = next((one for one in places if one.get("id") == self._settings.marketplace_id), None)
        if found is None:
            raise base.TokenRefused("the seller does not sell in the marketplace of the credentials")
        return found

    def _path(self, sku: str) -> str:
        """Return the path of a listing. Raises Vanished for a SKU that Amazon cannot have."""
        if not sku or len(sku) > 40 or sku in (".", "..") or not sku.isprintable():
            raise base.Vanished("this is no SKU of Amazon")
        return f"{self._items}/{quote(sku, safe='')}"

    def _access_token(self) -> str:
        """Return the token of the next call: a new one each hour, for the seller's refresh token."""
        if self._given:
            return self._given
        stored = self._tokens.load()
        pair = TokenPair.read(stored) if stored else None
        if pair is None or (pair.expires_at is not None and clock.now() >= pair.expires_at - _BEFORE_ITS_END):
            pair = TokenPair.read(self._tokens.renew(stored, self._renew))
        return pair.access_token

    def _renew(self, _: str | None) -> str:
        settings = self._settings
        if not settings.refresh_token:
            raise base.TokenRefused("the credentials have no refresh_token")
        keys = AppKeys(settings.client_id, settings.client_secret)
        return self._login.refresh(keys, TokenPair("", settings.refresh_token)).write()

    def _renewed_or(self, error: base.AdapterError, token: str) -> base.AdapterError:
        """Return an error; Throttled in place of a refused token, once: the next call has a new one."""
        if not isinstance(error, base.TokenRefused) or self._given or token == self._renewed:
            return error
        stored = self._tokens.load()
        if stored and TokenPair.read(stored).access_token == token:
            stored = self._tokens.renew(stored, self._renew)
        self._renewed = TokenPair.read(stored).access_token if stored else ""
        return base.Throttled("the access token had ended; it is renewed", retry_after_s=1.0)

    def _token_headers(self, token: str) -> dict[str, str]:
        return {"x-amz-access-token": token}

    def _error_of(self, response: Response, body: dict[str, Any]) -> base.AdapterError:
        return answers.error_of(response, body)


def _if_shown(read: Callable[[], list[dict[str, Any]]]) -> dict[str, Any]:
    """Return what Amazon shows after a write, as `now` of a receipt; nothing where it does not show it yet."""
    try:
        return {"now": read()}
    except base.AdapterError:
        return {"now": []}


def _expected(change: listings.Change) -> object:
    return change.expected if isinstance(change, StockChange) else change.expected_price


def _levels(product: ShopProduct) -> Iterator[StockLevel]:
    for one in product.variants:
        if one.on_hand is not None:
            yield StockLevel(variant_id=one.id, on_hand=one.on_hand)


def _states(product: ShopProduct) -> dict[str, Any]:
    now = [product_state(product), *(variant_state(one, product.id) for one in product.variants)]
    return {"variants": {one.sku: one.id for one in product.variants}, "now": now}


def _place(cursor: str | None, since: str) -> tuple[str, str, int]:
    """Return where a sweep is: the time of its search, the token of the next page, the listings shown so far.

    Raises InvalidInput for a cursor that this adapter never gave.
    """
    start, _, rest = (cursor or f"{since}|0|").partition("|")
    shown, _, token = rest.partition("|")
    return start, token, number_of_cursor(shown)


def _order_id(value: str) -> str:
    """Return an id for a path. Raises Vanished for one that Amazon cannot have."""
    if not value or len(value) > 40 or not value.isascii() or not value.replace("-", "").isalnum():
        raise base.Vanished("this is no order of Amazon")
    return value


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
