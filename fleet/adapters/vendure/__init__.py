"""The adapter of Vendure shops. What was tried, and what they cannot express: docs/shops/vendure.md."""

from __future__ import annotations

from fleet.adapters.base import Resolution
from fleet.adapters.manifest import AdapterType, Operation
from fleet.adapters.shops import ShopTraits
from fleet.adapters.vendure.adapter import Vendure
from fleet.adapters.vendure.stock import BATCH
from fleet.adapters.webhook_signatures import SHOP_PLUGIN

ADAPTER = AdapterType(
    name="vendure",
    help="A Vendure shop by its admin API: products, prices and stock.",
    credentials='JSON: {"username": "...", "password": "..."} of an administrator, or an API key',
    connect=Vendure,
    operations=(
        Operation(name="update_variants", unknown=Resolution.PROBE),
        Operation(name="set_stock", unknown=Resolution.PROBE),
        Operation(name="shop"),
        Operation(name="products", batch=100),
        Operation(name="changes", batch=100),
        Operation(name="stock", batch=500),
        Operation(name="check"),
    ),
    shop=ShopTraits(
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
)
