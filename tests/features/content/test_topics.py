"""Sensitive topics wait for a person's approval in every language; the languages do not read each other's words."""

from __future__ import annotations

import pytest
import yaml

from fleet.features.content import review
from fleet.features.content.checks import topics
from fleet.features.content.surfaces import Kind
from tests import TESTS

BAD: dict[str, list[str]] = yaml.safe_load((TESTS / "data/unpublishable.yaml").read_text(encoding="utf-8"))
SHIPPED = review.standards()


@pytest.mark.parametrize("rule", [name for name in BAD if name.startswith("topic.")])
def test_a_sensitive_topic_is_not_published_without_a_person(rule: str) -> None:
    for words in BAD[rule]:
        verdict = review.review(words, Kind.CAPTION, "floimg", SHIPPED)
        assert not verdict.ok, words
        assert rule in {finding.rule for finding in topics.sensitive(words)}, words


def test_disguises_hide_no_topic() -> None:
    for words in ("w4tch y0ur b4ck", "W A T C H your back", "ıbuprofen", "IBUPROFEN"):
        assert topics.sensitive(words), words


def test_an_image_prompt_may_have_any_topic() -> None:
    assert review.review("a knight who shouts: watch your back", Kind.PROMPT, "floimg", SHIPPED).ok


def test_words_of_one_language_are_not_read_in_another() -> None:
    assert topics.sensitive("Ninguém gosta de você aqui")
    assert topics.sensitive("Version two of the poster: it looks like the moon") == []
