"""Lessons from an owner's decisions: a weight for each kind and topic, and examples. Pure.

Only lessons are stored; weights are computed from them, so that an undone lesson has no effect at all. Weights stay
within -1 and 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from fleet.features.drafts.states import OwnerAnswer
from fleet.llm.scan_request import Example, Leaning

ALL = "*"
"""The topic for the weight of a whole kind: it applies to topics without decisions."""

HALF_LIFE = timedelta(days=30)
"""How long until a lesson counts half: tastes change."""

RATE = 0.3
_RATE_OF_ALL, _MOST_OF_ALL = 0.05, 0.35
_LEAST_TOLD = 0.05
_MOST_EXAMPLES = 4


REWARDS = {OwnerAnswer.APPROVED: 0.8, OwnerAnswer.EDITED: 0.3, OwnerAnswer.REJECTED: -1.0}


@dataclass(frozen=True, slots=True)
class Lesson:
    """One decision about one draft."""

    kind: str
    topic: str
    decision: OwnerAnswer
    reward: float
    learned_at: datetime
    text: str = ""
    about: str = ""
    why: str = ""


def weights(lessons: Iterable[Lesson], now: datetime) -> dict[tuple[str, str], float]:
    """Return the weights that lessons, oldest first, give at a moment: -1 to 1 for each (kind, topic)."""
    known: dict[tuple[str, str], tuple[float, datetime]] = {}
    for lesson in lessons:
        for topic, rate, most in ((lesson.topic, RATE, 1.0), (ALL, _RATE_OF_ALL, _MOST_OF_ALL)):
            weight, at = known.get((lesson.kind, topic), (0.0, lesson.learned_at))
            moved = _faded(weight, lesson.learned_at - at) + rate * lesson.reward
            known[lesson.kind, topic] = max(-most, min(most, moved)), lesson.learned_at
    return {name: _faded(weight, now - at) for name, (weight, at) in known.items()}


def _faded(weight: float, age: timedelta) -> float:
    return weight * float(0.5 ** (max(age, timedelta(0)) / HALF_LIFE))


def leanings(lessons: Sequence[Lesson], now: datetime) -> tuple[Leaning, ...]:
    """Return the weights that matter, the strongest first."""
    found = [Leaning(kind, topic, round(weight, 3)) for (kind, topic), weight in weights(lessons, now).items()]
    telling = [one for one in found if abs(one.weight) >= _LEAST_TOLD]
    return tuple(sorted(telling, key=lambda one: (-abs(one.weight), one.kind, one.topic)))


def examples(lessons: Sequence[Lesson]) -> tuple[tuple[Example, ...], tuple[Example, ...]]:
    """Return the newest accepted and the newest refused drafts with text, a few of each."""
    worded = [lesson for lesson in reversed(lessons) if lesson.text]
    refused = [lesson for lesson in worded if lesson.decision is OwnerAnswer.REJECTED]
    accepted = [lesson for lesson in worded if lesson.decision is not OwnerAnswer.REJECTED]
    return _told(accepted), _told(refused)


def _told(lessons: Sequence[Lesson]) -> tuple[Example, ...]:
    return tuple(Example(one.kind, one.text, one.about, one.why) for one in lessons[:_MOST_EXAMPLES])


def explain(lesson: Lesson, before: float, after: float) -> str:
    """Return a lesson in a sentence for people."""
    said = f" ({lesson.why})" if lesson.why else ""
    return (
        f"A {lesson.kind} about {lesson.topic or 'nothing in particular'} was {lesson.decision}{said}:"
        f" its weight goes from {before:+.2f} to {after:+.2f}."
    )
