"""Real workers killed, brokers wiped, messages doubled; then the ledger is compared with the gallery's own tables."""

from __future__ import annotations

import json
import signal
import socket
import uuid

import pytest
import redis

from fleet.chaos.judge import checker
from fleet.core import queue
from fleet.engine import publish
from fleet.engine.dispatch import dispatch
from fleet.engine.sweep import sweep
from fleet.features.controls import commands as fleetwide
from tests.e2e.world import World, wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


def assert_ledger_and_gallery_agree(world: World) -> None:
    """No invariant is broken: what the ledger says and what the gallery witnessed are the same story."""
    assert not checker.judge(world.evidence()).violations


def fill(world: World, number: int, **faults: float) -> None:
    """Give every agent a post, a comment and a like to do, on a gallery that is out of order."""
    agents = world.agents(number)
    target = world.post_as_guest()
    world.faults(**faults)
    world.add_jobs(agents, "post")
    world.add_jobs(agents, "comment", target=target)
    world.add_jobs(agents, "like", target=target)


def assert_all_thirty_are_settled(world: World) -> None:
    """A comment whose words resemble another agent's is skipped, now and then one of ten; nothing dies."""
    states = dict(world.rows("SELECT state, count(*) FROM jobs GROUP BY state"))
    assert states.keys() <= {"done", "skipped"} and states["done"] >= 28 and sum(states.values()) == 30, states


def sending(world: World) -> list[uuid.UUID]:
    return [row.id for row in world.rows("SELECT id FROM jobs WHERE state IN ('sending', 'running')")]


def test_workers_killed_in_flight_and_replies_lost_cost_time_and_nothing_else(world: World) -> None:
    world.start_worker("worker")
    world.start_beat()
    fill(world, 20, latency_ms=150, drop_rate=0.1, error_rate=0.05, seed=7)
    for number in range(3):
        name = "worker" if number == 0 else f"worker{number}"
        wait_until("writes are in flight", lambda: len(sending(world)) >= 3 or world.all_ended())
        world.kill(name)
        world.start_worker(f"worker{number + 1}")
    world.faults()
    world.wait_all_ended(300)
    assert world.count("done") >= 55, "few may end in a dead letter, or be skipped for what was said before"
    assert world.count("done") + world.count("dead") + world.count("skipped") == 60
    assert_ledger_and_gallery_agree(world)
    assert world.rows("SELECT count(*) FROM job_attempts WHERE outcome = 'lost'")[0][0] > 0, "nothing was killed"


def test_a_suspended_worker_that_wakes_after_its_lease_does_nothing_twice(world: World) -> None:
    world.start_worker("worker")
    world.start_beat()
    fill(world, 10, latency_ms=300)
    wait_until("writes are in flight", lambda: len(sending(world)) >= 3)
    world.kill("worker", signal.SIGSTOP)
    world.start_worker("other")
    wait_until("the leases of the suspended one are taken over",
               lambda: world.rows("SELECT 1 FROM job_attempts WHERE outcome = 'lost'"))  # fmt: skip
    world.kill("worker", signal.SIGCONT)
    world.wait_all_ended()
    assert_all_thirty_are_settled(world)
    assert_ledger_and_gallery_agree(world)


def test_a_wiped_broker_costs_a_delay(world: World) -> None:
    agents = world.agents(15)
    world.post_as_guest()
    world.sql("UPDATE agents SET status = 'running', next_tick_at = clock_timestamp()")
    assert dispatch(world.deps) == 15
    fleetwide.pause(world.deps, "agent", str(agents[0]), by="tests")
    assert sum(world.deps.publisher.depths().values()) == 15
    world.flush_broker()
    assert sum(world.deps.publisher.depths().values()) == 0
    world.sql("UPDATE agents SET next_tick_at = clock_timestamp() + interval '1 day'")
    world.start_worker()
    world.start_beat()
    wait_until("every tick is decided", lambda: not world.rows(
        "SELECT 1 FROM ticks WHERE state IN ('due', 'deciding')"))  # fmt: skip
    world.flush_broker()
    world.wait_all_ended()
    assert world.rows("SELECT count(*) FROM ticks WHERE state = 'decided'")[0][0] == 14
    assert world.count("done") + world.count("skipped") == 14
    assert_ledger_and_gallery_agree(world)


def test_every_message_delivered_three_times_changes_nothing(world: World) -> None:
    world.faults(latency_ms=30)
    agents = world.agents(10)
    target = world.post_as_guest()
    for kind, where in (("post", None), ("like", target), ("comment", target)):
        world.add_jobs(agents, kind, target=where)
    with redis.Redis.from_url(world.broker_url) as client:
        for queue in ("normal", "low"):
            for message in client.lrange(queue, 0, -1):
                client.lpush(queue, message, message)
        assert client.llen("normal") == 60 and client.llen("low") == 30
    patient = {"FLEET_LEASE_S": "60", "FLEET_HTTP_TIMEOUT_S": "30"}  # ten pictures at once are no second claim
    world.start_worker(**patient)
    world.start_worker("other", **patient)
    world.start_beat()
    world.wait_all_ended()
    wait_until("every message is taken", lambda: not any(world.deps.publisher.depths().values()))
    assert_all_thirty_are_settled(world)
    assert world.rows("SELECT max(claims) FROM jobs")[0][0] == 1
    assert_ledger_and_gallery_agree(world)


