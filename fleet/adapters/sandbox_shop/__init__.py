"""The adapter of the sandbox shop, which `fleet up --with-shop` runs."""

from __future__ import annotations

from fleet.adapters.base import Resolution
from fleet.adapters.manifest import AccountAccess, AdapterType, Operation, TextRule
from fleet.adapters.sandbox_shop import hooks
from fleet.adapters.sandbox_shop.adapter import BATCH, PAGE, SandboxShop
from fleet.adapters.shops import ShopTraits
from fleet.core.errors import InvalidInput


def _connect(access: AccountAccess) -> SandboxShop:
    if not access.address:
        raise InvalidInput("The account has no address.", fix="Write it as http://127.0.0.1:8650.")
    return SandboxShop(access.address, access.credentials.get_secret_value(), timeout_s=access.timeout_s)


ADAPTER = AdapterType(
    name="sandbox_shop",
    help="The sandbox shop: products, stock and orders to try out stores without a shop of one's own.",
    credentials='token (shp_...), or {"token": ..., "webhook_secret": ...}',
    connect=_connect,
    operations=(
        Operation(name="create_product", unknown=Resolution.PROBE),
        Operation(name="update_product", unknown=Resolution.PROBE),
        Operation(name="add_variants", unknown=Resolution.PROBE),
        Operation(name="update_variants", unknown=Resolution.PROBE),
        Operation(name="set_stock", unknown=Resolution.PROBE),
        Operation(name="remove_product", unknown=Resolution.NATURAL),
        Operation(name="update_order", unknown=Resolution.NATURAL),
        Operation(name="shop"),
        Operation(name="products"),
        Operation(name="changes"),
        Operation(name="stock"),
        Operation(name="orders"),
        Operation(name="check"),
        Operation(name="probe"),
    ),
    texts={
        "title": TextRule(most=200, links=False, line_breaks=0),
        "description": TextRule(most=20_000, line_breaks=10_000),
    },
    shop=ShopTraits(
        batch=BATCH,
        is_batch_atomic=True,
        page=PAGE,
        has_locations=True,
        sees_sku_once=True,
        cursor_overlap_s=5.0,
        stock_moves_updated_at=False,
        webhooks=hooks.RULES,
    ),
    docs="shops/sandbox.md",
)
