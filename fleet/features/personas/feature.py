"""The feature personas: characters and schedules, read from files."""

from __future__ import annotations

from fleet.engine.registry import Check, CheckStage, Command, EventType, Feature, NavItem

FEATURE = Feature(
    name="personas",
    help="Characters and schedules: files, and changes at run time.",
    required_because="Agents take their character and their hours from a persona.",
    settings="fleet.features.personas.settings:PersonasSettings",
    api=("fleet.features.personas.editing.api:router", "fleet.features.personas.api:router"),
    pages=("fleet.features.personas.editing.pages:router", "fleet.features.personas.pages:router"),
    extends={"search.sources": ("fleet.features.personas.search:SOURCE",)},
    templates=__package__,
    nav=(
        NavItem(
            path="/personas",
            label="Personas",
            permission="fleet.view",
            group="Fleet",
            order=40,
            icon="M4 5c5-2 11-2 16 0v6c0 5-4 8-8 9-4-1-8-4-8-9ZM8.5 10h.01M15.5 10h.01M9 14c2 1.5 4 1.5 6 0",
        ),
    ),
    commands=(
        Command(
            name="persona",
            run="fleet.features.personas.cli:persona",
            section="Look",
            order=30,
            help="Show, check and edit personas.",
        ),
    ),
    completions={"persona": "fleet.features.personas.cli:complete"},
    checks=(Check(about="personas", run="fleet.features.personas.checks:files", stage=CheckStage.FILES),),
    preloads=("fleet.features.personas.service:preload",),
    checks_at_start=("fleet.features.personas.service:check",),
    events=(
        EventType(
            subject="persona.created", words="added the persona {persona}, by {by}", reason=("reason",), family="people"
        ),
        EventType(
            subject="persona.changed",
            words="changed the persona {persona} ({what}), by {by}",
            reason=("reason",),
            family="people",
        ),
        EventType(
            subject="persona.reset",
            words="reset the persona {persona} to its file, by {by}",
            reason=("reason",),
            family="people",
        ),
        EventType(
            subject="persona.removed",
            words="removed the persona {persona}, by {by}",
            reason=("reason",),
            family="people",
        ),
    ),
)
