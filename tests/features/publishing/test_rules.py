"""Decisions: pure, repeatable, and true to the weights."""

from __future__ import annotations

import json
import random
import uuid
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from fleet.adapters.gateway import Caps, WriteUsage
from fleet.adapters.social import COMMENT, LIKE, POST
from fleet.features.publishing.rules import (
    ACTIONS,
    FeedObservation,
    Plan,
    SeenItem,
    comment_would_crowd,
    decide,
    from_data,
    to_data,
)

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
ME = uuid.UUID(int=7)
FEED = tuple(SeenItem(f"p{n}", f"user_{n}", f"User {n}", f"Picture {n}") for n in range(5))
WEIGHTS = {"post": 0.7, "comment": 0.4, "like": 0.8, "browse": 0.6}


def moment(**changes: Any) -> FeedObservation:
    values: dict[str, Any] = {
        "now": NOW, "agent_id": ME, "username": "me", "has_account": True, "weights": WEIGHTS, "interests": ("light",),
        "feed": FEED, "usage": WriteUsage(), "caps": Caps.of((POST, COMMENT, LIKE)), "comment_lead": 3,
    }  # fmt: skip
    return FeedObservation(**{**values, **changes})


def shares(when: FeedObservation, throws: int = 4000) -> dict[str | None, float]:
    counted = Counter(decide(when, random.Random(n)).action for n in range(throws))
    return {action: number / throws for action, number in counted.items()}


def test_every_action_has_the_share_that_its_weight_gives() -> None:
    found = shares(moment())
    for name in ACTIONS:
        assert found[name] == pytest.approx(WEIGHTS[name] / sum(WEIGHTS.values()), abs=0.03)


def test_what_is_capped_now_leaves_its_share_to_the_others() -> None:
    usage = WriteUsage({"post": 1}, {"post": NOW - timedelta(minutes=1)})
    found = shares(moment(usage=usage))
    assert "post" not in found
    assert found["like"] == pytest.approx(0.8 / 1.8, abs=0.03)


def test_one_post_at_a_time_is_made() -> None:
    assert "post" not in shares(moment(posting=True), 300)
    asked = decide(moment(posting=True, asked_for="post"), random.Random(1))
    assert (asked.action, asked.thought) == (None, "I was asked to post, but a post of mine is on its way.")


def test_an_agent_without_an_account_asks_for_one_first() -> None:
    decision = decide(moment(has_account=False), random.Random(1))
    assert [plan.kind for plan in decision.plans] == ["provision"]


def test_an_agent_reacts_neither_to_its_own_posts_nor_twice() -> None:
    feed = (
        SeenItem("mine", "me", "Me", ""),
        SeenItem("done", "zoe", "Zoe", "", done=("comment", "like")),
        SeenItem("new", "zoe", "Zoe", ""),
    )
    for n in range(300):
        decision = decide(moment(feed=feed), random.Random(n))
        if decision.action in ("like", "comment"):
            assert [about(plan) for plan in decision.plans] == [["new"]]


def about(plan: Plan) -> list[str | None]:
    """The posts that a plan is about: for a comment those that its writer may choose from."""
    return [plan.target] if plan.target is not None else [seen["id"] for seen in plan.payload.get("seen", ())]


def test_a_comment_may_choose_from_eight_posts_those_of_shared_interests_first() -> None:
    feed = tuple(
        SeenItem(f"p{n}", "zoe", "Zoe", f"Light {n}" if n == 7 else "x" * 5000, likes=1, done=("like",))
        for n in range(30)
    )
    first = Counter()  # type: ignore[var-annotated]
    for n in range(300):
        (plan,) = decide(moment(feed=feed, asked_for="comment"), random.Random(n)).plans
        assert plan.target is None
        assert len(set(about(plan))) == 8
        first[about(plan)[0]] += 1
        assert all(len(seen["caption"]) <= 600 for seen in plan.payload["seen"])
    assert first["p7"] > 1.4 * 300 / 31


def test_an_empty_gallery_is_posted_to_or_looked_at() -> None:
    assert set(shares(moment(feed=()), 300)) == {"post", "browse"}


def test_a_crowded_post_gets_no_further_comment() -> None:
    feed = (SeenItem("p", "zoe", "Zoe", "", comments=3, ours=3),)
    assert "comment" not in shares(moment(feed=feed), 300)
    assert "comment" in shares(moment(feed=(SeenItem("p", "zoe", "Zoe", "", comments=4, ours=3),)), 300)


