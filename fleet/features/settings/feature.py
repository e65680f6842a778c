"""The feature settings: settings and versions of a process."""

from __future__ import annotations

from fleet.engine.registry import Command, EventType, Feature, NavItem

FEATURE = Feature(
    name="settings",
    help="Settings and versions of a process.",
    required_because="People see here which limits are in force; the page of controls shows some of them.",
    api=("fleet.features.settings.api:router",),
    pages=("fleet.features.settings.pages:router",),
    templates=__package__,
    extends={"agents.own_settings": ("fleet.features.settings.first:FIRST",)},
    events=(
        EventType(subject="settings.changed", words="{setting} {change}, by {by}", reason=("reason",), family="people"),
    ),
    private={"settings.*": "settings.view"},
    agent_facts="fleet.features.settings.agent:facts",
    agent_summary="fleet.features.settings.agent:AgentSettingsOut",
    agent_rows="fleet.features.settings.cli:agent_rows",
    agent_deleted="fleet.features.settings.commands:forget_agent",
    resealers=("fleet.features.settings.commands:reseal",),
    commands=(
        Command(
            name="settings",
            run="fleet.features.settings.cli:settings",
            section="Run",
            order=44,
            help="Show settings, and change those that can change while the fleet runs.",
        ),
    ),
    nav=(
        NavItem(
            path="/settings",
            label="Settings",
            permission="settings.view",
            group="Run",
            order=150,
            icon="M4 7h9M17 7h3M15 5v4M4 17h3M11 17h9M9 15v4M4 12h12M20 12h0M18 10v4",
        ),
    ),
)
