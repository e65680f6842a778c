"""Samples of a measure, and whether two differ. Pure; intervals by `fleet.engine.points.effect_size`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from fleet.engine.points.effect_size import CONFIDENCE, LEAST_FOR_AN_INTERVAL, EffectInterval, Sample, welch

Z95 = 1.96


class Metric(StrEnum):
    """What a change is to improve, or to leave as it is."""

    LATE = "late"
    THROTTLED = "throttled"
    CAPPED = "capped"
    CHANGED = "changed"
    CHANGES = "changes"
    ITEM_S = "item_s"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class MetricTraits:
    """How a metric is named to people, and which way is better. A share is shown in percent."""

    words: str
    is_share: bool = True
    is_better_lower: bool = True


TRAITS = {
    Metric.LATE: MetricTraits("jobs and ticks that wait longer than the goal"),
    Metric.THROTTLED: MetricTraits("writes that the network answered with 429"),
    Metric.CAPPED: MetricTraits("writes that the cap held back"),
    Metric.CHANGED: MetricTraits("runs that found a change", is_better_lower=False),
    Metric.CHANGES: MetricTraits("changes that waited for a run", is_share=False),
    Metric.ITEM_S: MetricTraits("seconds for one item", is_share=False),
    Metric.FAILED: MetricTraits("runs that failed"),
}


def share(units: int, hits: int) -> Sample:
    """Return the sample of a share. One hit and one miss are added, so that no share of 0 or 1 looks certain.

    After A. Agresti and B. Caffo, Simple and effective confidence intervals for proportions (2000).
    """
    number = units + 2
    mean = (hits + 1) / number
    return Sample(number, mean, mean * (1 - mean) * number / (number - 1))


def reach(sample: Sample) -> float:
    """Return half of the interval of 95 % of a mean; infinite for fewer than two."""
    return Z95 * math.sqrt(sample.variance / sample.units) if sample.units > 1 else math.inf


def difference(before: Sample, after: Sample, enough: int) -> EffectInterval | None:
    """Return the interval of 95 % of after less before; None with fewer than `enough` units in one of them."""
    if min(before.units, after.units) < max(enough, LEAST_FOR_AN_INTERVAL):
        return None
    if before.variance == after.variance == 0:
        exact = after.mean - before.mean
        return EffectInterval(exact, exact, exact)
    return welch(before, after, CONFIDENCE)
