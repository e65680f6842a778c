"""The adapter of Amazon by its Selling Partner API."""

from __future__ import annotations

from datetime import timedelta

from fleet.adapters.amazon.adapter import BATCH, FIELDS, ORDER_PAGE, PAGE, PICTURES, SINGLE, Amazon
from fleet.adapters.base import Resolution
from fleet.adapters.manifest import AdapterType, Capability, Limit, Operation
from fleet.adapters.shops import ShopTraits

_DOCS = "developer-docs.amazon.com/sp-api, read 2026-11-22"
_QUEUES = f"Amazon sends notifications to queues of AWS, not to web addresses ({_DOCS})."

ADAPTER = AdapterType(
    name="amazon",
    help="Amazon: listings by SKU, stock that the seller ships, orders and their shipments.",
    credentials='JSON: {"client_id": "...", "client_secret": "...", "refresh_token": "Atzr|...", "seller_id": "A...", '
    '"marketplace_id": "A1PA6795UKMFR9", "currency": "EUR", "language": "de_DE", "product_type": "PRODUCT"}',
    connect=Amazon,
    operations=(
        Operation(name="create_product", unknown=Resolution.PROBE,
                  note="A listing of one SKU, checked before; Amazon shows it minutes later."),
        Operation(name="update_product", unknown=Resolution.PROBE, note="Compares before it writes, not atomically."),
        Operation(name="update_variants", unknown=Resolution.PROBE, note=f"More than {SINGLE} go into a feed."),
        Operation(name="set_stock", unknown=Resolution.PROBE,
                  note=f"Of listings that the seller ships. More than {SINGLE} go into a feed."),
        Operation(name="remove_product", unknown=Resolution.NATURAL),
        Operation(name="update_order", capability=Capability.WORKAROUND, unknown=Resolution.PROBE,
                  note="shipped, with a tracking number; orders are cancelled and refunded in Seller Central"),
        Operation(name="upload", note="The file of a feed."),
        Operation(name="webhooks", capability=Capability.UNSUPPORTED, rule=_QUEUES),
        Operation(name="shop"),
        Operation(name="products", batch=PAGE),
        Operation(name="changes", batch=PAGE),
        Operation(name="stock", batch=PAGE),
        Operation(name="orders", batch=ORDER_PAGE, note="One call a page, and one an order for its lines."),
        Operation(name="check"),
        Operation(name="probe"),
    ),
    limits=(
        Limit(name="listings", most=5, window=timedelta(seconds=1), source=_DOCS,
              costs={"orders": 0, "check": 0, "shop": 0, "update_order": 0, "upload": 0}),
        Limit(name="orders", most=20, window=timedelta(minutes=20), cost=0, costs={"orders": 1}, source=_DOCS),
        Limit(name="feeds", most=5, window=timedelta(minutes=5), cost=0, costs={"upload": 1}, source=_DOCS),
    ),
    pictures=PICTURES,
    shop=ShopTraits(
        fields=frozenset(FIELDS) | {"variant.sku", "variant.price", "variant.barcode"}, batch=BATCH,
        is_batch_atomic=False, most_variants=1, page=PAGE, sees_sku_once=True,
    ),
    docs="shops/amazon.md",
)  # fmt: skip
