"""The overview's figures: sums, trends, shares, data of the charts. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fleet.features.overview.hours import HOUR
from fleet.features.overview.queries import Hour, Overview
from fleet.spending.budgets import Period
from fleet.web import links
from fleet.web.drawing.charts import KIND_TITLES, Column, by_kind

_STATUSES = ("running", "paused", "idle", "error")
_SPARKS = 24


@dataclass(frozen=True, slots=True)
class Figures:
    """The values of the cards. `before` is the same for the 24 hours before, None until that is counted."""

    statuses: Sequence[tuple[str, int]]
    statuses_label: str
    actions: int
    actions_before: int | None
    actions_spark: Sequence[float | None]
    late_p95: float | None
    late_spark: Sequence[float]
    given_up_spark: Sequence[float | None]
    given_up: int
    limit: int | None
    used: int
    expected: int | None
    spent_before: int | None
    spent_spark: Sequence[float | None]
    columns: Sequence[Column]
    series: dict[str, str]


def of(seen: Overview) -> Figures:
    """Return the figures of an overview."""
    statuses = [(name, seen.agents.get(name, 0)) for name in _STATUSES]
    columns = [_column(hour) for hour in seen.today]
    budget = seen.budget
    whole = seen.hours[-_SPARKS - 1 : -1]  # the current, incomplete hour would look like a drop
    return Figures(
        statuses=statuses,
        statuses_label="Agents: " + ", ".join(f"{number} {name}" for name, number in statuses),
        actions=sum(hour.actions or 0 for hour in seen.today),
        actions_before=_sum([hour.actions for hour in seen.before]),
        actions_spark=[hour.actions for hour in whole],
        late_p95=percentile(seen.lateness_s, 0.95),
        late_spark=_chunks(seen.lateness_s),
        given_up_spark=[_rate([hour]) for hour in whole],
        given_up=sum(hour.dead or 0 for hour in seen.today),
        limit=None if budget is None else budget.limit_microusd + budget.allowance_microusd,
        used=0 if budget is None else budget.spent_microusd + budget.reserved_microusd,
        expected=seen.forecast if budget is not None and budget.period is Period.DAY else None,
        spent_before=_until_now_yesterday(seen),
        spent_spark=list(seen.spent[-_SPARKS - 1 : -1]),
        columns=columns,
        series={name: title for name, title in KIND_TITLES.items() if any((c.values or {}).get(name) for c in columns)},
    )  # fmt: skip


def percentile(values: Sequence[float], share: float) -> float | None:
    """Return the percentile: the value below which this share of all lies; None of an empty list."""
    if not values:
        return None
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def _column(hour: Hour) -> Column:
    start, end = hour.begins, hour.begins + HOUR
    return Column(
        f"{start:%H:00}", None if hour.done is None else by_kind(hour.of_agents), links.span_words(start, end),
        links.jobs_between(start, end, state="done"), start, end,
    )  # fmt: skip


def _rate(hours: Sequence[Hour]) -> float | None:
    """Return the share of ended jobs that became dead letters; None if none ended or an hour is not counted."""
    dead, done = _sum([hour.dead for hour in hours]), _sum([hour.succeeded for hour in hours])
    return None if dead is None or done is None or not dead + done else dead / (dead + done)


def _sum(values: Sequence[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None


def _until_now_yesterday(seen: Overview) -> int | None:
    """Return the cost of yesterday up to this time; a part of its last hour."""
    hours = seen.now.hour
    before = seen.spent[-_SPARKS - 1 - hours : -_SPARKS]
    whole, last = _sum(before[:-1]), before[-1] if before else None
    if whole is None or last is None:
        return None
    return whole + round(last * (seen.now.minute * 60 + seen.now.second) / 3600)


def _chunks(values: Sequence[float]) -> list[float]:
    """Return the 95th percentile of each of some stretches, oldest first."""
    size = max(1, -(-len(values) // _SPARKS))
    return [percentile(values[at : at + size], 0.95) or 0.0 for at in range(0, len(values), size)]
