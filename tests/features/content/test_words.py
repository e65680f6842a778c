"""Word lists and tables of patterns find every alternative as people write it, and let honest captions pass."""

from __future__ import annotations

import itertools
import random
import re
import re._parser as sre  # type: ignore[import-untyped]
import tomllib
from collections.abc import Iterator
from importlib import resources
from typing import Any

import pytest
import yaml

from fleet.core.errors import InvalidInput
from fleet.features.content import review
from fleet.features.content.checks import moderation, patterns
from fleet.features.content.checks.findings import Severity
from fleet.features.content.checks.lexicon import Lexicon
from fleet.features.content.surfaces import Kind
from fleet.features.personas.library import load
from fleet.llm.base import PostRequest, Speaker
from fleet.llm.offline.provider import OfflineProvider
from tests import TESTS

DATA = TESTS / "data"
SHIPPED = review.standards()
BAD: dict[str, list[str]] = yaml.safe_load((DATA / "unpublishable.yaml").read_text(encoding="utf-8"))
CAPTIONS = [
    line for line in (DATA / "captions.txt").read_text(encoding="utf-8").splitlines() if line and line[0:2] != "# "
]
CONTRACTIONS = (
    ("i am", "I'm", "I’m", "Im"), ("you are", "you're", "youre"), ("do not", "don't", "dont"),
    ("we are", "we’re"),
    ("cannot", "can't", "cant", "can not"), ("i will", "I'll"), ("going to", "gonna"), ("want to", "wanna"),
)  # fmt: skip


def lists() -> Iterator[tuple[str, str]]:
    shipped = moderation._shipped()
    for rule, entries in ({"banned": shipped["banned"]} | shipped["moderation"]).items():
        yield from ((rule, entry) for entry in entries)


def alternatives(entry: str) -> Iterator[str]:
    """Yield every phrase that an entry stands for: read here by itself, without the code under test."""
    pieces = re.split(r"\(([^()]*)\)", entry)
    for chosen in itertools.product(*(p.split("|") if n % 2 else [p] for n, p in enumerate(pieces))):
        words = [word.split("|") for word in "".join(chosen).split()]
        for phrase in itertools.product(*words):
            yield " ".join(word.removesuffix("*") for word in phrase if word.strip(".")).replace("..", "")


def as_people_write(phrase: str) -> Iterator[str]:
    yield f"{phrase.capitalize()}, said the caption."
    yield phrase.upper()
    for full, *short in CONTRACTIONS:
        if re.search(rf"\b{full}\b", phrase):
            yield from (re.sub(rf"\b{full}\b", one, phrase) + "!" for one in short)


@pytest.mark.long
def test_every_alternative_of_every_entry_is_refused_as_people_write_it() -> None:
    missed = []
    by_rule: dict[str, Lexicon] = {}
    for rule, entry in lists():
        lexicon = by_rule.setdefault(rule, Lexicon(one for kind, one in lists() if kind == rule))
        missed += [
            (entry, words)
            for phrase in alternatives(entry)
            for words in as_people_write(phrase)
            if entry not in lexicon.find(words)
        ]
    assert not missed


def test_entries_of_the_list_refuse_a_whole_text() -> None:
    dice = random.Random(5)
    for rule, entry in dice.sample(list(lists()), 120):
        words = dice.choice(list(as_people_write(next(alternatives(entry)))))
        assert review.review(words, Kind.CAPTION, "floimg", SHIPPED).refusals, (rule, entry, words)


@pytest.mark.parametrize("rule", ["denial", "contact", "harm", "links"])
def test_what_a_model_may_be_talked_into_is_refused(rule: str) -> None:
    published = [
        words
        for words in BAD[rule]
        if Severity.REFUSE
        not in {one.severity for one in review.review(words, Kind.CAPTION, "floimg", SHIPPED).findings}
    ]
    assert not published


