"""The charts of a range as data to draw: each bar with its values, its words and the jobs that it stands for. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from fleet.features.charts.buckets import HOUR, ChartRange, Measures
from fleet.features.charts.queries import ChartBucket, ChartData
from fleet.web import filters, links
from fleet.web.drawing import charts
from fleet.web.drawing.charts import KIND_TITLES, Column, by_kind

_Values = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Drawing:
    """One chart: its bars, and what the legend and the table call their parts. `sums` None: the sums of the bars."""

    key: str
    title: str
    note: str
    columns: Sequence[Column]
    series: Mapping[str, str]
    show: Callable[[float], str] = charts.count
    axis: Callable[[float], str] | None = None
    is_layered: bool = False
    sums: Mapping[str, str] | None = None

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to draw."""
        return not any(column.values and any(column.values.values()) for column in self.columns)


def of(data: ChartData) -> list[Drawing]:
    """Return all charts of a range."""
    return [_actions(data), _failing(data), _given_up(data), _lateness(data), _queue(data), _cost(data)]


def _actions(data: ChartData) -> Drawing:
    columns = _columns(data, _measured(lambda one: by_kind(one.done)), state="done")
    series = {name: title for name, title in KIND_TITLES.items() if any((c.values or {}).get(name) for c in columns)}
    return Drawing("actions", "Actions", "jobs of agents that were done, by when they ended", columns, series)


def _failing(data: ChartData) -> Drawing:
    note = "jobs with an attempt that failed, by when it began"
    if data.range.step > HOUR:
        note += "; a job counts once an hour"
    columns = _columns(data, _measured(lambda one: {"warn": one.failing}), time="failed")
    return Drawing("failures", "Failures", note, columns, {"warn": "Failing jobs"})


def _given_up(data: ChartData) -> Drawing:
    columns = _columns(data, _measured(lambda one: {"bad": one.given_up}), state="dead")
    return Drawing("given-up", "Given up", "jobs that became dead letters, by when they did", columns,
                   {"bad": "Dead letters"})  # fmt: skip


def _lateness(data: ChartData) -> Drawing:
    def values(one: Measures) -> _Values:
        p50, p95 = one.late_s(0.5), one.late_s(0.95)
        return {} if p50 is None or p95 is None else {"p50": p50, "p95": p95}

    sums = {name: filters.span(late_s) for name, late_s in values(data.sums).items()}
    return Drawing(
        "lateness", "Lateness", "from due to decided; a bar shows the jobs created then",
        _columns(data, _measured(values), time="created"), {"p50": "p50", "p95": "p95"}, show=filters.span,
        axis=_span_axis, is_layered=True, sums=sums,
    )  # fmt: skip


def _queue(data: ChartData) -> Drawing:
    most = max((one.queue.due for one in data.buckets if one.queue is not None), default=0)
    return Drawing(
        "queue", "Queue", "most jobs that waited at once; a bar shows the jobs created then",
        _columns(data, lambda one: None if one.queue is None else {"queue": one.queue.due}, time="created"),
        {"queue": "Waiting jobs, at most"}, sums={"queue": charts.count(most)},
    )  # fmt: skip


def _cost(data: ChartData) -> Drawing:
    return Drawing(
        "cost", "Cost", "calls to models, by when they were made; a bar shows the jobs that ended then",
        _columns(data, _measured(lambda one: {"cost": one.microusd})), {"cost": "Cost"}, show=_money, axis=_money,
    )  # fmt: skip


def _measured(values: Callable[[Measures], _Values]) -> Callable[[ChartBucket], _Values | None]:
    return lambda one: None if one.measures is None else values(one.measures)


def _columns(data: ChartData, values: Callable[[ChartBucket], _Values | None], *, state: str = "",
             time: str = "") -> list[Column]:  # fmt: skip
    written = "%H:%M" if data.range in (ChartRange.HOUR, ChartRange.DAY) else "%d %b"
    return [
        Column(
            one.start.strftime(written), values(one), links.span_words(one.start, one.end),
            links.jobs_between(one.start, one.end, state=state, time=time), one.start, one.end,
        )
        for one in data.buckets
    ]  # fmt: skip


def _money(value: float) -> str:
    return filters.money(round(value))


def _span_axis(value: float) -> str:
    return filters.span(value) if value else "0"
