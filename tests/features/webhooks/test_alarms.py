"""Alarms: what webhooks that are marked get at once, whatever rests, waits or is paused."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator

import pytest

from fleet.accounts.sealing import new_key
from fleet.core import events
from fleet.engine.attempts.perform import perform
from fleet.engine.dispatch import dispatch
from fleet.engine.jobs.states import JobState
from fleet.engine.system_agents import staff
from fleet.features.controls import commands as fleetwide
from fleet.features.webhooks import commands as hooks
from fleet.features.webhooks.kinds import ALARM, DELIVER
from fleet.features.webhooks.outbound.subscriptions import ALARM_SUBJECTS, Subscription, SubscriptionFields
from tests import receiver as receivers
from tests.factories import Fleet, make_fleet
from tests.features.webhooks.test_webhooks import deliverer, look
from tests.receiver import Receiver


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receivers.running() as running:
        yield running


@pytest.fixture
def fleet(database_url: str, receiver: Receiver) -> Iterator[Fleet]:
    made = make_fleet(database_url, hooks_allow=receiver.allow, secret_keys=new_key())
    staff(made.deps.db)
    look(made)
    yield made
    made.deps.close()


def mark(fleet: Fleet, receiver: Receiver, *subjects: str) -> Subscription:
    return hooks.create(fleet.deps, SubscriptionFields(receiver.url, subjects, alarm=True), by="test").subscription


def happens(fleet: Fleet, *subjects: str) -> None:
    with fleet.deps.db.transaction() as tx:
        for subject in subjects:
            events.emit(tx, subject)


def ring(fleet: Fleet) -> None:
    """Let a second pass: what is published then is carried out. No tick of `fleet_hooks` is."""
    dispatch(fleet.deps)
    for message in fleet.bell.take():
        if message.task == "fleet.alarm":
            assert message.queue == "critical"
            perform(fleet.deps, uuid.UUID(str(message.args[0])))


def heard(receiver: Receiver) -> list[str]:
    return sorted(json.loads(got.body)["subject"] for got in receiver.got)


ONE_OF_EACH = ("account.refused", "alert.down", "budget.spent", "control.paused")


def test_an_alarm_hears_of_its_subjects_within_a_second_and_of_no_other(fleet: Fleet, receiver: Receiver) -> None:
    made = mark(fleet, receiver)
    assert made.subjects == ALARM_SUBJECTS
    happens(fleet, *ONE_OF_EACH, "job.done", "agent.created")
    ring(fleet)
    assert heard(receiver) == sorted(ONE_OF_EACH)
    ring(fleet)
    look(fleet)  # the agent of the hooks reads the same events
    ring(fleet)
    assert heard(receiver) == sorted(ONE_OF_EACH), "each once"
    assert not fleet.jobs(kind=DELIVER)


def test_no_pause_kill_switch_or_rest_of_the_receiver_delays_an_alarm(fleet: Fleet, receiver: Receiver) -> None:
    made = mark(fleet, receiver)
    fleet.sql(
        "UPDATE hook_subscriptions SET failures = 9, failing_since = clock_timestamp(),"
        " last_failure_at = clock_timestamp() WHERE id = :id",
        id=made.id,
    )
    fleetwide.pause(fleet.deps, "fleet", "*", by="ana")
    fleetwide.pause(fleet.deps, "kind", DELIVER, by="ana")
    fleetwide.pause(fleet.deps, "agent", str(deliverer(fleet)), by="ana")
    fleetwide.throw_kill_switch(fleet.deps, by="ana", reason="fire")
    ring(fleet)
    assert heard(receiver) == ["control.kill_switch.thrown"] + ["control.paused"] * 3


def test_an_alarm_that_is_not_taken_is_tried_again_within_seconds(fleet: Fleet, receiver: Receiver) -> None:
    mark(fleet, receiver)
    receiver.answer(500)
    happens(fleet, "alert.down")
    ring(fleet)
    (job,) = fleet.jobs(kind=ALARM)
    assert job.state == JobState.READY
    assert (job.next_attempt_at - fleet.job(job.id).created_at).total_seconds() < 30
    fleet.time_passes()
    perform(fleet.deps, job.id)
    assert fleet.job(job.id).state == JobState.DONE


def test_a_webhook_that_is_marked_hears_nothing_from_before(fleet: Fleet, receiver: Receiver) -> None:
    """Symptom: the position of alarms stood where the last marked webhook had left it."""
    first = mark(fleet, receiver)
    ring(fleet)
    plain = SubscriptionFields(receiver.url, ("job.dead",))
    hooks.change(fleet.deps, first.id, plain, by="ana")
    happens(fleet, "alert.down")
    ring(fleet)
    hooks.change(fleet.deps, first.id, SubscriptionFields(receiver.url, ("job.dead",), alarm=True), by="ana")
    happens(fleet, "alert.recovered")
    ring(fleet)
    assert heard(receiver) == ["alert.recovered"]
