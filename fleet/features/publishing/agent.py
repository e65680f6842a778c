"""Agents that publish: they read the feed and the ledger, and post, comment, like or browse.

Other features extend them at two points: "publishing.waits" and "publishing.plan".
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from fleet.adapters.social import FeedItem, social
from fleet.core import ids
from fleet.core.db import Also, Tx
from fleet.engine import dispatch, registry
from fleet.engine.agent_type import Acts, ClaimedAgent
from fleet.engine.agents.loop import ActingAgent, Due
from fleet.engine.deps import Deps
from fleet.engine.jobs import usage
from fleet.engine.jobs.ledger import NewJob
from fleet.engine.schedule import next_wake
from fleet.features.personas.service import schedule_of
from fleet.features.publishing.rules import (
    CAPPED,
    TARGETS,
    FeedObservation,
    PublishingDecision,
    SeenItem,
    decide,
    from_data,
    to_data,
)
from fleet.features.publishing.surroundings import surroundings

__all__ = ["act", "decide", "from_data", "gather", "to_data"]
FEED_LENGTH = 20
"""Agents read this many posts at a time."""


def next_tick(deps: Deps, due: Due, tick_no: int) -> datetime:
    """Return when an agent wakes next, by its persona's hours.

    Raises NotFound when its persona is gone, InvalidInput when its schedule never spends its interval.
    """
    rhythm = schedule_of(deps, due.persona_id, due.agent_id, due.organisation_id)
    return next_wake(rhythm, due.claimed_at, dispatch.gap_s(due, tick_no), tempo=deps.settings.tempo)


def gather(deps: Deps, claimed: ClaimedAgent) -> FeedObservation:
    """Read the feed from outside, then the facts in the ledger."""
    return observe(deps, claimed, read_feed(deps, claimed.agent))


def has_account(deps: Deps, agent: ActingAgent) -> bool:
    """Say whether an agent can act: it has an account on its surface, or nothing is sent anyway."""
    settings = deps.settings_of(agent.id, agent.account_id, agent.persona_id, agent.organisation_id)
    return agent.remote_account is not None or settings.dry_run


def read_feed(deps: Deps, agent: ActingAgent) -> list[FeedItem]:
    """Read the newest posts; none without an account. Raises an AdapterError."""
    gateway = deps.gateway(agent.account_id, agent.id, agent.organisation_id)
    return social(gateway.adapter).feed(deps.account(agent), limit=FEED_LENGTH) if has_account(deps, agent) else []


def observe(
    deps: Deps, claimed: ClaimedAgent, feed: Sequence[FeedItem], capped: Collection[str] = CAPPED
) -> FeedObservation:
    """Return the facts in the ledger about an agent and the posts that it sees; `capped` names actions with caps."""
    agent = claimed.agent
    settings = deps.settings_of(agent.id, agent.account_id, agent.persona_id, agent.organisation_id)
    caps = deps.gateway(agent.account_id, agent.id, agent.organisation_id).policy.caps
    targets = sorted({getattr(item, name) for item in feed for name in TARGETS})
    known = surroundings(deps.db, agent.id, targets, since=claimed.now - caps.window)
    reactions: dict[str, set[str]] = defaultdict(set)
    for kind, target in known.reactions:
        reactions[target].add(kind)
    return FeedObservation(
        now=claimed.now,
        agent_id=agent.id,
        username=agent.username,
        has_account=has_account(deps, agent),
        weights=registry.current().weights(agent.kind, agent.weights),
        interests=agent.character.interests,
        feed=tuple(
            SeenItem(
                item.id, item.author, item.author_name, item.caption, item.likes, item.comments,
                known.ours.get(item.id, 0), _done(item, reactions),
            )
            for item in feed
        ),
        usage=usage.usage_of(known.writes),
        caps=replace(caps, actions={name: caps.actions[name] for name in capped}),
        comment_lead=settings.ai_comment_lead,
        held_kinds=tuple(hold.key for hold in claimed.holds if hold.scope == "kind"),
        asked_for=claimed.tick.asked_for,
        waits=_waits(deps, agent, claimed.now),
        posting=known.posting,
        commenting=known.commenting,
    )  # fmt: skip


def _done(item: FeedItem, reactions: Mapping[str, set[str]]) -> tuple[str, ...]:
    """Return the kinds of reaction, by name, that the agent has done to a post or its author."""
    return tuple(sorted({kind for name in TARGETS for kind in reactions.get(getattr(item, name), ())}))


def _waits(deps: Deps, agent: ActingAgent, now: datetime) -> dict[str, str]:
    """Return the actions that the agent would not do now by itself, each with the reason ("publishing.waits")."""
    found: dict[str, str] = {}
    for waits in registry.current().extensions("publishing.waits"):
        found |= waits(deps, agent, now)
    return found


def act(deps: Deps, claimed: ClaimedAgent, decision: PublishingDecision) -> Acts:
    """Return the jobs of the decision, as extensions change them ("publishing.plan")."""
    jobs: list[NewJob] = jobs_of(claimed, decision)
    writes: list[Also] = []
    for plan in registry.current().extensions("publishing.plan"):
        jobs, write = plan(deps, claimed.agent, claimed.now, jobs)
        writes += [] if write is None else [write]
    return Acts(jobs, functools.partial(_write_all, writes) if writes else None)


def _write_all(writes: Sequence[Also], tx: Tx) -> None:
    for write in writes:
        write(tx)


def jobs_of(claimed: ClaimedAgent, decision: PublishingDecision) -> list[NewJob]:
    """Return the jobs that a decision plans. Their ids follow from the tick, so that they are added once."""
    agent, tick = claimed.agent, claimed.tick
    return [
        NewJob(
            id=ids.job(agent.id, tick.key.tick_no, ordinal), agent_id=agent.id, kind=plan.kind,
            surface=agent.surface, tick_no=tick.key.tick_no, target=plan.target, payload=plan.payload,
            requested_by=tick.requested_by, account_id=agent.account_id,
        )
        for ordinal, plan in enumerate(decision.plans)
    ]  # fmt: skip
