"""The adapter of Etsy by its Open API v3."""

from __future__ import annotations

from datetime import timedelta

from fleet.adapters.base import Resolution
from fleet.adapters.etsy.adapter import BATCH, OAUTH, PAGE, PICTURES, Etsy
from fleet.adapters.etsy.answers import DAY, events_of, is_genuine
from fleet.adapters.manifest import AdapterType, AuthKind, Capability, Limit, LimitScope, Operation, TextRule
from fleet.adapters.shops import PRODUCT_FIELDS, ShopHookRules, ShopTraits

_LIMITS = "Etsy Open API v3, rate limits, read 2026-11-22"
_SECOND, _DAY = timedelta(seconds=1), timedelta(days=1)

ADAPTER = AdapterType(
    name="etsy",
    help="Etsy: listings with variations and pictures, stock by listing, receipts as orders.",
    credentials='JSON: {"client_id": keystring, "client_secret": shared secret, "shop_id": 123, "taxonomy_id": 1, '
    '"shipping_profile_id": 1, "readiness_state_id": 1, "webhook_secret": "whsec_..."}',
    connect=Etsy,
    operations=(
        Operation(name="create_product", unknown=Resolution.PROBE, usd=0.20,
                  note="A draft first; publishing it needs a picture and costs $0.20."),
        Operation(name="update_product", unknown=Resolution.PROBE, note="Compares before it writes, not atomically."),
        Operation(name="update_variants", unknown=Resolution.PROBE,
                  note="Etsy takes the whole inventory of a listing; what others change in the same second is lost."),
        Operation(name="set_stock", unknown=Resolution.PROBE,
                  note="As prices. Etsy refuses a listing without any units: it is made inactive."),
        Operation(name="remove_product", unknown=Resolution.NATURAL),
        Operation(name="update_order", capability=Capability.WORKAROUND, unknown=Resolution.PROBE,
                  note="shipped only; orders are cancelled and refunded on Etsy"),
        Operation(name="bulk", capability=Capability.UNSUPPORTED,
                  rule="Etsy writes one listing in a call (Etsy Open API v3, read 2026-11-22)."),
        Operation(name="shop"),
        Operation(name="products", batch=PAGE),
        Operation(name="changes", capability=Capability.WORKAROUND, batch=PAGE, note="the newest of each state"),
        Operation(name="stock", batch=PAGE),
        Operation(name="orders", batch=PAGE),
        Operation(name="check"),
        Operation(name="probe"),
    ),
    limits=(
        Limit(name="second", most=10, window=_SECOND, scope=LimitScope.APP, by_request=True, source=_LIMITS),
        Limit(name=DAY, most=10_000, window=_DAY, scope=LimitScope.APP, by_request=True, source=_LIMITS),
    ),
    auth=AuthKind.OAUTH2,
    oauth=OAUTH,
    texts={"alt_text": TextRule(most=500, links=False)},
    pictures=PICTURES,
    shop=ShopTraits(
        fields=frozenset(PRODUCT_FIELDS) | {"variant.sku", "variant.options", "variant.price"},
        batch=BATCH,
        is_batch_atomic=False,
        most_variants=400,
        page=PAGE,
        zero_stock=False,
        webhooks=ShopHookRules(is_genuine=is_genuine, read=events_of),
    ),
    pages="https://www.etsy.com",
    docs="shops/etsy.md",
)  # fmt: skip
