"""The message template: what it makes is what Celery makes, and what it does not know goes the ordinary way."""

from __future__ import annotations

import functools
import json
import os
from base64 import b64decode
from collections.abc import Iterator
from typing import Any
from uuid import RFC_4122, UUID

import pytest
import redis
from celery import Celery, signals
from hypothesis import given
from hypothesis import strategies as st

from fleet.core import queue
from fleet.core.queue import Message, Publisher
from fleet.core.workarounds import celery as celery_message
from fleet.core.workarounds.celery import TaskParent
from tests.engine.fake_broker import fake_broker
from tests.factories import at_once

IDS = st.tuples(st.uuids().map(str), st.integers(-(2**63), 2**63 - 1)) | st.tuples(st.uuids().map(str))
AGENT = "6f1d0f5e-3c0a-5b3e-9d51-0a3a7f0c9e21"


@pytest.fixture
def broker() -> Iterator[str]:
    with fake_broker() as url:
        yield url


def waiting(broker: str, key: str = "ticks") -> list[dict[str, Any]]:
    """Return the messages of a queue, the oldest first."""
    with redis.Redis.from_url(broker) as client:
        return [json.loads(text) for text in reversed(client.lrange(key, 0, -1))]


def without_ids(message: dict[str, Any]) -> dict[str, Any]:
    """Take out of a message what differs from one to the next, and check that it is told the same everywhere."""
    headers, properties = message["headers"], message["properties"]
    task_id = headers.pop("id")
    assert properties.pop("correlation_id") == task_id
    assert headers.get("parent_id") is not None or headers.pop("root_id") == task_id
    assert properties.pop("delivery_tag") != task_id
    return message


def sent_one_by_one(app: Celery, message: Message) -> None:
    app.send_task(message.task, args=message.args, queue=message.queue)


def test_a_moulded_message_is_the_one_that_celery_sends(broker: str) -> None:
    app = queue.make_app(broker)
    messages = [Message("fleet.tick", (AGENT, number), "ticks") for number in range(20)]
    Publisher(app).publish(messages)
    templated = waiting(broker)
    assert len({message["properties"]["delivery_tag"] for message in templated}) == 20
    assert len({message["headers"]["id"] for message in templated}) == 20
    drawn = [UUID(message["headers"]["id"]) for message in templated]
    drawn += [UUID(message["properties"]["delivery_tag"]) for message in templated]
    assert {(one.version, one.variant) for one in drawn} == {(4, RFC_4122)}
    redis.Redis.from_url(broker).flushdb()
    for message in messages:
        sent_one_by_one(app, message)
    assert [without_ids(one) for one in templated] == [without_ids(one) for one in waiting(broker)]


@given(ids=IDS)
def test_any_ids_stand_in_body_and_headers_as_celery_writes_them(ids: tuple[str | int, ...]) -> None:
    app = Celery("fleet")
    headers, _, body, _ = app.amqp.create_task_message("one", "fleet.tick", ids, {})
    template = celery_message.MessageTemplate("ticks", '{"repr": "%(args_repr)s", "body": "%(body)s"}', "%s")
    filled = json.loads(template.fill(ids, TaskParent(), os.urandom(celery_message.RANDOM_BYTES)))
    assert filled["repr"] == headers["argsrepr"]
    assert json.loads(b64decode(filled["body"])) == list(body[0])


def test_messages_of_several_kinds_each_go_to_their_queue_in_their_order(broker: str) -> None:
    messages = [Message(f"fleet.{kind}", (f"{AGENT}-{number}",), where)
                for number in range(600) for kind, where in (("like", "low"), ("post", "normal"))]  # fmt: skip
    Publisher(queue.make_app(broker)).publish(messages)
    for kind, where in (("like", "low"), ("post", "normal")):
        told = waiting(broker, where)
        assert {message["headers"]["task"] for message in told} == {f"fleet.{kind}"}
        assert [json.loads(b64decode(message["body"]))[0] for message in told] == [
            [f"{AGENT}-{number}"] for number in range(600)
        ]


