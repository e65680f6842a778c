"""The feature drafts: supervised agents: drafts for a person to decide on."""

from __future__ import annotations

from fleet.engine.jobs.policy import Priority
from fleet.engine.registry import Command, Feature, JobHandler, NavItem

FEATURE = Feature(
    name="drafts",
    help="Supervised agents: drafts for a person to decide on.",
    is_optional=False,
    needs=("approvals",),
    api=(
        "fleet.features.drafts.api_lessons:router",
        "fleet.features.drafts.stats.api:router",
        "fleet.features.drafts.api:router",
    ),
    pages=(
        "fleet.features.drafts.pages:router",
        "fleet.features.drafts.stats.pages:router",
        "fleet.features.drafts.pages_draft:router",
    ),
    nav=(
        NavItem(
            path="/drafts",
            label="Drafts",
            permission="drafts.view",
            group="Work",
            order=80,
            icon="M4 20h4L19 9l-4-4L4 16ZM13 7l4 4",
        ),
    ),
    commands=(
        Command(
            name="drafts",
            run="fleet.features.drafts.cli:drafts",
            section="Act",
            order=40,
            help="List, show and decide what supervised agents propose.",
        ),
        Command(
            name="scan",
            run="fleet.features.drafts.cli:scan",
            section="Act",
            order=50,
            help="Let a supervised agent look at its feed now.",
        ),
    ),
    jobs=(
        JobHandler(
            kind="scan_feed",
            noun="a look at its feed",
            prepare="fleet.features.drafts.scanning.handler:prepare",
            asks_model=True,
        ),
        JobHandler(
            kind="revise_draft",
            noun="another draft",
            prepare="fleet.features.drafts.revise:prepare",
            priority=Priority.HIGH,
            asks_model=True,
        ),
    ),
    pruners=("fleet.features.drafts.service:prune", "fleet.features.drafts.scanning.seen:prune"),
    tables=("fleet.features.drafts.models",),
)
