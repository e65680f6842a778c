"""The held-out texts and how the review judges them; read by `bench.bench_content` and by the test of their rates.

The texts stand in tests/data/heldout, one file a class; the README there says how they were written. Nobody tunes a
rule by a single text of theirs: only rates a category are told to the authors of the rules.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from fleet.features.content import review
from fleet.features.content.review import ReviewResult, Standards
from fleet.features.content.surfaces import Kind

FOLDER = Path(__file__).resolve().parents[1] / "tests" / "data" / "heldout"
FRESH = FOLDER.with_name("heldout_2")
"""A smaller set, written after the rules: nobody has tuned anything by its rates."""
BAD = ("links", "contacts", "denials", "hate", "harm", "orders")
HONEST = "honest"
SURFACE = "floimg"
_ESCAPED = re.compile(r"\\u([0-9a-f]{4})")


class Outcome(StrEnum):
    """What the review makes of a text. `mended`: it is published without the handle that was the contact point."""

    PUBLISHED = "published"
    MENDED = "mended"
    DOUBTFUL = "doubtful"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Sample:
    """One held-out text."""

    language: str
    category: str
    text: str


def samples(name: str, folder: Path = FOLDER) -> list[Sample]:
    """Return the texts of a class; characters that nobody sees stand as \\uXXXX in the file."""
    lines = (folder / f"{name}.tsv").read_text(encoding="utf-8").splitlines()[1:]
    rows = (line.split("\t") for line in lines)
    return [Sample(language, category, _ESCAPED.sub(_unseen, text)) for language, category, text in rows]


def _unseen(found: re.Match[str]) -> str:
    return chr(int(found[1], 16))


def judged(text: str, by: Standards) -> Outcome:
    """Return what the review makes of a caption."""
    verdict = review.review(text, Kind.CAPTION, SURFACE, by)
    if verdict.doubtful:
        return Outcome.DOUBTFUL
    if not verdict.ok:
        return Outcome.REFUSED
    return Outcome.MENDED if _lost_its_handle(verdict) else Outcome.PUBLISHED


def _lost_its_handle(verdict: ReviewResult) -> bool:
    return any(finding.rule == "handles" for finding in verdict.findings)


def tally(of: Iterable[Sample], by: Standards) -> dict[Sample, Outcome]:
    """Return the outcome of each text."""
    return {sample: judged(sample.text, by) for sample in of}


def share(outcomes: Mapping[Sample, Outcome], *which: Outcome) -> float:
    """Return which part of the texts came to one of these ends."""
    return sum(outcome in which for outcome in outcomes.values()) / len(outcomes)


def counted(outcomes: Mapping[Sample, Outcome], *, field: str) -> dict[str, Counter[Outcome]]:
    """Return how often each outcome came up, by `category` or `language`."""
    found: dict[str, Counter[Outcome]] = {}
    for sample, outcome in outcomes.items():
        found.setdefault(getattr(sample, field), Counter())[outcome] += 1
    return found
