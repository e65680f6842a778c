"""Webhooks: each event is told once to each subscription that wants it, signed, whatever dies and whoever answers what."""

from __future__ import annotations

import hashlib
import hmac
import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from fleet.agents.models import AgentRow
from fleet.core import events, ids
from fleet.core.errors import Conflict, InvalidInput
from fleet.hooks.models import DeliveryRow, SubscriptionRow
from fleet.hooks.subscriptions import Wanted
from fleet.jobs import ticks
from fleet.jobs.models import JobRow
from fleet.jobs.policy import JobKind
from fleet.jobs.states import JobState
from fleet.jobs.ticks import TickKey
from fleet.keystore.sealing import new_key
from fleet.runtime import fleetwide, hooks, people
from fleet.runtime.hooks import Made
from fleet.runtime.perform import perform
from fleet.runtime.staffing import staff
from fleet.runtime.sweep import sweep
from fleet.runtime.tick import tick
from tests import receiver as receivers
from tests.factories import Fleet, make_fleet
from tests.receiver import Got, Receiver


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receivers.running() as running:
        yield running


@pytest.fixture
def fleet(database_url: str, receiver: Receiver) -> Iterator[Fleet]:
    """A fleet with its staff, whose hooks may call the receiver on this machine."""
    made = make_fleet(database_url, hooks_allow=receiver.allow, secret_keys=new_key())
    staff(made.deps.db)
    look(made)  # what was before is no news
    yield made
    made.deps.close()


def deliverer(fleet: Fleet) -> uuid.UUID:
    with fleet.deps.db.transaction() as tx:
        return uuid.UUID(str(tx.scalar(sa.select(AgentRow.id).where(AgentRow.kind == "hooks"))))


def open_tick(fleet: Fleet) -> TickKey:
    agent_id = deliverer(fleet)
    with fleet.deps.db.transaction() as tx:
        last = tx.scalar(
            sa.text("SELECT coalesce(max(tick_no), 0) FROM ticks WHERE agent_id = :id").bindparams(id=agent_id)
        )
        key = TickKey(agent_id, int(last) + 1)
        ticks.open_ticks(tx, [(key, tx.now())])
        tx.execute(sa.update(AgentRow).where(AgentRow.id == agent_id).values(tick_no=key.tick_no, status="running"))
    return key


def look(fleet: Fleet) -> None:
    """Let the agent of the hooks look once at what has happened."""
    tick(fleet.deps, open_tick(fleet))


def subscribe(fleet: Fleet, receiver: Receiver, *subjects: str) -> Made:
    return hooks.create(fleet.deps, Wanted(receiver.url, subjects or ("thing.*",)), by="test")


def happens(fleet: Fleet, subject: str = "thing.done", **payload: Any) -> None:
    with fleet.deps.db.transaction() as tx:
        events.emit(tx, subject, **payload)


def delivery_jobs(fleet: Fleet) -> list[JobRow]:
    return fleet.jobs(kind=JobKind.DELIVER)


def deliver(fleet: Fleet) -> list[JobRow]:
    """Carry out every delivery that is due, and return them all."""
    for job in delivery_jobs(fleet):
        perform(fleet.deps, job.id)
    return delivery_jobs(fleet)


def verified(got: Got, secret: str) -> bool:
    """Verify as docs/webhooks.md tells a receiver to."""
    parts = [part.split("=", 1) for part in got.headers["fleet-signature"].split(",")]
    stamp = next(value for name, value in parts if name == "t")
    wanted = hmac.new(secret.encode(), stamp.encode() + b"." + got.body, hashlib.sha256).hexdigest()
    return any(hmac.compare_digest(wanted, value) for name, value in parts if name == "v1")


def test_an_event_is_delivered_signed_to_whoever_wants_it(fleet: Fleet, receiver: Receiver) -> None:
    made = subscribe(fleet, receiver, "thing.*")
    subscribe(fleet, receiver, "other.done")
    agent = fleet.agent()
    with fleet.deps.db.transaction() as tx:
        events.emit(tx, "thing.done", agent_id=agent, words="a harbour")
    look(fleet)
    (job,) = deliver(fleet)
    (got,) = receiver.got
    said = json.loads(got.body)
    assert job.state == JobState.DONE
    assert verified(got, made.secret)
    assert not verified(got, made.secret + "x")
    assert (said["subject"], said["agent"], said["payload"]) == ("thing.done", str(agent), {"words": "a harbour"})
    assert got.headers["fleet-event-id"] == said["id"]
    assert got.headers["fleet-event-subject"] == "thing.done"
    assert got.headers["fleet-delivery"] == str(job.id)
    (kept,) = hooks.history(fleet.deps, made.subscription.id)
    assert (kept.state, kept.status, kept.position) == ("done", 204, said["position"])
