"""The feature publishing: agents that post, comment, like and browse on a surface."""

from __future__ import annotations

from datetime import timedelta

from fleet.engine.jobs.policy import Priority, RetryPolicy
from fleet.engine.registry import AgentType, Feature, FollowUp, JobHandler

FEATURE = Feature(
    name="publishing",
    help="Agents that post, comment, like and browse on a surface.",
    is_optional=False,
    agents=(
        AgentType(
            kind="gallery",
            behaviour="fleet.features.publishing.agent",
            next_tick="fleet.features.publishing.agent:next_tick",
        ),
    ),
    jobs=(
        JobHandler(
            kind="post",
            noun="a post",
            prepare="fleet.features.publishing.handlers.post:prepare",
            is_public=True,
            asks_model=True,
            is_frequent=True,
            obstacle="fleet.features.publishing.checks:obstacle",
            turns="fleet.features.publishing.checks:turns",
        ),
        JobHandler(
            kind="comment",
            noun="a comment",
            prepare="fleet.features.publishing.handlers.comment:prepare",
            expires_after=timedelta(hours=6),
            is_public=True,
            asks_model=True,
            is_frequent=True,
            once_per_target=True,
            obstacle="fleet.features.publishing.checks:obstacle",
            turns="fleet.features.publishing.checks:turns",
        ),
        JobHandler(
            kind="like",
            noun="a like",
            prepare="fleet.features.publishing.handlers.like:prepare",
            priority=Priority.LOW,
            expires_after=timedelta(hours=6),
            is_public=True,
            is_frequent=True,
            once_per_target=True,
            obstacle="fleet.features.publishing.checks:obstacle",
            turns="fleet.features.publishing.checks:turns",
        ),
        JobHandler(
            kind="browse",
            noun="a look around",
            prepare="fleet.features.publishing.handlers.browse:prepare",
            priority=Priority.LOW,
            expires_after=timedelta(hours=1),
            retry=RetryPolicy(max_attempts=2),
            is_frequent=True,
        ),
        JobHandler(
            kind="provision",
            noun="its account",
            prepare="fleet.features.publishing.handlers.account:provision",
            priority=Priority.HIGH,
            expires_after=timedelta(days=7),
        ),
        JobHandler(
            kind="deprovision",
            noun="the removal of its account",
            prepare="fleet.features.publishing.handlers.account:deprovision",
            priority=Priority.HIGH,
            expires_after=timedelta(days=30),
            retry=RetryPolicy(max_attempts=14, cap_s=3600.0),
            ignores_pauses=True,
            outlives_agent=True,
        ),
        JobHandler(
            kind="react",
            noun="a reaction",
            prepare="fleet.features.publishing.handlers.react:prepare",
            priority=Priority.LOW,
            expires_after=timedelta(hours=6),
            is_public=True,
            once_per_target=True,
            obstacle="fleet.features.publishing.checks:obstacle",
            turns="fleet.features.publishing.checks:turns",
        ),
        JobHandler(
            kind="connect",
            noun="a request to be friends",
            prepare="fleet.features.publishing.handlers.connect:prepare",
            priority=Priority.LOW,
            is_public=True,
            once_per_target=True,
            obstacle="fleet.features.publishing.checks:obstacle",
            turns="fleet.features.publishing.checks:turns",
        ),
    ),
    follow_ups=(
        FollowUp(kind="provision", run="fleet.features.publishing.handlers.account:has_come"),
        FollowUp(kind="deprovision", run="fleet.features.publishing.handlers.account:has_gone"),
    ),
    needs=("personas", "content", "media"),
)
