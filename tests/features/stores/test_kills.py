"""A process that dies at any line of a run: the next attempt goes on, and both sides are equal at the end."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from fleet.adapters.shops import Money
from fleet.core import failpoints
from fleet.core.failpoints import Point
from fleet.engine.attempts import perform
from fleet.engine.sweep import sweep
from fleet.features.stores.rules import Strategy
from tests.features.stores.world import StoreWorld


class Killed(BaseException):
    """Stands for SIGKILL."""


POINTS = (
    Point.JOB_CLAIMED, Point.JOB_STEP_PAID, Point.JOB_STEP_SAVED, Point.JOB_PREPARED, Point.JOB_ANNOUNCED,
    Point.JOB_CLEARED, Point.JOB_SENT, Point.JOB_RECORDING,
)  # fmt: skip


@pytest.fixture(autouse=True)
def disarmed() -> Iterator[None]:
    yield
    failpoints.arm(None)


def dies_at(point: Point, times: int) -> None:
    """Kill the process the first `times` times that it reaches a point, and every other time after that never."""
    left = [times]

    def hook(reached: Point) -> None:
        if reached is point and left[0]:
            left[0] -= 1
            raise Killed

    failpoints.arm(hook)


def go_on(stores: StoreWorld) -> int:
    """Carry out jobs, each killed process replaced after its lease; return how many were killed."""
    killed = 0
    for _ in range(60):
        waiting = [job.id for job in (*stores.ready(), *stores.fleet.jobs(state="unknown"))]
        if not waiting:
            return killed
        try:
            perform.perform(stores.fleet.deps, waiting[0])
        except Killed:
            killed += 1
            stores.fleet.lease_runs_out()
            sweep(stores.fleet.deps)
        stores.fleet.time_passes()
    raise AssertionError("it never ends")


@pytest.mark.parametrize("point", POINTS)
def test_a_kill_at_any_point_of_a_run_doubles_and_loses_nothing(stores: StoreWorld, point: Point) -> None:
    stores.setting("store_direction", "both")
    stores.setting("store_creates", True)
    stores.setting("store_batch", 2)
    for number in range(5):
        stores.shop.add(f"cup-{number}", on_hand=number + 1)
    stores.sync()
    stores.create("lamp", on_hand=4)
    stores.change("cup-1-1", price=Money(4321, "EUR"))
    stores.count("cup-2-1", 50)
    stores.shop.add("late", on_hand=9)
    stores.shop.change(stores.shop.products()["cup-3"]["id"], title="Mug")
    stores.request(Strategy.FULL)
    dies_at(point, 3)
    killed = go_on(stores)
    failpoints.arm(None)
    stores.sync()
    stores.sync()
    assert killed, f"{point} is never reached"
    there = {one["title"]: one for one in stores.shop.products().values()}
    here = stores.products()
    assert sorted(here) == sorted(there) == ["Cup-0", "Cup-1", "Cup-2", "Cup-4", "Lamp", "Late", "Mug"]
    for product in there.values():
        (variant,) = product["variants"]
        assert stores.variant(variant["sku"]).price_minor == variant["priceMinor"]
        assert stores.on_hand(variant["sku"]) == stores.shop.on_hand(variant["id"])
    assert stores.on_hand("cup-2-1") == 50
    assert len(stores.runs()) == 4
    assert {run.batch for run in stores.runs()} == {2}


def test_two_workers_on_one_run_store_each_page_once(stores: StoreWorld) -> None:
    stores.setting("store_batch", 1)
    for number in range(8):
        stores.shop.add(f"cup-{number}", on_hand=2)
    stores.request(Strategy.FULL)
    (job,) = stores.ready()
    threads = [threading.Thread(target=perform.perform, args=(stores.fleet.deps, job.id)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    stores.work()
    run = stores.runs()[-1]
    assert (run.state, run.counts["created"], len(stores.products())) == ("done", 8, 8)
    assert all(stores.on_hand(f"cup-{number}-1") == 2 for number in range(8))


def test_a_worker_whose_lease_is_taken_stores_no_page(stores: StoreWorld) -> None:
    for number in range(3):
        stores.shop.add(f"cup-{number}")
    stores.request(Strategy.FULL)
    (job,) = stores.ready()
    adapter = stores.adapter()
    read = adapter.products

    def slow(**which: object) -> object:
        found = read(**which)
        adapter.products = read
        stores.fleet.lease_runs_out()
        sweep(stores.fleet.deps)
        perform.perform(stores.fleet.deps, job.id)  # another worker takes over and ends the run
        return found

    adapter.products = slow
    perform.perform(stores.fleet.deps, job.id)
    run = stores.runs()[-1]
    assert (run.state, run.counts["created"], run.counts["read"]) == ("done", 3, 3)


def test_a_run_longer_than_a_lease_goes_on_in_a_following_job(stores: StoreWorld) -> None:
    stores.setting("store_batch", 1)
    for number in range(4):
        stores.shop.add(f"cup-{number}", on_hand=2)
    stores.request(Strategy.FULL)
    (job,) = stores.ready()
    adapter = stores.adapter()
    read, clock = adapter.products, stores.fleet.deps.clock
    late = [0.0]
    monotonic_s = clock.monotonic_s

    def slow(**which: object) -> object:
        late[0] += 60.0
        return read(**which)

    adapter.products = slow
    object.__setattr__(clock, "monotonic_s", lambda: monotonic_s() + late[0])
    try:
        stores.work()
    finally:
        object.__delattr__(clock, "monotonic_s")
        adapter.products = read
    run = stores.runs()[-1]
    jobs = stores.fleet.jobs(kind="sync_store")
    assert (run.state, run.counts["created"], run.part) == ("done", 4, len(jobs) - 1), job.error
    assert len(jobs) > 1


def test_pages_follow_from_the_time_that_they_take(stores: StoreWorld) -> None:
    for number in range(12):
        stores.shop.add(f"cup-{number}")
    stores.setting("store_batch", 8)
    adapter, clock = stores.adapter(), stores.fleet.deps.clock
    read, monotonic_s, late, asked = adapter.products, clock.monotonic_s, [0.0], []

    def slow(*, cursor: str | None, limit: int) -> object:
        asked.append(limit)
        late[0] += 3.0 * limit
        return read(cursor=cursor, limit=limit)

    adapter.products = slow
    object.__setattr__(clock, "monotonic_s", lambda: monotonic_s() + late[0])
    stores.request(Strategy.FULL)
    try:
        stores.work()
    finally:
        object.__delattr__(clock, "monotonic_s")
    assert asked == [8, 4, 4]  # of 24 s and 12 s; a page may take 30 s
    assert (stores.runs()[-1].state, len(stores.products())) == ("done", 12)


def test_a_page_that_took_longer_than_its_lease_is_read_again_in_parts(stores: StoreWorld) -> None:
    for number in range(5):
        stores.shop.add(f"cup-{number}")
    stores.setting("store_batch", 8)
    adapter, clock = stores.adapter(), stores.fleet.deps.clock
    read, monotonic_s, late, asked = adapter.products, clock.monotonic_s, [0.0], []

    def slow(*, cursor: str | None, limit: int) -> object:
        asked.append(limit)
        late[0] += 9.0 * limit
        if limit > 2:
            stores.fleet.lease_runs_out()
            sweep(stores.fleet.deps)
        return read(cursor=cursor, limit=limit)

    adapter.products = slow
    object.__setattr__(clock, "monotonic_s", lambda: monotonic_s() + late[0])
    stores.request(Strategy.FULL)
    try:
        go_on(stores)
    finally:
        object.__delattr__(clock, "monotonic_s")
    assert asked[:4] == [8, 4, 2, 1]
    assert set(asked[4:]) == {1}
    assert (stores.runs()[-1].state, len(stores.products())) == ("done", 5)
