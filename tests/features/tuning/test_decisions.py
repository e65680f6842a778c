"""Pure decisions of tuning: queueing against known values and a simulation, bounds, no flapping, verdicts."""

from __future__ import annotations

import heapq
import math
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.engine.points.effect_size import Sample
from fleet.features.tuning.decisions import queueing, results, rules
from fleet.features.tuning.decisions.plans import EarlierChange, NoChange, Pace, TuningPlan, why_quiet
from fleet.features.tuning.decisions.queueing import QueueLoad
from fleet.features.tuning.decisions.results import Aim, MeasuredPair, TuningVerdict
from fleet.features.tuning.decisions.rules import BatchFacts, CapFacts, IntervalFacts, TuningBounds, WorkerFacts
from fleet.features.tuning.decisions.samples import Metric, share

BOUNDS = TuningBounds()
LADDER = {"5m": 300.0, "15m": 900.0, "30m": 1800.0, "1h": 3600.0, "6h": 21_600.0, "24h": 86_400.0}
NOW = datetime(2030, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
LOADS = st.builds(
    QueueLoad, rate=st.floats(0, 20), service_s=st.floats(0.01, 60), arrival_scv=st.floats(0.1, 25),
    service_scv=st.floats(0.1, 25),
)  # fmt: skip


def test_waits_agree_with_known_values() -> None:
    assert queueing.erlang_c(2, 1.0) == pytest.approx(1 / 3)
    assert queueing.erlang_c(10, 8.0) == pytest.approx(0.409, abs=0.001)
    one = QueueLoad(rate=0.8, service_s=1.0)
    assert queueing.late_share(one, 1, 10) == pytest.approx(0.8 * math.exp(-0.2 * 10))
    assert queueing.wait_s(one, 1) == pytest.approx(math.log(0.8 / 0.05) / 0.2)
    assert queueing.wait_s(one, 16) == 0
    assert queueing.wait_s(QueueLoad(rate=2, service_s=1.0), 2) == math.inf


def test_waits_agree_with_a_simulated_queue() -> None:
    for servers, load in ((4, QueueLoad(rate=3.0, service_s=1.0)), (16, QueueLoad(rate=1.2, service_s=10.0))):
        rng, late, waiting, now, number = random.Random(100), 0, 0, 0.0, 60_000
        free = [0.0] * servers
        for _ in range(number):
            now += rng.expovariate(load.rate)
            begin = max(now, heapq.heappop(free))
            heapq.heappush(free, begin + rng.expovariate(1 / load.service_s))
            waiting += begin > now
            late += begin - now > 2 * load.service_s / servers
        assert waiting / number == pytest.approx(queueing.erlang_c(servers, load.offered), rel=0.05)
        goal_s = 2 * load.service_s / servers
        assert late / number == pytest.approx(queueing.late_share(load, servers, goal_s), rel=0.1)


@given(LOADS, st.integers(1, 16), st.floats(1, 3))
def test_more_load_never_needs_fewer_workers(load: QueueLoad, threads: int, factor: float) -> None:
    def needed(one: QueueLoad) -> int:
        return rules.fewest(one, threads, wait_s=30, utilisation=0.7, most=64) or 65

    assert needed(replace(load, rate=load.rate * factor)) >= needed(load)
    assert needed(replace(load, service_s=load.service_s * factor)) >= needed(load)
    shares = [queueing.late_share(load, servers, 30) for servers in range(1, 40)]
    assert all(0 <= one <= 1 for one in shares)
    assert all(other <= one + 1e-9 for one, other in pairwise(shares))


def _busy(workers: int, threads: int, utilisation: float, load: QueueLoad, late: int) -> WorkerFacts:
    rate = utilisation * workers * threads / load.service_s
    return WorkerFacts(workers=workers, now=1, threads=threads, load=replace(load, rate=rate), arrivals=900, seen=1000,
                       late=late, wait_p95_s=1)  # fmt: skip


WORKERS = st.builds(
    _busy, st.integers(1, 40), st.integers(1, 16), st.floats(0, 1.5), LOADS, st.just(0) | st.integers(0, 1000)
)  # fmt: skip


@given(WORKERS)
def test_workers_change_within_bounds_and_never_flap_at_the_same_load(facts: WorkerFacts) -> None:
    plan = rules.workers(facts, BOUNDS)
    if isinstance(plan, NoChange):
        return
    assert plan.needs_person and 1 <= plan.after != plan.before
    assert facts.workers / 2 <= plan.after <= 2 * facts.workers
    assert plan.direction < 0 or plan.after <= BOUNDS.most_workers
    assert 0 <= plan.expected.low <= plan.expected.after <= plan.expected.high <= 1
    late = queueing.late_share(facts.load, plan.after * facts.threads, BOUNDS.wait_s)
    again = rules.workers(replace(facts, workers=plan.after, late=round(late * facts.seen)), BOUNDS)
    assert isinstance(again, NoChange) or again.direction == plan.direction


def test_late_work_that_workers_do_not_explain_is_said() -> None:
    calm = WorkerFacts(workers=2, now=2, threads=16, load=QueueLoad(rate=0.1, service_s=1), arrivals=360, seen=1000,
                       late=300, wait_p95_s=90)  # fmt: skip
    plan = rules.workers(calm, BOUNDS)
    assert isinstance(plan, NoChange) and "not for lack of workers" in plan.why
    busy = replace(calm, load=QueueLoad(rate=2.5, service_s=12))
    grown = rules.workers(busy, BOUNDS)
    assert isinstance(grown, TuningPlan) and (grown.before, grown.after, grown.aim) == (2, 3, Aim.IMPROVE)
    for changed in (replace(busy, seen=29, late=20), replace(busy, now=3), replace(busy, workers=0)):
        assert isinstance(rules.workers(changed, BOUNDS), NoChange)


def test_workers_are_spared_only_after_a_window_that_was_measured_from_its_beginning() -> None:
    spare = WorkerFacts(workers=4, now=4, threads=16, load=QueueLoad(rate=0.1, service_s=1), arrivals=360, seen=1000,
                        late=0, wait_p95_s=0)  # fmt: skip
    plan, early = rules.workers(spare, BOUNDS), rules.workers(replace(spare, is_whole=False), BOUNDS)
    assert isinstance(plan, TuningPlan) and plan.direction < 0
    assert isinstance(early, NoChange) and "beginning" in early.why


def interval(value: str, found: float, mean: float, p95: float = 10.0, runs: int = 1000) -> IntervalFacts:
    return IntervalFacts(setting="store_interval", ladder=LADDER, value=value, runs=runs, changed=round(found * runs),
                         changes=Sample(runs, mean, mean), failed=0, run_p95_s=p95)  # fmt: skip


RATES = st.floats(-4, 1).map(lambda power: 10.0**power)


@given(st.sampled_from(list(LADDER)), RATES, st.floats(1, 100), st.floats(0, 60))
def test_intervals_move_to_a_neighbour_and_never_flap(value: str, rate: float, each: float, p95: float) -> None:
    """Changes that come independently at one rate a minute, each of some objects."""

    def facts(at: str) -> IntervalFacts:
        minutes = LADDER[at] / 60
        return interval(at, 1 - math.exp(-rate * minutes), rate * minutes * each, p95)

    plan = rules.intervals(facts(value), BOUNDS)
    if isinstance(plan, NoChange):
        return
    names = list(LADDER)
    assert names.index(plan.after) - names.index(value) == plan.direction
    assert plan.expected.low <= plan.expected.after <= plan.expected.high
    again = rules.intervals(facts(plan.after), BOUNDS)
    assert isinstance(again, NoChange) or again.direction == plan.direction


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 100))
def test_more_changes_never_lengthen_an_interval_that_fewer_left(one: float, other: float, mean: float) -> None:
    def direction(found: float) -> int:
        plan = rules.intervals(interval("30m", found, mean), BOUNDS)
        return 0 if isinstance(plan, NoChange) else plan.direction

    assert direction(max(one, other)) <= direction(min(one, other))