def test_the_kill_switch_stops_all_writes_within_one_action(world: World) -> None:
    world.faults(latency_ms=1000)  # all of them take ten seconds, so the switch comes before the last
    world.start_worker()
    world.start_beat()
    agents = world.agents(40)
    targets = [world.post_as_guest() for _ in range(3)]
    for target in targets[:2]:
        world.add_jobs(agents, "like", target=target, tick_no=targets.index(target))
    wait_until("likes are going out", lambda: world.count("done") >= 3)
    fleetwide.throw_kill_switch(world.deps, by="tests", reason="drill")
    wait_until("writes under way have ended", lambda: not sending(world))
    shown = world.rows("SELECT count(*) FROM likes", gallery=True)[0][0]
    assert shown < 80
    world.add_jobs(agents, "like", target=targets[2], tick_no=2)
    wait_until("the workers have looked at every job", lambda: not world.rows(
        "SELECT 1 FROM jobs WHERE state = 'ready' AND held IS NULL"))  # fmt: skip
    assert world.rows("SELECT count(*) FROM likes", gallery=True)[0][0] == shown
    assert world.rows("SELECT max(attempts) FROM jobs")[0][0] == 0, "it costs no attempt"
    world.faults()
    fleetwide.lift_kill_switch(world.deps, by="tests")
    world.wait_all_ended()
    assert world.count("done") == 120
    assert_ledger_and_gallery_agree(world)


def test_two_concurrent_beats_wake_no_agent_twice(world: World) -> None:
    world.start_worker()
    agents = world.agents(6)
    world.sql(
        "UPDATE agents SET status = 'running', next_tick_at = clock_timestamp(), min_interval_s = 1,"
        " max_interval_s = 1,"
        ' weights = \'{"post": 0, "comment": 0, "like": 0, "browse": 1}\''
    )
    for name in ("beat", "second_beat"):
        world.start_beat(name)
    wait_until("everybody woke three times", lambda: world.rows(
        "SELECT count(*) FROM (SELECT 1 FROM ticks WHERE state = 'decided' GROUP BY agent_id HAVING count(*) >= 3) t"
    )[0][0] == len(agents))  # fmt: skip
    gaps = world.rows("SELECT due_at - lag(due_at) OVER (PARTITION BY agent_id ORDER BY tick_no) AS gap FROM ticks")
    assert min(row.gap for row in gaps if row.gap).total_seconds() >= 5, "never under five seconds"
    for name in ("beat", "second_beat"):
        world.kill(name)


def test_a_beat_that_ticks_answers_who_asks(world: World) -> None:
    world.start_beat()
    app = world.deps.publisher._app
    name = f"celerybeat@{socket.gethostname()}"
    assert wait_until("beat answers", lambda: queue.workers(app, timeout_s=1, names=[name])) == [name]
    assert queue.workers(app, timeout_s=1) == [], "a beat is no worker"


def test_an_unknown_message_is_kept_and_the_worker_continues(world: World) -> None:
    agents = world.agents(1)
    world.start_worker()
    celery = world.deps.publisher._app
    celery.send_task("fleet.dance", args=("tango",), queue="normal")
    celery.send_task("fleet.post", args=("no id",), queue="normal")
    celery.send_task("fleet.tick", args=(), queue="ticks")
    with redis.Redis.from_url(world.broker_url) as client:
        client.lpush("normal", _undecodable())
    wait_until("all four are dead letters", lambda: world.count("dead") == 4)
    world.add_jobs(agents, "post")
    wait_until("the worker works", lambda: world.count("done") == 1)
    errors = {row.error for row in world.rows("SELECT error FROM jobs WHERE state = 'dead'")}
    assert any("unknown task" in error for error in errors)
    assert any("no id" in error for error in errors)


def _undecodable() -> str:
    """Return a message whose envelope is right and whose body is junk."""
    return json.dumps({
        "body": "%%%", "content-encoding": "utf-8", "content-type": "application/json",
        "headers": {"task": "fleet.post", "id": "junk", "lang": "py"},
        "properties": {"correlation_id": "junk", "delivery_mode": 2, "delivery_tag": "junk", "body_encoding": "base64",
                       "delivery_info": {"exchange": "", "routing_key": "normal"}},
    })  # fmt: skip


def test_a_job_without_an_agent_is_harmless(world: World) -> None:
    world.start_worker()
    world.deps.publisher._app.send_task("fleet.like", args=(str(uuid.uuid4()),), queue="low")
    wait_until("it is said", lambda: "job_is_not_in_the_ledger" in world.log("worker"))


def test_a_dead_gallery_delays_and_a_living_one_gets_everything(world: World) -> None:
    world.start_worker()
    agents = world.agents(5)
    world.kill("gallery", signal.SIGSTOP)
    world.add_jobs(agents, "post")
    wait_until("attempts fail", lambda: world.rows("SELECT 1 FROM jobs WHERE attempts > 0"))
    world.kill("gallery", signal.SIGCONT)
    while not world.all_ended():
        sweep(world.deps)
        world.sql("UPDATE jobs SET next_attempt_at = clock_timestamp() WHERE state = 'ready' AND lease_until IS NULL")
        publish.ring_jobs(world.deps.publisher, [])
    assert world.count("done") == 5
    assert_ledger_and_gallery_agree(world)
