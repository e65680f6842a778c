"""The feature tuning: changes of settings proposed from measured load, approved, undoable, and evaluated."""

from __future__ import annotations

from datetime import timedelta

from fleet.engine.policy import Priority
from fleet.engine.registry import AgentType, Command, EventType, Feature, JobHandler, NavItem, SystemAgent

FEATURE = Feature(
    name="tuning",
    help="Worker counts, batch sizes, intervals and caps proposed from measured load.",
    needs=("approvals",),
    settings="fleet.features.tuning.settings:TuningSettings",
    tables=("fleet.features.tuning.models",),
    agents=(
        AgentType(
            kind="tuning",
            behaviour="fleet.features.tuning.agent",
            about="tuning.run",
            system=SystemAgent(
                username="fleet_tuning",
                name="Tuning",
                every_s=3600,
                personality="Proposes settings from measured load, and says what came of them.",
            ),
        ),
    ),
    jobs=(
        JobHandler(
            kind="tuning_run",
            noun="a look at the load",
            plural="looks at the load",
            prepare="fleet.features.tuning.handlers:run",
            priority=Priority.LOW,
            expires_after=timedelta(hours=12),
            uses_surface=False,
            is_act=False,
        ),
    ),
    pruners=("fleet.features.tuning.service:prune",),
    extends={"approvals.effects": ("fleet.features.tuning.effect:EFFECTS",)},
    events=(
        EventType(
            subject="job.done",
            kind="tuning_run",
            words="has looked at the load",
            sign="🎚",
            icon="tick",
            is_quiet=True,
        ),
        EventType(
            subject="tuning.run",
            words="looked at {looked} settings and proposes {proposals} changes",
            sign="🎚",
            tone="blue",
            icon="eye",
        ),
        EventType(
            subject="tuning.decided",
            words="{setting:160}, {before} to {after}: {state}",
            reason=("why",),
            sign="🎚",
            icon="hand",
            family="people",
        ),
        EventType(
            subject="tuning.measured",
            words="{setting:160}, {before} to {after}: the expected effect {verdict}",
            sign="🎚",
            tone="blue",
            icon="eye",
            family="people",
        ),
        EventType(
            subject="tuning.undone",
            words="{setting:160} is {value} again, by {by}",
            sign="↶",
            tone="yellow",
            icon="again",
            family="people",
        ),
    ),
    private={"tuning.*": "settings.view"},
    api=("fleet.features.tuning.api:router",),
    pages=("fleet.features.tuning.pages:router",),
    templates=__package__,
    nav=(
        NavItem(
            path="/tuning",
            label="Tuning",
            permission="settings.view",
            group="Run",
            order=149,
            icon="M6 4v8M6 16v4M12 4v3M12 11v9M18 4v10M18 18v2M4 14h4M10 9h4M16 16h4",
            tally="fleet.features.tuning.queries:tally",
        ),
    ),
    commands=(
        Command(
            name="tuning",
            run="fleet.features.tuning.cli:tuning",
            section="Run",
            order=47,
            help="Propose settings from measured load, accept and undo them.",
        ),
    ),
)
