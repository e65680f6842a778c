"""Alarms: the events that webhooks marked as alarms get at once, whatever else waits.

Called each second. Alarms have a position and a kind of job of their own: no tick of `fleet_hooks`, no lane, no rest of
the receiver and no pause delays them. The id of the job follows from webhook and event, so an event that the webhook
also subscribed to is delivered once.
"""

from __future__ import annotations

import uuid

import sqlalchemy as sa

from fleet.core import logs
from fleet.core.db import Tx
from fleet.core.db.sql import Statement
from fleet.core.errors import Conflict
from fleet.engine.deps import Deps
from fleet.engine.events import positions
from fleet.features.webhooks.models import SubscriptionRow
from fleet.features.webhooks.outbound import delivery, subscriptions
from fleet.features.webhooks.outbound.positions import ALARMS
from fleet.features.webhooks.outbound.subscriptions import ALARM_SUBJECTS

_ANY_MARKED = Statement(sa.select(SubscriptionRow.id).where(SubscriptionRow.active, SubscriptionRow.alarm).limit(1))
_MOST_READ = 500
log = logs.get(__name__)


def begin(tx: Tx, subscription_id: uuid.UUID) -> None:
    """Have alarms read from now on, if no other webhook has had them read: called when a webhook is marked."""
    other = sa.exists().where(SubscriptionRow.active, SubscriptionRow.alarm, SubscriptionRow.id != subscription_id)
    if not tx.scalar(sa.select(other)):
        positions.forget(tx, ALARMS)
    positions.standing(tx, ALARMS)


def add(deps: Deps) -> int:
    """Add a job for each new alarm and each webhook that is marked; return how many."""
    if not deps.db.run(_ANY_MARKED):  # one round trip, as this is asked each second
        return 0
    with deps.db.transaction() as tx:
        try:
            deliverer = delivery.agent_id(tx)
        except Conflict:
            return 0
        found = positions.take(tx, ALARMS, only=ALARM_SUBJECTS, limit=_MOST_READ)
        if not found:
            return 0
        marked = [one for one in subscriptions.listed(tx) if one.active and one.alarm]
        jobs = [
            delivery.job(deliverer, one.id, event, alarm=True)
            for event in found
            for one in marked
            if event.occurred_at >= one.active_since and not delivery.is_own(event, deliverer)
        ]
        delivery.add(deps, tx, jobs)
    return len(jobs)
