"""What to change, from measured load: one step at a time, within bounds, with evidence and an expected effect. Pure.

Thresholds for more and for less are apart, so that a change never makes the rule propose the opposite at the same load.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from fleet.engine.points.effect_size import Sample
from fleet.features.tuning.decisions import queueing
from fleet.features.tuning.decisions.plans import ExpectedEffect, NoChange, TuningPlan, TuningRule
from fleet.features.tuning.decisions.queueing import QueueLoad
from fleet.features.tuning.decisions.results import Aim
from fleet.features.tuning.decisions.samples import Z95, Metric, difference, reach, share

WORKERS = "worker processes"
LATE, CALM = 0.05, 0.01
"""Shares of late work: above the first workers are added, up to the second some can be spared."""
SPARE_GOAL, SPARE_UTILISATION = 0.5, 0.75
"""Fewer workers must meet these shares of the goal and of the bound of utilisation."""
IDLE, BUSY, MANY = 0.05, 0.9, 10.0
"""Shares of runs with changes: up to the first the interval grows; from the second, with so many changes a run, it
shrinks."""
RUN_PART = 0.25
"""A run takes at most this part of its interval."""
FAILED = 0.2
LEAST_BATCH = 10
THROTTLED, CAPPED, LEAST_HELD = 0.02, 0.1, 5
LOWER, RAISE, ROOM = 0.8, 1.25, 0.5
"""Steps of a cap, and the most of a limit that may be used when a cap is raised."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TuningBounds:
    """What people allow. `samples` is the least number of observations behind a proposal."""

    samples: int = 30
    wait_s: float = 30.0
    utilisation: float = 0.7
    most_workers: int = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerFacts:
    """The load of the busiest hour with the workers that were at work in it, and how much work of the window was late.

    `now` are those of the last hour: in a quiet one not all are seen.
    """

    workers: int
    now: int
    threads: int
    load: QueueLoad
    arrivals: int
    """Of the busiest hour."""
    seen: int
    late: int
    """Of the window."""
    wait_p95_s: float
    is_whole: bool = True
    """Whether there was work from the beginning of the window on: of a part of a day a busier hour may be missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IntervalFacts:
    """Runs by the schedule under one interval. `ladder` has the values in order, with their seconds."""

    setting: str
    ladder: Mapping[str, float]
    value: str
    runs: int
    changed: int
    changes: Sample
    """Changes of a run."""
    failed: int
    run_p95_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchFacts:
    """Seconds for one item by the size of a page, and how many of the runs at the present size failed."""

    setting: str
    value: int
    most: int
    """The largest page of the shop."""
    tried: Mapping[int, Sample] = field(default_factory=dict)
    runs: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CapFacts:
    """Writes that a cap counts. `busiest` is the largest share of an outside limit that was used; None: none is known.

    `peak` is the most that was written in the cap's time; `can_lower` says whether less of it helps against a 429.
    """

    setting: str
    value: int
    peak: int
    attempts: int
    throttled: int
    capped: int
    busiest: float | None = None
    can_lower: bool = True


def fewest(load: QueueLoad, threads: int, *, wait_s: float, utilisation: float, most: int) -> int | None:
    """Return the fewest workers whose estimated p95 wait and utilisation are within bounds; None: more than `most`."""
    for workers in range(1, most + 1):
        servers = workers * threads
        is_idle_enough = queueing.utilisation(load, servers) <= utilisation
        if is_idle_enough and queueing.wait_s(load, servers) <= wait_s:
            return workers
    return None


def workers(facts: WorkerFacts, bounds: TuningBounds) -> TuningPlan | NoChange:
    """Propose more workers where work is late or the busiest hour is too full, fewer where they are not needed."""
    if facts.seen < bounds.samples:
        return NoChange(f"fewer than {bounds.samples} jobs and ticks were measured")
    if facts.workers < 1:
        return NoChange("no worker was seen in the busiest hour")
    if facts.now > facts.workers:
        return NoChange("workers were added since the busiest hour")
    servers = facts.workers * facts.threads
    needed = fewest(facts.load, facts.threads, wait_s=bounds.wait_s, utilisation=bounds.utilisation,
                    most=bounds.most_workers) or bounds.most_workers  # fmt: skip
    is_late = facts.late / facts.seen > LATE
    is_full = queueing.utilisation(facts.load, servers) > bounds.utilisation
    if (is_late or is_full) and needed > facts.workers:
        return _workers(facts, bounds, min(needed, 2 * facts.workers), Aim.IMPROVE if is_late else Aim.KEEP)
    if is_late:
        return NoChange("work is late, but not for lack of workers: look for pauses, slow calls and locks")
    calm = fewest(facts.load, facts.threads, wait_s=bounds.wait_s * SPARE_GOAL,
                  utilisation=bounds.utilisation * SPARE_UTILISATION, most=bounds.most_workers)  # fmt: skip
    if calm is not None and calm < facts.workers and facts.late / facts.seen <= CALM:
        if not facts.is_whole:
            return NoChange("fewer workers seem enough, but the window is not measured from its beginning on")
        return _workers(facts, bounds, max(calm, math.ceil(facts.workers / 2)), Aim.KEEP)
    return NoChange("the workers fit their load")


def _workers(facts: WorkerFacts, bounds: TuningBounds, after: int, aim: Aim) -> TuningPlan:
    load, goal = facts.load, bounds.wait_s
    servers, wanted = facts.workers * facts.threads, after * facts.threads
    error = Z95 / math.sqrt(max(facts.arrivals, 1))  # of a Poisson count, relative
    low, high = (
        queueing.late_share(replace(load, rate=load.rate * factor), wanted, goal)
        for factor in (max(1 - error, 0.0), 1 + error)
    )
    expected = ExpectedEffect(facts.late / facts.seen, queueing.late_share(load, wanted, goal), low, high)
    now, then = (queueing.utilisation(load, number) for number in (servers, wanted))
    waits = {str(number): _finite(queueing.wait_s(load, number)) for number in (servers, wanted)}
    return TuningPlan(
        rule=TuningRule.WORKERS, setting=WORKERS, before=facts.workers, after=after,
        direction=1 if after > facts.workers else -1,
        words=f"{facts.workers} workers of {facts.threads} threads were busy {now:.0%} of their busiest hour, {after} "
        f"would be {then:.0%}; {facts.late} of {facts.seen} jobs and ticks waited longer than {goal:g} s",
        metric=Metric.LATE, aim=aim, expected=expected, needs_person=True,
        evidence={
            "threads": facts.threads, "seen": facts.seen, "late": facts.late, "wait_p95_s": round(facts.wait_p95_s, 3),
            "busiest_hour": facts.arrivals, "rate": round(load.rate, 6), "service_s": round(load.service_s, 4),
            "arrival_scv": round(load.arrival_scv, 3), "service_scv": round(load.service_scv, 3),
            "utilisation": round(now, 4), "utilisation_after": round(then, 4), "goal_s": goal,
            "estimated_p95_s": waits,
        },
    )  # fmt: skip


def _finite(value: float) -> float | None:
    return round(value, 3) if math.isfinite(value) else None


def intervals(facts: IntervalFacts, bounds: TuningBounds) -> TuningPlan | NoChange:
    """Lengthen an interval whose runs find nothing, shorten one at which many changes wait."""
    if facts.runs < bounds.samples:
        return NoChange(f"fewer than {bounds.samples} runs were measured")
    if facts.value not in facts.ladder:
        return NoChange("it is done only when people ask")
    names = list(facts.ladder)
    place = names.index(facts.value)
    found = facts.changed / facts.runs
    if found <= IDLE and place + 1 < len(names):
        return _longer(facts, names[place + 1])
    is_busy = found >= BUSY and facts.changes.mean >= MANY
    if not is_busy or place == 0:
        return NoChange("the interval fits its changes")
    if facts.run_p95_s > RUN_PART * facts.ladder[names[place - 1]]:
        return NoChange("changes wait, but a run takes too long for a shorter interval")
    return _shorter(facts, names[place - 1])


def _longer(facts: IntervalFacts, after: str) -> TuningPlan:
    """With changes that come independently of each other, k runs in one find some with 1 - (1 - p)^k."""
    sample = share(facts.runs, facts.changed)
    times = facts.ladder[after] / facts.ladder[facts.value]
    expected, low, high = (
        1 - (1 - min(max(sample.mean + shift, 0.0), 1.0)) ** times for shift in (0.0, -reach(sample), reach(sample))
    )
    words = f"{facts.changed} of {facts.runs} runs found a change"
    return _interval(facts, after, words, Metric.CHANGED,
                     ExpectedEffect(facts.changed / facts.runs, expected, low, high))  # fmt: skip


def _shorter(facts: IntervalFacts, after: str) -> TuningPlan:
    times, mean, half = facts.ladder[after] / facts.ladder[facts.value], facts.changes.mean, reach(facts.changes)
    expected = ExpectedEffect(mean, mean * times, max(mean - half, 0.0) * times, (mean + half) * times)
    words = f"{facts.changed} of {facts.runs} runs found changes, {mean:.3g} on average"
    return _interval(facts, after, words, Metric.CHANGES, expected)


def _interval(facts: IntervalFacts, after: str, words: str, metric: Metric, expected: ExpectedEffect) -> TuningPlan:
    now, then = facts.ladder[facts.value], facts.ladder[after]
    return TuningPlan(
        rule=TuningRule.INTERVALS, setting=facts.setting, before=facts.value, after=after,
        direction=1 if then > now else -1, words=words, metric=metric, aim=Aim.IMPROVE, expected=expected,
        guards=(Metric.FAILED,),
        evidence={"runs": facts.runs, "changed": facts.changed, "changes_a_run": round(facts.changes.mean, 3),
                  "failed": facts.failed, "run_p95_s": round(facts.run_p95_s, 3),
                  "mean_age_s": now / 2, "mean_age_after_s": then / 2},
    )  # fmt: skip


def batches(facts: BatchFacts, bounds: TuningBounds) -> TuningPlan | NoChange:
    """Climb to the size of a page with the least time for an item, by halves and doubles; smaller where runs fail."""
    size = min(facts.value, facts.most)
    if facts.runs >= bounds.samples and facts.failed / facts.runs >= FAILED and size > LEAST_BATCH:
        return _smaller(facts, size, max(size // 2, LEAST_BATCH))
    own = facts.tried.get(size)
    if own is None or own.units < bounds.samples:
        return NoChange(f"fewer than {bounds.samples} runs were measured at this size")
    known = sorted(one for one, sample in facts.tried.items()
                   if sample.units >= bounds.samples and LEAST_BATCH <= one <= facts.most)  # fmt: skip
    quicker = [one for one in known if one != size and _is_quicker(own, facts.tried[one], bounds.samples)]
    if quicker:
        best = min(quicker, key=lambda one: facts.tried[one].mean)
        step = max(size // 2, min(size * 2, best))
        sample = facts.tried[best]
        half = reach(sample)
        return _batch(facts, size, step, f"pages of {best} took {sample.mean:.3g} s an item, those of {size} "
                      f"{own.mean:.3g} s", ExpectedEffect(own.mean, sample.mean, sample.mean - half,
                                                          sample.mean + half))  # fmt: skip
    larger = min(size * 2, facts.most)
    if larger > size and not any(one > size for one in known):
        # The time of a page is one part for the call and one for its items: at most all of it is for the call.
        least, most = own.mean * size / larger, own.mean
        return _batch(facts, size, larger, f"pages of {size} take {own.mean:.3g} s an item; a larger one was not tried",
                      ExpectedEffect(own.mean, (least + most) / 2, least, most))  # fmt: skip
    return NoChange("no other size of a page was quicker")


def _is_quicker(own: Sample, other: Sample, enough: int) -> bool:
    found = difference(own, other, enough)
    return found is not None and found.high < 0


def _batch(facts: BatchFacts, size: int, after: int, words: str, expected: ExpectedEffect) -> TuningPlan:
    return TuningPlan(
        rule=TuningRule.BATCHES, setting=facts.setting, before=facts.value, after=after,
        direction=1 if after > size else -1, words=words, metric=Metric.ITEM_S, aim=Aim.IMPROVE, expected=expected,
        guards=(Metric.FAILED,), evidence=_of_batch(facts),
    )  # fmt: skip


def _smaller(facts: BatchFacts, size: int, after: int) -> TuningPlan:
    sample = share(facts.runs, facts.failed)
    expected = ExpectedEffect(facts.failed / facts.runs, sample.mean / 2, 0.0, sample.mean)
    return TuningPlan(
        rule=TuningRule.BATCHES, setting=facts.setting, before=facts.value, after=after, direction=-1,
        words=f"{facts.failed} of {facts.runs} runs with pages of {size} failed", metric=Metric.FAILED,
        aim=Aim.IMPROVE, expected=expected, evidence=_of_batch(facts),
    )  # fmt: skip


def _of_batch(facts: BatchFacts) -> dict[str, object]:
    tried = {str(size): {"runs": one.units, "item_s": round(one.mean, 6)} for size, one in sorted(facts.tried.items())}
    return {"runs": facts.runs, "failed": facts.failed, "largest_page": facts.most, "tried": tried}


def caps(facts: CapFacts, bounds: TuningBounds) -> TuningPlan | NoChange:
    """Lower a cap where the network answered 429; raise one that held work back while outside limits had room."""
    if facts.attempts < bounds.samples:
        return NoChange(f"fewer than {bounds.samples} writes were measured")
    throttled, capped = facts.throttled / facts.attempts, facts.capped / facts.attempts
    if facts.can_lower and facts.throttled >= LEAST_HELD and throttled >= THROTTLED:
        # A cap that nothing reaches changes nothing: the step is taken from what was written.
        used = min(facts.value, facts.peak)
        after = max(1, math.floor(used * LOWER))
        if after >= used:
            return NoChange("the cap is as low as it can be")
        sample = share(facts.attempts, facts.throttled)
        expected = ExpectedEffect(throttled, sample.mean * LOWER, 0.0, min(sample.mean + reach(sample), 1.0) * LOWER)
        words = f"the network answered {facts.throttled} of {facts.attempts} writes with 429"
        return _cap(facts, after, words, Metric.THROTTLED, expected)
    if facts.capped < LEAST_HELD or capped < CAPPED:
        return NoChange("the cap held little back, and the network refused little")
    if facts.throttled:
        return NoChange("the cap held work back, but the network answered 429 too")
    if facts.busiest is None:
        return NoChange("the cap held work back, but no limit of the network is known")
    if facts.busiest * RAISE > ROOM:
        return NoChange("the cap held work back, but the limit of the network has little room")
    sample = share(facts.attempts, facts.capped)
    # Work that the raised cap still holds back: what there was beyond it before, if as much comes.
    passed = facts.attempts - facts.capped
    after = math.ceil(facts.value * RAISE)
    left = max(0.0, 1 - passed * after / facts.value / facts.attempts)
    expected = ExpectedEffect(capped, left, max(0.0, left - reach(sample)), min(1.0, left + reach(sample)))
    words = f"the cap held back {facts.capped} of {facts.attempts} writes; {facts.busiest:.0%} of the limit was used"
    return _cap(facts, after, words, Metric.CAPPED, expected)


def _cap(facts: CapFacts, after: int, words: str, metric: Metric, expected: ExpectedEffect) -> TuningPlan:
    is_more = after > facts.value
    return TuningPlan(
        rule=TuningRule.CAPS, setting=facts.setting, before=facts.value, after=after, direction=1 if is_more else -1,
        words=words, metric=metric, aim=Aim.IMPROVE, expected=expected, needs_person=is_more,
        guards=(Metric.THROTTLED,) if is_more else (),
        evidence={"writes": facts.attempts, "peak": facts.peak, "throttled": facts.throttled, "capped": facts.capped,
                  "limit_used": None if facts.busiest is None else round(facts.busiest, 4)},
    )  # fmt: skip
