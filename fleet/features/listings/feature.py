"""The feature listings: products at stores, staged, published, verified and taken back."""

from __future__ import annotations

from fleet.engine.registry import Command, Feature, NavItem
from fleet.features.listings.kinds import EVENTS, JOBS

FEATURE = Feature(
    name="listings",
    help="Listings: products at stores, staged, published, verified and taken back.",
    needs=("products", "stores", "approvals"),
    settings="fleet.features.listings.settings:ListingsSettings",
    tables=("fleet.features.listings.models",),
    jobs=JOBS,
    events=EVENTS,
    pruners=("fleet.features.listings.listings:prune",),
    sweeps=("fleet.features.listings.publication.verify:sweep",),
    extends={
        "stores.pinned": ("fleet.features.listings.listings:pinned",),
        "verbs": ("fleet.features.listings.verbs:PUBLISH", "fleet.features.listings.verbs:DELIST",
                  "fleet.features.listings.verbs:ROLLBACK"),
        "approvals.effects": ("fleet.features.listings.budgets:EFFECTS",),
        "products.sections": ("fleet.features.listings.queries:SECTION",),
    },
    api=("fleet.features.listings.api:router",),
    pages=("fleet.features.listings.pages:router",),
    templates=__package__,
    nav=(
        NavItem(
            path="/listings", label="Listings", permission="fleet.view", group="Shop", order=83,
            icon="M4 5h16M4 12h16M4 19h16M9 3v18M15 3v18", tally="fleet.features.listings.queries:tally",
            is_alarming=True, is_shown="fleet.features.listings.queries:is_shown",
        ),
    ),
    commands=(
        Command(
            name="listings", run="fleet.features.listings.cli:listings", section="Act", order=49,
            help="Publish products to stores, and take them back.",
        ),
    ),
)  # fmt: skip
