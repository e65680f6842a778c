"""The feature experiments: variants of posts, and their results."""

from __future__ import annotations

from datetime import timedelta

from fleet.engine.policy import Priority
from fleet.engine.registry import Command, EventType, Feature, FollowUp, JobHandler, NavItem

FEATURE = Feature(
    name="experiments",
    help="Variants of posts, and what came of them.",
    settings="fleet.features.experiments.settings:ExperimentsSettings",
    api=("fleet.features.experiments.editing.api:router", "fleet.features.experiments.api:router"),
    pages=("fleet.features.experiments.editing.pages:router", "fleet.features.experiments.pages:router"),
    templates=__package__,
    nav=(
        NavItem(
            path="/experiments",
            label="Experiments",
            permission="fleet.view",
            group="Fleet",
            order=50,
            icon="M9 3h6M10 3v6L4.5 19a1.5 1.5 0 0 0 1.3 2h12.4a1.5 1.5 0 0 0 1.3-2L14 9V3M7.5 15h9",
        ),
    ),
    commands=(
        Command(
            name="experiments",
            run="fleet.features.experiments.cli:experiments",
            section="Look",
            order=50,
            help="Run experiments, and show their results.",
        ),
    ),
    jobs=(
        JobHandler(
            kind="measure",
            noun="a look at what a post got",
            prepare="fleet.features.experiments.handlers:prepare",
            priority=Priority.LOW,
            expires_after=timedelta(days=2),
            is_act=False,
            ignores_agent_pause=True,
        ),
    ),
    follow_ups=(
        FollowUp(kind="post", run="fleet.features.experiments.measure:plan"),
        FollowUp(kind="continue_item", run="fleet.features.experiments.measure:follow"),
        FollowUp(kind="measure", run="fleet.features.experiments.measure:keep"),
    ),
    pruners=(
        "fleet.features.experiments.engagement:prune_readings",
        "fleet.features.experiments.engagement:prune_assignments",
    ),
    tables=("fleet.features.experiments.models",),
    checks_at_start=("fleet.features.experiments.service:check",),
    needs=("publishing",),
    extends={
        "publishing.waits": ("fleet.features.experiments.assign:waits",),
        "publishing.plan": ("fleet.features.experiments.assign:plan",),
        "publishing.styles": ("fleet.features.experiments.assign:styles",),
        "publishing.readings": ("fleet.features.experiments.engagement:counts_at",),
        "publishing.counts": ("fleet.features.experiments.engagement:latest_counts",),
    },
    events=(
        *(
            EventType(
                subject=f"experiment.{did}",
                words=f"{words} {{experiment}}, by {{by}}",
                reason=("reason",),
                family="people",
            )
            for did, words in (
                ("created", "added the experiment"),
                ("changed", "changed the experiment"),
                ("started", "started the experiment"),
                ("stopped", "stopped the experiment"),
                ("removed", "removed the experiment"),
                ("reset", "reset to its file the experiment"),
            )
        ),
        EventType(
            subject="job.done", kind="measure", words="looked at what a post of its own got", sign="📏", icon="eye"
        ),
    ),
)