def test_what_a_person_asks_for_is_done_even_if_its_weight_is_zero() -> None:
    when = moment(asked_for="like", weights={"post": 1.0, "comment": 0, "like": 0, "browse": 0})
    assert decide(when, random.Random(1)).action == "like"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"feed": ()}, "nothing new"),
        ({"held_kinds": ("like",)}, "paused"),
        ({"usage": WriteUsage({"like": 500}, {})}, "cap"),
    ],
)
def test_what_a_person_asks_for_in_vain_is_explained(changes: dict[str, Any], words: str) -> None:
    decision = decide(moment(asked_for="like", **changes), random.Random(1))
    assert decision.action is None and decision.plans == ()
    assert words in decision.thought


def test_shared_interests_draw() -> None:
    feed = (
        SeenItem("a", "zoe", "Zoe", "Morning light on stone", likes=1),
        SeenItem("b", "max", "Max", "A chart", likes=1),
    )
    when = moment(feed=feed, asked_for="like", interests=("soft light",))
    picked = Counter(decide(when, random.Random(n)).plans[0].target for n in range(600))
    assert picked["a"] > 1.6 * picked["b"]


_TEXT = st.text(max_size=30)
_FEED = st.lists(
    st.builds(
        SeenItem, id=st.uuids().map(str), author=st.sampled_from(["me", "zoe", ""]), author_name=_TEXT, caption=_TEXT,
        likes=st.integers(0, 9), comments=st.integers(0, 9), ours=st.integers(0, 9),
        done=st.lists(st.sampled_from(["comment", "like"]), unique=True).map(tuple),
    ),
    max_size=6,
)  # fmt: skip
_MOMENTS = st.builds(
    moment,
    feed=_FEED.map(tuple),
    weights=st.fixed_dictionaries({name: st.floats(0, 100) for name in ACTIONS}),
    held_kinds=st.lists(st.sampled_from(ACTIONS), unique=True).map(tuple),
    asked_for=st.none() | st.sampled_from(ACTIONS),
    usage=st.builds(
        WriteUsage,
        st.dictionaries(st.sampled_from(["post", "comment", "like"]), st.integers(0, 600)),
        st.dictionaries(st.sampled_from(["post", "comment"]), st.just(NOW - timedelta(seconds=10))),
    ),
)


@given(_MOMENTS, st.integers())
def test_whatever_the_moment_a_decision_keeps_the_rules_and_can_be_repeated(when: FeedObservation, seed: int) -> None:
    decision = decide(when, random.Random(seed))
    written = json.loads(json.dumps(to_data(when)))
    assert from_data(written) == when
    again = decide(from_data(written), random.Random(seed))
    assert json.loads(json.dumps(again.outcome())) == json.loads(json.dumps(decision.outcome()))
    seen = {post.id: post for post in when.feed}
    for plan in decision.plans:
        assert plan.kind not in when.held_kinds
        assert when.asked_for in (None, plan.kind)
        if plan.kind in ("like", "comment"):
            assert about(plan)
            for target in about(plan):
                assert seen[target or ""].author != when.username
                assert plan.kind not in seen[target or ""].done
    if decision.action is None:
        assert decision.thought


def test_a_moment_that_an_earlier_version_recorded_is_read() -> None:
    recorded = to_data(moment())
    del recorded["comment_lead"]
    recorded["caps"] = {
        "post_gap": 1800.0, "comment_gap": 20.0, "posts_per_day": 48, "comments_per_day": 50, "likes_per_day": 500,
        "connects_per_day": 10, "ai_comment_lead": 3, "surface_writes_per_minute": 100, "day": 86400.0,
    }  # fmt: skip
    recorded["feed"] = [{**post, "liked": post["id"] == "p1", "commented": False} for post in recorded["feed"]]
    for post in recorded["feed"]:
        del post["done"]
    feed = tuple(replace(post, done=("like",)) if post.id == "p1" else post for post in FEED)
    assert from_data(json.loads(json.dumps(recorded))) == moment(feed=feed)


@given(st.integers(0, 30), st.integers(0, 10))
def test_ai_comments_never_exceed_the_human_ones_by_more_than_the_lead(human: int, lead: int) -> None:
    ours = 0
    while not comment_would_crowd(human + ours, ours, lead):
        ours += 1
    assert ours == human + lead


def test_a_count_that_the_surface_shows_late_does_not_let_us_in() -> None:
    assert comment_would_crowd(comments=0, ours=3, lead=3)
