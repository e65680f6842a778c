"""Approval rules: which one covers what, who may decide, what is enough, and what time does; and diffs of payloads."""

from __future__ import annotations

import copy
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.core.diff import Change, How, diff
from fleet.core.errors import InvalidInput
from fleet.features.approvals import rule_file
from fleet.features.approvals.rules import (
    DEFAULT_RULE,
    REMINDERS,
    Condition,
    Op,
    Person,
    Rule,
    Step,
    Times,
    approves_by_itself,
    holds,
    is_enough,
    is_own,
    may_decide,
    next_step_at,
    rule_for,
    step_due,
    times_to_decide,
)

NOW = datetime(2026, 3, 29, 0, 30, tzinfo=UTC)
NAMES = st.sampled_from(["a", "b", "kind", "confidence", "a.b"])
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3))
FACTS = st.dictionaries(NAMES, VALUES, max_size=4)
CONDITIONS = st.builds(Condition, NAMES, st.sampled_from(Op), VALUES)
SPANS = st.timedeltas(min_value=timedelta(seconds=1), max_value=timedelta(days=60))


def rule(name: str, **changes: Any) -> Rule:
    """Return a rule about drafts with some fields of its own."""
    return Rule(**{"name": name, "resource": "draft", "action": "publish", "approvers": ("role:owner",), **changes})


@given(CONDITIONS, FACTS)
def test_no_condition_ever_raises_whatever_the_facts_are(condition: Condition, facts: dict[str, Any]) -> None:
    assert holds(condition, facts) in (True, False)


@given(st.sampled_from([op for op in Op if op is not Op.EXISTS]), VALUES)
def test_no_condition_holds_on_a_fact_that_is_missing(op: Op, value: Any) -> None:
    assert not holds(Condition("missing", op, value), {"there": 1})
    assert not holds(Condition("there.missing", op, value), {"there": 1})


@given(VALUES, VALUES)
def test_a_condition_and_its_opposite_never_both_hold(one: Any, other: Any) -> None:
    facts = {"a": one}
    for op, opposite in ((Op.EQ, Op.NE), (Op.LT, Op.GE), (Op.GT, Op.LE), (Op.IN, Op.NOT_IN)):
        assert not (holds(Condition("a", op, other), facts) and holds(Condition("a", opposite, other), facts))


@pytest.mark.parametrize(
    ("op", "value", "fact", "expected"),
    [
        (Op.EQ, 1, 1, True), (Op.EQ, 1, True, False), (Op.EQ, 1, "1", False), (Op.NE, "x", "y", True),
        (Op.GE, 0.9, 0.9, True), (Op.GT, 0.9, 0.9, False), (Op.GE, 0.9, "0.95", False), (Op.GE, 0, True, False),
        (Op.LT, 5, float("nan"), False), (Op.LT, "b", "a", True), (Op.IN, ["like", "love"], "like", True),
        (Op.IN, [1], True, False), (Op.NOT_IN, ["like"], "post", True), (Op.CONTAINS, "SALE", "a sale today", True),
        (Op.CONTAINS, "news", ["news", "art"], True), (Op.CONTAINS, "new", ["news"], False),
        (Op.EXISTS, True, None, True), (Op.EXISTS, False, 0, False),
    ],
)  # fmt: skip
def test_conditions_compare_like_with_like(op: Op, value: Any, fact: Any, expected: bool) -> None:
    assert holds(Condition("a.b", op, value), {"a": {"b": fact}}) is expected


def test_the_first_rule_that_matches_holds_and_else_an_owner_decides() -> None:
    sure = rule("sure", when=(Condition("confidence", Op.GE, 0.9),))
    rules = (sure, rule("drafts"), rule("anything", resource="*", action="delete"))
    assert rule_for(rules, "draft", "publish", {"confidence": 0.95}).name == "sure"
    assert rule_for(rules, "draft", "publish", {}).name == "drafts"
    assert rule_for(rules, "listing", "delete", {}).name == "anything"
    assert rule_for(rules, "listing", "publish", {}) is DEFAULT_RULE


@given(st.lists(st.builds(rule, st.text(max_size=3), when=st.tuples(CONDITIONS))), FACTS)
def test_a_rule_that_is_chosen_matches_and_none_before_it_does(rules: list[Rule], facts: dict[str, Any]) -> None:
    chosen = rule_for(rules, "draft", "publish", facts)
    matching = [one for one in rules if all(holds(condition, facts) for condition in one.when)]
    assert chosen is (matching[0] if matching else DEFAULT_RULE)


@given(FACTS)
def test_nothing_approves_itself_without_criteria_that_all_hold(facts: dict[str, Any]) -> None:
    assert not approves_by_itself(rule("drafts"), facts)
    assert not approves_by_itself(DEFAULT_RULE, facts)
    likes = rule("likes", auto_approve=(Condition("kind", Op.EQ, "like"), Condition("confidence", Op.GE, 0.5)))
    assert approves_by_itself(likes, {"kind": "like", "confidence": 0.5})
    assert not approves_by_itself(likes, {"kind": "like"})


def test_people_decide_by_name_or_by_role_and_never_about_their_own() -> None:
    ann = Person("ann", frozenset({"operator"}))
    assert may_decide(ann, ("role:owner", "role:operator"))
    assert may_decide(Person("ann"), ("user:ann",))
    assert not may_decide(Person("role:owner"), ("role:owner",))
    assert not may_decide(ann, ("user:operator", "role:owner"))
    assert is_own(ann, "cli:Ann")
    assert is_own(Person("web:ann"), "ann")
    assert not is_own(ann, "agent:ann")


