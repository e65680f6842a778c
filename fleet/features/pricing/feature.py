"""The feature pricing: prices proposed within bounds, from elasticities of own orders or by rules, and measured."""

from __future__ import annotations

from datetime import timedelta

from fleet.engine.policy import Priority
from fleet.engine.registry import AgentType, Command, EventType, Feature, JobHandler, NavItem, SystemAgent
from fleet.web.points.large_body import POINT, LargeBody

_MOST_BYTES = 5_000_000

FEATURE = Feature(
    name="pricing",
    help="Prices proposed within bounds, approved by people or their rules, and measured.",
    needs=("products", "orders", "forecast", "approvals"),
    settings="fleet.features.pricing.settings:PricingSettings",
    tables=("fleet.features.pricing.models",),
    agents=(
        AgentType(
            kind="pricing",
            behaviour="fleet.features.pricing.agent",
            system=SystemAgent(
                username="fleet_pricing",
                name="Pricing",
                every_s=3600,
                personality="Proposes prices within the bounds of people, and measures what they earned.",
            ),
        ),
    ),
    jobs=(
        JobHandler(
            kind="pricing_run",
            noun="a look at all prices",
            plural="looks at all prices",
            prepare="fleet.features.pricing.handlers:run",
            priority=Priority.LOW,
            expires_after=timedelta(hours=12),
            uses_surface=False,
            is_act=False,
        ),
    ),
    pruners=("fleet.features.pricing.service:prune",),
    extends={
        "approvals.effects": ("fleet.features.pricing.effect:EFFECTS",),
        POINT: (
            LargeBody("/pricing/competitors", _MOST_BYTES),
            LargeBody("/api/v1/pricing/competitors", _MOST_BYTES),
        ),
    },
    events=(
        EventType(
            subject="job.done",
            kind="pricing_run",
            words="has looked at all prices",
            sign="🏷",
            icon="tick",
            is_quiet=True,
        ),
        EventType(
            subject="pricing.run",
            words="looked at {variants} prices and proposes {proposals} changes",
            sign="🏷",
            tone="blue",
            icon="coin",
        ),
        EventType(
            subject="pricing.decided",
            words="price of {sku}, {before} to {after}: {state}",
            reason=("why",),
            sign="🏷",
            icon="coin",
            family="people",
        ),
        EventType(
            subject="pricing.undone",
            words="price of {sku} is {price} again, by {by}",
            sign="↶",
            tone="yellow",
            icon="again",
            family="people",
        ),
        EventType(
            subject="pricing.measured",
            words="measured what a price earned",
            sign="🏷",
            icon="coin",
            is_quiet=True,
        ),
        EventType(
            subject="pricing.imported",
            words="imported {number} prices of competitors, by {by}",
            sign="🏷",
            icon="coin",
            family="people",
        ),
    ),
    api=("fleet.features.pricing.api:router",),
    pages=("fleet.features.pricing.pages:router",),
    templates=__package__,
    nav=(
        NavItem(
            path="/pricing",
            label="Pricing",
            permission="fleet.view",
            group="Shop",
            order=85,
            icon="M4 4h8l8 8-8 8-8-8ZM8.5 8.5h.01",
            tally="fleet.features.pricing.queries:tally",
            is_shown="fleet.features.pricing.queries:is_shown",
        ),
    ),
    commands=(
        Command(
            name="pricing",
            run="fleet.features.pricing.cli:pricing",
            section="Act",
            order=53,
            help="Propose prices, accept and undo them.",
        ),
    ),
)
