"""Measure how often the suggested action is right, on planted differences whose cause is known. Pure, seeded.

Each case has a cause with its true remedy, and the values that such a cause leaves behind; `rules` sees the values
alone. The share of right suggestions by (type, side that moved, context) is the confidence, with one case of doubt
added (Laplace). Other cases, of another seed, give the Brier score. The shares of causes are assumptions, written
below; what people undo in a running fleet shows whether they hold (`fleet reconcile history`).
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from fleet.features.reconciliation import rules
from fleet.features.reconciliation.rules import (
    Context,
    Discrepancy,
    DiscrepancyType,
    FixPolicy,
    Moved,
    Remedy,
    Sides,
)
from fleet.features.stores.rules import ConflictRule, Direction

SEED, CASES = 20261124, 40_000
_NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
_SETTLES = timedelta(minutes=30)
_POLICY = FixPolicy(Direction.BOTH, ConflictRule.NEWEST)
_FIELDS = (rules.PRICE, rules.STOCK, "title", "description", "status")
_PEERS = 0.3
"""The share of products that are at another store too."""

Key = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Cause:
    """A cause of a difference: its weight, the sides it moves, its true remedy, and in which fields it happens.

    `spares` is the share of its cases in which nothing should be done. `is_new`: it happened minutes ago.
    `peers`: whose value other stores have, if it says anything.
    """

    name: str
    weight: float
    moves: Moved
    remedy: Remedy
    spares: float = 0.0
    fields: Sequence[str] = _FIELDS
    is_new: bool = False
    is_busy: bool = False
    peers: str = ""


_CONTENT = ("title", "description", "status")
CAUSES = (
    Cause("a person changed it in the shop", 30, Moved.REMOTE, Remedy.PULL, 0.01, peers="local"),
    Cause("a change here did not arrive", 30, Moved.LOCAL, Remedy.PUSH, 0.01, peers="local"),
    Cause("a change here was meant for other stores alone", 0.5, Moved.LOCAL, Remedy.NONE, fields=("title",)),
    Cause("a person is just changing it in the shop", 4, Moved.REMOTE, Remedy.PULL, 0.3, is_new=True),
    Cause("a person is just changing it here", 4, Moved.LOCAL, Remedy.PUSH, 0.3, is_new=True),
    Cause("a campaign of the shop for some days", 0.2, Moved.REMOTE, Remedy.NONE, fields=(rules.PRICE,)),
    Cause("an app of the shop rewrote it", 5, Moved.REMOTE, Remedy.PUSH, fields=_CONTENT, peers="local"),
    Cause("an order of the shop that is not read yet", 6, Moved.REMOTE, Remedy.NONE, fields=(rules.STOCK,),
          is_busy=True),
    Cause("a count in the shop while orders run", 3, Moved.REMOTE, Remedy.PULL, fields=(rules.STOCK,), is_busy=True),
    Cause("a count here while orders run", 3, Moved.LOCAL, Remedy.PUSH, 0.1, fields=(rules.STOCK,), is_busy=True),
    Cause("both changed it", 8, Moved.BOTH, Remedy.PUSH, 0.1),
    Cause("the store was connected with other values", 6, Moved.UNKNOWN, Remedy.PUSH, 0.2),
)  # fmt: skip
MISSING = (
    (DiscrepancyType.MISSING_LOCAL, Moved.REMOTE, 0.92),
    (DiscrepancyType.MISSING_REMOTE, Moved.REMOTE, 0.55),
    (DiscrepancyType.MISSING_REMOTE, Moved.LOCAL, 0.85),
)
"""Missing objects: the share for which creating them is right. A product that a person deleted is meant to be gone."""


@dataclass(frozen=True, slots=True)
class PlantedCase:
    """A planted difference as the rules judge it, and whether their suggestion is right."""

    key: Key
    is_right: bool


@dataclass(frozen=True, slots=True)
class CalibrationRow:
    """A row of the table: how many cases it is made of, and how it did on others."""

    key: Key
    cases: int
    confidence: float
    held_out: int
    right: float
    """The share of right suggestions among those held out."""


@dataclass(frozen=True, slots=True)
class ConfidenceCalibration:
    """The table, and its Brier score on cases that it was not made of, beside that of one confidence for all."""

    rows: Sequence[CalibrationRow]
    brier: float
    brier_of_mean: float


def calibrate(*, seed: int = SEED, cases: int = CASES) -> ConfidenceCalibration:
    """Return the table that `cases` planted differences give, measured on as many others."""
    made, others = plant(random.Random(seed), cases), plant(random.Random(seed + 1), cases)
    counts, held = _counts(made), _counts(others)
    table = {key: (right + 1) / (number + 2) for key, (number, right) in counts.items()}
    mean = sum(one.is_right for one in made) / len(made)
    rows = [
        CalibrationRow(key, counts[key][0], round(table[key], 3), held.get(key, (0, 0))[0],
                       held[key][1] / held[key][0] if key in held else 0.0)
        for key in sorted(table)
    ]  # fmt: skip
    return ConfidenceCalibration(
        rows, brier([(round(table.get(one.key, 0.5), 3), one.is_right) for one in others]),
        brier([(mean, one.is_right) for one in others]),
    )  # fmt: skip


def brier(pairs: Sequence[tuple[float, bool]]) -> float:
    """Return the Brier score: the mean squared distance of confidences from what came; 0 is best."""
    return sum((share - right) ** 2 for share, right in pairs) / len(pairs)


def plant(rng: random.Random, cases: int) -> list[PlantedCase]:
    """Return planted differences, judged."""
    found: list[PlantedCase] = []
    weights = [one.weight for one in CAUSES]
    while len(found) < cases:
        if rng.random() < 0.1:
            kind, side, share = rng.choice(MISSING)
            found.append(PlantedCase((kind, side, Context.QUIET), rng.random() < share))
            continue
        case = _case(rng, rng.choices(CAUSES, weights)[0])
        if case is not None:
            found.append(case)
    return found


def _case(rng: random.Random, cause: Cause) -> PlantedCase | None:
    name = rng.choice(list(cause.fields))
    before, one, other = _values(rng, name)
    local = one if cause.moves in (Moved.LOCAL, Moved.BOTH, Moved.UNKNOWN) else before
    remote = other if cause.moves in (Moved.REMOTE, Moved.BOTH, Moved.UNKNOWN) else before
    age = timedelta(minutes=rng.uniform(1, 25)) if cause.is_new else timedelta(hours=rng.uniform(1, 200))
    older = age + timedelta(hours=rng.uniform(1, 200))
    is_local_last = rng.random() < 0.5
    sides = Sides(
        field=name, local=local, remote=remote, base=None if cause.moves is Moved.UNKNOWN else before,
        local_at=_NOW - (age if cause.moves is Moved.LOCAL or is_local_last else older),
        remote_at=_NOW - (older if cause.moves is Moved.LOCAL or is_local_last else age), is_busy=cause.is_busy,
    )  # fmt: skip
    result = rules.compare(sides, _POLICY)
    if not isinstance(result, Discrepancy):
        return None
    peers = _peers(rng, cause, sides)
    why = rules.context_of(sides, result.moved, now=_NOW, settles=_SETTLES, peers=peers)
    return PlantedCase(
        (result.type, result.moved, why), result.action is _truth(rng, cause, is_local_last=is_local_last)
    )


def _truth(rng: random.Random, cause: Cause, *, is_local_last: bool) -> Remedy:
    """Return the true remedy of a case: of two edits mostly the later one is meant."""
    if rng.random() < cause.spares:
        return Remedy.NONE
    if cause.moves is Moved.BOTH or cause.moves is Moved.UNKNOWN:
        last = Remedy.PUSH if is_local_last else Remedy.PULL
        first = Remedy.PULL if is_local_last else Remedy.PUSH
        return last if rng.random() < 0.8 else first
    return cause.remedy


def _peers(rng: random.Random, cause: Cause, sides: Sides) -> Mapping[str, Any]:
    if rng.random() >= _PEERS or rules.is_stock(sides.field):
        return {}
    if cause.peers == "local" and cause.moves is Moved.LOCAL:
        return {"other": sides.local}
    return {"other": sides.local if cause.peers == "local" or rng.random() < 0.5 else sides.remote}


def _values(rng: random.Random, name: str) -> tuple[Any, Any, Any]:
    """Return three values of a field: the agreed one, and two that differ from it and from each other."""
    if name == rules.PRICE:
        minor = rng.randint(100, 50_000)
        return _price(minor), _price(minor + rng.choice((50, 500, -90))), _price(minor + rng.choice((2, 120, -70)))
    if rules.is_stock(name):
        units = rng.randint(60, 500)
        return units, units + rng.choice((1, -4, 8, -30, 90)), units - rng.choice((2, 5, 20, 60))
    if name == "status":
        return "active", "draft", "archived"
    word = f"Lamp {rng.randint(1, 10**6)}"
    return word, f"{word} of oak", f"{word}, new"


def _price(minor: int) -> dict[str, Any]:
    return {"minor": minor, "currency": "EUR"}


def _counts(cases: Sequence[PlantedCase]) -> dict[Key, tuple[int, int]]:
    found: dict[Key, list[bool]] = defaultdict(list)
    for one in cases:
        found[one.key].append(one.is_right)
    return {key: (len(rights), sum(rights)) for key, rights in found.items()}


def table_source(done: ConfidenceCalibration) -> str:
    """Return the module `table` for a calibration."""
    rows = "\n".join(f"    ({', '.join(repr(str(part)) for part in one.key)}, {one.confidence}),".replace("'", '"')
                     for one in done.rows)  # fmt: skip
    return (
        '"""The confidences that `fleet reconcile calibrate` measured: type, side that moved, context, share."""'
        f"\n\nfrom __future__ import annotations\n\nROWS = (\n{rows}\n)\n"
    )
