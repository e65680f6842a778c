"""Agents of public platforms: they read their inbox and their feed, answer people, and post at their hours.

`networks` has the rhythm of each platform, `rules` the decision. People who want to be left alone, and the fleet's own
agents, are in no observation: agents never boost or argue with each other on somebody else's platform.
"""

from __future__ import annotations

import functools
import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta

import sqlalchemy as sa

from fleet.adapters.social import COMMENT, FOLLOW, POST, REPOST, FeedItem
from fleet.core.db import Also, Tx
from fleet.engine.agent_type import Acts, ClaimedAgent
from fleet.engine.agents import config
from fleet.engine.agents.loop import ActingAgent, Due
from fleet.engine.deps import Deps
from fleet.engine.jobs.models import STANDING, JobRow
from fleet.engine.schedule import local_time
from fleet.features.personas.service import schedule_of
from fleet.features.platforms.inbox import opt_outs
from fleet.features.platforms.inbox import reading as inbox
from fleet.features.platforms.inbox.reading import News
from fleet.features.platforms.inbox.triage import OpenItem, Triage, people
from fleet.features.platforms.kinds import PlatformConfig
from fleet.features.platforms.networks import NETWORKS
from fleet.features.platforms.rules import (
    OWN_ACTIONS,
    SLOT_OPEN_FOR,
    PlatformObservation,
    decide,
    due_slot,
    from_data,
    to_data,
)
from fleet.features.publishing import agent as publishing
from fleet.features.publishing.rules import CAPPED, PublishingDecision

_CAPPED = (*CAPPED, *(one.name for one in OWN_ACTIONS))
__all__ = ["act", "decide", "from_data", "gather", "next_tick", "to_data"]


def next_tick(deps: Deps, due: Due, tick_no: int) -> datetime:
    """Return when an agent wakes next: as its persona's hours say, but not later than its next hour to post."""
    drawn = publishing.next_tick(deps, due, tick_no)
    rhythm = schedule_of(deps, due.persona_id, due.agent_id)
    hours, days = _hours(config.read(PlatformConfig, due.config), due.kind)
    local = local_time(rhythm, due.claimed_at)
    for later in range(1, 25):
        at = due.claimed_at + timedelta(hours=later) - timedelta(minutes=local.minute, seconds=local.second)
        there = local_time(rhythm, at)
        if there.hour in hours and (there.weekday() + 1) % 7 in days and at > due.claimed_at:
            return min(drawn, at + timedelta(seconds=_spread_s(due.agent_id)))
    return drawn


def _spread_s(agent_id: uuid.UUID) -> int:
    """Return the agent's own seconds after the hour, so that a fleet does not post in one second."""
    return agent_id.int % 600


def _hours(own: PlatformConfig, kind: str) -> tuple[tuple[int, ...], frozenset[int]]:
    network = NETWORKS[kind]
    return own.hours or network.post_hours, network.days


def gather(deps: Deps, claimed: ClaimedAgent) -> PlatformObservation:
    """Read the inbox and the feed from outside, then the facts in the ledger. What is new is kept at once."""
    agent = claimed.agent
    own = config.read(PlatformConfig, agent.config)
    gateway = deps.gateway(agent.account_id, agent.id, agent.organisation_id)
    if not publishing.has_account(deps, agent):
        return PlatformObservation(publishing.observe(deps, claimed, (), _CAPPED))
    with deps.db.transaction() as tx:
        before = inbox.position(tx, agent.account_id)
    news = inbox.read(gateway.adapter, deps.account(agent), before)
    feed = publishing.read_feed(deps, agent)
    with deps.db.transaction() as tx:
        known = inbox.known_to(
            tx, agent.surface, agent.account_id, news.items, most_answers=own.answers_to_one, answers=own.answers,
            now=claimed.now,
        )  # fmt: skip
        _keep(tx, agent, news, known)
        waiting = inbox.open_items(tx, agent.account_id, claimed.now) if own.answers else []
        shunned = _shunned(tx, agent, feed, waiting)
        done = _done(tx, agent, feed)
        posted = _last_post(tx, agent, claimed.now)
    shown = [item for item in feed if not _is_shunned(item, agent, shunned)]
    return PlatformObservation(
        publishing=publishing.observe(deps, claimed, shown, _CAPPED),
        inbox=tuple(one for one in waiting if not {one.author.casefold(), one.author_id} & shunned),
        slot=_slot(deps, agent, own, claimed.now, posted),
        offered=tuple(one.name for one in (REPOST, FOLLOW) if gateway.can_decide_alone(one.name)),
        done=done,
        author_ids={item.id: item.author_id for item in shown},
        formats={
            name: weight
            for name, weight in own.format_weights.items()
            if name == "post" or name in NETWORKS[agent.kind].formats
        },
        topics=own.topic_weights,
    )


