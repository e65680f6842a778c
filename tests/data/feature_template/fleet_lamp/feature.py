"""What the lamp adds to a fleet."""

from __future__ import annotations

from fleet.engine.registry import AgentType, Command, EventType, Feature, FollowUp, JobHandler, NavItem
from fleet_lamp.actions import LIGHT

FEATURE = Feature(
    name="lamp",
    help="A status lamp: green, amber or red.",
    settings="fleet_lamp.settings:LampSettings",
    agents=(AgentType(kind="lamp", behaviour="fleet_lamp.agent", actions=("light",)),),
    actions=(LIGHT,),
    jobs=(JobHandler(kind="light", noun="a colour", prepare="fleet_lamp.handlers:prepare"),),
    follow_ups=(FollowUp(kind="light", run="fleet_lamp.handlers:record"),),
    events=(
        EventType(subject="lamp.changed", words="turned {colour}", reason=("why",), sign="💡", tone="yellow"),
        EventType(subject="job.done", kind="light", words="set the lamp", is_quiet=True),
    ),
    tables=("fleet_lamp.models",),
    migrations="fleet_lamp.migrations",
    pruners=("fleet_lamp.queries:prune",),
    metrics=("fleet_lamp.metrics:METRICS",),
    api=("fleet_lamp.api:router",),
    pages=("fleet_lamp.pages:router",),
    templates="fleet_lamp",
    nav=(
        NavItem(path="/lamp", label="Lamp", permission="fleet.view", group="Run", icon="M9 18h6M12 3a6 6 0 0 0-4 10"),
    ),
    commands=(Command(name="lamp", run="fleet_lamp.cli:lamp", section="Look", help="Show the status lamp."),),
)
