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
from fleet.adapters.network import CallDeadline, ComposedShop
from fleet.adapters.shops import (
    ADD_VARIANTS,
    CREATE_PRODUCT,
    REMOVE_PRODUCT,
    SET_STOCK,
    UPDATE_ORDER,
    UPDATE_PRODUCT,
    UPDATE_VARIANTS,
    ShopProduct,
    UpdateOrderPayload,
)
from fleet.adapters.vendure import documents, wire
from fleet.adapters.vendure.admin_api import AdminApi
from fleet.adapters.vendure.images import ImageStore
from fleet.adapters.vendure.orders import OrderDesk
from fleet.adapters.vendure.products import ProductWriter
from fleet.adapters.vendure.reads import VendureReader
from fleet.adapters.vendure.stock import VariantWriter


class Vendure(ComposedShop):
    """The adapter. One an account and process; safe to use from many threads."""

    name = "vendure"
    path = "/admin-api"
    _reader: VendureReader
    _products: ProductWriter
    _orders: OrderDesk
    actions: Mapping[str, Resolution] = {
        **{one.name: Resolution.PROBE for one in (
            CREATE_PRODUCT, UPDATE_PRODUCT, ADD_VARIANTS, UPDATE_VARIANTS, SET_STOCK, UPDATE_ORDER
        )},
        REMOVE_PRODUCT.name: Resolution.NATURAL,
    }  # fmt: skip

    def __init__(self, access: AccountAccess) -> None:
        super().__init__(access)
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

    def find_products(self, *, sku: str = "", key: str = "") -> Sequence[ShopProduct]:
        """Return the products that have a SKU or a key (slug). Several can have the same SKU."""
        return self._reader.find_products(skus=(sku,) if sku else (), key=key)

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
        if isinstance(action.payload, UpdateOrderPayload):
            return self._orders.update(action.payload, CallDeadline(timeout_s))
        return super().write(action, timeout_s=timeout_s)

    def probe(self, action: AnyAction, *, since: datetime, known: frozenset[str]) -> Receipt | None:
        """Look for the effect of a write; None if it is surely not there."""
        if isinstance(action.payload, UpdateOrderPayload):
            return self._orders.probe(action.payload)
        return super().probe(action, since=since, known=known)

    def close(self) -> None:
        """Close all connections."""
        self._api.close()
