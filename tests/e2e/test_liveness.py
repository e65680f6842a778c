"""A real worker that is connected and deaf: it ends itself with a code of its own.

`test_up` shows that `fleet up` brings it back.

It is made deaf by Celery's own remote control, which cancels its queues one by one: connection, loop and `inspect
ping` stay as they were, only nothing is taken any more.
"""

from __future__ import annotations

import subprocess
from typing import Any

import pytest

from fleet.features.publishing.kinds import POST
from tests.e2e.up import deafen
from tests.e2e.world import World, wait_until
from workers.liveness import EXIT_CODE

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

AFTER_S = 3.0


def _start_worker(world: World, *, concurrency: int = 2) -> Any:
    process = world.start(
        "worker", "celery", "-A", "workers.app", "worker", "--pool", "threads", "--concurrency", str(concurrency),
        "--hostname", "worker@%h", "--loglevel", "INFO", "--without-gossip", "--without-mingle",
        FLEET_LIVENESS_S=str(AFTER_S),
    )  # fmt: skip
    wait_until("the worker is ready", lambda: "ready." in world.log("worker"))
    return process


def test_a_deaf_worker_with_a_backlog_ends_with_its_own_code_and_the_next_one_drains(world: World) -> None:
    process = _start_worker(world)
    deafen(world.broker_url, "worker")
    (agent,) = world.agents(1)
    world.add_jobs([agent], POST)
    assert process.wait(timeout=120) == EXIT_CODE == 75
    said = world.log("worker")
    assert "worker_makes_no_progress" in said
    assert "messages wait, slots are free, and none was taken" in said
    assert "worker_ended_at_once" not in said
    _start_worker(world)
    world.wait_all_ended()
    assert world.count("done") == 1


def test_neither_idleness_nor_full_slots_nor_a_broker_that_is_away_ends_a_worker(
    world: World, private_valkey: Any
) -> None:
    process = _start_worker(world, concurrency=1)
    _stays(process)

    agents = world.agents(3)
    world.faults(latency_ms=int(AFTER_S * 1500))
    world.add_jobs(agents, POST)
    wait_until("the only slot is taken", lambda: world.count("running") + world.count("sending"))
    _stays(process)
    world.faults()

    private_valkey.stop()
    _stays(process)
    private_valkey.start()
    world.start_beat()
    world.wait_all_ended()
    assert process.poll() is None
    assert "worker_makes_no_progress" not in world.log("worker")


def _stays(process: Any) -> None:
    """Give the watch more time than it needs to end the worker."""
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=AFTER_S * 2)
