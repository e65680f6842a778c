"""The checker is worth something: with a safeguard out it names the job; the sound engine passes the same ordeal."""

from __future__ import annotations

import os
import signal
import uuid
from pathlib import Path

import pytest

from fleet.chaos.judge import checker
from fleet.chaos.judge.checker import Violation
from fleet.core import failpoints
from fleet.core.failpoints import Point, Strike
from fleet.engine.dispatch import dispatch
from fleet.engine.sweep import sweep
from fleet.engine.system_agents import staff
from fleet.features.controls import commands as fleetwide
from tests.e2e.world import World, wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

SHORT_LEASE_S, LONG_LEASE_S = "6", "120"
"""Who is suspended has to outlive its lease; of who is killed it is taken away, and no slow machine does so before."""


@pytest.fixture
def points(tmp_path: Path) -> Path:
    folder = tmp_path / "points"
    folder.mkdir()
    return folder


def found(world: World) -> list[Violation]:
    return list(checker.judge(world.evidence()).violations)


def start(world: World, points: Path, engine: str, name: str = "victim", lease_s: str = LONG_LEASE_S) -> None:
    world.start_worker(name, concurrency=2, launcher=("tests.e2e.sabotage", engine),
                       FLEET_FAILPOINTS_DIR=str(points), FLEET_LEASE_S=lease_s)  # fmt: skip


def kill(world: World) -> None:
    """Kill the victim; nobody waits until its lease is over."""
    world.kill("victim")
    world.sql("UPDATE jobs SET lease_until = clock_timestamp() - interval '1 s' WHERE lease_until IS NOT NULL")


def one_post(world: World) -> uuid.UUID:
    """Have one agent post, and return the job."""
    world.add_jobs(world.agents(1), "post")
    (row,) = world.rows("SELECT id FROM jobs WHERE kind = 'post'")
    return uuid.UUID(str(row.id))


def struck(world: World, points: Path, point: Point) -> int:
    """Wait until somebody is struck, and return who; a slow machine may need a second attempt to come so far."""

    def there() -> list[int]:
        sweep(world.deps)
        return failpoints.suffered(points, point)

    return int(wait_until(f"somebody is struck at {point}", there)[0])


def end_all(world: World) -> None:
    """Sweep until every job has ended."""

    def swept() -> bool:
        sweep(world.deps)
        return world.all_ended()

    wait_until("every job has ended", swept)


@pytest.mark.parametrize("engine", ["fencing", "nothing"])
def test_a_suspended_worker_that_goes_on_after_its_lease(world: World, points: Path, engine: str) -> None:
    failpoints.lay(points, Point.JOB_ANNOUNCED, Strike.STOP)
    start(world, points, engine, lease_s=SHORT_LEASE_S)
    job = one_post(world)
    pid = struck(world, points, Point.JOB_ANNOUNCED)
    ((token,),) = world.rows("SELECT max(lease_token) FROM job_attempts WHERE job_id = :id", id=job)
    start(world, points, "nothing", "other", lease_s=SHORT_LEASE_S)
    end_all(world)
    os.kill(pid, signal.SIGCONT)
    wait_until("the suspended one has ended its attempt", lambda: world.rows(
        "SELECT 1 FROM job_attempts WHERE job_id = :id AND lease_token = :token AND outcome <> 'lost'",
        id=job, token=token))  # fmt: skip
    violations = found(world)
    if engine == "nothing":
        assert violations == []
    else:
        assert {one.job_id for one in violations} == {str(job)}
        assert any(one.invariant == 1 and "stands 2 times" in one.what for one in violations)
        assert any(one.invariant == 3 for one in violations)


@pytest.mark.parametrize("engine", ["probe", "nothing"])
def test_a_worker_killed_when_the_surface_had_answered(world: World, points: Path, engine: str) -> None:
    failpoints.lay(points, Point.JOB_SENT, Strike.KILL)
    start(world, points, engine)
    job = one_post(world)
    struck(world, points, Point.JOB_SENT)
    kill(world)
    start(world, points, engine)
    end_all(world)
    expected = [] if engine == "nothing" else [(1, str(job))]
    assert [(one.invariant, one.job_id) for one in found(world)] == expected


@pytest.mark.parametrize("engine", ["checkpoints", "nothing"])
def test_a_worker_killed_when_everything_was_paid(world: World, points: Path, engine: str) -> None:
    failpoints.lay(points, Point.JOB_PREPARED, Strike.KILL)
    start(world, points, engine)
    job = one_post(world)
    struck(world, points, Point.JOB_PREPARED)
    kill(world)
    start(world, points, engine)
    end_all(world)
    violations = found(world)
    if engine == "nothing":
        assert violations == []
    else:
        assert (6, str(job), "the picture was paid 2 times") in {(v.invariant, v.job_id, v.what) for v in violations}


@pytest.mark.parametrize("engine", ["kill_switch", "nothing"])
def test_the_kill_switch_is_thrown_with_work_to_do(
    world: World, points: Path, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checker, "ON_THE_WIRE", -checker.ON_THE_WIRE / 1000)  # nothing is on the wire here
    start(world, points, engine)
    agents = world.agents(1)
    fleetwide.throw_kill_switch(world.deps, by="tests", reason="drill")
    world.add_jobs(agents, "post")
    wait_until("the worker has looked at the job", lambda: world.rows(
        "SELECT 1 FROM jobs WHERE state = 'done' OR held IS NOT NULL"))  # fmt: skip
    fleetwide.lift_kill_switch(world.deps, by="tests")
    end_all(world)
    assert {one.invariant for one in found(world)} == ({5} if engine == "kill_switch" else set())


@pytest.mark.parametrize("engine", ["alarms", "nothing"])
def test_the_agents_that_report_wake_while_the_kill_switch_is_on(world: World, points: Path, engine: str) -> None:
    staff(world.deps.db)
    start(world, points, engine)
    fleetwide.throw_kill_switch(world.deps, by="tests", reason="drill")
    world.sql("UPDATE agents SET next_tick_at = clock_timestamp() WHERE kind = 'hooks'")

    def ended() -> bool:
        dispatch(world.deps)
        return bool(world.rows("SELECT 1 FROM ticks WHERE decided_at IS NOT NULL"))

    wait_until("the worker has ended a tick", ended)
    assert {one.invariant for one in found(world) if "held" in one.what} == ({8} if engine == "alarms" else set())
