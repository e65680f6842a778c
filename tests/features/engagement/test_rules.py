"""When posts are measured, what follows from an answer, and when an account is left alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from fleet.adapters.social import PostMetrics
from fleet.features.engagement import rules
from fleet.features.engagement.rules import DuePost, Measurement

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
AGES = st.floats(0, 40 * 24 * 3600).map(lambda seconds: timedelta(seconds=seconds))
TEMPOS = st.sampled_from([1.0, 60.0, 1440.0])
COUNTS = st.one_of(st.none(), st.integers(0, 10**9))


def post(
    age: timedelta = timedelta(hours=2), stage: int = 0, failures: int = 0, seen: datetime | None = None
) -> DuePost:
    return DuePost("p", "a", "1000", NOW - age, stage, failures, seen)


@given(AGES, AGES, TEMPOS)
def test_a_later_reading_has_no_earlier_stage_and_its_next_one_is_later(
    one: timedelta, more: timedelta, tempo: float
) -> None:
    one, more = one / tempo, more / tempo
    first, second = rules.stage_at(one, tempo), rules.stage_at(one + more, tempo)
    assert 0 <= first <= second <= len(rules.PLAN)
    following = rules.next_at(NOW - one, first, tempo)
    assert (following is None) == (first == len(rules.PLAN))
    assert following is None or following > NOW


@given(AGES, st.integers(0, 6), COUNTS, COUNTS, TEMPOS)
def test_every_reading_comes_nearer_to_the_end_of_the_plan(
    age: timedelta, stage: int, likes: int | None, views: int | None, tempo: float
) -> None:
    due = post(age / tempo, stage=min(stage, rules.stage_at(age / tempo, tempo)))
    found = rules.measured(due, PostMetrics(id="1000", likes=likes, views=views), NOW, tempo)
    assert found.stage >= due.stage and (found.next_at is None or found.next_at > NOW)
    assert (found.counts is None) == (likes is None and views is None)
    assert not found.is_day or found.stage == rules.DAY_STAGE


def test_the_counts_of_an_age_are_those_that_are_read_about_then() -> None:
    answer = PostMetrics(id="1000", likes=4)
    assert rules.measured(post(timedelta(hours=25), stage=2), answer, NOW).is_day
    assert not rules.measured(post(timedelta(hours=40), stage=2), answer, NOW).is_day, "too late to be those of a day"
    assert not rules.measured(post(timedelta(hours=7), stage=1), answer, NOW).is_day


def test_a_post_is_gone_when_two_looks_say_so() -> None:
    first = rules.measured(post(), PostMetrics(id="1000", is_gone=True), NOW)
    assert (first.is_gone, first.gone_seen_at, first.next_at) == (False, NOW, NOW + rules.LOOK_AGAIN)
    second = rules.measured(post(seen=first.gone_seen_at), PostMetrics(id="1000", is_gone=True), NOW)
    assert (second.is_gone, second.next_at) == (True, None)
    back = rules.measured(post(seen=first.gone_seen_at), PostMetrics(id="1000", likes=1), NOW)
    assert back.gone_seen_at is None and back.counts is not None


def test_a_post_that_fails_is_tried_again_and_then_waits_for_its_next_age() -> None:
    one = rules.failed(post(), "no", NOW)
    assert (one.failures, one.stage, one.problem) == (1, 0, "no") and one.next_at is not None
    last = rules.failed(post(failures=rules.MOST_FAILURES - 1), "no", NOW)
    assert last == Measurement(1, NOW + timedelta(hours=4), None, problem="no")


@given(st.integers(0, 1000))
def test_an_account_that_fails_is_left_alone_for_hours_at_most(failures: int) -> None:
    assert rules.rest(failures) <= rules.rest(failures + 1) <= rules.LONGEST_REST


@given(st.builds(rules.Counts, *[COUNTS] * 8), COUNTS)
def test_interactions_and_audience_come_from_the_counts_that_there_are(
    counts: rules.Counts, followers: int | None
) -> None:
    assert counts.interactions == sum(
        counts.data().get(name, 0) for name in ("likes", "comments", "reposts", "quotes", "saves")
    )
    known = [one for one in (counts.reach, counts.views, followers) if one is not None]
    assert counts.audience(followers) == (known[0] if known else None)
