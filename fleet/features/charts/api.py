"""The charts for programs: the same buckets and values as the page."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from fleet.access import Permission, Principal
from fleet.features.charts import queries
from fleet.features.charts.buckets import ChartRange, Measures
from fleet.features.charts.queries import ChartBucket
from fleet.web.auth import TheDeps, needs

router = APIRouter(prefix="/stats", tags=["stats"])


class MeasuresOut(BaseModel):
    """What happened in a span of time. Jobs of agents count, not deliveries and notices."""

    actions: int = Field(description="jobs that were done")
    done: dict[str, int] = Field(description="the same by kind")
    failing: int = Field(description="jobs with an attempt that failed; in sums of hours a job counts once an hour")
    given_up: int = Field(description="jobs that became dead letters")
    decisions: int = Field(description="ticks that were decided")
    late_p50_s: float | None = Field(description="half of them were decided this long after they were due, or earlier")
    late_p95_s: float | None
    microusd: int | None = Field(description="the cost of calls to models; null without the permission `costs.view`")


class BucketOut(BaseModel):
    """A stretch of the range."""

    start: datetime
    end: datetime
    measures: MeasuresOut | None = Field(description="null where nothing is known")
    queue_most: int | None = Field(description="most jobs that waited at once, sampled each minute; null: no sample")
    queue_oldest_s: float | None = Field(description="how long the oldest of them had waited, at most")


class StatsOut(BaseModel):
    """The fleet over time, the oldest bucket first; the last one is under way."""

    range: ChartRange
    step_s: int = Field(description="the length of a bucket; buckets begin on whole steps of UTC")
    start: datetime
    end: datetime
    sums: MeasuresOut
    buckets: list[BucketOut]


@router.get("")
def stats(deps: TheDeps, who: Annotated[Principal, needs(Permission.FLEET_VIEW)], *,
          range: Annotated[ChartRange, Query(description="how far back")] = ChartRange.DAY) -> StatsOut:  # fmt: skip
    """Return actions, failures, lateness, queue and cost over time."""
    data, sees_costs = queries.read(deps, range), who.may(Permission.COSTS_VIEW)
    return StatsOut(
        range=data.range, step_s=round(data.range.step.total_seconds()), start=data.start, end=data.end,
        sums=_measures(data.sums, sees_costs), buckets=[_bucket(one, sees_costs) for one in data.buckets],
    )  # fmt: skip


def _bucket(one: ChartBucket, sees_costs: bool) -> BucketOut:
    return BucketOut(
        start=one.start, end=one.end, measures=None if one.measures is None else _measures(one.measures, sees_costs),
        queue_most=None if one.queue is None else one.queue.due,
        queue_oldest_s=None if one.queue is None else one.queue.oldest_s,
    )  # fmt: skip


def _measures(one: Measures, sees_costs: bool) -> MeasuresOut:
    return MeasuresOut(
        actions=one.actions, done=dict(one.done), failing=one.failing, given_up=one.given_up, decisions=one.decisions,
        late_p50_s=one.late_s(0.5), late_p95_s=one.late_s(0.95), microusd=one.microusd if sees_costs else None,
    )  # fmt: skip
