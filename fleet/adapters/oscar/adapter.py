"""Oscar's REST API: every call that Fleet makes to a shop. What was tried: docs/shops/oscar.md.

How an unknown outcome is resolved: a created product is looked for by its UPC, which is unique in the shop; of all
other writes the shop is read, and they happened if it has exactly the values that were sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from urllib.parse import quote

from fleet.adapters import base
from fleet.adapters.base import AnyAction, Receipt, RemoteAccount, Resolution, SurfaceObject
from fleet.adapters.manifest import AccountAccess
from fleet.adapters.network import LOOPBACK, CallDeadline
from fleet.adapters.oscar.orders import OrderReader
from fleet.adapters.oscar.products import OscarProductWriter
from fleet.adapters.oscar.reads import OscarReader
from fleet.adapters.oscar.rest_api import RestApi
from fleet.adapters.oscar.variants import StockRecordWriter
from fleet.adapters.shops import (
    ADD_VARIANTS,
    CREATE_PRODUCT,
    REMOVE_PRODUCT,
    SET_STOCK,
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
    UpdateProductPayload,
    UpdateVariantsPayload,
)
from fleet.core import logs
from fleet.core.errors import InvalidInput
from fleet.core.net import web_address


class Oscar:
    """The adapter. One an account and process; safe to use from many threads."""

    name = "oscar"
    actions: Mapping[str, Resolution] = {
        **{
            one.name: Resolution.PROBE
            for one in (CREATE_PRODUCT, UPDATE_PRODUCT, ADD_VARIANTS, UPDATE_VARIANTS, SET_STOCK)
        },
        REMOVE_PRODUCT.name: Resolution.NATURAL,
    }

    def __init__(self, access: AccountAccess) -> None:
        parts = web_address.split(access.address)
        if parts is None or parts.hostname is None:
            raise InvalidInput(
                f"The shop's address is not a URL: {logs.mask(access.address)!r}.", fix="Write it as https://host."
            )
        self.scheme, self.host = parts.scheme, parts.hostname
        self.port = parts.port or web_address.PORTS[parts.scheme]
        self.third_party = self.host not in LOOPBACK
        self._address = access.address.rstrip("/").removesuffix("/api")
        self._api = RestApi(self._address, access)
        self._reader = OscarReader(self._api, self._address, self.host)
        self._records = StockRecordWriter(self._api, self._reader)
        self._products = OscarProductWriter(self._api, self._reader, access.media)
        self._orders = OrderReader(self._api, self._reader)

    # Reads

    def check(self, *, timeout_s: float) -> RemoteAccount:
        """Return the member of staff whose login this is. Raises Refused where the shop blocks its admin API."""
        try:
            self._api.rows("/api/admin/partners/", offset=0, limit=1, timeout_s=timeout_s)
        except base.Vanished:
            raise base.Refused("the shop has no admin API: OSCARAPI_BLOCK_ADMIN_API_ACCESS must be False") from None
        name = self._api.keys.username
        return RemoteAccount(id=name, username=name, url=self._address)

    def shop(self) -> ShopInfo:
        """Return the shop."""
        return self._reader.shop()

    def products(self, *, cursor: str | None, limit: int) -> ProductPage:
        """Return a page of all products, newest first."""
        return self._reader.products(cursor=cursor, limit=limit)

    def product(self, product_id: str) -> ShopProduct:
        """Return a product; for the id of a variant the product that has it. Raises Vanished."""
        return self._reader.product(product_id)

    def find_products(self, *, sku: str = "", key: str = "") -> Sequence[ShopProduct]:
        """Return the products that have a SKU or a key (UPC)."""
        found = {one.id: one for one in (self._reader.find_by_sku(sku) if sku else ())}
        named = self._reader.find_by_key(key) if key else None
        return [*found.values(), *([named] if named is not None and named.id not in found else [])]

    def changed_products(self, *, since: datetime, cursor: str | None, limit: int) -> ProductPage:
        """Return products that changed, themselves or in a stock record that was edited."""
        return self._reader.changed_products(since=since, cursor=cursor, limit=limit)

    def stock(self, *, cursor: str | None, limit: int) -> StockPage:
        """Return a page of the stock of all variants."""
        return self._reader.stock(cursor=cursor, limit=limit)

    def stock_of(self, variant_ids: Sequence[str]) -> Sequence[StockLevel]:
        """Return the stock of variants at each partner."""
        return self._reader.stock_of(variant_ids)

    def orders(self, *, since: datetime | None, cursor: str | None, limit: int) -> OrderPage:
        """Return a page of orders that were placed at or after a time."""
        return self._orders.orders(since=since, cursor=cursor, limit=limit)

    def order(self, order_id: str) -> ShopOrder:
        """Return an order. Raises Vanished."""
        return self._orders.order(order_id)

    def url_of(self, found: SurfaceObject) -> str | None:
        """Return the page of a product in the shop, which finds it by its id."""
        return f"{self._address}/catalogue/product_{quote(found.target or found.id, safe='')}/"

    # Writes

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
            case UpdateVariantsPayload() as update:
                return self._records.update(update, deadline)
            case SetStockPayload() as stock:
                return self._records.set_stock(stock, deadline)
        raise base.Refused(f"Oscar's API has no {action.type.noun}")

    def probe(self, action: AnyAction, *, since: datetime, known: frozenset[str]) -> Receipt | None:
        """Look for the effect of a write; None if it is surely not there."""
        match action.payload:
            case CreateProductPayload() as creation:
                return self._products.probe_creation(action, creation, since, known)
            case UpdateProductPayload() as change:
                return self._products.probe_update(change)
            case AddVariantsPayload() as addition:
                return self._products.probe_variants(addition)
            case UpdateVariantsPayload() as update:
                return self._records.probe_update(update)
            case SetStockPayload() as stock:
                return self._records.probe_stock(stock)
        return None

    def close(self) -> None:
        """Close all connections."""
        self._api.close()
