"""The plan of a run: acts, times and targets. Everything is drawn from the seed alone, so that a run can be repeated.

Pure. `nemesis` follows it; on a slow machine it does so late, and perhaps not to the end.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fleet.chaos.kinds import FaultKind
from fleet.core.failpoints import Point

_ELSEWHERE = (Point.CALL_RESERVED, Point.CALL_SETTLED, Point.PICTURE_CLAIMED, Point.PICTURE_DELETED)
POINTS = tuple(point for point in Point if point not in _ELSEWHERE)
"""The points of a world without models, whose offline texts cost nothing, and whose pictures are too young to delete.

The tests of budgets and of media kill at the others.
"""
FIRST_S = 3.0
GAP_S = (2.0, 9.0)
_CALM = 0.6
"""The share of acts that wait until the fleet has recovered, so that recovery can be measured; others come before."""


@dataclass(frozen=True, slots=True)
class Planned:
    """One planned act. It begins at `at_s` or later; a calm one waits until the fleet has recovered from the last.

    `pick`, between 0 and 1, selects one of the possible targets; `dice` seeds further random choices.
    """

    seq: int
    at_s: float
    kind: str
    calm: bool
    pick: float
    dice: int
    detail: Mapping[str, Any]


def plan(seed: int, minutes: float, kinds: Sequence[FaultKind]) -> list[Planned]:
    """Draw a plan. The same arguments give the same plan; rounds make every kind come before any is repeated often."""
    dice = random.Random(seed)
    points = {kind.name: _going_round(dice) for kind in kinds if kind.points}
    planned: list[Planned] = []
    at_s = FIRST_S
    for kind in _rounds(kinds, dice):
        if at_s >= minutes * 60:
            return planned
        detail = kind.draw(dice)
        if kind.points:
            detail["points"] = list(itertools.islice(points[kind.name], kind.points))
        calm = dice.random() < _CALM
        told_s = math.floor(at_s * 100) / 100  # rounded, the last one could come after the end
        planned.append(Planned(len(planned) + 1, told_s, kind.name, calm, dice.random(), dice.getrandbits(32), detail))
        at_s += dice.uniform(*GAP_S)
    return planned


def _rounds(kinds: Sequence[FaultKind], dice: random.Random) -> Iterator[FaultKind]:
    """Yield kinds without end: each round has every kind as often as its table says, in a random order."""
    deck = [kind for kind in kinds for _ in range(kind.times)]
    while deck:
        dice.shuffle(deck)
        yield from deck


def _going_round(dice: random.Random) -> Iterator[str]:
    points = [str(point) for point in POINTS]
    dice.shuffle(points)
    return itertools.cycle(points)
