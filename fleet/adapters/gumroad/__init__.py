"""The adapter of Gumroad by its API v2."""

from __future__ import annotations

from datetime import timedelta

from fleet.adapters.base import Resolution
from fleet.adapters.gumroad.adapter import FIELDS, OAUTH, PAGE, Gumroad
from fleet.adapters.manifest import AdapterType, AuthKind, Capability, Limit, Operation
from fleet.adapters.shops import ProductStatus, ShopTraits

_SOURCE = "antiwork/gumroad, app/controllers/api/v2, read 2026-11-22"
_UNSIGNED = f"Gumroad signs no deliveries, so anybody could send one ({_SOURCE})."

ADAPTER = AdapterType(
    name="gumroad",
    help="Gumroad: digital products and their sales; a limit of sales in place of stock.",
    credentials='JSON: {"access_token": "..."} of an app of yours in Gumroad\'s settings',
    connect=Gumroad,
    operations=(
        Operation(name="create_product", unknown=Resolution.PROBE,
                  note="Digital products only; their permalink is the key. Pictures and files are added on Gumroad."),
        Operation(name="update_product", unknown=Resolution.PROBE, note="Compares before it writes, not atomically."),
        Operation(name="update_variants", unknown=Resolution.PROBE, note="A product has one price."),
        Operation(name="set_stock", capability=Capability.WORKAROUND, unknown=Resolution.PROBE,
                  note="as the most sales of the product, counted from those that there are"),
        Operation(name="remove_product", unknown=Resolution.NATURAL),
        Operation(name="update_order", capability=Capability.WORKAROUND, unknown=Resolution.PROBE,
                  note="shipped and refunded; a sale cannot be cancelled"),
        Operation(name="bulk", capability=Capability.UNSUPPORTED, rule=f"One product in a call ({_SOURCE})."),
        Operation(name="changes", capability=Capability.UNSUPPORTED, rule=f"Products have no time ({_SOURCE})."),
        Operation(name="webhooks", capability=Capability.UNSUPPORTED, rule=_UNSIGNED),
        Operation(name="shop"),
        Operation(name="products", batch=PAGE),
        Operation(name="stock", capability=Capability.WORKAROUND, batch=PAGE, note="the rest of the most sales"),
        Operation(name="orders", batch=PAGE, note="By day; a sale that changed does not come again."),
        Operation(name="check"),
        Operation(name="probe"),
    ),
    limits=(
        Limit(name="minute", most=60, window=timedelta(minutes=1), by_request=True,
              source="Gumroad publishes no limit; the figure of the original design"),
    ),
    auth=AuthKind.OAUTH2,
    oauth=OAUTH,
    shop=ShopTraits(
        fields=frozenset(FIELDS) | {"variant.sku", "variant.price"}, batch=1, most_variants=1, page=PAGE,
        statuses=frozenset((ProductStatus.ACTIVE, ProductStatus.DRAFT)),
        sees_sku_once=True, sees_order_states=False, has_html=True,
    ),
    docs="shops/gumroad.md",
)  # fmt: skip
