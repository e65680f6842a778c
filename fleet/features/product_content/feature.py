"""The feature product_content: texts of products from their facts alone, checked, and approved by people."""

from __future__ import annotations

from fleet.engine.registry import Command, Feature, FollowUp, NavItem
from fleet.features.product_content.kinds import EVENTS, JOB

FEATURE = Feature(
    name="product_content",
    help="Texts of products, written from their facts alone and approved by people.",
    needs=("products", "stores", "approvals", "campaigns"),
    settings="fleet.features.product_content.settings:ProductContentSettings",
    jobs=(JOB,),
    follow_ups=(FollowUp(kind="sync_store", run="fleet.features.product_content.service:synced"),),
    events=EVENTS,
    extends={"approvals.effects": ("fleet.features.product_content.effect:EFFECTS",)},
    api=("fleet.features.product_content.api:router",),
    pages=("fleet.features.product_content.pages:router",),
    templates=__package__,
    nav=(
        NavItem(
            path="/product-content",
            label="Product texts",
            permission="fleet.view",
            group="Shop",
            order=87,
            icon="M5 4h14v16H5ZM8 8h8M8 12h8M8 16h5",
            is_shown="fleet.features.stores.queries:is_shown",
        ),
    ),
    commands=(
        Command(
            name="product-content",
            run="fleet.features.product_content.cli:product_content",
            section="Act",
            order=52,
            help="Have texts of products written, and check claims.",
        ),
    ),
)
