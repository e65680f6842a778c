"""The adapter of Shopify by its Admin GraphQL API."""

from __future__ import annotations

from datetime import timedelta

from fleet.adapters.base import Resolution
from fleet.adapters.manifest import AdapterType, AuthKind, Capability, Limit, Operation
from fleet.adapters.shopify.adapter import BATCH, OAUTH, PICTURES, Shopify
from fleet.adapters.shopify.answers import POINTS, events_of, is_genuine
from fleet.adapters.shopify.documents import PRODUCT_PAGE
from fleet.adapters.shops import ShopHookRules, ShopTraits

_COSTS = "Shopify API limits and rate limits of GraphQL Admin, read 2026-11-22"
_BULK = (
    "Bulk operations take a file of JSON lines and finish within minutes to hours; Fleet writes batches of variants "
    "instead, whose outcome is known at once (Shopify bulk operations, read 2026-11-22)."
)

ADAPTER = AdapterType(
    name="shopify",
    help="Shopify: products with variants and images, stock by location, orders with parcels and refunds.",
    credentials='JSON: {"access_token": "shpat_...", "client_secret": "..."} (client_secret signs webhooks)',
    connect=Shopify,
    operations=(
        Operation(name="create_product", unknown=Resolution.PROBE, note="The job's id is the product's custom id."),
        Operation(name="update_product", unknown=Resolution.PROBE, note="Compares before it writes, not atomically."),
        Operation(name="add_variants", unknown=Resolution.PROBE, note="To products with options, up to 100 at once."),
        Operation(name="update_variants", unknown=Resolution.PROBE, note="Atomic for each product."),
        Operation(name="set_stock", unknown=Resolution.PROBE, note="Shopify compares and sets in one step."),
        Operation(name="remove_product", unknown=Resolution.NATURAL),
        Operation(name="update_order", unknown=Resolution.PROBE, note="Shipped, cancelled, refunded."),
        Operation(name="subscribe_hooks", unknown=Resolution.NATURAL, note="Reads the subscriptions first."),
        Operation(name="bulk", capability=Capability.UNSUPPORTED, rule=_BULK),
        Operation(name="shop"),
        Operation(name="products", batch=PRODUCT_PAGE),
        Operation(name="changes", batch=PRODUCT_PAGE),
        Operation(name="stock", batch=30),
        Operation(name="orders", note="Of the last 60 days, unless the app has read_all_orders."),
        Operation(name="check"),
        Operation(name="probe"),
    ),
    limits=(
        # The bucket of the plan Standard: 2,000 points, 100 a second. Answers say what the shop's plan has.
        Limit(
            name=POINTS, most=2000, window=timedelta(seconds=20), cost=20, source=_COSTS,
            costs={"products": 250, "changes": 250, "stock": 250, "orders": 300, "update_variants": 100, "check": 2,
                   "subscribe_hooks": 100},
        ),
    ),
    auth=AuthKind.OAUTH2,
    oauth=OAUTH,
    pictures=PICTURES,
    shop=ShopTraits(
        batch=BATCH,
        is_batch_atomic=False,
        most_variants=2048,
        page=PRODUCT_PAGE,
        has_locations=True,
        has_html=True,
        webhooks=ShopHookRules(is_genuine=is_genuine, read=events_of),
    ),
    docs="shops/shopify.md",
)  # fmt: skip
