"""What decisions teach: weights with bounds and decay, examples, and an owner whose hidden taste is found out."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import hypothesis.strategies as st
import pytest
from hypothesis import given

from fleet.core.character import Character
from fleet.features.drafts.lessons import rules as learning
from fleet.features.drafts.lessons.rules import ALL, HALF_LIFE, REWARDS, Lesson
from fleet.features.drafts.states import OwnerAnswer
from fleet.llm.base import Speaker
from fleet.llm.lexicon.topics import topic_of
from fleet.llm.offline.provider import OfflineProvider
from fleet.llm.scan_request import Idea, ScanItem, ScanRequest

NOW = datetime(2026, 11, 21, tzinfo=UTC)
TOPICS = ("brass lamps", "harbours", "bread", "kites", "moths", "slate")
CAPTIONS = {
    "brass lamps": "Two brass lamps by the door.", "harbours": "Harbours before anybody is up.",
    "bread": "Bread that took two days.", "kites": "Kites over the dunes.", "moths": "Moths and a porch light.",
    "slate": "Slate after the rain.",
}  # fmt: skip


def lesson(decision: OwnerAnswer, *, kind: str = "comment", topic: str = "bread", age: timedelta = timedelta(0),
           text: str = "") -> Lesson:  # fmt: skip
    return Lesson(kind, topic, decision, REWARDS[decision], NOW - age, text)


lessons = st.lists(
    st.builds(
        lambda decision, kind, topic: lesson(decision, kind=kind, topic=topic),
        st.sampled_from(list(OwnerAnswer)), st.sampled_from(["comment", "post"]), st.sampled_from(TOPICS),
    ),
    max_size=40,
)  # fmt: skip


@given(lessons)
def test_weights_stay_within_their_bounds(taught: list[Lesson]) -> None:
    assert all(-1 <= weight <= 1 for weight in learning.weights(taught, NOW).values())
    assert all(abs(weight) <= 0.35 for (_, topic), weight in learning.weights(taught, NOW).items() if topic == ALL)


@given(lessons, st.integers(0, 39))
def test_a_lesson_that_is_undone_is_as_if_it_had_never_been(taught: list[Lesson], at: int) -> None:
    without = taught[:at] + taught[at + 1 :]
    if at < len(taught):
        others = [one for one in taught if (one.kind, one.topic) != (taught[at].kind, taught[at].topic)]
        before = learning.weights(others, NOW)
        after = learning.weights(without, NOW)
        assert all(after[name] == weight for name, weight in before.items() if name[1] != ALL)


def test_a_yes_raises_and_a_no_lowers_what_it_is_about_and_nothing_else() -> None:
    weights = learning.weights([lesson(OwnerAnswer.APPROVED), lesson(OwnerAnswer.REJECTED, topic="kites")], NOW)
    assert weights["comment", "bread"] > 0 > weights["comment", "kites"]
    assert ("post", "bread") not in weights
    edited = learning.weights([lesson(OwnerAnswer.EDITED)], NOW)
    assert 0 < edited["comment", "bread"] < weights["comment", "bread"]


def test_lessons_fade_by_half_in_their_half_life() -> None:
    fresh = learning.weights([lesson(OwnerAnswer.REJECTED)], NOW)["comment", "bread"]
    old = learning.weights([lesson(OwnerAnswer.REJECTED, age=HALF_LIFE)], NOW)["comment", "bread"]
    assert abs(old - fresh / 2) < 1e-9


def test_the_strongest_leanings_come_first_and_faint_ones_are_left_out() -> None:
    taught = [lesson(OwnerAnswer.APPROVED, topic="slate", age=10 * HALF_LIFE), lesson(OwnerAnswer.APPROVED),
              *[lesson(OwnerAnswer.REJECTED, topic="kites")] * 3]  # fmt: skip
    told = learning.leanings(taught, NOW)
    assert (told[0].topic, told[0].weight < -0.8) == ("kites", True)
    assert "slate" not in {one.topic for one in told}


def test_examples_are_the_newest_of_each_sort_that_have_words() -> None:
    taught = [lesson(OwnerAnswer.REJECTED, text=f"no {n}") for n in range(9)] + [
        lesson(OwnerAnswer.APPROVED, text="yes")
    ]
    accepted, refused = learning.examples([*taught, lesson(OwnerAnswer.APPROVED)])
    assert [one.text for one in accepted] == ["yes"]
    assert [one.text for one in refused] == ["no 8", "no 7", "no 6", "no 5"]


def test_a_lesson_explains_itself() -> None:
    said = learning.explain(lesson(OwnerAnswer.REJECTED), 0.25, -0.05)
    assert "comment about bread was rejected" in said
    assert "+0.25 to -0.05" in said


class Owner:
    """Somebody with a taste that nobody is told: glad of some kinds about some topics, and now and then of a mood."""

    def __init__(self, seed: int) -> None:
        self._dice = random.Random(seed)
        self._likes = {(kind, topic) for kind in ("post", "comment", "reaction", "connection")
                       for topic in (*TOPICS, "other") if self._dice.random() < 0.4}  # fmt: skip

    def says_yes(self, kind: str, topic: str) -> bool:
        glad = (kind, topic) in self._likes
        return glad if self._dice.random() < 0.95 else not glad


def approvals(seed: int, *, learns: bool, drafts: int = 200) -> list[bool]:
    """Let an agent scan until its owner has decided on so many drafts; return the decisions."""
    owner, dice, writer = Owner(seed), random.Random(seed), OfflineProvider()
    speaker = Speaker("Ada", None, Character("Patient.", "calm", TOPICS))
    taught: list[Lesson] = []
    said: list[bool] = []
    while len(said) < drafts:
        items = tuple(_item(number, dice) for number in range(8))
        told = learning.leanings(taught, NOW) if learns else ()
        answer, _ = writer.digest(ScanRequest(speaker, items, leanings=told), dice)
        for idea in answer.ideas:
            topic = _topic(idea, items)
            yes = owner.says_yes(idea.kind, topic)
            said.append(yes)
            taught.append(lesson(OwnerAnswer.APPROVED if yes else OwnerAnswer.REJECTED, kind=idea.kind, topic=topic))
    return said[:drafts]


def _item(number: int, dice: random.Random) -> ScanItem:
    topic = dice.choice(TOPICS)
    return ScanItem(f"p{number}", f"u{number}", "Zoe", CAPTIONS[topic], topic)


def _topic(idea: Idea, items: tuple[ScanItem, ...]) -> str:
    about = next((item for item in items if idea.ref in (item.ref, item.author_ref)), None)
    return about.topic if about else topic_of(f"{idea.text} {idea.image_prompt}", TOPICS)


@pytest.mark.long
def test_an_owner_with_a_hidden_taste_approves_more_the_longer_the_agent_learns() -> None:
    def rate(of: list[bool]) -> float:
        return sum(of) / len(of)

    seeds = range(8)
    learnt = [approvals(seed, learns=True) for seed in seeds]
    plain = [approvals(seed, learns=False) for seed in seeds]
    late, early, never = ([rate(run[100:]) for run in learnt], [rate(run[:50]) for run in learnt],
                          [rate(run[100:]) for run in plain])  # fmt: skip
    assert all(late[seed] > never[seed] for seed in seeds)
    assert rate([yes for run in learnt for yes in run[100:]]) > rate([yes for run in plain for yes in run[100:]]) + 0.2
    assert sum(late) > sum(early)


def test_the_same_seed_learns_the_same() -> None:
    assert approvals(3, learns=True, drafts=60) == approvals(3, learns=True, drafts=60)
