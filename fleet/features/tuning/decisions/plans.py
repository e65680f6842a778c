"""A proposed change of a setting, and the history that keeps proposals from flapping. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from fleet.features.tuning.decisions.results import Aim, TuningVerdict
from fleet.features.tuning.decisions.samples import Metric


class TuningRule(StrEnum):
    """What is tuned."""

    WORKERS = "workers"
    BATCHES = "batches"
    INTERVALS = "intervals"
    CAPS = "caps"


@dataclass(frozen=True, slots=True)
class ExpectedEffect:
    """The metric before the change and after it; `low` to `high` is the interval of 95 % of what is expected."""

    before: float
    after: float
    low: float
    high: float

    def to_data(self) -> dict[str, float]:
        """Return it as JSON."""
        return {name: round(getattr(self, name), 6) for name in ("before", "after", "low", "high")}


@dataclass(frozen=True, slots=True, kw_only=True)
class TuningPlan:
    """A change of one setting by one step. `direction` is 1 for more of it and -1 for less."""

    rule: TuningRule
    setting: str
    before: Any
    after: Any
    direction: int
    words: str
    metric: Metric
    aim: Aim
    expected: ExpectedEffect
    evidence: Mapping[str, Any]
    guards: tuple[Metric, ...] = ()
    needs_person: bool = False
    """Never applied without a person: it lets agents do more to the outside, or people run a command for it."""


@dataclass(frozen=True, slots=True)
class NoChange:
    """Why nothing is proposed."""

    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierChange:
    """An earlier proposal of the same setting in the same scope. `at` is when it was last moved."""

    direction: int
    at: datetime
    is_open: bool = False
    was_applied: bool = False
    is_undone: bool = False
    verdict: TuningVerdict | None = None


@dataclass(frozen=True, slots=True)
class Pace:
    """How often a setting is moved: one step a day, and for a week neither back nor again after people said no."""

    step: timedelta = field(default_factory=lambda: timedelta(days=1))
    quiet: timedelta = field(default_factory=lambda: timedelta(days=7))


def why_quiet(direction: int, earlier: Sequence[EarlierChange], pace: Pace, now: datetime) -> str:
    """Return why a setting is not moved now in a direction; empty if it may be."""
    for one in earlier:
        if one.is_open:
            return "a proposal is open"
        if one.was_applied and not one.is_undone and one.verdict is None:
            return "the effect of the last change is not measured yet"
        if one.was_applied and now < one.at + pace.step:
            return "it was changed within a day"
        if now >= one.at + pace.quiet:
            continue
        if one.is_undone or not one.was_applied:
            return "people declined or undid a change within a week"
        if one.direction != direction:
            return "it was moved the other way within a week"
        if one.verdict in (TuningVerdict.DID_NOT_COME, TuningVerdict.WORSE):
            return "the last step this way within a week had not the expected effect"
    return ""
