"""The feature adapters: limits over all workers, health of accounts, what each system can do."""

from __future__ import annotations

from fleet.engine.registry import AgentType, Command, EventType, Feature, NavItem, SystemAgent
from fleet.features.adapters.health.kinds import CHECK_ACCOUNT

FEATURE = Feature(
    name="adapters",
    help="Adapters: limits over all workers, health of accounts, what each system can do.",
    settings="fleet.features.adapters.configuration.settings:AdaptersSettings",
    tables=("fleet.features.adapters.models",),
    around_adapters=("fleet.features.adapters.limits.guarded:around",),
    agents=(
        AgentType(
            kind="account_health",
            behaviour="fleet.features.adapters.health.agent",
            system=SystemAgent(
                username="fleet_health",
                name="Health",
                every_s=60,
                personality="Has accounts at outside systems checked, and stops those that do not work.",
            ),
        ),
    ),
    jobs=(CHECK_ACCOUNT,),
    pruners=("fleet.features.adapters.health.checks:prune",),
    api=("fleet.features.adapters.api:router", "fleet.features.adapters.configuration.api:router"),
    pages=("fleet.features.adapters.pages:router", "fleet.features.adapters.configuration.pages:router"),
    templates=__package__,
    extends={
        "settings.checks": ("fleet.features.adapters.configuration.service:check_setting",),
        "overview.health": ("fleet.features.adapters.health.labels:look",),
        "verbs": ("fleet.features.adapters.verbs:ALLOW",),
        "jobs.elsewhere": ("fleet.features.adapters.choice:choose",),
    },
    nav=(
        NavItem(
            path="/adapters",
            label="Adapters",
            permission="settings.view",
            group="Run",
            order=146,
            icon="M9 3v5M15 3v5M6 8h12v4a6 6 0 0 1-12 0zM12 18v3",
        ),
    ),
    commands=(
        Command(
            name="adapters",
            run="fleet.features.adapters.cli:adapters",
            section="Run",
            order=46,
            help="Show and configure adapters: capabilities, limits and health.",
        ),
    ),
    events=(
        EventType(
            subject="adapter.limit.near",
            words="{account} has used {used} of {most} units of the limit {limit}",
            sign="!",
            tone="yellow",
            icon="stop",
            family="trouble",
        ),
        EventType(
            subject="account.unhealthy",
            words="account {account} stopped: its checks fail",
            reason=("why",),
            sign="✖",
            tone="bold red",
            icon="stop",
            family="trouble",
        ),
        EventType(subject="account.healthy", words="account {account} works again", sign="✔", tone="green"),
        EventType(
            subject="account.unlabelled",
            words="account {account} is not marked as automated; its system has the label {label}",
            sign="!",
            tone="yellow",
            family="trouble",
        ),
        EventType(
            subject="account.operation.allowed",
            words="{operation} switched on for {account}, by {by}",
            reason=("reason",),
            family="people",
        ),
        EventType(
            subject="job.moved",
            words="takes {account} instead of {instead_of} for {kind}",
            reason=("why",),
            sign="↪",
            tone="yellow",
            icon="again",
            family="trouble",
        ),
        EventType(
            subject="account.operation.forbidden",
            words="{operation} switched off for {account}, by {by}",
            family="people",
        ),
    ),
)
