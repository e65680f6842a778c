"""A receiver that is down: its deliveries wait without work and events, nothing is lost, and other kinds go on."""

from __future__ import annotations

import json
import uuid
from collections import Counter, deque
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from fleet.accounts.sealing import new_key
from fleet.core import events
from fleet.core.errors import Conflict
from fleet.core.queue import QUEUES, Message
from fleet.engine.attempts.perform import perform
from fleet.engine.dispatch import dispatch
from fleet.engine.jobs import ledger
from fleet.engine.jobs.ledger import NewJob
from fleet.engine.jobs.ticks import TickKey
from fleet.engine.sweep import sweep
from fleet.engine.system_agents import staff
from fleet.engine.tick import tick
from fleet.features.controls import commands as fleetwide
from fleet.features.drafts.kinds import SCAN_FEED
from fleet.features.publishing.kinds import BROWSE, COMMENT
from fleet.features.webhooks import commands as hooks
from fleet.features.webhooks.outbound import pacing, positions
from fleet.features.webhooks.outbound.subscriptions import SubscriptionFields
from tests import receiver as receivers
from tests.factories import Fleet, make_fleet
from tests.features.drafts.test_scan import supervised
from tests.features.webhooks.test_webhooks import delivery_jobs, look
from tests.receiver import Receiver

DEAD = "127.0.0.1:9"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receivers.running() as running:
        yield running


@pytest.fixture
def fleet(database_url: str, receiver: Receiver) -> Iterator[Fleet]:
    made = make_fleet(
        database_url, hooks_allow=f"{receiver.allow},{DEAD}", secret_keys=new_key(), hooks_waiting=20, hooks_at_once=4
    )
    staff(made.deps.db)
    look(made)
    yield made
    made.deps.close()


