"""What a worker does with messages on Redis: nothing is written there about them, and Flower is told of all."""

from __future__ import annotations

import gzip
import json
import signal
import threading
import uuid
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis
import sqlalchemy as sa

from fleet.core import queue
from fleet.core.queue import Message
from fleet.engine.jobs.models import JobRow
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


def test_workers_store_no_results_and_send_all_events_to_flower_until_the_end(world: World) -> None:
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


def hostile_messages() -> dict[str, str]:
    """Return texts for a queue, each of which ended a worker, took its memory or was lost at some time."""
    bomb = gzip.compress(b"[" + b" " * 200_000_000)

    def envelope(body: bytes | str = b"[[], {}, {}]", headers: Any = None, **properties: Any) -> str:
        packed = body if isinstance(body, str) else b64encode(body).decode()
        usual = {"delivery_tag": str(uuid.uuid4()), "body_encoding": "base64", "delivery_info": {}}
        return json.dumps({
            "body": packed, "content-type": "application/json", "content-encoding": "utf-8",
            "headers": {"task": "fleet.like", "id": str(uuid.uuid4())} if headers is None else headers,
            "properties": usual | properties,
        })  # fmt: skip

    tick = {"task": "fleet.tick", "id": "x", "root_id": "x"}
    agent = str(uuid.uuid4())
    return {
        "text": "hello",
        "list": "[]",
        "nesting": "[" * 100_000,
        "no properties": "{}",
        "broken base64": envelope("%%%"),
        "no body": json.dumps({"properties": {"delivery_tag": "x"}, "headers": {"task": "fleet.like"}}),
        "body encoding": envelope(body_encoding="rot13"),
        "content encoding": envelope().replace("utf-8", "no-such"),
        "task is a list": envelope(headers={"task": ["fleet.like"]}),
        "unknown task without an id": envelope(headers={"task": "fleet.unheard"}),
        "bomb": envelope(bomb, {"task": "fleet.like", "id": "x", "compression": "application/x-gzip"}),
        "wrong times": envelope(headers={"task": "fleet.like", "id": "x", "eta": [], "expires": {}, "timelimit": 3}),
        "tick at infinity": envelope(f'[["{agent}", Infinity], {{}}, {{}}]'.encode(), tick),
        "tick past bigint": envelope(f'[["{agent}", {10**30}], {{}}, {{}}]'.encode(), tick),
    }


def test_a_malformed_message_is_a_dead_letter_and_the_worker_goes_on(world: World) -> None:
    world.start_worker(concurrency=4)
    hostile = hostile_messages()
    with redis.Redis.from_url(world.broker_url) as broker:
        for text in hostile.values():
            broker.lpush("normal", text)
        kept = sa.select(sa.func.count()).select_from(JobRow).where(JobRow.kind == "message")

        def dead_letters() -> int:
            assert world.processes["worker"].poll() is None, world.log("worker")[-3000:]
            with world.deps.db.transaction() as tx:
                return int(tx.session.scalar(kept) or 0)

        wait_until("all are kept", lambda: dead_letters() == len(hostile), timeout_s=30)
    world.deps.publisher.publish([Message("fleet.browse", (str(uuid.uuid4()),), "low")])
    wait_until("it works on", lambda: "job_is_not_in_the_ledger" in world.log("worker"))
    assert world.log("worker").count(" ready.") == 1
    peak_kb = int(Path(f"/proc/{world.processes['worker'].pid}/status").read_text().split("VmHWM:")[1].split()[0])
    assert peak_kb < 400_000
