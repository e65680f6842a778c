"""Etsy, Open API v3: every call that Fleet uses.

How an unknown outcome is resolved: a new listing among the shop's own drafts and listings since the job was added,
everything else by reading back. A creation takes several calls, and a repeated one goes on with its unfinished draft.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from pydantic import Field

from fleet.adapters import base
from fleet.adapters.answers import dicts_of, epoch_of, number_of_cursor, text_of
from fleet.adapters.base import AnyAction, Receipt, RemoteAccount, Resolution, SurfaceObject
from fleet.adapters.etsy import answers
from fleet.adapters.etsy.answers import STATES, levels_of, listing_of, number_of, products_of, variant_of
from fleet.adapters.etsy.inventory import merged, new_inventory
from fleet.adapters.http import Response
from fleet.adapters.limits import Observation
from fleet.adapters.manifest import AccountAccess, MediaFile, MediaRule, OAuth
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
)
from fleet.adapters.shops import (
    CreateProductPayload,
    OrderPage,
    OrderState,
    ProductExists,
    ProductImage,
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
from fleet.adapters.social import read_data_url

OAUTH = OAuth(
    authorize_url="https://www.etsy.com/oauth/connect",
    token_url="{address}/v3/public/oauth/token",  # noqa: S106 - an address
    scopes=("listings_r", "listings_w", "listings_d", "transactions_r", "transactions_w", "shops_r"),
    rotates=True,
)
PICTURES = MediaRule(most=20, types=("image/jpeg", "image/png", "image/gif"), most_bytes=10_000_000, alt_text=500)
BATCH, PAGE = 20, 100
_OVERLAP = 10
"""How many listings a page of a sweep repeats: where some are removed or renewed meanwhile, others move up."""
_APP = "/v3/application"
_MOST_PAGES = 200


class EtsyToken(NetworkToken):
    """The credentials of a shop, and what a new listing needs besides its product."""

    client_id: str = Field(min_length=1)
    client_secret: str = Field(min_length=1, repr=False)
    shop_id: int = Field(gt=0)
    taxonomy_id: int = 0
    """The category of Etsy of new listings."""
    shipping_profile_id: int = 0
    return_policy_id: int = 0
    readiness_state_id: int = 0
    who_made: str = "i_did"
    when_made: str = "made_to_order"


class Etsy(ConnectedAdapter[EtsyToken]):
    """The adapter of one shop."""

    name = "etsy"
    credentials = EtsyToken
    oauth = OAUTH
    actions: Mapping[str, Resolution] = {
        "create_product": Resolution.PROBE, "update_product": Resolution.PROBE, "update_variants": Resolution.PROBE,
        "set_stock": Resolution.PROBE, "remove_product": Resolution.NATURAL, "update_order": Resolution.PROBE,
    }  # fmt: skip

    def __init__(self, access: AccountAccess) -> None:
        super().__init__(access)
        self._shop = f"{_APP}/shops/{self._settings.shop_id}"

    def _headers(self) -> dict[str, str]:
        return {"x-api-key": f"{self._settings.client_id}:{self._settings.client_secret}"}

    # Reads

    def check(self, *, timeout_s: float) -> RemoteAccount:
        """Return the shop."""
        found = self._call("GET", self._shop, timeout_s=timeout_s)
        name = text_of(found.get("shop_name"), 200)
        if number_of(found.get("shop_id")) != self._settings.shop_id or not name:
            raise base.Uncertain("Etsy does not say which shop it is")
        return RemoteAccount(id=str(self._settings.shop_id), username=name, url=text_of(found.get("url"), 1000) or None)

    def shop(self) -> ShopInfo:
        """Return the shop. Etsy has no locations."""
        found = self._call("GET", self._shop)
        return ShopInfo(name=text_of(found.get("shop_name"), 200), currency=text_of(found.get("currency_code"), 3),
                        url=text_of(found.get("url"), 1000))  # fmt: skip

    def products(self, *, cursor: str | None, limit: int) -> ProductPage:
        """Return a page of all listings, one state after the other, those that were created first first."""
        at, offset, last = _place(cursor)
        limit = max(2 * _OVERLAP, min(limit, PAGE))
        query = {"sort_on": "created", "sort_order": "asc", "limit": limit, "offset": offset}
        found = [listing_of(one) for one in self._listings(STATES[at], query)]
        ids = [one.id for one in found]
        items = found[ids.index(str(last)) + 1 :] if str(last) in ids else found
        if len(found) == limit:
            following: str | None = f"{at}:{offset + limit - _OVERLAP}:{found[-1].id}"
        else:
            following = f"{at + 1}:0:0" if at + 1 < len(STATES) else None
        return ProductPage(tuple(items), following)

    def changed_products(self, *, since: datetime, cursor: str | None, limit: int) -> ProductPage:
        """Return listings that changed at or after a time, one state after the other, the newest change first."""
        at, offset, _ = _place(cursor)
        limit, since = max(1, min(limit, PAGE)), since.replace(microsecond=0)  # Etsy's times are whole seconds
        query = {"sort_on": "updated", "sort_order": "desc", "limit": limit, "offset": offset}
        found = [listing_of(one) for one in self._listings(STATES[at], query)]
        items = tuple(one for one in found if one.updated_at is None or one.updated_at >= since)
        if len(items) == limit:
            return ProductPage(items, f"{at}:{offset + limit}:0")
        return ProductPage(items, f"{at + 1}:0:0" if at + 1 < len(STATES) else None)

    def product(self, product_id: str) -> ShopProduct:
        """Return a listing of the shop. Raises Vanished."""
        return listing_of(self._listing(product_id, self._timeout_s))

    def find_products(self, *, sku: str = "", key: str = "") -> Sequence[ShopProduct]:
        """Return the listings that have a SKU, by a sweep; or the one with an id."""
        if key:
            try:
                return [self.product(key)]
            except base.Vanished:
                return []
        return list(self._with_skus({sku})) if sku else []

    def stock(self, *, cursor: str | None, limit: int) -> StockPage:
        """Return the stock of a page of listings."""
        page = self.products(cursor=cursor, limit=limit)
        return StockPage(tuple(level for one in page.items for level in levels_of(one)), page.cursor)

    def stock_of(self, variant_ids: Sequence[str]) -> Sequence[StockLevel]:
        """Return the stock of variants; those that are gone are left out."""
        variants = self._variants([one.partition("-")[0] for one in variant_ids])
        return [
            StockLevel(variant_id=one, on_hand=variants[one].on_hand or 0) for one in variant_ids if one in variants
        ]

    def orders(self, *, since: datetime | None, cursor: str | None, limit: int) -> OrderPage:
        """Return receipts that changed at or after a time, those that changed first first."""
        offset, limit = number_of_cursor(cursor), max(1, min(limit, PAGE))
        query: dict[str, Any] = {"sort_on": "updated", "sort_order": "asc", "limit": limit, "offset": offset}
        query |= {"min_last_modified": int(since.timestamp())} if since else {}
        found = dicts_of(self._call("GET", f"{self._shop}/receipts", params=query).get("results"))
        items = tuple(answers.order_of(one) for one in found)
        return OrderPage(items, str(offset + limit) if len(found) == limit else None)

    def order(self, order_id: str) -> ShopOrder:
        """Return a receipt. Raises Vanished."""
        return answers.order_of(self._call("GET", f"{self._shop}/receipts/{_id(order_id)}"))

    def url_of(self, found: SurfaceObject) -> str | None:
        """Return the page of a listing."""
        listing = found.id.partition("-")[0]
        is_listing = found.action not in ("update_order", "remove_product") and listing.isascii() and listing.isdigit()
        return f"https://www.etsy.com/listing/{listing}" if is_listing else None

    # Writes

    def probe(self, action: AnyAction, *, since: datetime, known: frozenset[str]) -> Receipt | None:
        """Look for the effect of a write: a complete new listing, or the values that were sent."""
        match action.payload:
            case CreateProductPayload(product):
                made = self._begun(product, since_of(action, since))
                if made is None or made.id in known or not _is_complete(made, product):
                    return None
                return Receipt(made.id, {**_states(made), **ADOPTED})
            case UpdateProductPayload(product_id, changes):
                found = self.product(product_id)
                is_done = not differences(found, changes)
                return Receipt(product_id, {**ADOPTED, "now": [product_state(found)]}) if is_done else None
            case UpdateVariantsPayload(changes) | SetStockPayload(changes):
                variants = self._variants([one.product_id for one in changes])
                is_done = all(_has(variants.get(one.variant_id), one) for one in changes)
                return Receipt(changes[0].variant_id, {**ADOPTED, **_now(variants, changes)}) if is_done else None
            case UpdateOrderPayload(order_id, state, tracking):
                order = self.order(order_id)
                is_done = _is_in(order, state, tracking)
                return Receipt(order_id, {**ADOPTED, "now": [order_state(order)]}) if is_done else None
        return None

    def _write(self, action: AnyAction, deadline: CallDeadline) -> Receipt:
        match action.payload:
            case CreateProductPayload(product):
                return self._create(action, product, deadline)
            case UpdateProductPayload() as update:
                return self._update(update, deadline)
            case UpdateVariantsPayload(changes) | SetStockPayload(changes):
                return self._change(changes, deadline)
            case RemoveProductPayload(product_id):
                return removed(product_id, lambda: self._call(
                    "DELETE", f"{_APP}/listings/{_id(product_id)}", timeout_s=deadline.left_s
                ))  # fmt: skip
            case UpdateOrderPayload() as order:
                return self._ship(order, deadline)
        raise base.Refused(f"Etsy has no {action.type.name}")

    def _create(self, action: AnyAction, product: ShopProduct, deadline: CallDeadline) -> Receipt:
        """Make a draft, give it its inventory and images, and publish it. A draft of an earlier attempt is used."""
        if product.status is ProductStatus.ACTIVE and not product.images:
            raise base.Refused("Etsy publishes a listing only with a picture: add one, or create a draft")
        if product.status is ProductStatus.ARCHIVED:
            raise base.Refused("a new listing of Etsy is a draft or active")
        whole = new_inventory(product.variants, self._settings.readiness_state_id)
        with before_the_write():
            skus = {one.sku for one in product.variants if one.sku}
            found = self._begun(product, since_of(action, action.created_at)) if action.created_at else None
            if found is None:
                owners = {one.id for one in self._with_skus(skus)}
                if owners:
                    raise ProductExists("the shop has a listing with this SKU", product_ids=sorted(owners))
            there = len(found.images) if found else 0
            files = [(one.alt_text, self._file(one)) for one in product.images[there:]]
        listing_id = found.id if found else self._draft(product, deadline)
        # From here on a lost answer leaves a draft, which the next attempt finds and finishes.
        try:
            if found is None or not _has_variants(found, product):
                self._call("PUT", f"{_APP}/listings/{listing_id}/inventory", json=whole, timeout_s=deadline.left_s)
            for rank, (alt_text, file) in enumerate(files, there + 1):
                self._upload(listing_id, file, alt_text, rank, deadline)
            if product.status is ProductStatus.ACTIVE:
                self._patch(listing_id, {"state": "active"}, deadline)
        except base.Refused:
            with suppress(base.AdapterError):  # what a refusal leaves is of no use
                self._call("DELETE", f"{_APP}/listings/{listing_id}", timeout_s=deadline.left_s)
            raise
        with after_the_write():
            return Receipt(listing_id, _states(self.product(listing_id)))

    def _draft(self, product: ShopProduct, deadline: CallDeadline) -> str:
        first, settings = product.variants[0] if product.variants else None, self._settings
        if first is None or first.price is None:
            raise base.Refused("a listing of Etsy needs a variant with a price")
        form: dict[str, Any] = {
            "quantity": max(1, first.on_hand or 0), "title": product.title, "description": product.description,
            "price": str(first.price.decimal), "who_made": settings.who_made, "when_made": settings.when_made,
            "taxonomy_id": settings.taxonomy_id, "type": "physical",
        }  # fmt: skip
        for name in ("shipping_profile_id", "return_policy_id", "readiness_state_id"):
            form |= {name: getattr(settings, name)} if getattr(settings, name) else {}
        form |= {"tags": ",".join(product.categories)} if product.categories else {}
        made = self._call("POST", f"{self._shop}/listings", form=form, timeout_s=deadline.left_s)
        listing_id = number_of(made.get("listing_id"))
        if not listing_id:
            raise base.Uncertain("Etsy's answer names no listing")
        return str(listing_id)

    def _update(self, update: UpdateProductPayload, deadline: CallDeadline) -> Receipt:
        with before_the_write():
            found = listing_of(self._listing(update.product_id, deadline.left_s))
        require_unchanged(found, update.changes, update.expected)
        form: dict[str, Any] = {
            name: update.changes[name] for name in ("title", "description") if name in update.changes
        }
        if "categories" in update.changes:
            form["tags"] = ",".join(update.changes["categories"])
        if "images" in update.changes:
            self._replace_images(found, update.changes["images"], deadline)
        if "status" in update.changes and update.changes["status"] is not found.status:
            if update.changes["status"] is ProductStatus.DRAFT:
                raise base.Refused("a listing of Etsy that was published cannot be a draft again: archive it")
            form["state"] = "active" if update.changes["status"] is ProductStatus.ACTIVE else "inactive"
        if form:
            self._patch(found.id, form, deadline)
        return Receipt(found.id, read_back(lambda: [product_state(self.product(found.id))]))

    def _replace_images(self, found: ShopProduct, images: Sequence[ProductImage], deadline: CallDeadline) -> None:
        """Upload new images, then delete those that are not among them: a listing is never without one."""
        kept = {one.id for one in images if one.id}
        files = [(rank, one.alt_text, self._file(one)) for rank, one in enumerate(images, 1) if not one.id]
        for rank, alt_text, file in files:
            self._upload(found.id, file, alt_text, rank, deadline)
        for old in found.images:
            if old.id not in kept:
                path = f"{self._shop}/listings/{found.id}/images/{_id(old.id)}"
                self._call("DELETE", path, timeout_s=deadline.left_s)

    def _file(self, image: ProductImage) -> MediaFile:
        """Return the picture as Etsy takes it. Raises InvalidInput."""
        return self._media.fit(read_data_url(image.url), PICTURES)

    def _upload(self, listing_id: str, file: MediaFile, alt_text: str, rank: int, deadline: CallDeadline) -> None:
        self._call(
            "POST", f"{self._shop}/listings/{listing_id}/images", timeout_s=deadline.left_s,
            form={"rank": str(rank), "alt_text": alt_text[: PICTURES.alt_text]},
            files={"image": (f"image-{rank}", file.data, file.content_type)},
        )  # fmt: skip

    def _change(self, changes: Sequence[VariantChange] | Sequence[StockChange], deadline: CallDeadline) -> Receipt:
        """Read, change and send the inventory of each listing. What one of them refuses is named in the receipt."""
        require_batch(changes, BATCH)
        groups: dict[str, list[Any]] = {}
        for one in changes:
            groups.setdefault(_id(one.product_id), []).append(one)
        bodies: dict[str, dict[str, Any]] = {}
        refused: dict[str, base.AdapterError] = {}
        with before_the_write():
            stale: dict[str, Any] = {}
            for listing_id, group in groups.items():
                inventory = self._inventory(listing_id, deadline.left_s)
                try:
                    stale |= _stale(inventory, listing_id, group)
                    bodies[listing_id] = merged(inventory, listing_id, {one.variant_id: _values(one) for one in group})
                except base.Refused as error:
                    refused |= {one.variant_id: error for one in group}
            if stale:
                raise Stale("the shop has other values", found=stale)
        for listing_id, body in bodies.items():
            try:
                self._call("PUT", f"{_APP}/listings/{listing_id}/inventory", json=body, timeout_s=deadline.left_s)
            except (base.Vanished, base.Refused) as error:
                refused |= {one.variant_id: error for one in groups[listing_id]}
        if len(refused) == len(changes):
            raise next(iter(refused.values()))
        detail = {"refused": {name: str(error) for name, error in refused.items()}} if refused else {}
        done = [one for one in changes if one.variant_id not in refused]
        states = read_back(lambda: _now(self._variants([one.product_id for one in done]), done)["now"])
        return Receipt(changes[0].variant_id, {**detail, **states})

    def _ship(self, update: UpdateOrderPayload, deadline: CallDeadline) -> Receipt:
        if update.state is not OrderState.SHIPPED:
            raise base.Refused(f"Etsy's API cannot make an order {update.state}: do it on Etsy")
        path = f"{self._shop}/receipts/{_id(update.order_id)}"
        with before_the_write():
            found = answers.order_of(self._call("GET", path, timeout_s=deadline.left_s))
        if _is_in(found, update.state, update.tracking):
            return Receipt(update.order_id, {**ADOPTED, "now": [order_state(found)]})
        if update.tracking:
            form = {"tracking_code": update.tracking, "carrier_name": "other"}
            self._call("POST", f"{path}/tracking", form=form, timeout_s=deadline.left_s)
        else:
            self._call("PUT", path, form={"was_shipped": "true"}, timeout_s=deadline.left_s)
        return Receipt(update.order_id, read_back(lambda: [order_state(self.order(update.order_id))]))

    # Help

    def _listings(self, state: str, query: Mapping[str, Any]) -> list[dict[str, Any]]:
        params = {**query, "state": state, "includes": "Images,Inventory"}
        return dicts_of(self._call("GET", f"{self._shop}/listings", params=params).get("results"))

    def _listing(self, listing_id: str, timeout_s: float) -> dict[str, Any]:
        params = {"includes": "Images,Inventory"}
        found = self._call("GET", f"{_APP}/listings/{_id(listing_id)}", params=params, timeout_s=timeout_s)
        if number_of(found.get("shop_id")) != self._settings.shop_id or found.get("state") == "removed":
            raise base.Vanished("the shop has no such listing")
        return found

    def _inventory(self, listing_id: str, timeout_s: float) -> dict[str, Any]:
        return self._call("GET", f"{_APP}/listings/{_id(listing_id)}/inventory", timeout_s=timeout_s)

    def _variants(self, listing_ids: Sequence[str]) -> dict[str, ShopVariant]:
        """Return the variants of listings by their ids, 100 listings a call; those that are gone are left out."""
        ids = [one for one in dict.fromkeys(listing_ids) if _is_id(one)]
        found: dict[str, ShopVariant] = {}
        for start in range(0, len(ids), PAGE):
            params = {"listing_ids": ",".join(ids[start : start + PAGE]), "includes": "Inventory"}
            body = self._call("GET", f"{_APP}/listings/batch", params=params)
            for one in dicts_of(body.get("results")):
                if number_of(one.get("shop_id")) == self._settings.shop_id:
                    found |= {each.id: each for each in listing_of(one).variants}
        return found

    def _with_skus(self, skus: set[str]) -> Iterator[ShopProduct]:
        """Return the listings with one of the SKUs: Etsy searches no SKUs, so all listings are read."""
        cursor: str | None = None
        seen: set[str] = set()
        for _ in range(_MOST_PAGES if skus else 0):
            page = self.products(cursor=cursor, limit=PAGE)
            hits = (one for one in page.items if one.id not in seen and skus & {each.sku for each in one.variants})
            for one in hits:
                seen.add(one.id)
                yield one
            cursor = page.cursor
            if cursor is None:
                return
        if skus:
            raise base.Uncertain("the shop has too many listings to say that a SKU is new")

    def _begun(self, product: ShopProduct, since: datetime) -> ShopProduct | None:
        """Return the listing that an earlier attempt made, complete or not: by title, text, SKUs and time."""
        query = {"sort_on": "created", "sort_order": "desc", "limit": PAGE, "offset": 0}
        wanted = {one.sku for one in product.variants}
        for state in ("draft", "active"):
            for one in self._listings(state, query):
                made = epoch_of(one.get("original_creation_timestamp") or one.get("created_timestamp"))
                found = listing_of(one)
                own = {each.sku for each in found.variants} - {""}
                is_same = (found.title, found.description) == (product.title, product.description)
                if made is not None and made >= since and is_same and own <= wanted:
                    return found
        return None

    def _patch(self, listing_id: str, form: Mapping[str, Any], deadline: CallDeadline) -> dict[str, Any]:
        path = f"{self._shop}/listings/{_id(listing_id)}"
        return self._call("PATCH", path, form=dict(form), timeout_s=deadline.left_s)

    def _seen(self, response: Response, body: dict[str, Any]) -> Observation | None:
        return answers.seen_limits(response)

    def _error_of(self, response: Response, body: dict[str, Any]) -> base.AdapterError:
        return answers.error_of(response, body)


def _is_id(value: str) -> bool:
    return value.isascii() and value.isdigit() and 0 < len(value) < 20 and int(value) > 0


def _id(value: str) -> str:
    """Return an id for a path. Raises Vanished for one that Etsy cannot have."""
    if not _is_id(value):
        raise base.Vanished("this is no id of Etsy")
    return value


def _place(cursor: str | None) -> tuple[int, int, int]:
    """Return the state, the offset and the last listing of a cursor. Raises InvalidInput."""
    state, offset, last = (number_of_cursor(one) for one in f"{cursor or '0:0:0'}:x:x".split(":")[:3])
    return min(state, len(STATES) - 1), offset, last


def _values(change: VariantChange | StockChange) -> dict[str, Any]:
    if isinstance(change, StockChange):
        return {"quantity": change.quantity}
    return {**({} if change.price is None else {"price": change.price}), **({"sku": change.sku} if change.sku else {})}


def _stale(inventory: Mapping[str, Any], listing_id: str, changes: Sequence[Any]) -> dict[str, Any]:
    """Return what a listing has in place of expected values. Raises Vanished, and Refused for another currency."""
    variants = {one.id: one for one in (variant_of(each, listing_id) for each in products_of(inventory))}
    wrong: dict[str, Any] = {}
    for one in changes:
        found = variants.get(one.variant_id)
        if found is None:
            raise base.Vanished("the listing has no such variant")
        if isinstance(one, StockChange):
            if one.expected is not None and found.on_hand not in (one.expected, one.quantity):
                wrong[one.variant_id] = found.on_hand
            continue
        if one.price is not None and found.price is not None and one.price.currency != found.price.currency:
            raise base.Refused(f"the shop's prices are in {found.price.currency}")
        if one.expected_price is not None and found.price not in (one.expected_price, one.price):
            wrong[one.variant_id] = found.price
    return wrong


def _has(found: ShopVariant | None, change: VariantChange | StockChange) -> bool:
    if found is None:
        return False
    if isinstance(change, StockChange):
        return found.on_hand == change.quantity
    return change.price in (None, found.price) and change.sku in ("", found.sku)


def _now(found: Mapping[str, ShopVariant], changes: Sequence[Any]) -> dict[str, Any]:
    """Return what the shop has of the variants that changed, for a receipt."""
    states: list[dict[str, Any]] = []
    for one in changes:
        variant = found.get(one.variant_id)
        if variant is not None and isinstance(one, StockChange):
            level = StockLevel(variant_id=variant.id, on_hand=variant.on_hand or 0)
            states.append(stock_state(level, variant.updated_at))
        elif variant is not None:
            states.append(variant_state(variant, one.product_id))
    return {"now": states}


def _states(product: ShopProduct) -> dict[str, Any]:
    now = [product_state(product), *(variant_state(one, product.id) for one in product.variants)]
    return {"variants": {one.sku: one.id for one in product.variants}, "now": now}


def _has_variants(found: ShopProduct, wanted: ShopProduct) -> bool:
    return {(one.sku, one.on_hand) for one in found.variants} == {
        (one.sku, one.on_hand or 0) for one in wanted.variants
    }


def _is_complete(found: ShopProduct, wanted: ShopProduct) -> bool:
    is_whole = _has_variants(found, wanted) and len(found.images) >= len(wanted.images)
    return is_whole and found.status is wanted.status


def _is_in(order: ShopOrder, state: OrderState, tracking: str) -> bool:
    return order.state is state and (not tracking or any(one.tracking == tracking for one in order.fulfilments))
