"""The doorbell: what is sent, where it waits, and what is said when nobody hears it."""

from __future__ import annotations

import functools
import json
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
import redis
from celery import Celery

from beat_schedule import BEAT_SCHEDULE
from fleet.cli.commands.check import checks
from fleet.core import clock, queue
from fleet.core.errors import InvalidInput, Unavailable
from fleet.core.queue import QUEUES, Message, Publisher
from tests.engine.fake_broker import fake_broker
from tests.factories import at_once


@pytest.fixture
def broker() -> Iterator[str]:
    with fake_broker() as url:
        yield url


def test_messages_wait_in_their_queue_and_carry_ids_alone(broker: str) -> None:
    publisher = Publisher(queue.make_app(broker))
    publisher.publish([Message("fleet.tick", ("agent", 7), "ticks"), Message("fleet.post", ("job",), "normal")])
    assert publisher.depths() == {"critical": 0, "high": 0, "normal": 1, "ticks": 1, "low": 0}
    with redis.Redis.from_url(broker) as client:
        waiting = json.loads(client.lrange("normal", 0, -1)[0])
    assert waiting["headers"]["task"] == "fleet.post"
    assert waiting["headers"]["argsrepr"] == "('job',)"
    assert len(json.dumps(waiting)) < 2000


@pytest.mark.parametrize("url", ["redis://[::1", "redis://h:99999999/0", "redis://:ses/ame@h:6379/0", "redis://h:port"])
def test_an_address_that_is_none_is_refused_by_its_variable_and_not_repeated(url: str) -> None:
    with pytest.raises(InvalidInput, match="FLEET_BROKER_URL") as refused:
        queue.make_app(url)
    assert "ses" not in str(refused.value).replace("password", "")
    assert queue.make_app("sentinel://a:26379;sentinel://b:26379")


def test_publishing_no_messages_does_not_connect() -> None:
    Publisher(queue.make_app("redis://127.0.0.1:1/0")).publish([])


@pytest.mark.long
def test_a_broker_that_is_away_is_said_to_be_away_without_its_password() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        publisher = Publisher(queue.make_app(f"redis://:sesame@127.0.0.1:{free.getsockname()[1]}/0"))
        with pytest.raises(Unavailable) as caught:
            publisher.publish([Message("fleet.post", ("job",), "normal")])
    assert "sesame" not in str(caught.value)


@pytest.mark.long
@pytest.mark.parametrize(
    "ask",
    [
        lambda app: Publisher(app).publish([Message("fleet.post", ("job",), "normal")]),
        lambda app: Publisher(app).depths(),
        lambda app: Publisher(app).version(),
        queue.describe,
        lambda app: queue.workers(app, timeout_s=0.1),
    ],
    ids=["publish", "depths", "version", "describe", "workers"],
)
def test_a_broker_that_takes_connections_and_never_answers_is_given_up(ask: Callable[[Celery], object]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        app = queue.make_app(f"redis://127.0.0.1:{silent.getsockname()[1]}/0")
        app.conf.broker_transport_options["socket_timeout"] = 0.2
        with ThreadPoolExecutor(1) as other, pytest.raises(Unavailable):
            other.submit(ask, app).result(30)


def test_who_waits_for_a_turn_to_publish_goes_with_the_next_however_many_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """Symptom: with a broker that swallows everything, of 400 threads the last waited for sixteen turns to fail."""
    publisher, turns = Publisher(queue.make_app("memory://")), []
    message = Message("fleet.post", ("job",), "normal")

    def fail(items: list[Any], _: int) -> None:
        turns.append(len(items))
        raise Unavailable("It is away.")

    monkeypatch.setattr(publisher, "_publish_all", fail)
    found = at_once(publisher._group, *[functools.partial(publisher.publish, [message])] * 60)
    assert turns == [60]
    assert {type(one) for one in found} == {Unavailable}


def test_no_broker_at_all_is_said_so() -> None:
    with pytest.raises(InvalidInput, match="FLEET_BROKER_URL"):
        queue.make_app("")


def test_the_engine_relies_on_these_settings() -> None:
    conf = queue.make_app("redis://127.0.0.1:1/0").conf
    assert conf.task_acks_late and conf.task_retry_on_worker_lost and conf.task_ignore_result
    assert conf.worker_disable_prefetch and conf.worker_prefetch_multiplier == 1
    options = conf.broker_transport_options
    assert options["queue_order_strategy"] == "priority"
    assert options["socket_timeout"] and options["health_check_interval"]
    assert [one.name for one in conf.task_queues] == list(QUEUES)
    assert all(one.no_ack for one in conf.task_queues)


def test_an_amqp_broker_gets_acknowledgements_after_the_task() -> None:
    conf = queue.make_app("amqp://127.0.0.1:1//").conf
    assert not any(one.no_ack for one in conf.task_queues)
    assert conf.task_acks_late


def test_every_periodic_task_goes_to_a_queue_that_exists_and_grows_stale() -> None:
    for entry in BEAT_SCHEDULE.values():
        options = entry["options"]
        assert isinstance(options, dict)
        assert options["queue"] in QUEUES
        assert options["expires"] > 0


def test_a_clock_that_check_only_warns_of_keeps_no_worker_from_its_periodic_tasks() -> None:
    app = queue.make_app("memory://")
    for entry in BEAT_SCHEDULE.values():
        options = entry["options"]
        assert isinstance(options, dict)
        sent = app.amqp.as_task_v2("id", str(entry["task"]), expires=options["expires"])
        ahead = clock.now() + timedelta(seconds=checks._CLOCK_FAIL_S - 1)
        assert datetime.fromisoformat(sent.headers["expires"]) > ahead
