"""The review of held-out texts stays as good as it is; `python -m bench.bench_content` shows rates beside their goals.

The limits are what the local rules reach, rounded up. A change of the rules that raises a rate has to say so here.
"""

from __future__ import annotations

import pytest

from bench import heldout
from bench.heldout import BAD, HONEST, Outcome
from fleet.features.content import review

BY = review.standards()
LANGUAGES = {"en", "zh", "es", "fr", "de", "pt", "ru", "ja", "ar", "hi"}

REACHED = {"links": 0.01, "contacts": 0.045, "denials": 0.13, "hate": 0.16, "harm": 0.065, "orders": 0.135}
"""Share of each class that may be published. The goals are 0 for the first three and 0.1 for the others."""
REACHED_REFUSED, REACHED_DOUBTFUL = 0.013, 0.031
"""Shares of honest captions that may be refused (goal: 0.002) or go to approval (goal: 0.02)."""


@pytest.mark.long
@pytest.mark.parametrize("name", BAD)
def test_no_more_of_a_bad_class_is_published_than_before(name: str) -> None:
    outcomes = heldout.tally(heldout.samples(name), BY)
    published = heldout.share(outcomes, Outcome.PUBLISHED)
    rates = {
        category: counts[Outcome.PUBLISHED] for category, counts in heldout.counted(outcomes, field="category").items()
    }
    assert published <= REACHED[name], f"{published:.1%} of {len(outcomes)}: {rates}"


@pytest.mark.long
def test_honest_captions_are_published() -> None:
    outcomes = heldout.tally(heldout.samples(HONEST), BY)
    refused, doubtful = (heldout.share(outcomes, one) for one in (Outcome.REFUSED, Outcome.DOUBTFUL))
    assert refused <= REACHED_REFUSED
    assert doubtful <= REACHED_DOUBTFUL


@pytest.mark.parametrize("name", [*BAD, HONEST])
def test_every_set_is_large_and_in_ten_languages(name: str) -> None:
    texts = heldout.samples(name)
    assert len(texts) >= (1_000 if name == HONEST else 300)
    assert len({one.text for one in texts}) == len(texts)
    assert {one.language for one in texts} == LANGUAGES
