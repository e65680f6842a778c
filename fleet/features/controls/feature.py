"""The feature controls: kill switch and pauses."""

from __future__ import annotations

from fleet.engine.registry import Command, EventType, Feature, NavItem

FEATURE = Feature(
    name="controls",
    help="Kill switch and pauses.",
    required_because="Nothing may write to the outside without a kill switch.",
    api=("fleet.features.controls.api:router",),
    pages=("fleet.features.controls.pages:router",),
    templates=__package__,
    nav=(
        NavItem(
            path="/controls",
            label="Controls",
            permission="controls.view",
            group="Run",
            order=110,
            icon="M12 3v8M6.3 6.3a8 8 0 1 0 11.4 0",
        ),
    ),
    extends={
        "verbs": (
            "fleet.features.controls.verbs:LIFT",
            "fleet.features.controls.verbs:RESUME",
        )
    },
    commands=(
        Command(
            name="pause",
            run="fleet.features.controls.cli:pause",
            section="Act",
            order=110,
            help="Pause the fleet, a surface, an account, a persona, an agent or a kind.",
        ),
        Command(
            name="resume", run="fleet.features.controls.cli:resume", section="Act", order=120, help="Remove a pause."
        ),
        Command(
            name="kill-switch",
            run="fleet.features.controls.cli:kill_switch",
            section="Act",
            order=130,
            help="Stop all writes of agents, or allow them again.",
        ),
    ),
    events=(
        EventType(
            subject="control.kill_switch.thrown",
            words="KILL SWITCH on, by {by}",
            reason=("reason",),
            sign="■",
            tone="bold white on red",
            icon="stop",
            family="people",
        ),
        EventType(
            subject="control.kill_switch.lifted",
            words="kill switch off, by {by}",
            sign="▶",
            tone="bold green",
            icon="play",
            family="people",
        ),
        EventType(
            subject="control.paused",
            describe="fleet.features.controls.event_text:paused",
            sign="⏸",
            tone="bold yellow",
            icon="pause",
            family="people",
        ),
        EventType(
            subject="control.resumed",
            describe="fleet.features.controls.event_text:resumed",
            sign="▶",
            tone="bold green",
            icon="play",
            family="people",
        ),
    ),
)
