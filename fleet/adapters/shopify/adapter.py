"""Shopify, Admin GraphQL API: every call that Fleet uses.

How an unknown outcome is resolved: a new product by its custom id, which is the job's; everything else by reading back.
Sweeps go by ids, since Shopify's own paging ends after 25,000 objects. Lists of `productSet` delete what they lack, so
a list is sent only for a new product, or where it is what changes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from fleet.adapters import base
from fleet.adapters.answers import dict_of, dicts_of, missing_variants, moment_of, number_of_cursor, text_of
from fleet.adapters.base import AnyAction, Receipt, RemoteAccount, Resolution, SurfaceObject
from fleet.adapters.http import Response
from fleet.adapters.limits import Observation
from fleet.adapters.manifest import AccountAccess, MediaRule, OAuth
from fleet.adapters.network import (
    ADOPTED,
    CallDeadline,
    ConnectedAdapter,
    NetworkToken,
    after_the_write,
    before_the_write,
    read_back,
    removed,
)
from fleet.adapters.shopify import answers, documents
from fleet.adapters.shopify.answers import end_of, has_more, id_of, nodes_of, number_of
from fleet.adapters.shopify.orders import OrderCalls
from fleet.adapters.shopify.requests import customid_of, new_variant_input, product_input, set_input
from fleet.adapters.shops import (
    AddVariantsPayload,
    CreateProductPayload,
    OrderPage,
    ProductExists,
    ProductImage,
    ProductPage,
    RemoveProductPayload,
    SetStockPayload,
    ShopInfo,
    ShopLocation,
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
    product_state,
    require_batch,
    require_unchanged,
    stock_state,
    variant_state,
)
from fleet.adapters.webhook_signatures import SubscribeHooksPayload

VERSION = "2026-10"
"""Of the API. Shopify supports a version for a year."""
OAUTH = OAuth(
    authorize_url="{address}/admin/oauth/authorize",
    token_url="{address}/admin/oauth/access_token",  # noqa: S106 - an address
    scopes=("read_products", "write_products", "read_inventory", "write_inventory", "read_locations", "read_orders",
            "write_orders", "read_merchant_managed_fulfillment_orders", "write_merchant_managed_fulfillment_orders"),
    scope_separator=",",
    has_pkce=False,
)  # fmt: skip
PICTURES = MediaRule(
    most=250, types=("image/jpeg", "image/png", "image/webp", "image/gif"), most_bytes=20_000_000, alt_text=512,
    by_url=True,
)  # fmt: skip
BATCH = 50
_PATH = f"/admin/api/{VERSION}/graphql.json"
_MOST_PAGES, _MOST_SUBSCRIPTIONS = 25, 250
TOPICS = ("PRODUCTS_CREATE", "PRODUCTS_UPDATE", "PRODUCTS_DELETE", "INVENTORY_LEVELS_UPDATE", "ORDERS_CREATE",
          "ORDERS_UPDATED", "REFUNDS_CREATE")  # fmt: skip
"""The topics that `answers.events_of` understands."""
_TAKEN = "already been taken"


class Shopify(ConnectedAdapter[NetworkToken]):
    """The adapter of one shop."""

    name = "shopify"
    credentials = NetworkToken
    oauth = OAUTH
    actions: Mapping[str, Resolution] = {
        "create_product": Resolution.PROBE, "update_product": Resolution.PROBE, "add_variants": Resolution.PROBE,
        "update_variants": Resolution.PROBE, "set_stock": Resolution.PROBE,
        "remove_product": Resolution.NATURAL, "update_order": Resolution.PROBE,
        "subscribe_hooks": Resolution.NATURAL,
    }  # fmt: skip

    def __init__(self, access: AccountAccess) -> None:
        super().__init__(access)
        self._orders = OrderCalls(self._ask)
        self._place = ""
        self._is_defined = False

    # Reads

    def check(self, *, timeout_s: float) -> RemoteAccount:
        """Return the shop of the access token."""
        found = dict_of(self._ask(documents.CHECK, {}, timeout_s).get("shop"))
        shop_id, name = id_of(found.get("id")), text_of(found.get("myshopifyDomain"), 200)
        if not shop_id:
            raise base.Uncertain("Shopify does not say which shop it is")
        return RemoteAccount(id=shop_id, username=name, url=_page_of(found))

    def shop(self) -> ShopInfo:
        """Return the shop and its active locations."""
        data = self._ask(documents.SHOP, {})
        found = dict_of(data.get("shop"))
        places = tuple(
            ShopLocation(id=id_of(one.get("id")), name=text_of(one.get("name"), 255))
            for one in nodes_of(data.get("locations"))
            if one.get("isActive")
        )
        return ShopInfo(name=text_of(found.get("name"), 255), currency=text_of(found.get("currencyCode"), 3),
                        locations=places, url=_page_of(found) or "")  # fmt: skip

    def products(self, *, cursor: str | None, limit: int) -> ProductPage:
        """Return a page of all products, by their ids."""
        return self._products(cursor, limit, "")

    def changed_products(self, *, since: datetime, cursor: str | None, limit: int) -> ProductPage:
        """Return products that changed at or after a time, by their ids. A change of stock does not count."""
        return self._products(cursor, limit, f"updated_at:>='{_stamp(since)}'")

    def product(self, product_id: str) -> ShopProduct:
        """Return a product. Raises Vanished."""
        data = self._ask(documents.PRODUCT, {"id": _gid(product_id, "Product")})
        return self._one(data, data.get("product"), is_whole=True)

    def find_products(self, *, sku: str = "", key: str = "") -> Sequence[ShopProduct]:
        """Return the products that have a SKU or a handle."""
        found: dict[str, ShopProduct] = {}
        if sku:
            found = {owner: self.product(owner) for owner in self._owners([sku])}
        by_handle = self._by({"handle": key}) if key else None
        if by_handle is not None:
            found[by_handle.id] = by_handle
        return list(found.values())

    def _owners(self, skus: Sequence[str]) -> list[str]:
        """Return the products that have one of the SKUs. Shopify finds parts of SKUs, too."""
        data = self._ask(documents.OWNERS, {"query": " OR ".join(f"sku:{_quoted(one)}" for one in skus)})
        hits = [one for one in nodes_of(data.get("productVariants")) if one.get("sku") in skus]
        return list(dict.fromkeys(id_of(dict_of(one.get("product")).get("id")) for one in hits))

    def stock(self, *, cursor: str | None, limit: int) -> StockPage:
        """Return a page of the stock of all variants, by their ids."""
        first = max(1, min(limit, documents.STOCK_PAGE))
        variables = {"first": first, "query": _after(cursor, "")}
        connection = self._ask(documents.STOCK, variables).get("productVariants")
        found = nodes_of(connection)
        last = str(number_of(id_of(found[-1].get("id")))) if found and has_more(connection) else None
        return StockPage(tuple(level for one in found for level in self._levels(one)), last)

    def stock_of(self, variant_ids: Sequence[str]) -> Sequence[StockLevel]:
        """Return the stock of variants at all their locations."""
        return [level for level, _ in self._timed_levels(variant_ids)]

    def _timed_levels(self, variant_ids: Sequence[str]) -> list[tuple[StockLevel, datetime | None]]:
        """Return the stock of variants, and when each variant changed; those that are gone are left out."""
        ids, found = [one for one in variant_ids if _is_gid(one, "ProductVariant")], []
        for start in range(0, len(ids), documents.STOCK_PAGE):
            data = self._ask(documents.STOCK_OF, {"ids": ids[start : start + documents.STOCK_PAGE]})
            for one in dicts_of(data.get("nodes")):
                found += [(level, moment_of(one.get("updatedAt"))) for level in self._levels(one)]
        return found

    def orders(self, *, since: datetime | None, cursor: str | None, limit: int) -> OrderPage:
        """Return orders that changed at or after a time, those that changed first first."""
        query = f"updated_at:>='{_stamp(since)}'" if since else None
        return self._orders.page(query, cursor, limit)

    def order(self, order_id: str) -> ShopOrder:
        """Return an order. Raises Vanished."""
        return self._orders.one(_gid(order_id, "Order"))

    def url_of(self, found: SurfaceObject) -> str | None:
        """Return the page of a product or an order in the shop's administration."""
        kind = {"update_order": "orders", "remove_product": ""}.get(found.action, "products")
        number = number_of(found.id)
        is_object = found.id.startswith(("gid://shopify/Product/", "gid://shopify/Order/"))
        return f"{self._base}/admin/{kind}/{number}" if kind and number and is_object else None

    # Writes

    def probe(self, action: AnyAction, *, since: datetime, known: frozenset[str]) -> Receipt | None:
        """Look for the effect of a write: a product by its custom id, everything else by its values."""
        match action.payload:
            case CreateProductPayload():
                made = self._by({"customId": customid_of(action.key)})
                return None if made is None or made.id in known else Receipt(made.id, {**_states(made), **ADOPTED})
            case UpdateProductPayload(product_id, changes):
                found = self.product(product_id)
                is_done = not differences(found, changes)
                return Receipt(product_id, {**ADOPTED, "now": [product_state(found)]}) if is_done else None
            case AddVariantsPayload(product_id, variants):
                found = self.product(product_id)
                is_done = {one.sku for one in variants} <= {one.sku for one in found.variants}
                return Receipt(found.id, {**_states(found), **ADOPTED}) if is_done else None
            case UpdateVariantsPayload(changes):
                shown, _ = self._priced(changes, self._timeout_s)
                is_done = all(one.variant_id in shown and _has(shown[one.variant_id], one) for one in changes)
                now = [variant_state(shown[one.variant_id], one.product_id) for one in changes] if is_done else []
                return Receipt(changes[0].variant_id, {**ADOPTED, "now": now}) if is_done else None
            case SetStockPayload(changes):
                levels = self._set_levels(changes)
                is_done = all(level is not None and level.on_hand == one.quantity
                              for level, one in zip(levels, changes, strict=True))  # fmt: skip
                states = self._stock_states(changes) if is_done else []
                return Receipt(changes[0].variant_id, {**ADOPTED, "now": states}) if is_done else None
            case UpdateOrderPayload(order_id, state, tracking):
                is_done = self._orders.is_in(_gid(order_id, "Order"), state, tracking)
                return Receipt(order_id, {**ADOPTED, **self._orders.now(order_id)}) if is_done else None
        return None

    def _write(self, action: AnyAction, deadline: CallDeadline) -> Receipt:
        match action.payload:
            case CreateProductPayload(product):
                return self._create(action.key, product, deadline)
            case UpdateProductPayload() as update:
                return self._update(update, deadline)
            case AddVariantsPayload(product_id, variants):
                return self._add_variants(product_id, variants, deadline)
            case UpdateVariantsPayload(changes):
                return self._update_variants(changes, deadline)
            case SetStockPayload(changes):
                return self._set_stock(action.key, changes, deadline)
            case RemoveProductPayload(product_id):
                return self._remove(product_id, deadline)
            case UpdateOrderPayload() as order:
                return self._orders.move(replace(order, order_id=_gid(order.order_id, "Order")), action.key, deadline)
            case SubscribeHooksPayload(url):
                return self._subscribe(url, deadline)
        raise base.Refused(f"Shopify has no {action.type.name}")

    def _create(self, key: str, product: ShopProduct, deadline: CallDeadline) -> Receipt:
        with before_the_write():
            self._define(deadline)
            if self._by({"customId": customid_of(key)}) is None:
                self._require_new(product)
            place = self._first_place() if any(one.on_hand is not None for one in product.variants) else ""
        shown = replace(product, images=self._fetchable(product.images))
        request = {"identifier": {"customId": customid_of(key)}, "input": product_input(shown, place)}
        made = self._mutate(documents.PRODUCT_SET, request, "productSet", deadline)
        found = dict_of(made.get("product"))
        if not id_of(found.get("id")):
            raise base.Uncertain("Shopify's answer names no product")
        variants = {text_of(one.get("sku"), 255): id_of(one.get("id")) for one in nodes_of(found.get("variants"))}
        product_id = id_of(found.get("id"))
        states = read_back(lambda: _states(self.product(product_id))["now"])
        return Receipt(product_id, {"variants": variants, **states})

    def _require_new(self, product: ShopProduct) -> None:
        """Raise ProductExists if the shop has the handle, or one of the SKUs, which it would take twice."""
        owners = {found.id for found in self.find_products(key=product.key)} if product.key else set()
        skus = [one.sku for one in product.variants if one.sku]
        for start in range(0, len(skus), 20):
            owners |= set(self._owners(skus[start : start + 20]))
        if owners:
            raise ProductExists("the shop has a product with this handle or SKU", product_ids=sorted(owners))

    def _define(self, deadline: CallDeadline) -> None:
        """See that the shop has the metafield that holds custom ids."""
        if self._is_defined:
            return
        custom = customid_of("")
        names = {"namespace": custom["namespace"], "key": custom["key"]}
        if not nodes_of(self._ask(documents.DEFINITION, names, deadline.left_s).get("metafieldDefinitions")):
            definition = {**names, "name": "Fleet job", "type": "id", "ownerType": "PRODUCT"}
            data = self._ask(documents.DEFINE, {"definition": definition}, deadline.left_s)
            errors = dicts_of(dict_of(data.get("metafieldDefinitionCreate")).get("userErrors"))
            if any(one.get("code") != "TAKEN" for one in errors):
                raise answers.refusal_of(errors)
        self._is_defined = True

    def _fetchable(self, images: Sequence[ProductImage]) -> tuple[ProductImage, ...]:
        """Return images with addresses from which Shopify fetches them; those that it has already stay."""
        return tuple(one if one.id else replace(one, url=self._public_url(one.url, PICTURES)) for one in images)

    def _update(self, update: UpdateProductPayload, deadline: CallDeadline) -> Receipt:
        product_id = _gid(update.product_id, "Product")
        with before_the_write():
            data = self._ask(documents.PRODUCT, {"id": product_id}, deadline.left_s)
            found = self._one(data, data.get("product"), is_whole=True)
        require_unchanged(found, update.changes, update.expected)
        images = {name: self._fetchable(update.changes[name]) for name in ("images",) if name in update.changes}
        fields = set_input({**update.changes, **images})
        if "files" in fields:  # the new images are to replace the old ones
            request = {"identifier": {"id": product_id}, "input": fields}
            self._mutate(documents.PRODUCT_SET, request, "productSet", deadline)
        else:
            request = {"product": {"id": product_id, **fields}}
            self._mutate(documents.PRODUCT_UPDATE, request, "productUpdate", deadline, about=product_id)
        return Receipt(product_id, read_back(lambda: [product_state(self.product(product_id))]))

    def _add_variants(self, product_id: str, variants: Sequence[ShopVariant], deadline: CallDeadline) -> Receipt:
        with before_the_write():
            found = self.product(product_id)
            missing = missing_variants(found, variants)
            others = set(self._owners([one.sku for one in missing])) - {found.id} if missing else set()
            if others:
                raise ProductExists("another product of the shop has one of these SKUs", product_ids=sorted(others))
            place = self._first_place() if any(one.on_hand is not None for one in missing) else ""
        if missing:
            request = {"product": found.id, "variants": [new_variant_input(one, place) for one in missing]}
            self._mutate(documents.ADD_VARIANTS, request, "productVariantsBulkCreate", deadline)
        with after_the_write():
            return Receipt(found.id, _states(self.product(found.id)))

    def _update_variants(self, changes: tuple[VariantChange, ...], deadline: CallDeadline) -> Receipt:
        require_batch(changes, BATCH)
        with before_the_write():
            currency = self._require_prices(changes, deadline)
        groups: dict[str, list[VariantChange]] = {}
        for one in changes:
            groups.setdefault(_gid(one.product_id, "Product"), []).append(one)
        variables: dict[str, Any] = {}
        for at, (product_id, group) in enumerate(groups.items()):
            variables |= {f"p{at}": product_id, f"v{at}": [_variant_input(one) for one in group]}
        data = self._ask(documents.update_variants(len(groups)), variables, deadline.left_s)
        refused: dict[str, base.AdapterError] = {}
        now: list[dict[str, Any]] = []
        for at, group in enumerate(groups.values()):
            payload = data.get(f"m{at}")
            if not isinstance(payload, dict):
                raise base.Uncertain("Shopify does not say whether it changed the variants")
            errors = dicts_of(payload.get("userErrors"))
            refused |= {one.variant_id: answers.refusal_of(errors) for one in group if errors}
            now += [variant_state(answers.variant_of(one, currency), group[0].product_id)
                    for one in dicts_of(payload.get("productVariants"))]  # fmt: skip
        if len(refused) == len(changes):
            raise next(iter(refused.values()))
        detail = {"refused": {name: str(error) for name, error in refused.items()}} if refused else {}
        return Receipt(changes[0].variant_id, {**detail, "now": now})

    def _require_prices(self, changes: Sequence[VariantChange], deadline: CallDeadline) -> str:
        """Raise Stale for another price than expected, Refused for another currency. Returns the shop's currency."""
        shown, currency = self._priced(changes, deadline.left_s)
        if any(one.price is not None and one.price.currency != currency for one in changes):
            raise base.Refused(f"the shop's prices are in {currency}")
        wrong = {one.variant_id: shown[one.variant_id].price for one in changes
                 if one.variant_id in shown and one.expected_price is not None
                 and shown[one.variant_id].price not in (one.expected_price, one.price)}  # fmt: skip
        if wrong:
            raise Stale("the shop has another price", found=wrong)
        return currency

    def _set_stock(self, key: str, changes: tuple[StockChange, ...], deadline: CallDeadline) -> Receipt:
        require_batch(changes, BATCH)
        with before_the_write():
            items = self._items(changes, deadline)
            quantities = [
                {
                    "inventoryItemId": items[one.variant_id], "locationId": one.location_id or self._first_place(),
                    "quantity": one.quantity, "changeFromQuantity": one.expected,
                }
                for one in changes
            ]  # fmt: skip
        request = {"name": "on_hand", "reason": "correction", "quantities": quantities,
                   "referenceDocumentUri": f"fleet://jobs/{quote(key, safe='')}"}  # fmt: skip
        try:
            self._mutate(documents.SET_QUANTITIES, {"input": request, "key": key}, "inventorySetQuantities", deadline)
        except Stale as error:
            levels = zip(changes, self._set_levels(changes), strict=True)
            error.found = {one.variant_id: level.on_hand for one, level in levels
                           if level is not None and one.expected not in (None, level.on_hand)}  # fmt: skip
            raise
        states = read_back(lambda: self._stock_states(changes))
        return Receipt(changes[0].variant_id, states)

    def _items(self, changes: Sequence[StockChange], deadline: CallDeadline) -> dict[str, str]:
        """Return the inventory item of each variant. Raises Vanished for a variant that is gone."""
        items = {one.variant_id: one.stock_item_id for one in changes if one.stock_item_id}
        unknown = [_gid(one.variant_id, "ProductVariant") for one in changes if not one.stock_item_id]
        if unknown:
            for one in dicts_of(self._ask(documents.ITEMS, {"ids": unknown}, deadline.left_s).get("nodes")):
                items[id_of(one.get("id"))] = id_of(dict_of(one.get("inventoryItem")).get("id"))
        if any(not items.get(one.variant_id) for one in changes):
            raise base.Vanished("a variant is not in the shop any more")
        return items

    def _remove(self, product_id: str, deadline: CallDeadline) -> Receipt:
        gid = _gid(product_id, "Product")
        request = {"input": {"id": gid}}
        return removed(
            gid, lambda: self._mutate(documents.PRODUCT_DELETE, request, "productDelete", deadline, about=gid)
        )

    def _subscribe(self, url: str, deadline: CallDeadline) -> Receipt:
        """Subscribe the topics that are not delivered to an address yet. Topics that Shopify refuses are named."""
        with before_the_write():
            variables = {"first": _MOST_SUBSCRIPTIONS, "topics": [*TOPICS]}
            found = self._ask(documents.SUBSCRIPTIONS, variables, deadline.left_s).get("webhookSubscriptions")
            there = {text_of(one.get("topic"), 100) for one in nodes_of(found) if one.get("uri") == url}
        new, refused = [one for one in TOPICS if one not in there], dict[str, base.Refused]()
        for topic in new:
            request = {"topic": topic, "webhookSubscription": {"uri": url}}
            try:
                self._mutate(documents.SUBSCRIBE, request, "webhookSubscriptionCreate", deadline)
            except base.Refused as error:
                if _TAKEN not in str(error):  # there is no code for it
                    refused[topic] = error
        if len(refused) == len(TOPICS):
            raise next(iter(refused.values()))
        return Receipt(None, {"subscribed": [one for one in new if one not in refused],
                              "refused": {topic: str(error) for topic, error in refused.items()}})  # fmt: skip

    # Help

    def _products(self, cursor: str | None, limit: int, query: str) -> ProductPage:
        variables = {"first": max(1, min(limit, documents.PRODUCT_PAGE)), "query": _after(cursor, query) or None,
                     "counts": cursor is None and not query}  # fmt: skip
        data = self._ask(documents.PRODUCTS, variables)
        found = nodes_of(data.get("products"))
        count = dict_of(data.get("productsCount")).get("count")
        last = str(number_of(id_of(found[-1].get("id")))) if found and has_more(data.get("products")) else None
        return ProductPage(
            tuple(self._one(data, one) for one in found), last, count if isinstance(count, int) else None
        )

    def _by(self, identifier: dict[str, Any]) -> ShopProduct | None:
        try:
            data = self._ask(documents.PRODUCT_BY, {"identifier": identifier})
        except base.Vanished:  # no product can have a custom id before the metafield is defined
            return None
        found = data.get("productByIdentifier")
        return self._one(data, found, is_whole=True) if isinstance(found, dict) else None

    def _one(self, data: dict[str, Any], found: object, *, is_whole: bool = False) -> ShopProduct:
        """Return a product with all its variants. Raises Vanished for none."""
        if not isinstance(found, dict) or not id_of(found.get("id")):
            raise base.Vanished("the product is not in the shop")
        currency = text_of(dict_of(data.get("shop")).get("currencyCode"), 3)
        if has_more(found.get("media")) and not is_whole:
            return self.product(id_of(found.get("id")))
        product = answers.product_of(found, currency)
        more = tuple(self._more_variants(product.id, end_of(found.get("variants")), currency))
        return replace(product, variants=product.variants + more)

    def _more_variants(self, product_id: str, cursor: str | None, currency: str) -> Iterator[Any]:
        for _ in range(_MOST_PAGES):
            if cursor is None:
                return
            data = self._ask(documents.VARIANTS, {"id": product_id, "after": cursor})
            connection = dict_of(data.get("product")).get("variants")
            yield from (answers.variant_of(one, currency) for one in nodes_of(connection))
            cursor = end_of(connection)

    def _levels(self, variant: dict[str, Any]) -> list[StockLevel]:
        item = dict_of(variant.get("inventoryItem"))
        levels = item.get("inventoryLevels")
        if has_more(levels):
            whole = self._ask(documents.LEVELS, {"id": id_of(item.get("id"))})
            levels = dict_of(whole.get("inventoryItem")).get("inventoryLevels")
        return answers.levels_of(id_of(variant.get("id")), levels)

    def _priced(self, changes: Sequence[VariantChange], timeout_s: float) -> tuple[dict[str, ShopVariant], str]:
        """Return the variants of changes by their ids, and the currency of the shop."""
        ids = [_gid(one.variant_id, "ProductVariant") for one in changes]
        data = self._ask(documents.PRICES, {"ids": ids}, timeout_s)
        currency = text_of(dict_of(data.get("shop")).get("currencyCode"), 3)
        found = [answers.variant_of(one, currency) for one in dicts_of(data.get("nodes"))]
        return {one.id: one for one in found}, currency

    def _set_levels(self, changes: Sequence[StockChange]) -> list[StockLevel | None]:
        """Return the stock that changes are about, each at its location; None where there is none."""
        timed = self._changed_levels(changes)
        return [None if one is None else one[0] for one in timed]

    def _stock_states(self, changes: Sequence[StockChange]) -> list[dict[str, Any]]:
        return [stock_state(*one) for one in self._changed_levels(changes) if one is not None]

    def _changed_levels(self, changes: Sequence[StockChange]) -> list[tuple[StockLevel, datetime | None] | None]:
        if any(not one.location_id for one in changes):
            self._first_place()
        timed = self._timed_levels([one.variant_id for one in changes])
        levels = {(level.variant_id, level.location_id): (level, at) for level, at in timed}
        return [levels.get((one.variant_id, one.location_id or self._place)) for one in changes]

    def _first_place(self) -> str:
        """Return the location of stock that is sent without one: the shop's first active one. Raises Refused."""
        if not self._place:
            places = self.shop().locations
            if not places:
                raise base.Refused("the shop has no active location")
            self._place = places[0].id
        return self._place

    def _mutate(self, document: str, variables: dict[str, Any], field: str, deadline: CallDeadline,
                about: str = "") -> dict[str, Any]:  # fmt: skip
        """Make a mutation and return its payload. Raises what its `userErrors` mean.

        Some mutations name no code; `about` is the product to look for then, and Vanished says that it is gone.
        """
        payload = self._ask(document, variables, deadline.left_s).get(field)
        if not isinstance(payload, dict):
            raise base.Uncertain("Shopify does not say whether it did it")
        errors = dicts_of(payload.get("userErrors"))
        if not errors:
            return payload
        if about and not any(one.get("code") for one in errors):
            data = self._ask(documents.PRODUCT, {"id": about})
            self._one(data, data.get("product"), is_whole=True)
        raise answers.refusal_of(errors)

    def _ask(self, document: str, variables: dict[str, Any], timeout_s: float | None = None) -> dict[str, Any]:
        """Make one request and return its data."""
        request = {"query": document.strip(), "variables": variables}
        body = self._call("POST", _PATH, json=request, timeout_s=timeout_s)
        data = body.get("data")
        if not isinstance(data, dict):
            raise base.Uncertain("Shopify's answer has no data")
        return data

    def _seen(self, response: Response, body: dict[str, Any]) -> Observation | None:
        return answers.seen_cost(body)

    def _token_headers(self, token: str) -> dict[str, str]:
        return {"X-Shopify-Access-Token": token}

    def _error_of(self, response: Response, body: dict[str, Any]) -> base.AdapterError:
        return answers.error_of(response, body)

    def _is_failure(self, response: Response, body: dict[str, Any]) -> bool:
        return not response.is_success or bool(answers.problems_of(body))


