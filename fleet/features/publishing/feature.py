"""The feature publishing: agents that post, comment, like and browse on a surface."""

from __future__ import annotations

from fleet.engine.registry import AgentType, Feature

FEATURE = Feature(
    name="publishing",
    help="Agents that post, comment, like and browse on a surface.",
    is_optional=False,
    agents=(
        AgentType(
            kind="gallery",
            behaviour="fleet.features.publishing.agent",
            actions=("post", "comment", "like", "browse"),
            supervised_actions=("scan_feed",),
        ),
    ),
    agent_deleted="fleet.features.publishing.handlers.account:remove_account",
)
