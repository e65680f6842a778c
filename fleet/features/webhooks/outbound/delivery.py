"""Payloads of events for receivers, their jobs, and the record of each try.

Called by the webhook agent, its handlers, and the commands of `fleet.features.webhooks.commands`.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from fleet.core import events, ids
from fleet.core.db import Tx
from fleet.core.errors import Conflict
from fleet.core.events import Event
from fleet.core.subjects import matches
from fleet.engine import publish
from fleet.engine.agents.models import AgentRow
from fleet.engine.deps import Deps
from fleet.engine.events import positions
from fleet.engine.jobs import pacing as paced
from fleet.engine.jobs.ledger import NewJob
from fleet.engine.system_agents import SURFACE
from fleet.features.notices import service as operator_notices
from fleet.features.webhooks.kinds import ALARM, DELIVER, HANDLE
from fleet.features.webhooks.outbound import deliveries, pacing, subscriptions
from fleet.features.webhooks.outbound import positions as webhook_positions
from fleet.features.webhooks.outbound.deliveries import Tried
from fleet.features.webhooks.outbound.subscriptions import Subscription

_TELLING = frozenset({ALARM, DELIVER, HANDLE})


_COMMANDS = ("control.*", "agent.paused", "agent.resumed", "agent.started", "agent.stopped")
"""Commands of people. Delivering one of these causes no further event, also where it is about the delivering agent."""


def is_own(event: Event, agent_id: uuid.UUID) -> bool:
    """Return whether an event comes from the delivery of events: delivering it would loop."""
    if event.agent_id == agent_id:
        return not any(matches(event.subject, one) for one in _COMMANDS)
    return event.subject.startswith("job.") and event.payload.get("kind") in _TELLING


def agent_id(tx: Tx) -> uuid.UUID:
    """Return the agent that delivers. Raises Conflict if the fleet has none."""
    query = sa.select(AgentRow.id).where(AgentRow.kind == "hooks", AgentRow.deleted_at.is_(None)).limit(1)
    found: uuid.UUID | None = tx.scalar(query)
    if found is None:
        raise Conflict(
            "The fleet has no agent that delivers webhooks.", fix="`fleet migrate` makes it where it never was."
        )
    return found


def told(event: Event) -> dict[str, Any]:
    """Return an event as a receiver reads it."""
    return {
        "id": str(event.position.id),
        "position": positions.written(event.position),
        "subject": event.subject,
        "occurred_at": event.occurred_at.isoformat(),
        "agent": None if event.agent_id is None else str(event.agent_id),
        "job": None if event.job_id is None else str(event.job_id),
        "payload": dict(event.payload),
    }


def job(deliverer: uuid.UUID, subscription_id: uuid.UUID, event: Event, *, alarm: bool = False) -> NewJob:
    """Return the one job that brings an event to a receiver: its id follows from both.

    `alarm`: the webhook is marked as one. Alarms are not paced.
    """
    is_alarm = alarm and any(matches(event.subject, one) for one in subscriptions.ALARM_SUBJECTS)
    return NewJob(
        ids.derived("delivery", subscription_id, event.position.txid, event.position.id), deliverer,
        ALARM if is_alarm else DELIVER, SURFACE, payload=_payload(subscription_id, told(event)),
        lane=None if is_alarm else str(subscription_id),
    )  # fmt: skip


def trial(deliverer: uuid.UUID, subscription_id: uuid.UUID, moment: str, *, by: str) -> NewJob:
    """Return a job that sends a test event to a receiver."""
    job_id = ids.new()
    said = {
        "id": f"test-{job_id}", "position": "", "subject": "hook.test", "occurred_at": moment, "agent": None,
        "job": None, "payload": {"by": by},
    }  # fmt: skip
    payload = {**_payload(subscription_id, said), "trial": True}
    return NewJob(job_id, deliverer, DELIVER, SURFACE, payload=payload, requested_by=by)


def _payload(subscription_id: uuid.UUID, said: Mapping[str, Any]) -> dict[str, Any]:
    return {"subscription": str(subscription_id), "event": dict(said)}


def add(deps: Deps, tx: Tx, jobs: list[NewJob]) -> None:
    """Add deliveries to the ledger, and publish them after COMMIT."""
    publish.add_jobs(tx, deps.publisher, jobs)  # alarms and requests of people; `pacing` publishes the others
    rows = [(one.id, uuid.UUID(one.payload["subscription"]), one.payload["event"]["subject"],
             one.payload["event"]["position"]) for one in jobs]  # fmt: skip
    deliveries.add(tx, rows)
    tx.afterwards(lambda: pacing.go_on(deps))


def note(tx: Tx, job_id: uuid.UUID, subscription_id: uuid.UUID, tried: Tried, *, is_taken: bool) -> bool:
    """Record the result of a try; return whether the receiver has failed so long that it is switched off."""
    deliveries.note(tx, job_id, tried)
    if not is_taken:
        return subscriptions.went_wrong(tx, subscription_id)
    if subscriptions.went_well(tx, subscription_id):
        waiting = paced.later(tx, DELIVER, str(subscription_id))
        # a Retry-After of the receiver has priority
        paced.make_due(tx, set(waiting) - deliveries.refused_for_now(tx, waiting))
    return False


def give_up(deps: Deps, tx: Tx, found: Subscription, deliverer: uuid.UUID, why: str) -> None:
    """Switch a subscription off automatically, and notify people."""
    if not subscriptions.switch_off(tx, found.id, why):
        return
    number = let_go(tx, found.id, f"the webhook is off: {why}")
    events.emit(tx, "hook.disabled", hook=str(found.id), name=found.name, why=why, by="fleet", cancelled=number)
    body = f"{found.name}: {why}. It stays disabled until a person enables it: fleet hooks list"
    operator_notices.add(deps, tx, "hook.disabled", "A webhook was switched off", body, sender=deliverer)


def let_go(tx: Tx, subscription_id: uuid.UUID, why: str) -> int:
    """Cancel the waiting deliveries of a subscription that is removed or switched off, and delete its position; return
    how many.

    Deliveries that are added at this moment are cancelled by the sweep.
    """
    positions.forget(tx, webhook_positions.of_webhook(subscription_id))
    return paced.cancel(tx, DELIVER, str(subscription_id), why=why)
