"""The feature publishing: agents that post, comment, like and browse on a surface."""

from __future__ import annotations

from fleet.engine.registry import Feature

FEATURE = Feature(
    name="publishing",
    help="Agents that post, comment, like and browse on a surface.",
    is_optional=False,
)
