"""The feature approvals: requests for approval, rules and decisions."""

from __future__ import annotations

from fleet.engine.registry import AgentType, Check, CheckStage, Command, Feature, NavItem, SystemAgent

FEATURE = Feature(
    name="approvals",
    help="Requests for approval, rules and decisions.",
    is_optional=False,
    api=("fleet.features.approvals.api:router",),
    pages=(
        "fleet.features.approvals.pages_decisions:router",
        "fleet.features.approvals.pages:router",
    ),
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
            order=70,
            help="List, show and decide what agents ask for.",
        ),
    ),
    checks=(
        Check(about="approvals", run="fleet.features.approvals.checks:rules"),
        Check(about="approvals", run="fleet.features.approvals.checks:users", stage=CheckStage.TABLES),
    ),
    agents=(
        AgentType(
            kind="approval",
            behaviour="fleet.features.approvals.agent",
            system=SystemAgent(
                username="fleet_approvals",
                name="Approvals",
                every_s=60,
                personality="Announces requests for approval, reminds, escalates, and ends those whose time is over.",
            ),
        ),
    ),
    pruners=("fleet.features.approvals.maintenance:prune",),
    tables=("fleet.features.approvals.models",),
    checks_at_start=("fleet.features.approvals.service:check",),
)
