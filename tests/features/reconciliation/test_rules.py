"""What counts as a discrepancy, and what may follow from one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.features.reconciliation import rules
from fleet.features.reconciliation.confidence import TABLE, calibration
from fleet.features.reconciliation.noise import html_text, plain_text, same_content
from fleet.features.reconciliation.rules import (
    Discrepancy,
    DiscrepancySeverity,
    DiscrepancyType,
    FixPermission,
    FixPolicy,
    Moved,
    NoDifference,
    Remedy,
    Sides,
)
from fleet.features.stores.rules import ConflictRule, Direction

NOW = datetime(2026, 11, 24, tzinfo=UTC)
BOTH = FixPolicy(ask_from=None)
words = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=30)
units = st.integers(0, 500)


def euros(minor: int, currency: str = "EUR") -> dict[str, Any]:
    return {"minor": minor, "currency": currency}


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [("Desk  lamp", " desk\u00a0lamp\n", True), ("A &amp; B", "A & B", True), ("ﬁne", "fine", True),
     ("Desk lamp", "Desk lamps", False), ("", "\u200b", True), ("1 m", "1 cm", False)],
)  # fmt: skip
def test_forms_of_a_text_are_no_difference(one: str, other: str, is_same: bool) -> None:
    assert same_content("title", one, other) is is_same


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [("Oak &amp; brass", "<p>Oak <b>&amp;</b> brass</p>", True), ("<p>One</p><p>Two</p>", "One Two", True),
     ("br<b>ass</b>", "brass", True), ("<a href='https://a.test'>x</a>", "<a href='https://b.test'>x</a>", False),
     ("<p>One</p>", "<p>Two</p>", False), ("<script>alert(1)</script>", "", False)],
)  # fmt: skip
def test_tags_are_form_and_words_and_addresses_are_content(one: str, other: str, is_same: bool) -> None:
    assert same_content("description", one, other) is is_same


@given(words)
def test_a_form_of_a_form_is_the_same(text: str) -> None:
    assert plain_text(plain_text(text)) in (plain_text(text), plain_text(plain_text(plain_text(text))))
    assert same_content("description", f"<div> {text.replace('<', '').replace('&', '')} </div>",
                        text.replace("<", "").replace("&", ""))  # fmt: skip
    html_text(text)  # hostile text raises nothing


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [(euros(1000), euros(1001), True), (euros(1000), euros(1002), False), (euros(10, "JPY"), euros(11, "JPY"), False),
     (euros(1000, "BHD"), euros(1010, "BHD"), True), (euros(1000, "BHD"), euros(1011, "BHD"), False),
     (euros(1000), euros(1000, "USD"), False), (euros(1000), None, False)],
)  # fmt: skip
def test_prices_a_cent_apart_are_rounding(one: Any, other: Any, is_same: bool) -> None:
    assert rules.same(rules.PRICE, one, other) is is_same


@given(units, units)
def test_stock_is_as_severe_as_it_is_far_apart(local: int, remote: int) -> None:
    apart = abs(local - remote)
    found = rules.severity_of(DiscrepancyType.INVENTORY_DRIFT, local, remote)
    assert found is (
        DiscrepancySeverity.CRITICAL
        if apart > 50
        else DiscrepancySeverity.MEDIUM
        if apart > 5
        else DiscrepancySeverity.LOW
    )


@given(st.none() | units, units, units, st.sampled_from([*ConflictRule]), st.sampled_from([*Direction]))
def test_a_comparison_follows_the_side_that_moved(
    base: int | None, local: int, remote: int, rule: ConflictRule, direction: Direction
) -> None:
    sides = Sides(field="stock", base=base, local=local, remote=remote)
    found = rules.compare(sides, FixPolicy(direction, rule, ask_from=None))
    if local == remote:
        assert found is NoDifference.AGREE
        return
    assert isinstance(found, Discrepancy)
    if base is None:
        assert found.moved is Moved.UNKNOWN
    elif local == base:
        assert (found.moved, found.action) == (Moved.REMOTE, Remedy.PULL if direction.pulls else Remedy.PUSH)
    elif remote == base:
        assert (found.moved, found.action) == (Moved.LOCAL, Remedy.PUSH)
    else:
        assert found.moved is Moved.BOTH
        assert found.action is {"source": Remedy.PULL, "target": Remedy.PUSH}.get(rule, Remedy.NONE)
    for more in ({"has_open_write": True}, {"is_newer": True}):
        later = Sides(field="stock", base=base, local=local, remote=remote, **more)
        assert rules.compare(later, BOTH) is NoDifference.COMPARE_AGAIN


def test_a_form_that_the_store_keeps_is_no_discrepancy() -> None:
    sides = Sides(
        field="title", base="Lamp of oak", base_there="Lamp o. oak", local="Lamp of oak", remote="Lamp o. oak"
    )
    assert rules.compare(sides, BOTH) is NoDifference.AGREE


@given(
    st.sampled_from([*DiscrepancyType]), st.sampled_from([*DiscrepancySeverity]), st.sampled_from([*Remedy]),
    st.floats(0, 1),
    st.sampled_from([*Direction]), st.none() | st.sampled_from([*DiscrepancySeverity]), st.booleans(),
)  # fmt: skip
def test_nothing_unsure_severe_or_changed_is_fixed(
    kind: DiscrepancyType, severity: DiscrepancySeverity, action: Remedy, sure: float, direction: Direction,
    ask_from: DiscrepancySeverity | None, is_unchanged: bool,
) -> None:  # fmt: skip
    policy = FixPolicy(direction, ask_from=ask_from, fixes={DiscrepancyType.PRICE_DRIFT})
    found = rules.may_fix(kind=kind, severity=severity, action=action, confidence=sure, policy=policy,
                          is_unchanged=is_unchanged)  # fmt: skip
    assert (found is FixPermission.COMPARE_AGAIN) is not is_unchanged
    if found is FixPermission.FIX:
        assert sure >= 0.95
        assert kind is DiscrepancyType.PRICE_DRIFT
        assert action is not Remedy.NONE
        assert ask_from is None or severity.rank < ask_from.rank
        assert direction.pulls or action not in (Remedy.PULL, Remedy.IMPORT)
        assert direction.pushes or action not in (Remedy.PUSH, Remedy.PUBLISH)
    elif is_unchanged and ask_from is not None and severity.rank >= ask_from.rank:
        assert found is FixPermission.ASK


def test_a_store_is_due_after_its_interval() -> None:
    hour = timedelta(hours=1)
    assert rules.is_due(now=NOW, last_at=None, every=hour, is_running=False)
    assert rules.is_due(now=NOW, last_at=NOW - hour, every=hour, is_running=False)
    assert not rules.is_due(now=NOW, last_at=NOW - hour / 2, every=hour, is_running=False)
    assert not rules.is_due(now=NOW, last_at=None, every=hour, is_running=True)
    assert not rules.is_due(now=NOW, last_at=None, every=None, is_running=False)


def test_the_table_in_use_is_the_one_that_the_script_measures() -> None:
    done = calibration.calibrate()
    assert {tuple(map(str, one.key)): one.confidence for one in done.rows} == dict(TABLE)
    assert done.brier < done.brier_of_mean
    many = [one for one in done.rows if one.held_out >= 300]
    assert len(many) > 10
    assert all(abs(one.confidence - one.right) < 0.06 for one in many)
