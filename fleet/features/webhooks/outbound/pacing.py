"""Publish waiting deliveries: few at a time, fairly between receivers, one probe to a receiver that fails.

Called by the sweep, after a delivery has ended, and when the agent of the hooks has added deliveries. A receiver that
is down costs one attempt now and again; its other deliveries are neither published nor claimed and write no events.
"""

from __future__ import annotations

import uuid

import sqlalchemy as sa

from fleet.core import logs
from fleet.core.db import Tx
from fleet.core.errors import FleetError
from fleet.engine import controls
from fleet.engine import publish as doorbell
from fleet.engine.agents.models import AgentRow
from fleet.engine.deps import Deps
from fleet.engine.jobs import pacing
from fleet.features.webhooks.kinds import DELIVER
from fleet.features.webhooks.outbound import lanes, subscriptions
from fleet.features.webhooks.outbound.lanes import Lane
from fleet.features.webhooks.settings import WebhooksSettings

log = logs.get(__name__)
_STRAY = "its webhook was removed or switched off"


def publish(deps: Deps) -> int:
    """Publish the deliveries that may go out now; return how many."""
    with deps.db.transaction() as tx:
        if not pacing.is_anything_waiting(tx, DELIVER) or _is_paused(tx):
            return 0
        pacing.lock(tx)
        most = deps.settings.of(WebhooksSettings).hooks_at_once
        active = [one for one in subscriptions.listed(tx) if one.active]
        now, out = tx.now(), pacing.published(tx, DELIVER)
        found = [
            Lane(str(one.id), one.failures, one.last_failure_at, out.get(str(one.id), 0)) for one in active
        ]  # fmt: skip
        room = lanes.rooms(found, now, most=most)
        waiting = pacing.candidates(tx, DELIVER, room.keys(), each=most)
        chosen = lanes.choose([(one.lane, one.job_id) for one in waiting], found, room, most=most - sum(out.values()))
        rings = pacing.mark_published(tx, chosen)
        tx.afterwards(lambda: doorbell.ring_jobs(deps.publisher, rings))
    return len(rings)


def go_on(deps: Deps) -> None:
    """Publish the next deliveries after one has ended. Errors are left to the sweep."""
    try:
        publish(deps)
    except FleetError as error:
        log.warning("deliveries_not_published", error=str(error))


def sweep(deps: Deps) -> int:
    """Cancel deliveries whose webhook is gone or off, and publish those that are next; return how many."""
    with deps.db.transaction() as tx:
        if not pacing.is_anything_waiting(tx, DELIVER):
            return 0
        active = [str(one.id) for one in subscriptions.listed(tx) if one.active]
        pacing.cancel_strays(tx, DELIVER, active, why=_STRAY)
    return publish(deps)


def _is_paused(tx: Tx) -> bool:
    """Say whether a person has paused deliveries, by their kind or by the agent that makes them."""
    holds = controls.in_force(tx)
    if any((hold.scope, hold.key) == ("kind", DELIVER) for hold in holds):
        return True
    paused = [uuid.UUID(hold.key) for hold in holds if hold.scope == "agent"]
    delivers = sa.select(AgentRow.id).where(AgentRow.id.in_(paused), AgentRow.kind == "hooks")
    return bool(paused) and tx.scalar(delivers) is not None
