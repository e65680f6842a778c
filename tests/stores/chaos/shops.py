"""The two shops of a run, and how the checker reads them: by the shop's own API, without Fleet's adapters.

Both are seeded the quickest way that each shop has: Vendure by its FastImporterService inside the process, Oscar by
bulk inserts of Django. The templates are kept in .stores/templates, so that a second run copies a file.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from unittest import mock

from tests.stores import catalogue
from tests.stores.oscar_server import Oscar
from tests.stores.vendure_server import Vendure

_NEVER_TAKEN = """
SELECT coalesce(sum(max(0, line.quantity - (
    SELECT coalesce(sum(move.quantity), 0) FROM stock_movement move
    WHERE move.orderLineId = line.id AND move.type = 'ALLOCATION'
))), 0)
FROM order_line line
JOIN "order" placed ON placed.id = line.orderId AND placed.state IN ('Shipped', 'Delivered')
JOIN product_variant variant ON variant.id = line.productVariantId
WHERE variant.sku = :sku"""


@dataclass(frozen=True, slots=True)
class Shown:
    """A product as one of the three catalogues shows it."""

    title: str
    price: int
    status: str
    on_hand: int
    allocated: int
    product_id: str
    stock_id: str
    """Vendure: the variant. Oscar: the stock record."""


def exclusive(products: int) -> int:
    """Return how many of a shop's products the other shop does not have at the beginning."""
    return products // 25


class ChaosVendure(Vendure):
    """A Vendure shop with the SKUs 1 to N."""

    def shown(self) -> list[tuple[str, Shown]]:
        """Return every variant with its SKU, as the admin API shows it."""
        products = {one["id"]: one for one in self._all("products", "id name enabled")}
        variants = self._all("productVariants", "id sku productId price stockLevels { stockOnHand stockAllocated }")
        return [
            (one["sku"], Shown(
                products[one["productId"]]["name"], one["price"],
                "active" if products[one["productId"]]["enabled"] else "draft",
                sum(level["stockOnHand"] for level in one["stockLevels"]),
                sum(level["stockAllocated"] for level in one["stockLevels"]), one["productId"], one["id"],
            )) for one in variants
        ]  # fmt: skip

    def never_taken(self, which: str) -> int:
        """Return the units of shipped orders that the shop did not take from its stock.

        A sale takes what the order's line had allocated, and of parallel orders the last one is allocated only what is
        left (`MultiChannelStockLocationStrategy.forAllocation` and `getLocationsBasedOnAllocations` of 3.7.3). The API
        does not name the order of an allocation, so the shop's database tells.
        """
        with closing(sqlite3.connect(f"{self.database.resolve().as_uri()}?mode=ro", uri=True)) as made:
            return int(made.execute(_NEVER_TAKEN, {"sku": which}).fetchone()[0])

    def has_parcels(self, code: str) -> bool:
        """Say whether a clerk was killed between packing and sending."""
        return bool(self._parcels(code))

    def _parcels(self, code: str) -> list[dict[str, Any]]:
        found = "orders(options: {filter: {code: {eq: $code}}}) { items { fulfillments { id state } } }"
        query = "query($code: String!) {" + found + "}"
        (order,) = self.admin(query, code=code)["orders"]["items"]
        return [one for one in order["fulfillments"] or () if one["state"] == "Pending"]

    def ship_order(self, code: str) -> None:
        """Ship an order; a parcel that was packed already is sent."""
        parcels = self._parcels(code)
        if not parcels:
            super().ship_order(code)
        for one in parcels:
            self.admin(
                'mutation($id: ID!) { transitionFulfillmentToState(id: $id, state: "Shipped") '
                "{ __typename ... on ErrorResult { errorCode message } } }", id=one["id"],
            )  # fmt: skip


class ChaosOscar(Oscar):
    """An Oscar shop with as many SKUs as the Vendure shop, most of them the same."""

    name = "oscar_chaos"

    @classmethod
    def _make_database(cls, folder: Any, products: int) -> Any:
        with _shifted(exclusive(products)):
            database = super()._make_database(folder, products)
        with closing(sqlite3.connect(database)) as made:  # as Vendure's: else each product has a category to push
            made.execute("DELETE FROM catalogue_productcategory")
            made.commit()
        return database

    def never_taken(self, which: str) -> int:
        """Return 0: this shop takes the units of every shipped order from its stock."""
        return 0

    def has_parcels(self, code: str) -> bool:
        """Say no: an order of this shop is shipped in one request."""
        return False

    def shown(self) -> list[tuple[str, Shown]]:
        """Return every product with its SKU, as the admin API shows it."""
        rows = {one["id"]: one for one in self._all("api/admin/products/")}
        return [(one["stockrecords"][0]["partner_sku"] if one["stockrecords"] else one["upc"], _shown(one))
                for one in rows.values()]  # fmt: skip


def _shown(row: dict[str, Any]) -> Shown:
    record: dict[str, Any] = (
        row["stockrecords"][0] if row["stockrecords"] else {"price": "0", "num_in_stock": 0, "url": "//"}
    )
    return Shown(
        row["title"], int(Decimal(record["price"] or 0) * 100), "active" if row["is_public"] else "draft",
        record["num_in_stock"] or 0, record.get("num_allocated") or 0, str(row["id"]), record["url"].split("/")[-2],
    )  # fmt: skip


@contextmanager
def _shifted(by: int) -> Iterator[None]:
    """Let the seeded catalogue begin later."""
    plain = catalogue.products

    def later(count: int) -> Iterator[dict[str, str | int]]:
        for number, one in enumerate(plain(count + by), start=1):
            if number > by:
                yield one

    with mock.patch.object(catalogue, "products", later):
        yield
