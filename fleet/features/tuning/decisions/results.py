"""Whether the expected effect of a change came: two equal windows, before and after it, with an interval. Pure.

Before and after is what there is: a setting of the whole fleet has no control. What else changed meanwhile is in the
figures too, so a result names the units of both windows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from fleet.engine.points.effect_size import EffectInterval, Sample
from fleet.features.tuning.decisions.samples import TRAITS, Metric, difference


class Aim(StrEnum):
    """What a change is for: to improve its metric, or to spare work and keep the metric."""

    IMPROVE = "improve"
    KEEP = "keep"


class TuningVerdict(StrEnum):
    """What came of a change. `unclear`: too little was measured; `disturbed`: somebody changed the setting again."""

    CAME = "came"
    DID_NOT_COME = "did_not_come"
    WORSE = "worse"
    UNCLEAR = "unclear"
    DISTURBED = "disturbed"


@dataclass(frozen=True, slots=True)
class MeasuredPair:
    """A metric before and after a change."""

    metric: Metric
    before: Sample
    after: Sample


def judge(aim: Aim, own: MeasuredPair, guards: Sequence[MeasuredPair] = (), *, enough: int) -> TuningVerdict | None:
    """Return the verdict; None while one of the windows has fewer than `enough` units.

    A guard is a metric that the change must not worsen, whatever it was for.
    """
    found = difference(own.before, own.after, enough)
    if found is None:
        return None
    worse_guards = [one for one in guards if _is_worse(one.metric, difference(one.before, one.after, enough))]
    if worse_guards or _is_worse(own.metric, found):
        return TuningVerdict.WORSE
    if aim is Aim.KEEP or _is_better(own.metric, found):
        return TuningVerdict.CAME
    return TuningVerdict.DID_NOT_COME


def _is_worse(metric: Metric, found: EffectInterval | None) -> bool:
    if found is None:
        return False
    return found.low > 0 if TRAITS[metric].is_better_lower else found.high < 0


def _is_better(metric: Metric, found: EffectInterval) -> bool:
    return found.high < 0 if TRAITS[metric].is_better_lower else found.low > 0


def figures(own: MeasuredPair, guards: Sequence[MeasuredPair], *, enough: int) -> Mapping[str, Any]:
    """Return the figures of a result, as JSON."""
    return {"metric": own.metric.value, **_figures(own, enough),
            "guards": {one.metric.value: _figures(one, enough) for one in guards}}  # fmt: skip


def _figures(one: MeasuredPair, enough: int) -> dict[str, Any]:
    found = difference(one.before, one.after, enough)
    interval = {} if found is None else {
        "difference": round(found.difference, 6), "low": round(found.low, 6), "high": round(found.high, 6)
    }  # fmt: skip
    return {"units_before": one.before.units, "units_after": one.after.units, "before": round(one.before.mean, 6),
            "after": round(one.after.mean, 6), **interval}  # fmt: skip
