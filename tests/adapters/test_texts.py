"""Lengths as networks count them, parts of threads, and what is a link, a hashtag or a mention in a text."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.adapters import texts
from fleet.adapters.manifest import TextRule, TextUnit

FAMILY, FLAG = "👩‍👩‍👧‍👦", "🇨🇿"
POST = TextRule(most=300, unit=TextUnit.GRAPHEMES, most_bytes=3000, hashtags=8, mentions=3)
X = TextRule(most=280, unit=TextUnit.WEIGHTED, url_length=23, hashtags=2, mentions=1)


@pytest.mark.parametrize(
    ("words", "unit", "length"),
    [
        (f"a{FAMILY}{FLAG}é", TextUnit.GRAPHEMES, 4),
        ("e\u0301", TextUnit.GRAPHEMES, 1),
        ("a\r\nb", TextUnit.GRAPHEMES, 3),
        (FAMILY, TextUnit.CHARACTERS, 7),
        ("a😀", TextUnit.UTF16, 3),
        # As twitter-text 3.1 counts them (its conformance suite, tweet weights).
        ("H🐱☺👨‍👩‍👧‍👦", TextUnit.WEIGHTED, 7),
        ("日本語", TextUnit.WEIGHTED, 6),
        ("cafe\u0301", TextUnit.WEIGHTED, 4),
        ("“so” – it’s…", TextUnit.WEIGHTED, 13),
        ("1 #a 2\ufe0f\u20e3", TextUnit.WEIGHTED, 7),
    ],
)
def test_a_text_is_as_long_as_its_network_counts(words: str, unit: TextUnit, length: int) -> None:
    assert texts.length(words, TextRule(most=1, unit=unit)) == length


@pytest.mark.parametrize(
    ("words", "length"),
    [
        ("See https://example.org/a/very/long/path?with=a&query=of-its-own.", 4 + 23 + 1),
        ("example.com", 23),
        ("Well.Then it is late", 20),
        ("well.it", 23),
        ("zoe@example.com", 15),
        ("http://a.com/(b) http://a.com/)", 23 + 1 + 23 + 1),
    ],
)
def test_each_link_has_the_same_length_on_x(words: str, length: int) -> None:
    assert texts.length(words, X) == length


def test_bytes_count_besides_graphemes() -> None:
    assert texts.fits(FAMILY * 120, POST)
    assert not texts.fits(FAMILY * 121, POST)
    assert texts.problems(FAMILY * 121 + " #a" * 9, POST) == ["3,052 bytes, 3,000 allowed", "9 hashtags, 8 allowed"]


@pytest.mark.parametrize(
    ("words", "tags", "names"),
    [
        ("#dawn #1 #２０２６年 (#a-b) x#no https://a.org/#frag", ["dawn", "２０２６年", "a"], []),
        ("@zoe.example.com, @a@b.social. mail@b.org https://a.org/@me", [], ["zoe.example.com", "a@b.social"]),
        ("#️⃣ and #", [], []),
    ],
)
def test_hashtags_and_mentions_are_found(words: str, tags: list[str], names: list[str]) -> None:
    assert [one.value for one in texts.hashtags(words)] == tags
    assert [one.value for one in texts.mentions(words)] == names


def test_a_span_says_its_place_in_bytes() -> None:
    words = f"{FAMILY} siehe https://ü.example/ß, ok"
    (link,) = texts.urls(words)
    start, end = link.bytes_in(words)
    assert words.encode()[start:end].decode() == link.value == "https://ü.example/ß"


def test_a_long_text_is_cut_at_a_sentence_and_a_long_sentence_at_a_word() -> None:
    assert (
        texts.cut_at_sentence("One two three. Four five six. Seven", TextRule(most=30))
        == "One two three. Four five six."
    )
    assert texts.cut_at_sentence("夕焼けの海。きれいだ。また来る。", TextRule(most=12)) == "夕焼けの海。きれいだ。"
    assert texts.cut_at_sentence("Yes. " + "word " * 20, TextRule(most=40)).endswith("…")
    assert texts.cut(FAMILY * 400, POST) == FAMILY * 119 + "…"


def test_a_thread_breaks_at_sentences_then_at_words_and_never_within_a_link() -> None:
    rule = TextRule(most=30, unit=TextUnit.GRAPHEMES)
    assert texts.split("One two three. Four five six. Seven eight nine ten.", rule) == [
        "One two three. Four five six.", "Seven eight nine ten."
    ]  # fmt: skip
    assert texts.split("a word https://example.org/some/path b", rule) == [
        "a word",
        "https://example.org/some/path",
        "b",
    ]
    assert texts.split("aaaa https://e.org/1.2 bbbb", TextRule(most=21)) == [
        "aaaa",
        "https://e.org/1.2 bbbb"[:17],
        "bbbb",
    ]
    assert texts.split("x" * 70, rule) == ["x" * 30, "x" * 30, "x" * 10]
    assert [len(part) for part in texts.split("word " * 40, rule, reserve=6, most_parts=3)] == [24, 24, 20]
    assert texts.split("word " * 40, rule, most_parts=3)[-1].endswith("…")
    assert texts.split("  ", rule) == []


@given(
    st.lists(
        st.sampled_from(["word", "Satz. ", "\n", " ", FAMILY, FLAG, "e\u0301", "https://e.org/p?q=1 ", "日。", "#t "]),
        max_size=80,
    ),
    st.sampled_from([POST, X, TextRule(most=25, unit=TextUnit.GRAPHEMES, most_bytes=60), TextRule(most=26)]),
)  # fmt: skip
def test_the_parts_of_a_thread_fit_and_lose_nothing_but_blanks(pieces: list[str], rule: TextRule) -> None:
    words = "".join(pieces)
    parts = texts.split(words, rule, most_parts=1000)
    assert all(texts.fits(part, rule) and part.strip() == part != "" for part in parts)
    assert "".join("".join(parts).split()) == "".join(words.split())


@pytest.mark.parametrize(
    "piece", ["a.b.", "@#", "http://a.com/", "日", "x.", "-", "http://a-", "@a.", ")", "#1", "(", "\n", "a@"]
)
def test_hostile_texts_take_no_time(piece: str) -> None:
    words = piece * (50_000 // len(piece))
    started = time.process_time()
    for rule in (X, POST):
        texts.problems(words, rule)
        texts.cut_at_sentence(words[:5000], rule)
    assert time.process_time() - started < 20  # minutes where a pattern backtracks
