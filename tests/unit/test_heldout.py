"""The review of held-out texts meets its goals; `python -m bench.bench_content` shows the details."""

from __future__ import annotations

import pytest

from bench import bench_content, heldout
from bench.heldout import BAD, HONEST, Outcome
from fleet.content import review

BY = review.standards()
LANGUAGES = {"en", "zh", "es", "fr", "de", "pt", "ru", "ja", "ar", "hi"}


@pytest.mark.parametrize("name", BAD)
def test_no_more_of_a_bad_class_is_published_than_the_goal_allows(name: str) -> None:
    outcomes = heldout.tally(heldout.samples(name), BY)
    published = heldout.share(outcomes, Outcome.PUBLISHED)
    rates = {
        category: counts[Outcome.PUBLISHED] for category, counts in heldout.counted(outcomes, field="category").items()
    }
    assert published <= bench_content.MOST_PUBLISHED[name], f"{published:.1%} of {len(outcomes)}: {rates}"


def test_honest_captions_are_published() -> None:
    outcomes = heldout.tally(heldout.samples(HONEST), BY)
    assert heldout.share(outcomes, Outcome.REFUSED) <= bench_content.MOST_REFUSED
    assert heldout.share(outcomes, Outcome.DOUBTFUL) < bench_content.MOST_DOUBTFUL


@pytest.mark.parametrize("name", [*BAD, HONEST])
def test_every_set_is_large_and_in_ten_languages(name: str) -> None:
    texts = heldout.samples(name)
    assert len(texts) >= (1_000 if name == HONEST else 300)
    assert len({one.text for one in texts}) == len(texts)
    assert {one.language for one in texts} == LANGUAGES
