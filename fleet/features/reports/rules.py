"""Periods of reports, and their comparison. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo


class Cadence(StrEnum):
    """How often a report is built."""

    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"


@dataclass(frozen=True, slots=True)
class ReportPeriod:
    """A half-open period in UTC; it begins and ends at midnight of the report's zone."""

    since: datetime
    until: datetime


def last_due(cadence: Cadence, now: datetime, zone: str, hour: int) -> ReportPeriod:
    """Return the newest period whose report is due: it is due at `hour` of the zone on the day on which it ended."""
    place = ZoneInfo(zone)
    end = _first_day(cadence, now.astimezone(place).date())
    if now < datetime.combine(end, time(hour), place):
        end = _first_day(cadence, end - timedelta(days=1))
    start = _first_day(cadence, end - timedelta(days=1))
    return ReportPeriod(_midnight(start, place), _midnight(end, place))


def before(cadence: Cadence, period: ReportPeriod, zone: str) -> ReportPeriod:
    """Return the period before one."""
    return last_due(cadence, period.until - timedelta(microseconds=1), zone, 0)


def first_day(since: datetime) -> date:
    """Return the day that begins at a midnight of a zone within twelve hours of UTC."""
    return (since.astimezone(UTC) + timedelta(hours=12)).date()


def _first_day(cadence: Cadence, day: date) -> date:
    """Return the day on which the period of a day begins: weeks begin on Mondays."""
    match cadence:
        case Cadence.DAILY:
            return day
        case Cadence.WEEKLY:
            return day - timedelta(days=day.weekday())
        case Cadence.MONTHLY:
            return day.replace(day=1)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(0), zone).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class FigureChange:
    """A figure in two reports. `change` and `percent` are None where they are unknown."""

    name: str
    title: str
    unit: str
    value: float | None
    before: float | None
    change: float | None
    percent: float | None


def compare(document: dict[str, Any], other: dict[str, Any]) -> list[FigureChange]:
    """Return the figures of a report beside those of another one, in the order of the report."""
    before = {one["name"]: one["value"] for section in other["sections"] for one in section["figures"]}
    return [_change(one, before.get(one["name"])) for section in document["sections"] for one in section["figures"]]


def _change(one: dict[str, Any], before: float | None) -> FigureChange:
    value = one["value"]
    change = None if value is None or before is None else value - before
    percent = 100 * change / abs(before) if change is not None and before else None
    return FigureChange(one["name"], one["title"], one["unit"], value, before, change, percent)


def visible(document: dict[str, Any], permissions: frozenset[str]) -> dict[str, Any]:
    """Return a document without the sections that need a permission which is not among these."""
    shown = [one for one in document["sections"] if not one["permission"] or one["permission"] in permissions]
    return {**document, "sections": shown}
