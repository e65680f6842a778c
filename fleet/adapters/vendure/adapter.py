"""Vendure's admin API: every call that Fleet makes to a shop. What was tried: docs/shops/vendure.md.

How an unknown outcome is resolved: a created product is looked for by its key and SKUs; of all other writes the shop
is read, and they happened if it has exactly the values that were sent. Removing a product can be repeated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

from fleet.adapters import base
from fleet.adapters.answers import dict_of, text_of
from fleet.adapters.base import AnyAction, Receipt, RemoteAccount, Resolution, SurfaceObject
from fleet.adapters.manifest import AccountAccess
from fleet.adapters.network import LOOPBACK, CallDeadline
from fleet.adapters.shops import (
    ADD_VARIANTS,
    CREATE_PRODUCT,
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
    ShopOrder,
    ShopProduct,
    StockLevel,
    StockPage,
    UpdateOrderPayload,
    UpdateProductPayload,
    UpdateVariantsPayload,
)
from fleet.adapters.vendure import documents, wire
from fleet.adapters.vendure.admin_api import AdminApi
from fleet.adapters.vendure.images import ImageStore
from fleet.adapters.vendure.orders import OrderDesk
from fleet.adapters.vendure.products import ProductWriter
from fleet.adapters.vendure.reads import VendureReader
from fleet.adapters.vendure.stock import VariantWriter
from fleet.core import logs
from fleet.core.errors import InvalidInput
from fleet.core.net import web_address

_ADMIN_PATH = "/admin-api"


class Vendure:
    """The adapter. One an account and process; safe to use from many threads."""

    name = "vendure"
    actions: Mapping[str, Resolution] = {
        **{one.name: Resolution.PROBE for one in (
            CREATE_PRODUCT, UPDATE_PRODUCT, ADD_VARIANTS, UPDATE_VARIANTS, SET_STOCK, UPDATE_ORDER
        )},
        REMOVE_PRODUCT.name: Resolution.NATURAL,
    }  # fmt: skip

    def __init__(self, access: AccountAccess) -> None:
        parts = web_address.split(access.address)
        if parts is None or parts.hostname is None:
            raise InvalidInput(
                f"The shop's address is not a URL: {logs.mask(access.address)!r}.", fix="Write it as https://host."
            )
        self.scheme, self.host = parts.scheme, parts.hostname
        self.port = parts.port or web_address.PORTS[parts.scheme]
        self.third_party = self.host not in LOOPBACK
        self._address = access.address.rstrip("/").removesuffix(_ADMIN_PATH)
        self._api = AdminApi(self._address, access)
        self._reader = VendureReader(self._api, self._address)
        self._variants = VariantWriter(self._api, self._reader)
        self._products = ProductWriter(self._api, self._reader, ImageStore(self._api, access.media))
        self._orders = OrderDesk(self._api, self._reader)

    # Reads

    def check(self, *, timeout_s: float) -> RemoteAccount:
        """Return the administrator of the credentials; for an API key the channel that it opens."""
        data = self._api.read(documents.CHECK, {}, timeout_s=timeout_s)
        channel, person = dict_of(data.get("activeChannel")), dict_of(data.get("activeAdministrator"))
        found = wire.id_of(person.get("id")) or wire.id_of(channel.get("id"))
        name = text_of(person.get("emailAddress"), 200) or text_of(channel.get("code"), 200)
        if not found or not name:
            raise base.Uncertain("the shop does not say whose credentials these are")
        return RemoteAccount(id=found, username=name, url=self._address)

    def shop(self) -> ShopInfo:
        """Return the shop."""
        return self._reader.shop()

    def products(self, *, cursor: str | None, limit: int) -> ProductPage:
        """Return a page of all products, by id."""
        return self._reader.products(cursor=cursor, limit=limit)

    def product(self, product_id: str) -> ShopProduct:
        """Return a product. Raises Vanished."""
        return self._reader.product(product_id)

    def find_products(self, *, sku: str = "", key: str = "") -> Sequence[ShopProduct]:
        """Return the products that have a SKU or a key (slug). Several can have the same SKU."""
        return self._reader.find_products(skus=(sku,) if sku else (), key=key)

    def changed_products(self, *, since: datetime, cursor: str | None, limit: int) -> ProductPage:
        """Return products that changed, themselves or in a variant."""
        return self._reader.changed_products(since=since, cursor=cursor, limit=limit)

    def stock(self, *, cursor: str | None, limit: int) -> StockPage:
        """Return a page of the stock of all variants."""
        return self._reader.stock(cursor=cursor, limit=limit)

    def stock_of(self, variant_ids: Sequence[str]) -> Sequence[StockLevel]:
        """Return the stock of variants at each location."""
        return self._reader.stock_of(variant_ids)

    def orders(self, *, since: datetime | None, cursor: str | None, limit: int) -> OrderPage:
        """Return a page of orders that were placed, or changed by more than their state, at or after a time."""
        return self._orders.orders(since=since, cursor=cursor, limit=limit)

    def order(self, order_id: str) -> ShopOrder:
        """Return an order. Raises Vanished."""
        return self._orders.order(order_id)

    def url_of(self, found: SurfaceObject) -> str | None:
        """Return the page of a product or an order in the shop's Dashboard."""
        place = "orders" if found.action == "update_order" else "products"
        return f"{self._address}/dashboard/{place}/{quote(found.target or found.id, safe='')}"

    # Writes

    def upload(self, action: AnyAction, *, timeout_s: float) -> Mapping[str, Any] | None:
        """Upload the images of a product, each once for the shop; None for an action without any."""
        return self._products.upload(action, CallDeadline(timeout_s))

    def write(self, action: AnyAction, *, timeout_s: float) -> Receipt:
        """Make one write. Raises an AdapterError."""
        deadline = CallDeadline(timeout_s)
        match action.payload:
            case CreateProductPayload() as creation:
                return self._products.create(action, creation, deadline)
            case UpdateProductPayload() as change:
                return self._products.update(change, deadline)
            case AddVariantsPayload() as addition:
                return self._products.add_variants(addition, deadline)
            case RemoveProductPayload(product_id):
                return self._products.remove(product_id, deadline)
            case UpdateOrderPayload() as order:
                return self._orders.update(order, deadline)
            case UpdateVariantsPayload() as update:
                return self._variants.update(update, deadline)
            case SetStockPayload() as stock:
                return self._variants.set_stock(stock, deadline)
        raise base.Refused(f"Vendure has no {action.type.noun}")

    def probe(self, action: AnyAction, *, since: datetime, known: frozenset[str]) -> Receipt | None:
        """Look for the effect of a write; None if it is surely not there."""
        match action.payload:
            case CreateProductPayload() as creation:
                return self._products.probe_creation(action, creation, since, known)
            case UpdateProductPayload() as change:
                return self._products.probe_update(change)
            case AddVariantsPayload() as addition:
                return self._products.probe_variants(addition)
            case UpdateOrderPayload() as order:
                return self._orders.probe(order)
            case UpdateVariantsPayload() as update:
                return self._variants.probe_update(update)
            case SetStockPayload() as stock:
                return self._variants.probe_stock(stock)
        return None

    def close(self) -> None:
        """Close all connections."""
        self._api.close()
