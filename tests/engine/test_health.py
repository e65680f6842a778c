"""The rules of health: when a thing is down, and when it works again."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.accounts.models import SETTINGS_ACCOUNT
from fleet.engine import controls
from fleet.engine.controls import BUDGET, REFUSED, Hold
from fleet.engine.points.health import FAILURES_IN_A_ROW, SHORTEST, WINDOW, CallEvidence, Level, Rate, Rates
from fleet.features.accounts.health import Facts, condition, look
from tests.factories import Fleet

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
ROW = CallEvidence(4, 4, NOW - timedelta(seconds=30), NOW - timedelta(seconds=2), None, "503")
SECONDS = st.floats(0, 7200, allow_nan=False).map(lambda value: timedelta(seconds=value))


@given(st.integers(0, 50), st.integers(0, 50), SECONDS, SECONDS)
def test_down_is_what_failed_several_times_in_a_row_for_some_seconds_within_the_hour(
    lately: int, in_a_row: int, began: timedelta, last: timedelta
) -> None:
    found = CallEvidence(lately, in_a_row, NOW - max(began, last), NOW - min(began, last), None, "503")
    is_down = in_a_row >= FAILURES_IN_A_ROW and max(began, last) >= SHORTEST and min(began, last) <= WINDOW
    assert (found.level(NOW) is Level.BAD) == is_down
    if not is_down:
        assert found.level(NOW) is (Level.WARN if lately >= FAILURES_IN_A_ROW else Level.OK)


@given(st.integers(0, 50), st.integers(3, 50), SECONDS)
def test_time_alone_makes_nothing_well_before_the_hour_is_over(lately: int, in_a_row: int, later: timedelta) -> None:
    found = replace(ROW, lately=lately, in_a_row=in_a_row)
    assert found.level(NOW) is Level.BAD
    assert (found.level(NOW + later) is Level.BAD) == (NOW + later - found.last_at <= WINDOW)


def test_one_success_ends_an_outage() -> None:
    assert replace(ROW, in_a_row=0, ok_at=NOW).level(NOW) is Level.WARN
    assert replace(ROW, in_a_row=0, lately=0, ok_at=NOW).level(NOW) is Level.OK


def test_the_worst_rate_is_shown_and_nothing_is_no_rate() -> None:
    none, some, most = Rate(0, 0), Rate(1, 10), Rate(9, 10)
    assert Rates(some, none, most, none).worst == 0.9
    assert Rates(none, most, some, most).worst == 0.1
    assert Rates(none, most, none, most).worst is None


def pause(set_by: str) -> Hold:
    return Hold("account", "1", "pause", "main refuses our token", None, set_by, NOW - timedelta(hours=3))


def test_a_refused_account_is_down_though_its_surface_was_paused_before(fleet: Fleet) -> None:
    with fleet.deps.db.transaction() as tx:
        controls.pause(tx, "surface", "floimg", reason="a quiet day", by="ana")
        controls.pause(tx, "account", str(SETTINGS_ACCOUNT), reason="it refuses our token", by=REFUSED)
        (found,) = (one for one in look(fleet.deps, tx) if one.key == f"account:{SETTINGS_ACCOUNT}")
    assert (found.level, found.words) == ("bad", "it refuses our token")


@pytest.mark.parametrize(
    ("facts", "level", "words"),
    [
        (Facts(), "unknown", "nothing was sent yet"),
        (Facts(sent_at=NOW), "ok", "last write just now"),
        (Facts(sent_at=NOW - timedelta(hours=1)), "unknown", "last write 60 min ago"),
        (Facts(evidence=ROW, sent_at=NOW), "bad", "4 tries failed lately: 503"),
        (Facts(evidence=replace(ROW, in_a_row=0), sent_at=NOW), "warn", "4 tries failed lately: 503"),
        (Facts(evidence=replace(ROW, in_a_row=1, lately=1), sent_at=NOW), "ok", "last write just now"),
        (Facts(hold=pause("ana"), evidence=ROW), "warn", "is paused"),  # a person's pause is no outage
        (Facts(hold=pause(BUDGET)), "warn", "is paused"),
        (Facts(hold=pause(REFUSED)), "bad", "refuses our token"),
        (Facts(hold=pause("fleet")), "bad", "refuses our token"),
        (Facts(lost="No key opens it."), "bad", "No key opens it"),
    ],
)
def test_the_health_of_an_account(facts: Facts, level: str, words: str) -> None:
    found = condition("account:1", "Account brand-two", facts, NOW)
    assert (found.level, words in found.words) == (level, True), found
    if found.is_down:
        assert found.cause and found.effect and not found.cause.endswith(".")
