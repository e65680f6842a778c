"""The feature activity: events as text for people."""

from __future__ import annotations

from fleet.engine.registry import AgentTab, Command, Feature, NavItem

FEATURE = Feature(
    name="activity",
    help="What happened, in words.",
    required_because="`fleet up`, the overview and the live stream show it.",
    api=("fleet.features.activity.api:router",),
    pages=("fleet.features.activity.pages:router",),
    agent_tabs=(
        AgentTab(
            name="activity",
            template="activity/agent_activity.html",
            facts="fleet.features.activity.pages:agent_tab",
            order=40,
        ),
    ),
    agent_commands=("fleet.features.activity.cli:activity_of_agent",),
    beside_web=("fleet.features.activity.feed_file:beside_web",),
    live_feed="fleet.features.activity.feed:Scribe",
    templates=__package__,
    nav=(
        NavItem(
            path="/activity",
            label="Activity",
            permission="fleet.view",
            group="Fleet",
            order=20,
            icon="M3 12h4l3-8 4 16 3-8h4",
        ),
    ),
    commands=(
        Command(
            name="activity",
            run="fleet.features.activity.cli:activity",
            section="Look",
            order=20,
            help="Show events, and with --follow new ones as they occur.",
        ),
    ),
)
