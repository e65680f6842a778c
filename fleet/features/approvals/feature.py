"""The feature approvals: requests for approval, rules and decisions."""

from __future__ import annotations

from fleet.engine.registry import Command, Feature, NavItem

FEATURE = Feature(
    name="approvals",
    help="Requests for approval, rules and decisions.",
    is_optional=False,
    api=("fleet.features.approvals.api:router",),
    pages=(
        "fleet.features.approvals.pages_decisions:router",
        "fleet.features.approvals.pages:router",
    ),
    agent_deleting="fleet.features.approvals.service:withdraw_of_agent",
    refuse_name="fleet.features.approvals.rule_users:refuse_name",
    nav=(
        NavItem(
            path="/approvals",
            label="Approvals",
            permission="drafts.view",
            group="Work",
            order=90,
            icon="M4 12.5 9 17.5 20 6.5",
        ),
    ),
    commands=(
        Command(
            name="approvals",
            run="fleet.features.approvals.cli:approvals",
            section="Act",
            help="List, show and decide what agents ask for.",
        ),
    ),
)
