"""The feature stores: shops that are kept in step with the catalogue."""

from __future__ import annotations

from fleet.adapters.shops import SHOP_ACTIONS
from fleet.engine.registry import AgentType, Feature
from fleet.features.stores.kinds import EVENTS, FOLLOW_UPS, JOBS

FEATURE = Feature(
    name="stores",
    help="Shops that are kept in step with the catalogue.",
    needs=("products", "orders"),
    settings="fleet.features.stores.settings:StoresSettings",
    tables=("fleet.features.stores.models",),
    agents=(AgentType(kind="store", behaviour="fleet.features.stores.agent"),),
    actions=SHOP_ACTIONS,
    jobs=JOBS,
    follow_ups=FOLLOW_UPS,
    events=EVENTS,
    extends={"accounts.hooks": ("fleet.features.stores.hooks.service:hook_of",)},
    routes=("fleet.features.stores.hooks.route:router",),
    error_policies=("fleet.features.stores.writes.stale:stale",),
    pruners=("fleet.features.stores.pruning:prune_runs", "fleet.features.stores.pruning:prune_events",
             "fleet.features.stores.pruning:prune_conflicts"),
)  # fmt: skip