def test_one_person_is_one_voice_through_whichever_door() -> None:
    assert not is_enough(["cli:ann", "web:ann", "Ann"], 2)
    assert is_enough(["ann", "ben"], 2)
    assert not is_enough([], 1)


@given(SPANS, st.none() | SPANS, SPANS, st.booleans(), st.none() | SPANS, st.booleans())
def test_time_asks_for_each_step_once_and_for_the_end_at_last(
    life: timedelta, escalation: timedelta | None, step: timedelta, announced: bool, reminded: timedelta | None,
    escalated: bool,
) -> None:  # fmt: skip
    escalate_at = None if escalation is None else NOW + escalation
    reminded_at = None if reminded is None else NOW + reminded
    times = Times(NOW, NOW + life, escalate_at, announced, reminded_at, escalated)
    assert NOW <= next_step_at(times) <= times.expires_at
    assert step_due(times, next_step_at(times)) is not None
    assert step_due(times, next_step_at(times) - timedelta(microseconds=1)) is None
    assert step_due(times, times.expires_at + step) is Step.EXPIRE


def test_a_reminder_comes_a_day_before_the_end_or_at_half_time() -> None:
    def reminded_at(life: timedelta) -> datetime:
        return next_step_at(Times(NOW, NOW + life, announced=True))

    assert reminded_at(timedelta(days=7)) == NOW + timedelta(days=7) - REMINDERS[0]
    assert reminded_at(timedelta(minutes=1440)) == NOW + timedelta(hours=12)


def test_the_shipped_rules_give_drafts_as_long_as_their_agent_says_and_everything_else_a_day() -> None:
    rules = rule_file.shipped()
    for draft_days in (1, 7, 90):  # 90 is the most that an agent can be set to
        life = timedelta(days=draft_days)
        assert times_to_decide(rules, "draft", "publish", life) == (life, life)
    assert rule_for(rules, "listing", "publish", {}).expiration == timedelta(minutes=1440)
    assert not any(one.auto_approve for one in rules)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("[[rule]]\nname = ", "no TOML"),
        ("[[rule]]\nname = 'a'", "rule.1.resource"),
        ("[[rule]]\nname='a'\nresource='draft'\naction='publish'\napprovers=[]", "rule.1.approvers"),
        ("[[rule]]\nname='a'\nresource='draft'\naction='publish'\napprovers=['boss']", "approvers.1"),
        ("[[rule]]\nname='a'\nresource='*'\naction='*'\napprovers=['user:a']\nmin_approvals=2", "cannot come from"),
        ("[[rule]]\nname='a'\nresource='*'\naction='*'\napprovers=['role:a']\nexec='x'", "exec"),
        ("[[rule]]\nname='a'\nresource='*'\naction='*'\napprovers=['role:a']\n"
         "when=[{field='x', op='eval', value=1}]", "when.1.op"),
        ("[[rule]]\nname='a'\nresource='*'\naction='*'\napprovers=['role:a']\n"
         "when=[{field='x', op='in', value=1}]", "list of values"),
        ("[[rule]]\nname='a'\nresource='*'\naction='*'\napprovers=['role:a']\nexpiration_minutes=60\n"
         "escalate={after_minutes=60, to=['role:b']}", "expires before"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_refused_with_the_place(tmp_path: Path, text: str, place: str) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(text)
    with pytest.raises(InvalidInput, match=place):
        rule_file.load(path)
    with pytest.raises(InvalidInput, match="cannot be read"):
        rule_file.load(tmp_path / "none.toml")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
)
DATA = st.dictionaries(st.text(max_size=3), JSON, max_size=4)


def applied(before: dict[str, Any], changes: tuple[Change, ...]) -> dict[str, Any]:
    """Return what becomes of data when changes are made to it."""
    after = copy.deepcopy(before)
    for change in changes:
        place = after
        for name in change.path[:-1]:
            place = place[name]
        if change.how is How.REMOVED:
            del place[change.path[-1]]
        else:
            place[change.path[-1]] = change.after
    return after


@given(DATA, DATA)
def test_a_diff_tells_all_that_differs_and_nothing_else(before: dict[str, Any], after: dict[str, Any]) -> None:
    changes = diff(before, after)
    assert applied(before, changes) == after
    assert diff(before, before) == ()
    assert all(change.how is How.ADDED for change in diff(None, after))


def test_words_are_compared_line_by_line_and_data_field_by_field() -> None:
    before = {"text": "one\ntwo\nthree", "image": {"url": "a", "width": 1}}
    text, = (one for one in diff(before, {**before, "text": "one\n2\nthree"}))  # fmt: skip
    assert (text.name, text.how) == ("text", How.CHANGED)
    assert text.lines[1:] == (" one", "-two", "+2", " three")
    (width,) = diff(before, {**before, "image": {"url": "a", "width": True}})
    assert (width.name, width.before, width.after, width.lines) == ("image.width", 1, True, ())


def test_long_texts_are_compared_without_the_square_of_their_lines() -> None:
    before, after = ("\n".join(str(number * step % 150) for number in range(200_000)) for step in (7, 11))
    began_s = time.process_time()
    (change,) = diff({"words": before}, {"words": after})
    assert time.process_time() - began_s < 5
    assert change.lines[:2] == ("@@ -1,200000 +1,200000 @@", "-0") and len(change.lines) == 400_001
    (short,) = diff({"words": "a\nb\nc"}, {"words": "a\nx\nc"})
    assert short.lines == ("@@ -1,3 +1,3 @@", " a", "-b", "+x", " c")
