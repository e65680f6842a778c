"""The score of a network: engagement 40, success 30, growth 20, activity 10; and the band of its engagement. Pure.

A part without data has no points. The score is then the share of the points that could be had, and says which parts are
missing. The bands are those of each network (`platforms.networks`).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from fleet.features.platforms.networks import Bands

FULL_GROWTH_PERCENT = 5.0
"""Growth of followers in a week that gives all points of growth."""


class Band(StrEnum):
    """The engagement of a network, best first."""

    EXCELLENT = "excellent"
    GOOD = "good"
    AVERAGE = "average"
    POOR = "poor"
    VERY_POOR = "very_poor"


LOWEST = Band.VERY_POOR


class Part(StrEnum):
    """A part of the score."""

    ENGAGEMENT = "engagement"
    SUCCESS = "success"
    GROWTH = "growth"
    ACTIVITY = "activity"


WEIGHTS: Mapping[Part, int] = {Part.ENGAGEMENT: 40, Part.SUCCESS: 30, Part.GROWTH: 20, Part.ACTIVITY: 10}


@dataclass(frozen=True, slots=True)
class NetworkFigures:
    """The figures of a network in a period. None: there is no data."""

    engagement_percent: float | None = None
    """Interactions in percent of the people who saw the posts, or else of followers."""
    measured_posts: int = 0
    """The posts behind the engagement."""
    growth_percent: float | None = None
    """Growth of followers in percent of a week; below 0 is loss."""
    done: int = 0
    """Public jobs that ended as done."""
    failed: int = 0
    """Public jobs that became dead letters."""
    posts: int = 0
    """Published posts."""
    planned: float = 0.0
    """Posts that the hours of the agents planned."""


@dataclass(frozen=True, slots=True)
class PartScore:
    """The points of one part; None: there is no data, and `words` says which data is missing."""

    part: Part
    points: float | None
    most: int
    words: str


@dataclass(frozen=True, slots=True)
class NetworkScore:
    """The score of a network from 0 to 100; None without any data. `covered` are the points that could be had."""

    points: float | None
    covered: int
    band: Band | None
    parts: tuple[PartScore, ...]

    @property
    def missing(self) -> tuple[PartScore, ...]:
        """The parts without data."""
        return tuple(one for one in self.parts if one.points is None)

    def to_data(self) -> dict[str, Any]:
        """Return it as JSON-ready data."""
        return {
            "points": self.points, "covered": self.covered, "band": self.band and self.band.value,
            "parts": [asdict(one) for one in self.parts],
        }  # fmt: skip


def score(figures: NetworkFigures, bands: Bands) -> NetworkScore:
    """Return the score of a network. More of any figure, failures apart, never lowers it."""
    shares = {
        Part.ENGAGEMENT: _engagement(figures, bands),
        Part.SUCCESS: _success(figures),
        Part.GROWTH: _growth(figures),
        Part.ACTIVITY: _activity(figures),
    }
    parts = tuple(
        PartScore(part, None if share is None else round(share * WEIGHTS[part], 1), WEIGHTS[part], words)
        for part, (share, words) in shares.items()
    )
    covered = sum(one.most for one in parts if one.points is not None)
    total = sum(share * WEIGHTS[part] for part, (share, _) in shares.items() if share is not None)
    points = None if not covered else round(min(100.0, 100 * total / covered), 1)
    return NetworkScore(points, covered, band_of(figures.engagement_percent, bands), parts)


def band_of(percent: float | None, bands: Bands) -> Band | None:
    """Return the band of an engagement; None without data."""
    if percent is None or math.isnan(percent):
        return None
    least = ((Band.EXCELLENT, bands.excellent), (Band.GOOD, bands.good), (Band.AVERAGE, bands.average),
             (Band.POOR, bands.poor))  # fmt: skip
    return next((band for band, bound in least if percent >= bound), LOWEST)


def _engagement(figures: NetworkFigures, bands: Bands) -> tuple[float | None, str]:
    """Each band is a quarter of the points; within a band they rise evenly."""
    percent = figures.engagement_percent
    if percent is None or math.isnan(percent):
        return None, "no engagement was measured in this period"
    bounds = (0.0, bands.poor, bands.average, bands.good, bands.excellent)
    share = 1.0
    for place, (low, high) in enumerate(itertools.pairwise(bounds)):
        if percent < high:
            share = (place + _between((percent - low) / (high - low))) / 4
            break
    of = f" of {figures.measured_posts:,} posts" if figures.measured_posts else ""
    return share, f"engagement {percent:.3g} %{of}"


def _success(figures: NetworkFigures) -> tuple[float | None, str]:
    ended = figures.done + figures.failed
    if not ended:
        return None, "no public job ended in this period"
    return figures.done / ended, f"{figures.done:,} of {ended:,} public jobs done"


def _growth(figures: NetworkFigures) -> tuple[float | None, str]:
    percent = figures.growth_percent
    if percent is None or math.isnan(percent):
        return None, "followers were not counted twice in this period"
    return _between(percent / FULL_GROWTH_PERCENT), f"followers {percent:+.3g} % a week"


def _activity(figures: NetworkFigures) -> tuple[float | None, str]:
    if figures.planned < 1:
        return None, "no post was planned in this period"
    return _between(figures.posts / figures.planned), f"{figures.posts:,} posts of {figures.planned:.0f} planned"


def _between(share: float) -> float:
    return max(0.0, min(1.0, share))
