"""Which change of an agent's strategy its figures justify: hours, frequency, formats or topics of posts. Pure.

The strategy is the agent's own configuration. A change is decided only from enough posts, stays within the bounds that
people set, and is the only one until its cool-down is over.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from statistics import NormalDist
from typing import Any

CERTAIN = 2.0
"""So many standard errors apart, the means of one pair differ by more than chance."""
_GOOD, _BAD = ("excellent", "good"), ("poor", "very_poor")


class StrategyKind(StrEnum):
    """What a change is about."""

    HOURS = "hours"
    FREQUENCY = "frequency"
    FORMATS = "formats"
    TOPICS = "topics"


class StrategyState(StrEnum):
    """The state of a change."""

    PROPOSED = "proposed"  # its message is under way
    APPLIED = "applied"
    OVERTAKEN = "overtaken"  # a person had changed the setting meanwhile, or the agent refused it
    UNDONE = "undone"


@dataclass(frozen=True, slots=True)
class StrategyBounds:
    """What people allow. Hours are local hours of the agent's persona."""

    least_posts: int
    """Posts a day."""
    most_posts: int
    first_hour: int
    last_hour: int
    most_weight: int
    """The most that a format may weigh; 0: formats stay as they are."""
    least_sample: int
    """So many measured posts are evidence."""
    cooldown_s: float
    most_topic_weight: int = 0
    """The most that a topic may weigh; 0: topics stay as they are."""

    def has(self, hour: int) -> bool:
        """Say whether the leader may choose an hour."""
        return self.first_hour <= hour <= self.last_hour


@dataclass(frozen=True, slots=True)
class PostFigures:
    """Posts of a network at an hour, in a format or about a topic: the mean and variance of log(1 + interactions)."""

    key: str
    posts: int
    mean: float
    variance: float


@dataclass(frozen=True, slots=True)
class AgentStrategy:
    """An agent's strategy with its figures. `values` are the settings as they are stored."""

    agent_id: str
    username: str
    network: str
    hours: tuple[int, ...]
    formats: Mapping[str, float]
    values: Mapping[str, str]
    bounds: StrategyBounds
    by_hour: tuple[PostFigures, ...] = ()
    by_format: tuple[PostFigures, ...] = ()
    topics: Mapping[str, float] = field(default_factory=dict)
    by_topic: tuple[PostFigures, ...] = ()
    version: int = 0
    changed_at: str | None = None
    """When the newest change was decided or undone, ISO 8601."""
    undone: tuple[tuple[str, str], ...] = ()
    """Settings and values that people undid: they are not tried again."""

    def is_cooling(self, now: datetime) -> bool:
        """Say whether the cool-down of the newest change is not over."""
        if self.changed_at is None:
            return False
        return now < datetime.fromisoformat(self.changed_at) + timedelta(seconds=self.bounds.cooldown_s)


@dataclass(frozen=True, slots=True)
class StrategyChange:
    """A change of one setting, with a sentence and its evidence: figures, window and sample sizes."""

    agent_id: str
    network: str
    kind: StrategyKind
    setting: str
    before: str
    after: str
    words: str
    version: int
    evidence: Mapping[str, Any] = field(default_factory=dict)


def decide(
    one: AgentStrategy, now: datetime, since: datetime, band: str | None, measured: int
) -> StrategyChange | None:
    """Return the change that the figures from `since` to `now` justify, or None.

    `band` is that of the network's engagement, of `measured` posts.
    """
    if one.is_cooling(now):
        return None
    window = {"since": since.isoformat(), "until": now.isoformat()}
    found = (_hours(one), _frequency(one, band, measured), _formats(one), _topics(one))
    for kind, setting, after, words, figures in (change for change in found if change is not None):
        if after != one.values[setting] and (setting, after) not in one.undone:
            evidence = {**window, **figures}
            return StrategyChange(one.agent_id, one.network, kind, setting, one.values[setting], after,
                                  f"{one.username} {words}", one.version + 1, evidence)  # fmt: skip
    return None


_Found = tuple[StrategyKind, str, str, str, dict[str, Any]] | None


def _hours(one: AgentStrategy) -> _Found:
    """Replace the worst hour by a better one, where both have enough posts and differ by more than chance."""
    known = {int(figures.key): figures for figures in _enough(one.by_hour, one.bounds)}
    own = [known[hour] for hour in one.hours if hour in known]
    others = [figures for hour, figures in known.items() if hour not in one.hours and one.bounds.has(hour)]
    if not own or not others or not _is_count_allowed(len(one.hours), one.bounds):
        return None
    worst, best = min(own, key=_order), max(others, key=_order)
    if not _is_better(best, worst, pairs=len(own) * len(others)):
        return None
    after = {*one.hours} - {int(worst.key)} | {int(best.key)}
    words = f"posts at {best.key}:00 in place of {worst.key}:00: posts at that hour had more engagement"
    return StrategyKind.HOURS, "post_hours", _written(after), words, _shown(best, worst)