class Worker:
    """One worker that takes messages in the order of the queues, and counts what it does."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.queues: dict[str, deque[Message]] = {name: deque() for name in QUEUES}
        self.done = Counter[str]()

    def work(self, most: int = 10_000) -> None:
        """Take so many messages, or until there is none."""
        for _ in range(most):
            for message in self.fleet.bell.take():
                self.queues[message.queue].append(message)
            message = next((queue.popleft() for queue in self.queues.values() if queue), None)
            if message is None:
                return
            self.done[message.task] += 1
            if message.task == "fleet.tick":
                tick(self.fleet.deps, TickKey(uuid.UUID(str(message.args[0])), int(message.args[1])))
            else:
                perform(self.fleet.deps, uuid.UUID(str(message.args[0])))


def subscribe(fleet: Fleet, where: str, *subjects: str) -> uuid.UUID:
    return hooks.create(fleet.deps, SubscriptionFields(where, subjects or ("thing.*",)), by="test").subscription.id


def happen(fleet: Fleet, number: int, *, first: int = 0) -> None:
    with fleet.deps.db.transaction() as tx:
        for each in range(first, first + number):
            events.emit(tx, "thing.done", number=each)


def told(fleet: Fleet) -> Counter[str]:
    rows = fleet.sql("SELECT subject, count(*) FROM events WHERE subject LIKE 'job.%' GROUP BY 1")
    return Counter(dict(rows.tuples().all()))


def rest_is_over(fleet: Fleet) -> None:
    fleet.sql("UPDATE hook_subscriptions SET last_failure_at = last_failure_at - interval '6 min'")


def waiting(fleet: Fleet) -> int:
    return sum(job.state == "ready" for job in delivery_jobs(fleet))


def test_a_receiver_that_is_down_costs_a_probe_now_and_again(fleet: Fleet) -> None:
    worker = Worker(fleet)
    subscribe(fleet, f"http://{DEAD}/in")
    look(fleet)
    happen(fleet, 100)
    look(fleet)
    worker.work()
    for _ in range(5):  # while it rests nothing is claimed, published or told
        sweep(fleet.deps)
        look(fleet)
        worker.work()
    tries = worker.done["fleet.deliver"]
    assert tries <= 4
    for _ in range(3):
        rest_is_over(fleet)
        for _ in range(2):
            sweep(fleet.deps)
            look(fleet)
            worker.work()
    assert worker.done["fleet.deliver"] == tries + 3, "one probe for each rest"
    assert told(fleet) == {"job.retrying": worker.done["fleet.deliver"]}
    assert len(delivery_jobs(fleet)) == 20, "the other events wait at the position of the webhook"
    with fleet.deps.db.transaction() as tx:
        assert len(positions.behind(tx)) == 1


def test_a_recovered_receiver_gets_one_delivery_for_each_missed_event(fleet: Fleet, receiver: Receiver) -> None:
    worker, well = Worker(fleet), subscribe(fleet, receiver.url + "/well")
    ill = subscribe(fleet, receiver.url + "/ill")
    look(fleet)
    receiver.refused = "/in/ill"
    for first in range(0, 150, 30):
        happen(fleet, 30, first=first)
        look(fleet)
        sweep(fleet.deps)
        worker.work()
        rest_is_over(fleet)
    wells = [json.loads(got.body)["payload"]["number"] for got in receiver.got if got.path == "/in/well"]
    assert len(set(wells)) >= 100, "the other receiver is told as if nothing were wrong"
    receiver.refused = None
    receiver.got.clear()
    rest_is_over(fleet)
    for _ in range(40):
        fleet.time_passes()
        sweep(fleet.deps)
        look(fleet)
        worker.work()
    numbers = Counter(json.loads(got.body)["payload"]["number"] for got in receiver.got if got.path == "/in/ill")
    assert numbers == Counter(range(150))
    jobs = Counter((job.payload["subscription"], job.payload["event"]["id"]) for job in delivery_jobs(fleet))
    assert set(jobs.values()) == {1}
    assert Counter(one for one, _ in jobs) == {str(well): 150, str(ill): 150}
    assert {job.state for job in delivery_jobs(fleet)} == {"done"}
    with fleet.deps.db.transaction() as tx:
        assert positions.behind(tx) == {}


def test_one_probe_that_is_taken_wakes_the_rest(fleet: Fleet, receiver: Receiver) -> None:
    worker = Worker(fleet)
    subscribe(fleet, receiver.url)
    look(fleet)
    happen(fleet, 12)
    receiver.always = (500, {}, b"")
    look(fleet)
    worker.work()
    assert 3 <= len(receiver.got) <= 4
    receiver.always = (204, {}, b"")
    rest_is_over(fleet)
    assert pacing.publish(fleet.deps) == 1
    worker.work()
    assert {job.state for job in delivery_jobs(fleet)} == {"done"}, "no sweep was needed, nor another rest"


def test_a_flood_of_deliveries_does_not_starve_scans(database_url: str, receiver: Receiver) -> None:
    fleet = make_fleet(database_url, hooks_allow=DEAD, secret_keys=new_key())
    staff(fleet.deps.db)
    look(fleet)
    for _ in range(10):
        subscribe(fleet, f"http://{DEAD}/in")
    look(fleet)
    happen(fleet, 500)
    for _ in range(3):
        look(fleet)
    assert waiting(fleet) == 5000
    agents = [supervised(fleet) for _ in range(5)]
    worker = Worker(fleet)
    for _ in range(3):
        dispatch(fleet.deps)
        sweep(fleet.deps)
        worker.work(15)
    assert {job.state for job in fleet.jobs(kind=SCAN_FEED)} == {"done"}
    assert worker.done["fleet.scan_feed"] == len(agents)
    assert sum(worker.done.values()) <= 45
    assert told(fleet)["job.held"] + told(fleet)["job.duplicate"] == 0
    fleet.deps.close()


def test_one_sweep_publishes_jobs_of_every_kind_however_many_of_one_are_due(fleet: Fleet) -> None:
    agent = fleet.agent()
    kinds = [BROWSE] * 3500 + [COMMENT, SCAN_FEED]
    with fleet.deps.db.transaction() as tx:
        ledger.add(tx, [NewJob(uuid.uuid4(), agent, kind, "floimg") for kind in kinds])
    fleet.sql("UPDATE jobs SET published_at = NULL, publishes = 0")
    fleet.bell.take()
    sweep(fleet.deps)
    assert {"fleet.comment", "fleet.scan_feed"} <= {message.task for message in fleet.bell.take()}


def test_a_message_that_waits_in_a_long_queue_is_not_sent_again(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    agent = fleet.agent(running=False)
    with fleet.deps.db.transaction() as tx:
        ledger.add(tx, [NewJob(uuid.uuid4(), agent, COMMENT, "floimg")])
    late_s = 2 * fleet.deps.settings.republish_s
    fleet.sql("UPDATE jobs SET published_at = clock_timestamp() - make_interval(secs => :s)", s=late_s)
    with monkeypatch.context() as patch:
        patch.setattr(fleet.bell, "depths", lambda: {"normal": 100})
        assert sweep(fleet.deps).jobs_rung == 0
    assert sweep(fleet.deps).jobs_rung == 1


@pytest.mark.parametrize("how", ["remove", "off", "gone"])
def test_what_waits_goes_with_its_webhook(fleet: Fleet, receiver: Receiver, how: str) -> None:
    kept, gone = subscribe(fleet, receiver.url + "/a"), subscribe(fleet, receiver.url + "/b")
    look(fleet)
    happen(fleet, 30)
    look(fleet)
    assert waiting(fleet) == 40
    if how == "gone":
        receiver.answer(410)
        first = next(job for job in delivery_jobs(fleet) if job.payload["subscription"] == str(gone))
        perform(fleet.deps, first.id)
    elif how == "remove":
        hooks.remove(fleet.deps, gone, by="test")
    else:
        hooks.switch(fleet.deps, gone, on=False, by="test")
    states = Counter((job.payload["subscription"], str(job.state)) for job in delivery_jobs(fleet))
    assert states[str(gone), "ready"] == 0
    assert states[str(gone), "cancelled"] == (19 if how == "gone" else 20)
    assert states[str(kept), "ready"] == 20
    assert told(fleet)["job.cancelled"] == 0
    with fleet.deps.db.transaction() as tx:
        assert set(positions.behind(tx)) == {kept}
    # A delivery that was added at this very moment is cancelled by the sweep.
    fleet.sql(
        "UPDATE jobs SET state = 'ready', finished_at = NULL, published_at = NULL WHERE state = 'cancelled' AND"
        " id IN (SELECT id FROM jobs WHERE state = 'cancelled' LIMIT 5)"
    )
    sweep(fleet.deps)
    states = Counter((job.payload["subscription"], str(job.state)) for job in delivery_jobs(fleet))
    assert states[str(gone), "ready"] == 0


def test_there_may_be_so_many_webhooks(database_url: str, receiver: Receiver) -> None:
    fleet = make_fleet(database_url, hooks_allow=receiver.allow, secret_keys=new_key(), hooks_limit=2)
    first, _ = subscribe(fleet, receiver.url), subscribe(fleet, receiver.url)
    with pytest.raises(Conflict, match="at most 2") as refused:
        subscribe(fleet, receiver.url)
    assert "FLEET_HOOKS_LIMIT" in str(refused.value.fix)
    hooks.remove(fleet.deps, first, by="test")
    subscribe(fleet, receiver.url)
    fleet.deps.close()


def test_what_a_person_asks_for_is_sent_at_once(fleet: Fleet, receiver: Receiver) -> None:
    made = subscribe(fleet, receiver.url)
    happen(fleet, 20)
    fleet.bell.take()
    job = hooks.test(fleet.deps, made, by="ana")
    assert [message.args for message in fleet.bell.take()] == [(str(job),)]


def test_dead_letters_that_are_replayed_are_paced_too(fleet: Fleet, receiver: Receiver) -> None:
    worker, made = Worker(fleet), subscribe(fleet, receiver.url)
    look(fleet)
    happen(fleet, 15)
    receiver.always = (400, {}, b"")
    for _ in range(16):
        look(fleet)
        sweep(fleet.deps)
        worker.work()
        rest_is_over(fleet)
    assert {job.state for job in delivery_jobs(fleet)} == {"dead"}
    receiver.always = (204, {}, b"")
    rest_is_over(fleet)
    fleet.bell.take()
    assert hooks.replay_failed(fleet.deps, made, by="ana") == 15
    assert [message for message in fleet.bell.take() if message.task == "fleet.deliver"] == []
    sweep(fleet.deps)
    worker.work()
    assert {job.state for job in delivery_jobs(fleet)} == {"done"}


def test_a_second_process_publishes_nothing_beyond_the_limit(fleet: Fleet, receiver: Receiver) -> None:
    subscribe(fleet, receiver.url)
    subscribe(fleet, receiver.url)
    look(fleet)
    happen(fleet, 10)
    look(fleet)
    assert pacing.publish(fleet.deps) == 0, "the tick has published as many as may be under way"
    messages: list[Any] = [message for message in fleet.bell.take() if message.task == "fleet.deliver"]
    lanes = Counter(fleet.job(uuid.UUID(message.args[0])).payload["subscription"] for message in messages)
    assert sorted(lanes.values()) == [2, 2]
    with fleet.deps.db.transaction() as tx:
        assert tx.scalar(sa.text("SELECT count(*) FROM jobs WHERE published_at IS NOT NULL AND kind = 'deliver'")) == 4


@pytest.mark.parametrize(("scope", "key"), [("kind", "deliver"), ("agent", "fleet_hooks")])
def test_nothing_is_published_while_deliveries_are_paused(
    fleet: Fleet, receiver: Receiver, scope: str, key: str
) -> None:
    worker = Worker(fleet)
    subscribe(fleet, receiver.url)
    look(fleet)
    happen(fleet, 10)
    fleetwide.pause(fleet.deps, scope, key, by="test")
    look(fleet)
    sweep(fleet.deps)
    worker.work()
    assert worker.done["fleet.deliver"] == 0
    fleetwide.resume(fleet.deps, scope, key, by="test")
    look(fleet)
    worker.work()
    assert len(receiver.got) == 10