def _is_gid(value: str, kind: str) -> bool:
    return value.startswith(f"gid://shopify/{kind}/") and number_of(value) > 0


def _gid(value: str, kind: str) -> str:
    """Return an id of a kind of object. Raises Vanished for anything else."""
    if _is_gid(value, kind):
        return value
    raise base.Vanished(f"this is no id of a {kind} of Shopify")


def _after(cursor: str | None, query: str) -> str:
    """Return a search for what follows an id. Raises InvalidInput for a cursor that is none."""
    last = number_of_cursor(cursor)
    return " ".join(filter(None, (query, f"id:>={last + 1}" if last else "")))


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _page_of(shop: dict[str, Any]) -> str | None:
    return text_of(dict_of(shop.get("primaryDomain")).get("url"), 1000) or None


def _variant_input(one: VariantChange) -> dict[str, Any]:
    price = {} if one.price is None else {"price": str(one.price.decimal)}
    return {"id": _gid(one.variant_id, "ProductVariant"), **price,
            **({"inventoryItem": {"sku": one.sku}} if one.sku else {})}  # fmt: skip


def _has(found: ShopVariant, change: VariantChange) -> bool:
    return change.price in (None, found.price) and change.sku in ("", found.sku)


def _states(product: ShopProduct) -> dict[str, Any]:
    """Return the variants of a product by SKU, and what the shop has of it, for a receipt."""
    now = [product_state(product), *(variant_state(one, product.id) for one in product.variants)]
    return {"variants": {one.sku: one.id for one in product.variants}, "now": now}
