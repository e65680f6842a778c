"""The feature costs: what calls to models cost, and budgets."""

from __future__ import annotations

from fleet.engine.registry import AgentTab, Command, EventType, Feature, NavItem

_BUDGET = "fleet.features.costs.event_text:budget"

FEATURE = Feature(
    name="costs",
    help="What calls to models cost, and budgets.",
    required_because="Calls to models are paid through its budgets, and a spent budget needs a person who raises it.",
    api=(
        "fleet.features.costs.api:router",
        "fleet.features.costs.api:budgets",
    ),
    pages=("fleet.features.costs.pages:router", "fleet.features.costs.pages_budgets:router"),
    agent_tabs=(
        AgentTab(
            name="costs",
            template="costs/agent_costs.html",
            facts="fleet.features.costs.pages:agent_tab",
            permission="costs.view",
            order=50,
        ),
    ),
    templates=__package__,
    extends={
        "frame.checklist": ("fleet.features.costs.checklist:STEP",),
        "verbs": (
            "fleet.features.costs.verbs:RAISE",
            "fleet.features.costs.verbs:OVERRIDE",
            "fleet.features.costs.verbs:DELETE",
        ),
        "overview.health": ("fleet.features.costs.health:look",),
    },
    nav=(
        NavItem(
            path="/costs",
            label="Costs",
            permission="costs.view",
            group="Run",
            order=100,
            icon=(
                "M12 3v18M16.5 7.5C16 6 14.3 5 12 5 9.5 5 7.5 6.3 7.5 8.5c0 4.5 9 2.5 9 7 0 2.2-2 3.5-4.5 "
                "3.5-2.4 0-4.2-1.1-4.7-2.7"
            ),
        ),
    ),
    commands=(
        Command(
            name="costs",
            run="fleet.features.costs.cli:costs",
            section="Look",
            order=40,
            help="Show the costs of model calls and today's forecast.",
        ),
        Command(
            name="budgets",
            run="fleet.features.costs.cli:budgets",
            section="Act",
            order=100,
            help="List, set, raise and remove budgets.",
        ),
    ),
    sweeps=("fleet.features.costs.budget_guard:charge_abandoned",),
    error_policies=("fleet.features.costs.budget_guard:policy",),
    events=(
        EventType(
            subject="budget.spent",
            words="{scope} makes no paid calls{duration}",
            reason=("reason",),
            sign="💸",
            tone="bold yellow",
            icon="coin",
            family="trouble",
        ),
        EventType(subject="budget.set", describe=_BUDGET, sign="💰", tone="blue", icon="coin", family="people"),
        EventType(subject="budget.allowed", describe=_BUDGET, sign="💰", tone="blue", icon="coin", family="people"),
        EventType(subject="budget.removed", describe=_BUDGET, sign="💰", tone="blue", icon="coin", family="people"),
    ),
)
