"""The feature agents: create, edit, start, pause and stop agents; their decisions."""

from __future__ import annotations

from fleet.engine.registry import AgentTab, Command, EventType, Feature, NavItem

FEATURE = Feature(
    name="agents",
    help="Create, edit, start, pause and stop agents; their decisions.",
    required_because="A fleet is its agents: people create, start and stop them here.",
    api=(
        "fleet.features.agents.api.actions:router",
        "fleet.features.agents.api:router",
        "fleet.features.agents.api.decisions:router",
    ),
    pages=(
        "fleet.features.agents.pages:router",
        "fleet.features.agents.pages_edit:router",
        "fleet.features.agents.pages_agent:router",
    ),
    agent_tabs=(
        AgentTab(
            name="about", template="agents/agent_about.html", facts="fleet.features.agents.pages_agent:about", order=10
        ),
        AgentTab(
            name="decisions",
            template="agents/agent_decisions.html",
            facts="fleet.features.agents.pages_agent:decisions_tab",
            order=20,
        ),
    ),
    extends={
        "search.sources": (
            "fleet.features.agents.points.search:SOURCE",
            "fleet.features.agents.points.search:ACTIONS",
        ),
        "frame.checklist": ("fleet.features.agents.points.checklist:STEP",),
        "verbs": (
            "fleet.features.agents.points.verbs:DELETE",
            "fleet.features.agents.points.verbs:RESUME",
        ),
    },
    templates=__package__,
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
            run="fleet.features.agents.cli.replay:replay",
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
        Command(
            name="trigger",
            run="fleet.features.agents.cli.trigger:trigger",
            section="Act",
            order=20,
            help="Wake one agent now.",
        ),
    ),
    events=(
        EventType(subject="agent.created", words="is new", sign="✦", tone="blue", icon="person", family="people"),
        EventType(subject="agent.updated", words="was changed", sign="✎", icon="person", family="people"),
        EventType(subject="agent.owned", words="has another owner: {owner}", sign="✎", icon="person", is_quiet=True),
        EventType(subject="agent.deleted", words="is deleted", sign="✖", tone="blue", icon="cross", family="people"),
        EventType(subject="agent.started", words="lives", sign="▶", tone="blue", icon="play", family="people"),
        EventType(
            subject="agent.paused",
            words="rests{duration}",
            reason=("reason",),
            sign="⏸",
            tone="yellow",
            icon="pause",
            family="people",
        ),
        EventType(subject="agent.resumed", words="is resumed", sign="▶", tone="blue", icon="play", family="people"),
        EventType(subject="agent.stopped", words="went home", sign="■", tone="blue", icon="pause", family="people"),
        EventType(
            subject="agent.failed",
            words="is broken",
            reason=("error",),
            sign="✖",
            tone="bold red",
            icon="cross",
            family="trouble",
        ),
        EventType(
            subject="agent.triggered",
            describe="fleet.features.agents.event_text:triggered",
            sign="👉",
            tone="blue",
            icon="play",
            family="people",
        ),
        EventType(
            subject="agent.thought", words="{thought:160}", sign="💭", tone="dim italic", icon="thought", is_quiet=True
        ),
        EventType(
            subject="agent.tick.skipped",
            words="did not decide",
            reason=("reason",),
            sign="–",
            icon="person",
            family="trouble",
        ),
        EventType(subject="tick.duplicate", words="was woken twice for one tick", sign="–", is_quiet=True),
    ),
    completions={"agent": "fleet.features.agents.cli:complete"},
)
