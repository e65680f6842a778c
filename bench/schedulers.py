"""What dispatch is compared with: celery beat and celery-redbeat with one entry an agent, and the two floors below it.

Each contestant has a `round` that does real work on the same servers and returns ticks a second. All is set in the
rivals' favour: entries in memory or written in bulk, no lock for RedBeat, no events, all due entries due at once.
"""

from __future__ import annotations

import itertools
import json
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any

import psycopg
import redis
from celery import Celery
from celery.beat import Scheduler
from celery.schedules import schedule
from redbeat.decoder import RedBeatJSONEncoder
from redbeat.schedulers import RedBeatScheduler, RedBeatSchedulerEntry, get_redis

from bench.fleets import BenchFleet

HOUR = schedule(3_600.0)
LONG_AGO = timedelta(hours=2)
BATCH = 500

# Claim, reschedule and insert as one statement that never leaves the server: nobody can wake agents for less.
_CLAIM_ALONE = """
WITH due AS (
    SELECT id, tick_no, next_tick_at FROM agents
    WHERE status IN ('running', 'paused') AND next_tick_at <= now() ORDER BY next_tick_at LIMIT %s
    FOR UPDATE SKIP LOCKED
), moved AS (
    UPDATE agents SET tick_no = due.tick_no + 1,
        next_tick_at = clock_timestamp() + make_interval(secs => %s + random() * %s)
    FROM due WHERE agents.id = due.id
)
INSERT INTO ticks (agent_id, tick_no, due_at, published_at, publishes)
SELECT id, tick_no + 1, next_tick_at, clock_timestamp(), 1 FROM due ON CONFLICT DO NOTHING RETURNING agent_id, tick_no
"""


def _app(broker_url: str, **settings: object) -> Celery:
    logging.getLogger("celery.beat").setLevel(logging.WARNING)
    app = Celery("rival", broker=broker_url, set_as_current=False)
    app.conf.update(task_ignore_result=True, **settings)
    return app


def celery_beat(broker_url: str, entries: int, *, most_ticks: int, seconds: float) -> Callable[[], float]:
    """Return a round of beat's in-memory scheduler; one of its ticks sends one task."""
    app = _app(broker_url)
    scheduler = Scheduler(app=app, lazy=True)
    long_ago = app.now() - LONG_AGO
    scheduler.update_from_dict(
        {f"agent {n}": {"task": "fleet.tick", "schedule": HOUR, "args": (str(n), 1), "last_run_at": long_ago}
         for n in range(entries)}
    )  # fmt: skip
    scheduler.tick()  # builds its heap

    def one_round() -> float:
        sent, since = 0, time.perf_counter()
        while sent < most_ticks and time.perf_counter() - since < seconds:
            if scheduler.tick() != 0:
                raise RuntimeError("beat had nothing due")
            sent += 1
        return sent / (time.perf_counter() - since)

    return one_round


def redbeat(redis_url: str, broker_url: str, entries: int, *, due: int) -> Callable[[], float]:
    """Return a round of RedBeat's scheduler, in which `due` of its entries are sent by one of its ticks."""
    app = _app(broker_url, redbeat_redis_url=redis_url, redbeat_lock_key=None, redbeat_redis_options={})
    scheduler = RedBeatScheduler(app=app, lazy=True)
    names = itertools.cycle(range(entries))
    _write(app, range(entries), ago=timedelta(0))

    def one_round() -> float:
        _write(app, itertools.islice(names, due), ago=LONG_AGO)
        since = time.perf_counter()
        scheduler.tick()
        return due / (time.perf_counter() - since)

    return one_round


def _write(app: Celery, numbers: Iterator[int] | range, *, ago: timedelta) -> None:
    """Do what RedBeatSchedulerEntry.save does, for many in one pipeline."""
    last_run_at = app.now() - ago
    with get_redis(app).pipeline(transaction=False) as pipe:
        for number in numbers:
            entry = RedBeatSchedulerEntry(
                f"agent {number}", "fleet.tick", HOUR, args=(str(number), 1), app=app, last_run_at=last_run_at
            )
            fields = ("name", "task", "args", "kwargs", "options", "schedule", "enabled")
            definition = {field: getattr(entry, field) for field in fields}
            pipe.hset(entry.key, "definition", json.dumps(definition, cls=RedBeatJSONEncoder))
            pipe.hset(entry.key, "meta", json.dumps({"last_run_at": last_run_at}, cls=RedBeatJSONEncoder))
            pipe.zadd(app.redbeat_conf.schedule_key, {entry.key: entry.score})  # type: ignore[attr-defined]
        pipe.execute()


def claim_alone(fleet: BenchFleet, *, ticks: int) -> float:
    """Return ticks a second of the SQL alone: the same tables, the next time drawn by the server, nothing published."""
    url = fleet.deps.db.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    opened = 0
    with psycopg.connect(url, prepare_threshold=0) as connection:
        connection.execute("SELECT 1")
        since = time.perf_counter()
        while opened < ticks:
            opened += len(connection.execute(_CLAIM_ALONE, (BATCH, 1_800, 12_600)).fetchall())
            connection.commit()
        return opened / (time.perf_counter() - since)


def lpush_alone(client: redis.Redis, messages: Sequence[Any]) -> float:
    """Return messages a second when the very bytes that dispatch sent are pushed again, pipelined, one LPUSH each."""
    since = time.perf_counter()
    for start in range(0, len(messages), BATCH):
        with client.pipeline(transaction=False) as pipe:
            for message in messages[start : start + BATCH]:
                pipe.lpush("copies", message)
            pipe.execute()
    return len(messages) / (time.perf_counter() - since)
