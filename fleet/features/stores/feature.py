"""The feature stores: shops that are kept in step with the catalogue."""

from __future__ import annotations

from fleet.adapters.shops import SHOP_ACTIONS
from fleet.adapters.webhook_signatures import SUBSCRIBE_HOOKS
from fleet.engine.registry import AgentType, Command, Feature, NavItem
from fleet.features.stores.kinds import EVENTS, FOLLOW_UPS, JOBS

FEATURE = Feature(
    name="stores",
    help="Shops that are kept in step with the catalogue.",
    needs=("products", "orders"),
    settings="fleet.features.stores.settings:StoresSettings",
    tables=("fleet.features.stores.models",),
    agents=(AgentType(kind="store_sync", behaviour="fleet.features.stores.agent"),),
    actions=(*SHOP_ACTIONS, SUBSCRIBE_HOOKS),
    jobs=JOBS,
    follow_ups=FOLLOW_UPS,
    events=EVENTS,
    extends={
        "stores.pinned": ("fleet.features.stores.writes.sold_out:pinned",),
        "accounts.hooks": ("fleet.features.stores.hooks.service:hook_of",),
        "products.stores": ("fleet.features.stores.extensions:PRODUCT_STORES",),
        "sandbox.shop": ("fleet.features.stores.extensions:SANDBOX_SHOP",),
        "orders.actions": tuple(f"fleet.features.stores.extensions:{one}" for one in ("SHIP", "CANCEL", "REFUND")),
    },
    routes=("fleet.features.stores.hooks.route:router",),
    api=("fleet.features.stores.api:router",),
    pages=("fleet.features.stores.pages:router",),
    templates=__package__,
    nav=(
        NavItem(
            path="/stores",
            label="Stores",
            permission="fleet.view",
            group="Shop",
            order=84,
            icon="M4 9l1-5h14l1 5M4 9a3 3 0 0 0 5.3 2 3 3 0 0 0 5.4 0A3 3 0 0 0 20 9M5 11v9h14v-9M9 20v-6h6v6",
            tally="fleet.features.stores.queries:tally",
            is_shown="fleet.features.stores.queries:is_shown",
        ),
    ),
    commands=(
        Command(
            name="stores",
            run="fleet.features.stores.cli:stores",
            section="Act",
            order=48,
            help="Keep shops in step with the catalogue.",
        ),
    ),
    agent_deleting="fleet.features.stores.service:forget_agent",
    error_policies=("fleet.features.stores.writes.stale:stale",),
    pruners=("fleet.features.stores.pruning:prune_runs", "fleet.features.stores.pruning:prune_events",
             "fleet.features.stores.pruning:prune_conflicts"),
)  # fmt: skip
