"""The feature reconciliation: the catalogue compared with stores, and the ledger with what networks show."""

from __future__ import annotations

from fleet.engine.registry import AgentType, Command, Feature, NavItem, SystemAgent
from fleet.features.reconciliation.kinds import EVENTS, FOLLOW_UPS, RECONCILE_POSTS, RECONCILE_STORE

FEATURE = Feature(
    name="reconciliation",
    help="Compares the catalogue with stores and the ledger with social networks, and fixes what differs.",
    needs=("approvals", "notices"),
    settings="fleet.features.reconciliation.settings:ReconciliationSettings",
    tables=("fleet.features.reconciliation.models",),
    agents=(
        AgentType(
            kind="reconciler",
            behaviour="fleet.features.reconciliation.agent",
            system=SystemAgent(
                username="fleet_reconciler",
                name="Reconciler",
                every_s=60,
                personality="Compares stores with the catalogue, and posts with what networks show.",
            ),
        ),
    ),
    jobs=(RECONCILE_STORE, RECONCILE_POSTS),
    follow_ups=FOLLOW_UPS,
    events=EVENTS,
    extends={
        "approvals.effects": ("fleet.features.reconciliation.fixes.approval:EFFECTS",),
        "approvals.renderers": ("fleet.features.reconciliation.fixes.review:RENDERER",),
    },
    api=("fleet.features.reconciliation.api:router",),
    pages=("fleet.features.reconciliation.pages:router",),
    templates=__package__,
    nav=(
        NavItem(
            path="/reconciliation",
            label="Reconciliation",
            permission="fleet.view",
            group="Shop",
            order=86,
            icon="M5 8h11l-3-3M19 16H8l3 3M4 12h2M18 12h2",
            tally="fleet.features.reconciliation.queries:tally",
            is_shown="fleet.features.reconciliation.posts.begin:is_shown",
        ),
    ),
    commands=(
        Command(
            name="reconcile",
            run="fleet.features.reconciliation.cli:reconcile",
            section="Act",
            order=51,
            help="Compare stores and posts with what Fleet knows, and fix what differs.",
        ),
    ),
    pruners=("fleet.features.reconciliation.pruning:prune_runs",
             "fleet.features.reconciliation.pruning:prune_discrepancies"),
)  # fmt: skip
