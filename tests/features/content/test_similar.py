"""Near-duplicates: what says the same is found, what does not is not, and memory is bounded."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.features.content.checks.similar import FLEET_LIKENESS, OWN_LIKENESS, RecentTexts, pieces, repeats

_KNOWN = ("harbour", "dawn", "quiet", "fog", "λάμψη", "рассвет", "夕焼け", "गाँव", "नदी", "ضوء", "저녁", "lamp", "é")
WORDS = st.lists(st.sampled_from(_KNOWN), min_size=1, max_size=25)


def index(*texts: str, author: str = "ada", capacity: int = 100) -> RecentTexts:
    recent = RecentTexts(capacity)
    for number, text in enumerate(texts):
        recent.add(f"job-{number}", author, text)
    return recent


def jaccard(one: str, other: str) -> float:
    a, b = pieces(one), pieces(other)
    return len(a & b) / len(a | b)


@given(
    WORDS,
    st.lists(st.sampled_from(["!", " ", "…", " 🔥", "。", ", ", " – ", " 👩‍👩‍👧", "?!"]), min_size=25, max_size=25),
)
def test_the_same_text_is_found_through_case_punctuation_and_emoji(words: list[str], between: list[str]) -> None:
    other = "".join(f"{word.upper()} {mark} " for word, mark in zip(words, between, strict=False))
    for author, rule in (("ada", "similar.own"), ("tom", "similar.fleet")):
        assert [f.rule for f in repeats(other, author, index(" ".join(words)))] == [rule]


@given(st.text(alphabet="abcdefghij ", max_size=80), st.text(alphabet="klmnopqrst夕焼け ", max_size=80))
def test_texts_with_nothing_in_common_are_never_found(one: str, other: str) -> None:
    if one.split() and other.split():
        assert repeats(other, "ada", index(one)) == []


@settings(max_examples=60)
@given(st.lists(WORDS, min_size=1, max_size=12), WORDS)
def test_the_index_finds_whatever_counting_one_by_one_finds(texts: list[list[str]], words: list[str]) -> None:
    said, new = [" ".join(text) for text in texts], " ".join(words)
    nearest = max(jaccard(new, text) for text in said)
    own, _ = index(*said).closest(new, "ada")
    if nearest >= OWN_LIKENESS:
        assert own == pytest.approx(nearest)
    else:
        assert own < OWN_LIKENESS


def test_one_word_changed_is_the_same_to_its_author_and_one_more_of_a_mould_to_others() -> None:
    recent = index("You let the matcha latte keep its weight, which is the hard part.")
    changed = "You let the oat latte keep its weight, which is the hard part."
    assert [f.rule for f in repeats(changed, "ada", recent)] == ["similar.own"]
    assert repeats(changed, "tom", recent) == []
    assert OWN_LIKENESS < FLEET_LIKENESS


FULL_WIDTH = {code: code + 0xFEE0 for code in range(0x61, 0x7B)}


@pytest.mark.parametrize(
    "looks",
    [
        str.upper,
        lambda said: said.translate(str.maketrans("aeopc", "аеорс")),
        lambda said: said.translate(str.maketrans("alt", "ᴀʟᴛ")),
        lambda said: "".join(f"{char}\ufe0f" for char in said),
        lambda said: said.translate(FULL_WIDTH),
    ],
)
def test_the_same_text_in_other_letters_is_the_same(looks: Callable[[str], str]) -> None:
    said = "You let the matcha latte keep its weight, which is the hard part."
    assert [f.evidence for f in repeats(looks(said), "ada", index(said))] == ["100% like an earlier text of this agent"]


def test_a_text_is_not_its_own_repetition() -> None:
    recent = index("A harbour.")
    assert repeats("A harbour.", "ada", recent, but="job-0") == []


def test_emoji_alone_are_compared_as_they_stand() -> None:
    assert repeats("🔥🔥", "ada", index("🔥 🔥")) != []
    assert repeats("🔥🔥", "ada", index("🌊")) == []


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), WORDS), max_size=40))
def test_memory_is_bounded_and_the_oldest_is_forgotten(added: list[tuple[str, list[str]]]) -> None:
    recent = RecentTexts(3)
    for key, words in added:
        recent.add(key, "ada", " ".join(words))
    newest = list(dict.fromkeys(key for key, _ in reversed(added)))[:3]
    assert list(reversed(recent._entries)) == newest
    assert {key for keys in recent._found_under.values() for key in keys} == set(newest)


def test_no_capacity_means_no_memory() -> None:
    recent = RecentTexts(0)
    recent.add("k", "ada", "A harbour.")
    assert (len(recent), repeats("A harbour.", "ada", recent)) == (0, [])


def test_many_threads_may_add_and_look() -> None:
    recent = RecentTexts(50)

    def live(seed: int) -> None:
        dice = random.Random(seed)
        for number in range(200):
            recent.add(f"{seed}:{number % 20}", "ada", f"text {dice.random()} {number}")
            recent.closest(f"text {dice.random()}", "ada")

    threads = [threading.Thread(target=live, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(recent) == 50
    assert {key for keys in recent._found_under.values() for key in keys} == set(recent._entries)
