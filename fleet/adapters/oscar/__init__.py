"""The adapter of Oscar shops. What was tried, and what they cannot express: docs/shops/oscar.md."""

from __future__ import annotations

from fleet.adapters.base import Resolution
from fleet.adapters.manifest import AdapterType, Capability, Operation, TextRule
from fleet.adapters.oscar.adapter import Oscar
from fleet.adapters.oscar.products import LONGEST_TITLE, MOST_VARIANTS, PICTURES
from fleet.adapters.oscar.variants import BATCH
from fleet.adapters.oscar.wire import LONGEST_DESCRIPTION
from fleet.adapters.shops import PRODUCT_FIELDS, VARIANT_FIELDS, ProductStatus, ShopTraits
from fleet.adapters.webhook_signatures import SHOP_PLUGIN

FIELDS = frozenset(PRODUCT_FIELDS) | {f"variant.{name}" for name in VARIANT_FIELDS if name != "barcode"}
"""UPCs serve as keys. Only a variant of several has a title and options of its own."""
_READ_ONLY = "django-oscar-api answers 405 to changes of orders (3.3.0, tried 2026-11-22)."

ADAPTER = AdapterType(
    name="oscar",
    help="An Oscar shop by django-oscar-api: products, prices and stock; orders are read only.",
    credentials='"user:password" of a member of staff, or JSON: {"username": "...", "password": "..."}',
    connect=Oscar,
    operations=(
        Operation(name="create_product", unknown=Resolution.PROBE,
                  note="The key is the UPC. Several variants are a hidden parent with children, shown at last."),
        Operation(name="update_product", unknown=Resolution.PROBE, note="The shop fetches images by their addresses."),
        Operation(name="add_variants", unknown=Resolution.PROBE,
                  note="To products with options: children of a parent, one request each."),
        Operation(name="update_variants", unknown=Resolution.PROBE, note="One at a time."),
        Operation(name="set_stock", unknown=Resolution.PROBE, note="One at a time."),
        Operation(name="remove_product", unknown=Resolution.NATURAL, note="For good."),
        Operation(name="update_order", capability=Capability.UNSUPPORTED, rule=_READ_ONLY),
        Operation(name="shop", note="The currency is that of a stock record."),
        Operation(name="products", batch=100,
                  note="A SKU that is no UPC is found by a sweep; finding a UPC moves the time of the product."),
        Operation(name="changes", capability=Capability.WORKAROUND, batch=100,
                  note="by a sweep of all products, or by a view of 20 lines in the shop"),
        Operation(name="stock", batch=100),
        Operation(name="orders", batch=1, note="By the time they were placed: open ones are read again."),
        Operation(name="check"),
    ),
    texts={
        "title": TextRule(most=LONGEST_TITLE, links=False, line_breaks=0),
        "description": TextRule(most=LONGEST_DESCRIPTION, line_breaks=10_000),
    },
    pictures=PICTURES,
    shop=ShopTraits(
        fields=FIELDS,
        statuses=frozenset((ProductStatus.ACTIVE, ProductStatus.DRAFT)),
        batch=BATCH,
        is_batch_atomic=True,
        most_variants=MOST_VARIANTS,
        page=100,
        has_locations=True,
        sees_sku_once=True,
        cursor_overlap_s=120.0,
        stock_moves_updated_at=False,
        sees_order_states=False,
        has_html=True,
        webhooks=SHOP_PLUGIN,
    ),
    docs="shops/oscar.md",
)  # fmt: skip
