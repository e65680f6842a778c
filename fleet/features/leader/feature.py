"""The feature leader: it coordinates agents of platforms, compares networks, and can stop them at once."""

from __future__ import annotations

from fleet.engine.registry import AgentType, Command, EventType, Feature, NavItem, SystemAgent
from fleet.features.leader.kinds import EVENTS, MESSAGES

FEATURE = Feature(
    name="leader",
    help="The team leader: it coordinates agents of platforms and compares networks.",
    needs=("platforms",),
    settings="fleet.features.leader.settings:LeaderSettings",
    tables=("fleet.features.leader.models", "fleet.features.leader.strategies.models"),
    agents=(
        AgentType(
            kind="team_leader",
            behaviour="fleet.features.leader.agent",
            actions=("coordinate",),
            system=SystemAgent(
                username="fleet_leader",
                name="Team leader",
                every_s=300,
                personality="Asks the agents of platforms for their status and compares networks.",
            ),
        ),
    ),
    jobs=MESSAGES,
    pruners=(
        "fleet.features.leader.service:prune",
        "fleet.features.leader.service:prune_findings",
        "fleet.features.leader.strategies.service:prune",
    ),
    extends={"verbs": ("fleet.features.leader.strategies.verbs:UNDO",)},
    events=(
        *EVENTS,
        EventType(
            subject="team.asked",
            words="asked {agents} agents for their status",
            sign="✉",
            icon="dot",
            is_quiet=True,
        ),
        EventType(
            subject="team.scored",
            words="compared networks: {said:200}",
            sign="⚖",
            tone="blue",
            icon="eye",
            family="people",
        ),
        EventType(
            subject="alert.team",
            words="team: {words:300}",
            sign="!",
            tone="yellow",
            icon="unknown",
            family="trouble",
        ),
        EventType(
            subject="team.strategy.changed",
            words="has a new strategy: {said:300}",
            sign="↝",
            tone="blue",
            icon="pen",
            family="people",
        ),
        EventType(
            subject="team.strategy.overtaken",
            words="keeps its strategy",
            reason=("why",),
            sign="–",
            icon="hand",
            family="people",
        ),
        EventType(
            subject="team.strategy.undone",
            words="has its earlier strategy again, by {by}",
            sign="↶",
            tone="yellow",
            icon="again",
            family="people",
        ),
        EventType(
            subject="team.stopped",
            words="EMERGENCY STOP of {target}, by {by}",
            reason=("reason",),
            sign="■",
            tone="bold white on red",
            icon="stop",
            family="people",
        ),
    ),
    api=("fleet.features.leader.api:router",),
    pages=("fleet.features.leader.pages:router",),
    templates=__package__,
    nav=(
        NavItem(
            path="/team",
            label="Team",
            permission="fleet.view",
            group="Work",
            order=72,
            icon="M12 4a3 3 0 1 0 0 6 3 3 0 0 0 0-6M5 20v-2a5 5 0 0 1 5-5h4a5 5 0 0 1 5 5v2",
            is_shown="fleet.features.leader.queries:is_shown",
        ),
    ),
    commands=(
        Command(
            name="team",
            run="fleet.features.leader.cli:team",
            section="Look",
            order=43,
            help="Compare networks; send messages to agents of platforms.",
        ),
    ),
)