def test_a_key_prefix_is_kept(broker: str) -> None:
    app = queue.make_app(broker)
    app.conf.broker_transport_options = {**app.conf.broker_transport_options, "global_keyprefix": "ours:"}
    assert template_of(app) is not None
    Publisher(app).publish([Message("fleet.tick", (AGENT, number), "ticks") for number in range(10)])
    assert len(waiting(broker, "ours:ticks")) == 10
    assert waiting(broker, "ticks") == []


def test_messages_name_the_task_that_sent_them(broker: str) -> None:
    app = queue.make_app(broker)
    publisher = Publisher(app)

    @app.task(name="fleet.dispatch")
    def dispatch() -> None:
        publisher.publish([Message("fleet.tick", (AGENT, number), "ticks") for number in range(10)])
        sent_one_by_one(app, Message("fleet.tick", (AGENT, 10), "ticks"))

    for task_id in ("one", "another"):
        dispatch.apply(task_id=task_id)
    lines = [(m["headers"]["root_id"], m["headers"]["parent_id"]) for m in waiting(broker)]
    assert lines == [("one", "one")] * 11 + [("another", "another")] * 11


@pytest.mark.parametrize("settings", [{}, {"task_serializer": "yaml"}], ids=["templated", "one by one"])
def test_messages_that_threads_send_together_name_each_its_own_task(broker: str, settings: dict[str, Any]) -> None:
    app = queue.make_app(broker)
    app.conf.update(settings)
    publisher = Publisher(app)

    @app.task(name="fleet.tick")
    def decide(job_id: str) -> None:
        publisher.publish([Message("fleet.like", (job_id,), "low")])

    names = ("one", "two", "three")
    at_once(publisher._group, *(functools.partial(decide.apply, args=(f"job-{name}",), task_id=name) for name in names))
    told = [message["headers"] for message in waiting(broker, "low")]
    assert sorted((one["argsrepr"], one["root_id"], one["parent_id"]) for one in told) == sorted(
        (f"('job-{name}',)", name, name) for name in names
    )


@pytest.mark.parametrize(
    "settings",
    [
        {"task_send_sent_event": True},
        {"task_compression": "gzip"},
        {"task_serializer": "yaml"},
        {"task_protocol": 1},
    ],
    ids=lambda settings: next(iter(settings)),
)
def test_what_the_template_does_not_know_goes_the_ordinary_way(broker: str, settings: dict[str, Any]) -> None:
    app = queue.make_app(broker)
    app.conf.update(settings)
    assert template_of(app) is None
    assert waiting(broker) == []
    Publisher(app).publish([Message("fleet.tick", (AGENT, number), "ticks") for number in range(10)])
    assert len(waiting(broker)) == 10


def test_hooks_on_publishing_see_every_message(broker: str) -> None:
    seen: list[str] = []

    def hook(headers: dict[str, Any], **_: Any) -> None:
        headers["traceparent"] = "00-1"
        seen.append(headers["id"])

    signals.before_task_publish.connect(hook)
    try:
        Publisher(queue.make_app(broker)).publish([Message("fleet.tick", (AGENT, n), "ticks") for n in range(10)])
    finally:
        signals.before_task_publish.disconnect(hook)
    assert [message["headers"]["id"] for message in waiting(broker)] == seen
    assert {message["headers"]["traceparent"] for message in waiting(broker)} == {"00-1"}


def test_another_broker_is_never_shown_the_mould() -> None:
    app = queue.make_app("memory://")
    assert template_of(app) is None
    publisher = Publisher(app)
    publisher.publish([Message("fleet.tick", (AGENT, number), "ticks") for number in range(10)])
    assert publisher.depths()["ticks"] == 10


def template_of(app: Celery) -> celery_message.MessageTemplate | None:
    with app.producer_or_acquire() as producer:
        return (
            celery_message.template_for(app, producer, "fleet.tick", "ticks")
            if celery_message.is_supported(producer)
            else None
        )
