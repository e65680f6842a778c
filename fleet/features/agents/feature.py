"""The feature agents: create, edit, start, pause and stop agents; their decisions."""

from __future__ import annotations

from fleet.engine.registry import Command, Feature, NavItem

FEATURE = Feature(
    name="agents",
    help="Create, edit, start, pause and stop agents; their decisions.",
    is_optional=False,
    api=(
        "fleet.features.agents.api_actions:router",
        "fleet.features.agents.api:router",
        "fleet.features.agents.api_decisions:router",
    ),
    pages=(
        "fleet.features.agents.pages:router",
        "fleet.features.agents.pages_edit:router",
        "fleet.features.agents.pages_agent:router",
    ),
    nav=(
        NavItem(
            path="/agents",
            label="Agents",
            permission="agents.view",
            group="Fleet",
            order=30,
            icon=(
                "M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7ZM2.5 20c0-3.6 2.9-6 6.5-6s6.5 2.4 6.5 6M16 4.3a3.5 "
                "3.5 0 0 1 0 6.4M18 14.5c2.2.8 3.5 2.8 3.5 5.5"
            ),
        ),
    ),
    commands=(
        Command(
            name="replay",
            run="fleet.features.agents.cli_replay:replay",
            section="Look",
            order=60,
            help="Decide a recorded tick again and compare.",
        ),
        Command(
            name="agents",
            run="fleet.features.agents.cli:agents",
            section="Act",
            order=10,
            help="List, create, edit, start, pause and stop agents.",
        ),
    ),
    completions={"agent": "fleet.features.agents.cli:complete"},
)
