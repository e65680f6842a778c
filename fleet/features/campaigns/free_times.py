"""The next good hour that is free for an item: its network's hours, or better ones, and the room that caps leave."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from fleet.accounts.models import SETTINGS_ACCOUNT
from fleet.adapters.social import POST
from fleet.core.db import Tx
from fleet.engine import registry
from fleet.engine.agents.models import AgentRow
from fleet.engine.deps import Deps
from fleet.features.campaigns import items
from fleet.features.campaigns.forms import times
from fleet.features.campaigns.kinds import HOURS
from fleet.features.campaigns.models import ContentItemRow
from fleet.features.personas.service import schedule_of
from fleet.features.platforms.networks import NETWORKS


def room_of(deps: Deps, agent: AgentRow, account_id: uuid.UUID | None) -> times.Room:
    """Return the room that the caps of posts leave for an agent."""
    policy = deps.gateway(account_id, agent.id, agent.organisation_id).policy
    cap = policy.caps.actions.get(POST.name, POST.cap)
    return times.Room(cap.gap, cap.per_day, policy.caps.day)


def hours_of(deps: Deps, agent: AgentRow, account_id: uuid.UUID | None, network: str) -> times.PostHours:
    """Return the hours for posts of an agent: those that own data recommend ("campaigns.hours"), else the network's."""
    zone = schedule_of(deps, agent.persona_id, agent.id, agent.organisation_id).timezone
    profile = NETWORKS.get(network)
    usual = times.PostHours(zone) if profile is None else times.PostHours(zone, profile.post_hours, profile.days)
    for better in registry.current().extensions(HOURS):
        found: Sequence[int] = better(deps, account_id or SETTINGS_ACCOUNT, zone, usual.hours)
        if found:
            return replace(usual, hours=tuple(sorted(set(found))))
    return usual


def free_time(deps: Deps, tx: Tx, agent: AgentRow, row: ContentItemRow, after: datetime) -> datetime:
    """Return the next good hour that is free for an item. The agent's own minute spreads a fleet's posts."""
    taken = items.taken(tx, row.agent_id, row.account_id, after, but=row.id)
    hours, room = hours_of(deps, agent, row.account_id, row.surface), room_of(deps, agent, row.account_id)
    return times.next_free(hours, after, taken, room, minute=row.agent_id.int % 10)


def free_time_until(
    deps: Deps, tx: Tx, agent: AgentRow, row: ContentItemRow, after: datetime, *, until: datetime | None
) -> datetime | None:
    """Return the next good hour that is free for an item; if it is later than `until`, any earlier hour that caps leave
    free; None if there is none.
    """
    at = free_time(deps, tx, agent, row, after)
    if until is None or at <= until:
        return at
    taken = items.taken(tx, row.agent_id, row.account_id, after, but=row.id)
    zone = hours_of(deps, agent, row.account_id, row.surface).zone
    return times.any_free(zone, after, until, taken, room_of(deps, agent, row.account_id), minute=row.agent_id.int % 10)
