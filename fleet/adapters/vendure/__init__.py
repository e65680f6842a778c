"""The adapter of Vendure shops. What was tried, and what they cannot express: docs/shops/vendure.md."""

from __future__ import annotations

from fleet.adapters.base import Resolution
from fleet.adapters.manifest import AdapterType, Operation, TextRule
from fleet.adapters.shops import PRODUCT_FIELDS, VARIANT_FIELDS, ProductStatus, ShopTraits
from fleet.adapters.vendure.adapter import Vendure
from fleet.adapters.vendure.images import PICTURES
from fleet.adapters.vendure.products import LONGEST_NAME, MOST_VARIANTS
from fleet.adapters.vendure.stock import BATCH
from fleet.adapters.vendure.wire import LONGEST_DESCRIPTION
from fleet.adapters.webhook_signatures import SHOP_PLUGIN

FIELDS = frozenset(PRODUCT_FIELDS) | {f"variant.{name}" for name in VARIANT_FIELDS if name != "barcode"}
"""Barcodes, and alternative texts of images, are custom fields in Vendure, which each shop names itself."""

ADAPTER = AdapterType(
    name="vendure",
    help="A Vendure shop by its admin API: products, prices, stock and orders.",
    credentials='JSON: {"username": "...", "password": "..."} of an administrator, or an API key',
    connect=Vendure,
    operations=(
        Operation(name="create_product", unknown=Resolution.PROBE,
                  note="Created hidden, shown once its variants are there. Its categories are values of the facet "
                       "`category`."),
        Operation(name="update_product", unknown=Resolution.PROBE),
        Operation(name="add_variants", unknown=Resolution.PROBE, note="To products with options."),
        Operation(name="update_variants", unknown=Resolution.PROBE, note="An atomic batch of up to 50."),
        Operation(name="set_stock", unknown=Resolution.PROBE, note="An atomic batch of up to 50, by location."),
        Operation(name="remove_product", unknown=Resolution.NATURAL, note="A soft delete: no list shows it again."),
        Operation(name="update_order", unknown=Resolution.PROBE, note="Ship, deliver, cancel or refund."),
        Operation(name="upload", note="Images, each once for the shop."),
        Operation(name="shop"),
        Operation(name="products", batch=100),
        Operation(name="changes", batch=100),
        Operation(name="stock", batch=500),
        Operation(name="orders", batch=50, note="Shipping moves no time of an order: open ones are read again."),
        Operation(name="check"),
    ),
    texts={
        "title": TextRule(most=LONGEST_NAME, links=False, line_breaks=0),
        "description": TextRule(most=LONGEST_DESCRIPTION, line_breaks=10_000),
    },
    pictures=PICTURES,
    shop=ShopTraits(
        fields=FIELDS,
        statuses=frozenset((ProductStatus.ACTIVE, ProductStatus.DRAFT)),
        most_variants=MOST_VARIANTS,
        sees_order_states=False,
        batch=BATCH,
        is_batch_atomic=True,
        page=100,
        has_locations=True,
        sees_sku_once=False,
        cursor_overlap_s=120.0,
        stock_moves_updated_at=False,
        has_html=True,
        webhooks=SHOP_PLUGIN,
    ),
    docs="shops/vendure.md",
)  # fmt: skip