def _keep(tx: Tx, agent: ActingAgent, news: News, known: Triage) -> None:
    if news.items or news.after != news.before:
        inbox.keep(tx, agent, news, known)


def _shunned(tx: Tx, agent: ActingAgent, feed: list[FeedItem], waiting: list[OpenItem]) -> set[str]:
    """Return the names (in lower case) and ids of those whom the agent leaves alone: the fleet's own agents, too."""
    names, remote_ids = people([*feed, *waiting])
    return opt_outs.among(tx, agent.surface, names, remote_ids) | inbox.fleet_names(
        tx, agent.surface, names, remote_ids
    )


def _is_shunned(item: FeedItem, agent: ActingAgent, shunned: set[str]) -> bool:
    return item.author_id == agent.remote_account or bool({item.author.casefold(), item.author_id} & shunned)


def _done(tx: Tx, agent: ActingAgent, feed: list[FeedItem]) -> dict[str, tuple[str, ...]]:
    targets = {item.id for item in feed} | {item.author_id for item in feed}
    which = (JobRow.agent_id == agent.id, JobRow.target.in_(targets), *STANDING)
    kinds = [one.name for one in OWN_ACTIONS]
    found = tx.execute(sa.select(JobRow.kind, JobRow.target).where(*which, JobRow.kind.in_(kinds))).all()
    return {kind: tuple(sorted(target for of, target in found if of == kind)) for kind in kinds}


def _last_post(tx: Tx, agent: ActingAgent, now: datetime) -> datetime | None:
    """Return when a post of the agent was last added within the time that an hour stays open (ix_jobs_agent)."""
    which = (JobRow.agent_id == agent.id, JobRow.kind == POST.name, JobRow.created_at > now - SLOT_OPEN_FOR)
    found: datetime | None = tx.scalar(sa.select(sa.func.max(JobRow.created_at)).where(*which))
    return found


def _slot(deps: Deps, agent: ActingAgent, own: PlatformConfig, now: datetime, posted: datetime | None) -> str | None:
    rhythm = schedule_of(deps, agent.persona_id, agent.id)
    hours, days = _hours(own, agent.kind)
    found = due_slot(local_time(rhythm, now), hours, days, None if posted is None else local_time(rhythm, posted))
    return None if found is None else f"{found:%H:%M}"


def act(deps: Deps, claimed: ClaimedAgent, decision: PublishingDecision) -> Acts:
    """Return the jobs of the decision; the notifications that they answer are marked in the same transaction."""
    acts = publishing.act(deps, claimed, decision)
    answered = {
        uuid.UUID(str(job.payload["inbox"])): job.id
        for job in acts.jobs
        if job.kind == COMMENT.name and "inbox" in job.payload
    }
    return Acts(acts.jobs, functools.partial(_also, acts.also, answered)) if answered else acts


def _also(first: Also | None, answered: Mapping[uuid.UUID, uuid.UUID], tx: Tx) -> None:
    if first is not None:
        first(tx)
    inbox.mark_answered(tx, answered)