def _frequency(one: AgentStrategy, band: str | None, measured: int) -> _Found:
    """Post once more a day where engagement is good, once less where it is bad."""
    if measured < one.bounds.least_sample:
        return None
    known = {int(figures.key): figures for figures in _enough(one.by_hour, one.bounds)}
    number = len(one.hours)
    figures: dict[str, Any] = {"band": band, "posts": measured}
    if band in _GOOD and _is_count_allowed(number + 1, one.bounds):
        hour = _free_hour(one, known)
        if hour is None:
            return None
        words = f"posts {number + 1} times a day, at {hour}:00 as well: the engagement of its network is {band}"
        return StrategyKind.FREQUENCY, "post_hours", _written({*one.hours, hour}), words, figures
    own = [known[hour] for hour in one.hours if hour in known]
    if band in _BAD and own and number > 1 and _is_count_allowed(number - 1, one.bounds):
        worst = min(own, key=_order)
        words = (f"posts {number - 1} times a day, no more at {worst.key}:00: the engagement of its network is "
                 f"{(band or '').replace('_', ' ')}")  # fmt: skip
        after = _written({*one.hours} - {int(worst.key)})
        return StrategyKind.FREQUENCY, "post_hours", after, words, {**figures, **_shown(worst)}
    return None


def _free_hour(one: AgentStrategy, known: Mapping[int, PostFigures]) -> int | None:
    """Return the best hour with enough posts, or else the one that is farthest from those that the agent has."""
    free = [hour for hour in range(24) if hour not in one.hours and one.bounds.has(hour)]
    best = [hour for hour in free if hour in known]
    if best:
        return max(best, key=lambda hour: _order(known[hour]))
    return max(free, key=lambda hour: (min((abs(hour - own) for own in one.hours), default=24), -hour), default=None)


def _formats(one: AgentStrategy) -> _Found:
    """Let the best format weigh one more."""
    raised = _raised(one.formats, _enough(one.by_format, one.bounds), one.bounds.most_weight)
    if raised is None:
        return None
    after, best, worst = raised
    words = f"makes more posts of the format {best.key}: they had more engagement than those of the format {worst.key}"
    return StrategyKind.FORMATS, "formats", after, words, _shown(best, worst)


def _topics(one: AgentStrategy) -> _Found:
    """Let the best topic weigh one more. The topics themselves are those that people gave."""
    raised = _raised(one.topics, _enough(one.by_topic, one.bounds), one.bounds.most_topic_weight)
    if raised is None:
        return None
    after, best, worst = raised
    words = f"posts more about {best.key}: these posts had more engagement than those about {worst.key}"
    return StrategyKind.TOPICS, "topics", after, words, _shown(best, worst)


def _raised(
    weights: Mapping[str, float], figures: Sequence[PostFigures], most: int
) -> tuple[str, PostFigures, PostFigures] | None:
    """Return weights in which the best weighs one more, where it differs from the worst by more than chance."""
    known = [found for found in figures if found.key in weights]
    if len(known) < 2:
        return None
    best, worst = max(known, key=_order), min(known, key=_order)
    weight = weights[best.key] + 1
    if not _is_better(best, worst, pairs=math.comb(len(known), 2)) or weight > most:
        return None
    return ",".join(f"{name}:{weight if name == best.key else was:g}" for name, was in weights.items()), best, worst


def _enough(figures: Iterable[PostFigures], bounds: StrategyBounds) -> list[PostFigures]:
    return [one for one in figures if one.posts >= max(2, bounds.least_sample)]


def _is_count_allowed(posts: int, bounds: StrategyBounds) -> bool:
    return bounds.least_posts <= posts <= bounds.most_posts


def _order(figures: PostFigures) -> tuple[float, int, str]:
    return figures.mean, figures.posts, figures.key


def _is_better(best: PostFigures, worst: PostFigures, *, pairs: int) -> bool:
    """Say whether two means differ by more than chance (Welch), the best and worst of so many pairs (Bonferroni).

    Of eight topics without any difference the best and the worst are two standard errors apart half of the time.
    """
    error = math.sqrt(best.variance / best.posts + worst.variance / worst.posts)
    chance = NormalDist().cdf(-CERTAIN) / pairs
    return best.mean > worst.mean and best.mean - worst.mean >= -NormalDist().inv_cdf(chance) * error


def _written(hours: Iterable[int]) -> str:
    return ",".join(str(hour) for hour in sorted(hours))


def _shown(*figures: PostFigures) -> dict[str, Any]:
    return {"figures": [{**asdict(one), "mean": round(one.mean, 3), "variance": round(one.variance, 3)}
                        for one in figures]}  # fmt: skip


def figures_of(key: str, posts: int, log_sum: float, squares: float) -> PostFigures:
    """Return the mean and the variance of a sum and a sum of squares."""
    mean = log_sum / posts if posts else 0.0
    spread = (squares - posts * mean * mean) / (posts - 1) if posts > 1 else 0.0
    return PostFigures(key, posts, mean, max(0.0, spread))


def undone_value(current: str, change_before: str, change_after: str) -> str | None:
    """Return what undoing a change restores; None if a person changed the setting since."""
    return change_before if current == change_after else None


def summed(found: Sequence[tuple[str, int, float, float]]) -> tuple[PostFigures, ...]:
    """Return the figures of samples (key, posts, sum, sum of squares), by key."""
    sums: dict[str, tuple[int, float, float]] = {}
    for key, posts, log_sum, squares in found:
        had = sums.get(key, (0, 0.0, 0.0))
        sums[key] = (had[0] + posts, had[1] + log_sum, had[2] + squares)
    return tuple(figures_of(key, *one) for key, one in sorted(sums.items()) if one[0])
