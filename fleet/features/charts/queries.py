"""The values of all charts of a range, as pages, API and command show them: read once for all requests of a process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from fleet.engine.deps import Deps
from fleet.features.charts import history
from fleet.features.charts.buckets import HOUR, ChartRange, Measures, total
from fleet.features.charts.history import QueuePeak
from fleet.web.cached_stats import Cached

_FOR_S = {ChartRange.HOUR: 5.0, ChartRange.DAY: 10.0, ChartRange.WEEK: 30.0, ChartRange.MONTH: 30.0}


@dataclass(frozen=True, slots=True)
class ChartBucket:
    """A stretch of a chart. `measures` None: not known (any more, or not summed yet); `queue` None: no sample."""

    start: datetime
    end: datetime
    measures: Measures | None
    queue: QueuePeak | None


@dataclass(frozen=True, slots=True)
class ChartData:
    """The charts of a range, oldest bucket first; the last one is under way."""

    range: ChartRange
    now: datetime
    buckets: Sequence[ChartBucket]

    @property
    def start(self) -> datetime:
        """When the first bucket begins."""
        return self.buckets[0].start

    @property
    def end(self) -> datetime:
        """When the last bucket ends."""
        return self.buckets[-1].end

    @property
    def sums(self) -> Measures:
        """What happened in all buckets that are known."""
        return total(one.measures for one in self.buckets if one.measures is not None) or Measures()


def read(deps: Deps, wanted: ChartRange) -> ChartData:
    """Return the charts of a range, some seconds old at most. Raises Unavailable."""
    cached: dict[ChartRange, Cached[ChartData]] = deps.part("charts", _readers)
    return cached[wanted].get()


def _readers(deps: Deps) -> dict[ChartRange, Cached[ChartData]]:
    def reader(wanted: ChartRange) -> Cached[ChartData]:
        return Cached(lambda: _read(deps, wanted), for_s=_FOR_S[wanted])

    return {wanted: reader(wanted) for wanted in ChartRange}


def _read(deps: Deps, wanted: ChartRange) -> ChartData:
    with deps.db.transaction() as tx:
        now = tx.now()
        starts, step = wanted.starts(now), wanted.step
        until = starts[-1] + step
        queue = history.queue(tx, starts[0], until, step)
        if step < HOUR:
            live = history.read(tx, starts[0], until, step)
            known: dict[datetime, Measures | None] = {start: live.get(start, Measures()) for start in starts}
        else:
            by_hour = history.hours(tx, starts[0], now)
            places = range(step // HOUR)
            known = {
                start: total(by_hour[start + HOUR * place] for place in places if start + HOUR * place in by_hour)
                for start in starts
            }
    return ChartData(
        wanted, now, [ChartBucket(start, start + step, known[start], queue.get(start)) for start in starts]
    )  # fmt: skip