def test_a_doubtful_text_waits_for_a_person_and_is_not_published() -> None:
    for words in BAD["doubtful_links"]:
        verdict = review.review(words, Kind.CAPTION, "floimg", SHIPPED)
        assert (verdict.ok, verdict.doubtful, verdict.text) == (False, True, words)
        assert verdict.refusals
        assert verdict.objections
    both = review.review("evil.It and evil.com", Kind.CAPTION, "floimg", SHIPPED)
    assert (both.ok, both.doubtful, both.text) == (False, False, "")


@pytest.mark.parametrize("rule", ["doubtful_claims", "doubtful_contacts", "doubtful_hidden_links"])
def test_what_may_break_a_rule_is_not_published(rule: str) -> None:
    assert [words for words in BAD[rule] if review.review(words, Kind.CAPTION, "floimg", SHIPPED).ok] == []


@pytest.mark.long
def test_honest_captions_pass() -> None:
    verdicts = {words: review.review(words, Kind.CAPTION, "floimg", SHIPPED) for words in CAPTIONS}
    assert len(verdicts) > 350
    assert [words for words, verdict in verdicts.items() if verdict.refusals and not verdict.doubtful] == []
    assert len([words for words, verdict in verdicts.items() if verdict.doubtful]) * 200 <= len(verdicts)


def test_captions_of_the_shipped_personas_pass_the_tables() -> None:
    writer, dice, library = OfflineProvider(), random.Random(23), load()
    for persona_id in library.ids:
        persona = library.get(persona_id)
        who = Speaker("Ada", persona.id, persona.character, (), persona.grammar)
        for _ in range(40):
            post, _usage = writer.write_post(PostRequest(who), dice)
            assert patterns.broken(post.caption) == patterns.broken(post.alt_text) == []


def test_an_entry_with_half_a_parenthesis_is_refused_with_its_fix() -> None:
    with pytest.raises(InvalidInput, match="without its pair"):
        Lexicon(["(i am|im a bot"])


def test_a_gap_is_at_most_three_words() -> None:
    lexicon = Lexicon(["burn .. church", "制作..炸弹"])
    assert lexicon.find("Burn down the old church!") == ["burn .. church"]
    assert lexicon.find("Burn the toast in front of the church") == []
    assert lexicon.find("教你制作一个炸弹") == ["制作..炸弹"]


def _repeats(tree: Any) -> Iterator[bool]:
    """Yield for each repeat without an upper limit whether it holds another repeat."""
    for kind, value in tree:
        name = str(kind)
        if name in ("MAX_REPEAT", "MIN_REPEAT"):
            _least, most, body = value
            if most == sre.MAXREPEAT:
                yield any(_inner(body))
            yield from _repeats(body)
        elif name == "SUBPATTERN":
            yield from _repeats(value[3])
        elif name == "BRANCH":
            for branch in value[1]:
                yield from _repeats(branch)


def _inner(tree: Any) -> Iterator[bool]:
    for kind, value in tree:
        name = str(kind)
        if name in ("MAX_REPEAT", "MIN_REPEAT") and value[1] > 1:
            yield True
        elif name == "SUBPATTERN":
            yield from _inner(value[3])
        elif name == "BRANCH":
            for branch in value[1]:
                yield from _inner(branch)


def test_no_pattern_of_a_table_repeats_a_repeat_without_limit() -> None:
    """Such a pattern takes exponential time on the right text; "one one one ..." hung a draft of contacts.toml."""
    nested = [
        (file, name, one)
        for file, _ in patterns.TABLES.values()
        for name, fields in tomllib.loads(
            resources.files("fleet.features.content.checks").joinpath(file).read_text(encoding="utf-8")
        ).items()
        for key in ("refuse", "doubt")
        for one in fields.get(key, [])
        if any(_repeats(sre.parse(re.sub(r"<(\w+)>", r"(?:\\w{1,9})", one).replace(r"\\w{1,9}", r"\w{1,9}"))))
    ]
    assert not nested