def test_an_interval_at_its_end_or_of_slow_runs_stays() -> None:
    for facts in (interval("24h", 0, 0), interval("5m", 1, 50), interval("15m", 1, 50, p95=80), interval("never", 0, 0),
                  interval("15m", 0, 0, runs=29)):  # fmt: skip
        assert isinstance(rules.intervals(facts, BOUNDS), NoChange)


@given(
    st.integers(1, 1000), st.integers(10, 250), st.integers(0, 100), st.integers(0, 100),
    st.dictionaries(st.integers(1, 1000), st.builds(Sample, st.integers(0, 99), st.floats(1e-4, 9), st.floats(0, 9))),
)  # fmt: skip
def test_pages_stay_within_those_of_the_shop(
    value: int, most: int, runs: int, failed: int, tried: dict[int, Sample]
) -> None:
    facts = BatchFacts(setting="store_batch", value=value, most=most, tried=tried, runs=runs, failed=min(failed, runs))
    plan = rules.batches(facts, BOUNDS)
    if isinstance(plan, NoChange):
        return
    size = min(value, most)
    assert 1 <= plan.after <= most and size / 2 - 1 <= plan.after <= size * 2 and plan.after != size


def test_pages_climb_to_the_quickest_size() -> None:
    """A page takes 2 s and 0.01 s an item up to 100, then much longer."""

    def seconds(size: int) -> float:
        return 2 / size + (0.01 if size <= 100 else 0.08)

    tried, value, path = {}, 25, [25]
    for _ in range(9):
        tried[value] = Sample(40, seconds(value), (0.05 * seconds(value)) ** 2)
        plan = rules.batches(BatchFacts(setting="store_batch", value=value, most=250, tried=tried), BOUNDS)
        if isinstance(plan, NoChange):
            break
        value = plan.after
        path.append(value)
    assert path == [25, 50, 100, 200, 100]
    failing = BatchFacts(setting="store_batch", value=1000, most=250, tried=tried, runs=40, failed=20)
    plan = rules.batches(failing, BOUNDS)
    assert isinstance(plan, TuningPlan) and (plan.after, plan.metric) == (125, Metric.FAILED)


