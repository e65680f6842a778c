"""What a worker does with messages on Redis: nothing is written there about them, and Flower is told of all."""

from __future__ import annotations

import signal
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import redis

from fleet.core import queue
from fleet.core.queue import Message
from tests.e2e.world import World, wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


@contextmanager
def listening(broker_url: str) -> Iterator[list[str]]:
    """Collect the ids of tasks that the worker says have succeeded, as Flower hears of them, once anything is heard.

    Whoever listens too late misses what was said, so a worker's heartbeat, which comes every two seconds, is awaited.
    """
    heard: list[str] = []
    listens = threading.Event()
    app = queue.make_app(broker_url)
    connection = app.connection_for_read()
    on = {
        "task-succeeded": lambda event: heard.append(event["uuid"]),
        "worker-heartbeat": lambda _: listens.set(),
    }
    receiver: Any = app.events.Receiver(connection, handlers=on)
    thread = threading.Thread(target=receiver.capture)
    thread.start()
    try:
        assert listens.wait(60), "no worker was heard"
        yield heard
    finally:
        receiver.should_stop = True
        thread.join(60)
        connection.release()


def test_redis_is_told_nothing_back_and_flower_everything_even_at_the_end(world: World) -> None:
    world.start_worker(concurrency=4)
    with listening(world.broker_url) as heard, redis.Redis.from_url(world.broker_url) as broker:

        def send(number: int) -> None:
            messages = [Message("fleet.browse", (str(uuid.uuid4()),), "low") for _ in range(number)]
            world.deps.publisher.publish(messages)

        send(30)
        wait_until("all are told of", lambda: len(set(heard)) == 30)
        assert not broker.exists("unacked", "unacked_index")
        send(1)
        wait_until("it is done", lambda: world.log("worker").count("job_is_not_in_the_ledger") == 31)
        world.processes["worker"].send_signal(signal.SIGTERM)
        wait_until("the last one is told of", lambda: len(set(heard)) == 31)
        assert world.processes["worker"].wait(60) == 0
