"""Oscar's REST API: every call that Fleet makes to a shop. What was tried: docs/shops/oscar.md.

How an unknown outcome is resolved: a created product is looked for by its UPC, which is unique in the shop; of all
other writes the shop is read, and they happened if it has exactly the values that were sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import quote

from fleet.adapters import base
from fleet.adapters.base import RemoteAccount, Resolution, SurfaceObject
from fleet.adapters.manifest import AccountAccess
from fleet.adapters.network import ComposedShop
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
    ShopProduct,
)


class Oscar(ComposedShop):
    """The adapter. One an account and process; safe to use from many threads."""

    name = "oscar"
    path = "/api"
    _reader: OscarReader
    actions: Mapping[str, Resolution] = {
        **{
            one.name: Resolution.PROBE
            for one in (CREATE_PRODUCT, UPDATE_PRODUCT, ADD_VARIANTS, UPDATE_VARIANTS, SET_STOCK)
        },
        REMOVE_PRODUCT.name: Resolution.NATURAL,
    }

    def __init__(self, access: AccountAccess) -> None:
        super().__init__(access)
        self._api = RestApi(self._address, access)
        self._reader = OscarReader(self._api, self._address, self.host)
        self._variants = StockRecordWriter(self._api, self._reader)
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

    def find_products(self, *, sku: str = "", key: str = "") -> Sequence[ShopProduct]:
        """Return the products that have a SKU or a key (UPC)."""
        found = {one.id: one for one in (self._reader.find_by_sku(sku) if sku else ())}
        named = self._reader.find_by_key(key) if key else None
        return [*found.values(), *([named] if named is not None and named.id not in found else [])]

    def url_of(self, found: SurfaceObject) -> str | None:
        """Return the page of a product in the shop, which finds it by its id."""
        return f"{self._address}/catalogue/product_{quote(found.target or found.id, safe='')}/"

    def close(self) -> None:
        """Close all connections."""
        self._api.close()
