"""The feature notices: messages to operators through FLEET_NOTIFY."""

from __future__ import annotations

from fleet.engine.registry import Feature

FEATURE = Feature(
    name="notices",
    help="Messages to operators through FLEET_NOTIFY.",
    is_optional=False,
)