CAPS = st.builds(
    CapFacts, setting=st.just("caps.comment.per_day"), value=st.integers(1, 10_000), peak=st.integers(0, 10_000),
    attempts=st.integers(200, 1000), throttled=st.integers(0, 200), capped=st.integers(0, 200),
    busiest=st.none() | st.floats(0, 2), can_lower=st.booleans(),
)  # fmt: skip


@given(CAPS)
def test_caps_rise_by_people_alone_and_only_with_room_and_without_a_429(facts: CapFacts) -> None:
    plan = rules.caps(facts, BOUNDS)
    if isinstance(plan, NoChange):
        return
    if plan.direction > 0:
        assert plan.needs_person and facts.throttled == 0 and facts.busiest is not None and facts.busiest <= 0.4
        assert facts.value < plan.after <= facts.value * 1.25 + 1
    else:
        assert facts.can_lower and 1 <= plan.after < min(facts.value, facts.peak)


@given(st.lists(st.tuples(st.integers(1, 30), st.sampled_from((-1, 1)), st.sampled_from(TuningVerdict)), max_size=60))
def test_a_setting_moves_once_a_day_and_not_back_within_a_week(asks: list[tuple[int, int, TuningVerdict]]) -> None:
    now, made = NOW, list[tuple[datetime, int]]()
    earlier: list[EarlierChange] = []
    for hours, direction, verdict in asks:
        now += timedelta(hours=hours)
        if why_quiet(direction, earlier, Pace(), now):
            continue
        made.append((now, direction))
        earlier.append(EarlierChange(direction=direction, at=now, was_applied=True, verdict=verdict))
    for (at, way), (after, other) in pairwise(made):
        assert after >= at + DAY
        assert way == other or after >= at + 7 * DAY


def test_open_unmeasured_and_declined_changes_keep_a_setting_quiet() -> None:
    done = EarlierChange(direction=1, at=NOW - 2 * DAY, was_applied=True, verdict=TuningVerdict.CAME)
    assert why_quiet(1, [done], Pace(), NOW) == ""
    for one, word in (
        (replace(done, is_open=True), "open"), (replace(done, verdict=None), "not measured"),
        (replace(done, is_undone=True), "declined"), (replace(done, was_applied=False), "declined"),
        (replace(done, verdict=TuningVerdict.DID_NOT_COME), "expected effect"),
    ):  # fmt: skip
        assert word in why_quiet(1, [one], Pace(), NOW)
        if word in ("declined", "expected effect"):
            assert why_quiet(1, [replace(one, at=NOW - 8 * DAY)], Pace(), NOW) == ""


def test_a_verdict_needs_a_difference_beyond_chance() -> None:
    def verdict(aim: Aim, before: int, after: int, guard: int = 0, units: int = 100) -> TuningVerdict | None:
        pair = MeasuredPair(Metric.LATE, share(units, before), share(units, after))
        guards = [MeasuredPair(Metric.FAILED, share(units, 0), share(units, guard))]
        return results.judge(aim, pair, guards, enough=30)

    assert verdict(Aim.IMPROVE, 30, 5) is TuningVerdict.CAME
    assert verdict(Aim.IMPROVE, 30, 28) is TuningVerdict.DID_NOT_COME
    assert verdict(Aim.KEEP, 2, 3) is TuningVerdict.CAME
    assert verdict(Aim.KEEP, 2, 20) is TuningVerdict.WORSE
    assert verdict(Aim.IMPROVE, 30, 5, guard=20) is TuningVerdict.WORSE
    assert verdict(Aim.IMPROVE, 30, 5, units=20) is None
    better = MeasuredPair(Metric.CHANGED, share(100, 3), share(100, 40))  # here more is better
    assert results.judge(Aim.IMPROVE, better, enough=30) is TuningVerdict.CAME
    same = MeasuredPair(Metric.ITEM_S, Sample(50, 2.0, 0.0), Sample(50, 1.0, 0.0))
    assert results.judge(Aim.IMPROVE, same, enough=30) is TuningVerdict.CAME
