"""The feature notices: messages to operators through FLEET_NOTIFY."""

from __future__ import annotations

from fleet.engine.registry import EventType, Feature, JobHandler

FEATURE = Feature(
    name="notices",
    help="Messages to operators through FLEET_NOTIFY.",
    settings="fleet.features.notices.settings:NoticesSettings",
    checks_at_start=("fleet.features.notices.service:check",),
    extends={"settings.checks": ("fleet.features.notices.service:check_setting",)},
    jobs=(
        JobHandler(
            kind="notify",
            noun="a notice to people",
            prepare="fleet.features.notices.handlers:prepare",
            is_notice=True,
            uses_surface=False,
        ),
    ),
    events=(EventType(subject="job.done", kind="notify", words="told people{quote}", sign="🔔", icon="tick"),),
)
