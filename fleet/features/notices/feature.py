"""The feature notices: messages to operators through FLEET_NOTIFY."""

from __future__ import annotations

from fleet.engine.registry import Feature, JobHandler

FEATURE = Feature(
    name="notices",
    help="Messages to operators through FLEET_NOTIFY.",
    is_optional=False,
    jobs=(
        JobHandler(
            kind="notify",
            noun="a notice to people",
            prepare="fleet.features.notices.handlers:prepare",
            is_notice=True,
            uses_surface=False,
        ),
    ),
)
