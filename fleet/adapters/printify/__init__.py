"""The adapter of Printify by its API v1."""

from __future__ import annotations

from datetime import timedelta

from fleet.adapters.base import Resolution
from fleet.adapters.manifest import AdapterType, Capability, Limit, Operation
from fleet.adapters.printify.adapter import ARTWORK, BATCH, FIELDS, ORDER_PAGE, PAGE, Printify
from fleet.adapters.printify.answers import events_of, is_genuine
from fleet.adapters.shops import ProductStatus, ShopHookRules, ShopTraits

_DOCS = "developers.printify.com, read 2026-11-22"
_ON_DEMAND = f"Printify prints on demand: a provider has a variant or not, and no number of units ({_DOCS})."
_PUBLISHING = {"create_product": 1, "update_product": 1, "update_variants": 1}

ADAPTER = AdapterType(
    name="printify",
    help="Printify: products printed on demand, published to a sales channel; orders.",
    credentials='JSON: {"access_token": "...", "shop_id": 123, "currency": "USD", "blueprint_id": 384, '
    '"print_provider_id": 1, "webhook_secret": "..."}',
    connect=Printify,
    operations=(
        Operation(name="create_product", unknown=Resolution.PROBE,
                  note="One blueprint and print provider for an account; the first picture is the artwork."),
        Operation(name="update_product", unknown=Resolution.PROBE, note="Compares before it writes, not atomically."),
        Operation(name="update_variants", unknown=Resolution.PROBE, note="All variants of a product are sent."),
        Operation(name="remove_product", unknown=Resolution.NATURAL),
        Operation(name="update_order", capability=Capability.WORKAROUND, unknown=Resolution.PROBE,
                  note="cancelled only, while it is on hold; Printify ships"),
        Operation(name="set_stock", capability=Capability.UNSUPPORTED, rule=_ON_DEMAND),
        Operation(name="stock", capability=Capability.UNSUPPORTED, rule=_ON_DEMAND),
        Operation(name="changes", capability=Capability.UNSUPPORTED, rule=f"Lists have no filter by time ({_DOCS})."),
        Operation(name="bulk", capability=Capability.UNSUPPORTED, rule=f"One product in a call ({_DOCS})."),
        Operation(name="shop"),
        Operation(name="products", batch=PAGE),
        Operation(name="orders", batch=ORDER_PAGE, note="The newest first; one that changed does not come again."),
        Operation(name="upload", note="The artwork, to the account's library."),
        Operation(name="check"),
        Operation(name="probe"),
    ),
    limits=(
        Limit(name="minute", most=600, window=timedelta(minutes=1), by_request=True, source=_DOCS),
        Limit(name="publish", most=200, window=timedelta(minutes=30), cost=0, costs=_PUBLISHING, source=_DOCS),
        Limit(name="catalog", most=100, window=timedelta(minutes=1), cost=0, costs={"create_product": 1}, source=_DOCS),
    ),
    pictures=ARTWORK,
    shop=ShopTraits(
        fields=frozenset(FIELDS) | {"variant.sku", "variant.options", "variant.price"}, batch=BATCH,
        statuses=frozenset((ProductStatus.ACTIVE, ProductStatus.DRAFT)),
        is_batch_atomic=False, page=PAGE, sees_order_states=False, has_html=True,
        webhooks=ShopHookRules(is_genuine=is_genuine, read=events_of),
    ),
    pages="https://printify.com",
    docs="shops/printify.md",
)  # fmt: skip
