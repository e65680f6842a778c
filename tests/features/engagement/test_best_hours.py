"""The best hours by own posts: the usual ones without data, the data's with much of it, and honest errors between."""

from __future__ import annotations

import math
import uuid
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from fleet.engine import registry
from fleet.features.campaigns import free_times
from fleet.features.engagement import best_hours, report_section
from fleet.features.engagement.best_hours import LEAST_POSTS, HourSums
from tests.factories import Fleet, make_fleet

USUAL = (8, 12, 16, 20)


def posts(*interactions: int) -> HourSums:
    logs = [math.log1p(one) for one in interactions]
    return HourSums(len(logs), sum(logs), sum(one * one for one in logs))


_SUMS = st.lists(st.integers(0, 10_000), max_size=8).map(lambda some: posts(*some))
_WEEKS = st.dictionaries(st.tuples(st.integers(0, 6), st.integers(0, 23)), _SUMS, max_size=30)


@given(_WEEKS, st.lists(st.integers(0, 23), min_size=1, max_size=6, unique=True))
def test_as_many_hours_are_chosen_as_are_usual_and_few_posts_change_none(
    week: dict[tuple[int, int], HourSums], usual: list[int]
) -> None:
    found = best_hours.best(week, usual)
    assert len(found) == len(usual) == len(set(found))
    if sum(one.posts for one in week.values()) < LEAST_POSTS:
        assert found == tuple(usual)
    else:
        assert all(2 <= (later - one) % 24 <= 22 for one in found for later in found if later != one)


@given(_WEEKS)
def test_an_hour_lies_between_all_posts_and_its_own(week: dict[tuple[int, int], HourSums]) -> None:
    total = [one for one in week.values() if one.posts]
    overall = sum(one.logs for one in total) / sum(one.posts for one in total) if total else 0.0
    for at, one in enumerate(best_hours.of_day(week, USUAL)):
        means = [sums.logs / sums.posts for (_, hour), sums in week.items() if hour == at and sums.posts]
        assert min([overall, *means]) - 1e-9 <= one.mean <= max([overall, *means]) + best_hours.ADVANTAGE + 1e-9
    for one in best_hours.of_week(week, USUAL).values():
        assert one.interactions_range[0] <= one.interactions <= one.interactions_range[1]


def test_more_posts_make_the_error_smaller() -> None:
    few, many = (best_hours.of_day({(0, 9): posts(*[2, 8, 30] * n)}, USUAL)[9] for n in (3, 30))
    assert few.error > 2 * many.error > 0


def test_much_data_wins_over_the_usual_hours_and_one_lucky_post_does_not() -> None:
    flat = {(day, hour): posts(9, 10, 11) for day in range(7) for hour in range(24)}
    assert best_hours.best(flat, USUAL) == USUAL
    assert best_hours.best(flat | {(3, 5): posts(9, 10, 900)}, USUAL) == USUAL
    evenings = flat | {(day, 22): posts(30, 33, 36) for day in range(7)}
    assert 22 in best_hours.best(evenings, USUAL)
    sundays = flat | {(0, 14): posts(*[40] * 40)}
    week = best_hours.of_week(sundays, USUAL)
    assert week[0, 14].mean > week[1, 14].mean, "the hour of one day counts for that day more than for others"


def test_campaigns_plan_by_the_posts_of_the_account_in_the_personas_zone(database_url: str) -> None:
    fleet = make_fleet(database_url)
    agent = fleet.agent(persona_id="indie_game_dev")
    account = free_times.SETTINGS_ACCOUNT
    usual = _planned(fleet, agent)
    _measured(fleet, agent, account, usual.zone, {13: 2, 4: 60}, posts_each=LEAST_POSTS // 2 - 1)
    assert _planned(fleet, agent) == usual, "too few posts"
    _measured(fleet, agent, account, usual.zone, {13: 2, 4: 60}, posts_each=30)
    assert 4 in _planned(fleet, agent).hours
    fleet.sql("UPDATE engagement_hours SET hour = hour - interval '200 days'")
    assert _planned(fleet, agent) == usual, "old posts count no more"
    assert registry.current().extensions("campaigns.hours")
    fleet.deps.close()


def test_a_report_has_the_best_hours_of_accounts_with_enough_posts(database_url: str) -> None:
    fleet = make_fleet(database_url)
    agent = fleet.agent(persona_id="indie_game_dev")
    _measured(fleet, agent, free_times.SETTINGS_ACCOUNT, "UTC", {13: 2, 4: 60}, posts_each=LEAST_POSTS // 2 - 1)
    assert _in_report(fleet) == []
    _measured(fleet, agent, free_times.SETTINGS_ACCOUNT, "UTC", {13: 2, 4: 60}, posts_each=30)
    best, *others = _in_report(fleet)
    assert (best[2], best[3]) == (60, "04:00") and len(others) == 2
    low, high = (float(one) for one in str(best[5]).split(" to "))
    assert 30 < low < float(best[4] or 0) < high
    fleet.deps.close()


def _in_report(fleet: Fleet) -> list[tuple[str | float | None, ...]]:
    now = datetime.now(UTC)
    with fleet.deps.db.transaction() as tx:
        tables = report_section.section(tx, now - timedelta(days=7), now).tables
    return list(next(one for one in tables if one.title.startswith("Best hours")).rows)


def _planned(fleet: Fleet, agent: uuid.UUID) -> free_times.times.PostHours:
    return free_times.hours_of(fleet.deps, fleet.row(agent), None, "gallery")


def _measured(
    fleet: Fleet, agent: uuid.UUID, account: uuid.UUID, zone: str, interactions: dict[int, int], *, posts_each: int
) -> None:
    """Have an agent's posts of local hours be measured."""
    fleet.sql("DELETE FROM engagement_hours")
    day = (datetime.now(UTC) - timedelta(days=20)).strftime("%Y-%m-%d")
    for hour, each in interactions.items():
        log = math.log1p(each)
        fleet.sql(
            """INSERT INTO engagement_hours (agent_id, account_id, hour, surface, posts, day_posts, day_log,
                                             day_log_squares)
               VALUES (:agent, :account, CAST(:at AS timestamp) AT TIME ZONE :zone, 'gallery', :n, :n, :logs,
                       :squares)""",
            agent=agent, account=account, at=f"{day} {hour:02}:00", zone=zone, n=posts_each, logs=posts_each * log,
            squares=posts_each * log * log,
        )  # fmt: skip
