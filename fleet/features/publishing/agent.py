"""Personas on a gallery: they see the feed and what the ledger knows, and post, comment, like or browse.

A supervised one only looks at its feed: what it would do is a draft, and a person's decision.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from datetime import datetime, timedelta

from fleet.core import ids
from fleet.core.db import Tx
from fleet.engine import dispatch
from fleet.engine.agent_type import Acts, ClaimedAgent
from fleet.engine.agents import commands
from fleet.engine.agents.loop import Actor, Due
from fleet.engine.deps import Deps
from fleet.engine.jobs import usage
from fleet.engine.jobs.ledger import NewJob
from fleet.engine.schedule import SHORTEST_GAP_S, next_wake
from fleet.features.drafts import limits
from fleet.features.drafts.scanning import queue
from fleet.features.experiments import assign, engagement
from fleet.features.experiments.engagement import Assignment
from fleet.features.personas.service import schedule_of
from fleet.features.publishing.rules import SCAN, Decision, Moment, Seen, decide, from_data, to_data
from fleet.features.publishing.surroundings import surroundings

__all__ = ["act", "decide", "from_data", "gather", "to_data"]
FEED_LENGTH = 20
"""Agents read this many posts at a time."""


def next_tick(deps: Deps, due: Due, tick_no: int) -> datetime:
    """Return when an agent wakes next: by its persona's hours; a supervised one at its interval, at all hours.

    Raises NotFound when its persona is gone, InvalidInput when its schedule never spends its interval.
    """
    if due.scan_interval_s is not None:  # its owner wants the drafts by morning
        gap_s = max(SHORTEST_GAP_S, due.scan_interval_s / deps.settings.tempo)
        return due.claimed_at + timedelta(seconds=gap_s)
    rhythm = schedule_of(deps, due.persona_id)
    return next_wake(rhythm, due.claimed_at, dispatch.gap_s(due, tick_no), tempo=deps.settings.tempo)


def gather(deps: Deps, claimed: ClaimedAgent) -> Moment:
    """See what there is to see: the feed from outside, then what the ledger knows."""
    agent = claimed.agent
    scan = _whether_to_scan(deps, agent)
    has_account = agent.remote_account is not None or deps.settings.dry_run
    gateway = deps.gateway(agent.surface)
    feed = gateway.platform.feed(deps.account(agent), limit=FEED_LENGTH) if has_account and not scan else []
    caps = gateway.policy.caps
    known = surroundings(
        deps.db, agent.id, [item.id for item in feed], since=claimed.now - max(caps.day, caps.post_gap)
    )
    return Moment(
        now=claimed.now,
        agent_id=agent.id,
        username=agent.username,
        has_account=has_account,
        weights=weights_of(agent),
        interests=tuple(agent.interests),
        feed=tuple(
            Seen(
                item.id, item.author, item.author_name, item.caption, item.likes, item.comments,
                known.ours.get(item.id, 0), ("like", item.id) in known.reactions,
                ("comment", item.id) in known.reactions,
            )
            for item in feed
        ),
        usage=usage.usage_of(known.writes),
        caps=caps,
        held_kinds=tuple(hold.key for hold in claimed.holds if hold.scope == "kind"),
        asked_for=claimed.tick.asked_for,
        waits=assign.waits(deps, agent, claimed.now),
        posting=known.posting,
        commenting=known.commenting,
        scan=scan,
    )  # fmt: skip


def _whether_to_scan(deps: Deps, agent: Actor) -> str | None:
    """Return SCAN for a supervised agent that may look at its feed now, or why it may not; None for any other."""
    if not agent.is_supervised:
        return None
    if not deps.settings.scan_feeds:
        return "looking at feeds is switched off for all"
    if not agent.scans:
        return "I am not to look at my feed"
    if queue.has_open_scan(deps.db, agent.id):
        return "I have not come round to my last look yet"
    return limits.why_full(deps, agent) or SCAN


def weights_of(agent: Actor) -> dict[str, float]:
    """Return an agent's weights by action."""
    return {name: getattr(agent, f"{name}_weight") for name in commands.WEIGHT_NAMES}


def act(deps: Deps, claimed: ClaimedAgent, decision: Decision) -> Acts:
    """Return the jobs that the decision asks for, posts among them with the variants that they try."""
    jobs, assignments = assign.assign(deps, claimed.agent, claimed.now, _jobs(claimed, decision))
    return Acts(jobs, functools.partial(_assigned, assignments) if assignments else None)


def _assigned(assignments: Sequence[Assignment], tx: Tx) -> list[NewJob]:
    engagement.assign(tx, assignments)
    return []


def _jobs(claimed: ClaimedAgent, decision: Decision) -> list[NewJob]:
    agent, tick = claimed.agent, claimed.tick
    return [
        NewJob(
            id=ids.job(agent.id, tick.key.tick_no, ordinal), agent_id=agent.id, kind=plan.kind,
            surface=agent.surface, tick_no=tick.key.tick_no, target=plan.target, payload=plan.payload,
            requested_by=tick.requested_by,
        )
        for ordinal, plan in enumerate(decision.plans)
    ]  # fmt: skip
