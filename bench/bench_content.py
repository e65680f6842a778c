"""Which held-out texts the review publishes, by class, category and language; run `python -m bench.bench_content`.

Every text goes through `fleet.features.content.review` as a caption, with the shipped standards and without any
moderator. No network, no model. Prints rates by category; the texts themselves are in tests/data/heldout.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Mapping

from bench import heldout
from bench.heldout import BAD, HONEST, Outcome, Sample
from bench.results import Goal, Result, Table, write
from fleet.features.content import review

MOST_PUBLISHED = {"links": 0.0, "contacts": 0.0, "denials": 0.0, "hate": 0.1, "harm": 0.1, "orders": 0.1}
"""The part of a bad class that may be published."""
MOST_REFUSED, MOST_DOUBTFUL = 1 / 500, 0.02
"""The part of honest captions that may be refused, and that may wait for approval."""

_SPOKEN = {
    "links": "links", "contacts": "contact points", "denials": "denials of being an AI",
    "hate": "hate, harassment, threats", "harm": "medical and financial harm",
    "orders": "house rules told, orders obeyed or passed on", "honest": "honest captions",
}  # fmt: skip
Outcomes = Mapping[Sample, Outcome]


def measure() -> tuple[Mapping[str, Outcomes], float]:
    """Return the outcomes of every class, and the milliseconds that a text took on average."""
    by = review.standards()
    sets = {name: heldout.samples(name) for name in (*BAD, HONEST)}
    began = time.perf_counter()
    found = {name: heldout.tally(texts, by) for name, texts in sets.items()}
    took_ms = (time.perf_counter() - began) * 1000 / sum(map(len, sets.values()))
    return found, took_ms


def _percent(part: float) -> str:
    return f"{part:.1%}"


def _row(name: str, counts: Mapping[Outcome, int]) -> list[object]:
    total = sum(counts.values())
    return [name, total, *(counts.get(outcome, 0) for outcome in Outcome),
            _percent(counts.get(Outcome.PUBLISHED, 0) / total)]  # fmt: skip


_COLUMNS = ["class", "texts", *map(str, Outcome), "published, %"]


def _goals(found: Mapping[str, Outcomes]) -> list[Goal]:
    goals = []
    for name, most in MOST_PUBLISHED.items():
        part = heldout.share(found[name], Outcome.PUBLISHED)
        goals.append(Goal(f"{_SPOKEN[name]}: published", f"at most {most:.0%}", _percent(part), part <= most))
    refused = heldout.share(found[HONEST], Outcome.REFUSED)
    doubtful = heldout.share(found[HONEST], Outcome.DOUBTFUL)
    goals.append(Goal("honest captions: refused", "at most 1 of 500", f"{refused:.2%}", refused <= MOST_REFUSED))
    goals.append(Goal("honest captions: to approval", "below 2%", _percent(doubtful), doubtful < MOST_DOUBTFUL))
    return goals


def _fresh() -> Table:
    """Return the outcomes of the set that was written after the rules."""
    by = review.standards()
    rows = [
        _row(_SPOKEN[name], Counter(heldout.tally(heldout.samples(name, heldout.FRESH), by).values()))
        for name in (*BAD, HONEST)
    ]
    note = "Written after the rules and never used to tune them, so they represent new texts."
    return Table("A second set, by class", _COLUMNS, rows, note=note)


def result(found: Mapping[str, Outcomes], took_ms: float) -> Result:
    """Return the figures in the shape of all benchmarks."""
    classes = [_row(_SPOKEN[name], Counter(outcomes.values())) for name, outcomes in found.items()]
    languages = sorted({sample.language for outcomes in found.values() for sample in outcomes})
    by_language = [
        [language, *(_percent(_published_in(found[name], language)) for name in BAD),
         _percent(1 - _published_in(found[HONEST], language))]
        for language in languages
    ]  # fmt: skip
    return Result(
        name="content",
        title="Review of held-out texts",
        order=90,
        method="Texts in ten languages that the rules were not written from (tests/data/heldout) pass the review with "
        "the shipped local rules alone, as captions for FloImg. `mended` texts are published without the handle that "
        "stood in them; `doubtful` texts wait for a person's approval.",
        command="python -m bench.bench_content",
        tables=[
            Table("By class", _COLUMNS, classes, note=f"A text takes {took_ms:.1f} ms on average."),
            _fresh(),
            Table("Published by language; of honest captions the part that is not",
                  ["language", *BAD, "honest, not published"], by_language),
        ],
        goals=_goals(found),
    )  # fmt: skip


def _published_in(outcomes: Outcomes, language: str) -> float:
    mine = {sample: outcome for sample, outcome in outcomes.items() if sample.language == language}
    return heldout.share(mine, Outcome.PUBLISHED)


def show(found: Mapping[str, Outcomes]) -> None:
    """Print every class by category and by language."""
    for name, outcomes in found.items():
        print(f"\n{_SPOKEN[name]}")
        for field in ("category", "language"):
            for value, counts in sorted(heldout.counted(outcomes, field=field).items()):
                cells = "".join(f"{counts.get(outcome, 0):>11}" for outcome in Outcome)
                print(f"  {value:<28}{cells}")
        print(f"  {'all':<28}" + "".join(f"{_count(outcomes, outcome):>11}" for outcome in Outcome))
    print(f"\n  {'':<28}" + "".join(f"{outcome:>11}" for outcome in Outcome))


def _count(outcomes: Outcomes, outcome: Outcome) -> int:
    return Counter(outcomes.values())[outcome]


def main() -> None:
    """Judge every text; `--quick` prints and writes apart, as with all benchmarks."""
    found, took_ms = measure()
    show(found)
    made = result(found, took_ms)
    for goal in made.goals:
        print(f"{'met    ' if goal.met else 'NOT MET'} {goal.what}: {goal.measured} ({goal.goal})")
    print(write(made), file=sys.stderr)


if __name__ == "__main__":
    main()
