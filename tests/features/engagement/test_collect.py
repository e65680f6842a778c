"""Posts and accounts are measured by their plan, each value once and with its source, whatever the network answers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from fleet.adapters.social import PostMetrics
from fleet.engine import controls
from fleet.features.engagement import queries, rules, store
from fleet.features.engagement.kinds import MEASURE
from fleet.features.engagement.queries import GroupedBy, Slice
from fleet.features.engagement.rules import PLAN
from tests.features.engagement.world import World, world

HOUR = timedelta(hours=1)


@pytest.fixture
def at(database_url: str) -> Iterator[World]:
    with world(database_url) as made:
        yield made


def lately(at: World, **which: Any) -> Slice:
    with at.fleet.deps.db.transaction() as tx:
        now = tx.now()
    return Slice(since=now - timedelta(days=40), until=now + HOUR, **which)


def sums(at: World, **which: Any) -> queries.EngagementSums:
    with at.fleet.deps.db.transaction() as tx:
        return queries.sums(tx, lately(at, **which))


def test_a_post_is_measured_at_each_age_of_the_plan_and_the_account_once_a_day(at: World) -> None:
    job = at.post()
    assert [one.result for one in at.measure()] == [{"account": "masto", "posts": 0, "gone": 0}]
    assert at.measure() == [], "nothing is due, so no job is added"
    before = timedelta(0)
    for stage, age in enumerate(PLAN, start=1):
        at.server.statuses[0]["favourites_count"] = 10 * stage
        at.older(age - before)
        before = age
        (ended,) = at.measure()
        assert (ended.state, ended.result["posts"]) == ("done", 1)
    with at.fleet.deps.db.transaction() as tx:
        found = queries.post(tx, job)
    assert found is not None
    post, readings = found
    assert (post.likes, post.reposts, post.comments, post.interactions) == (60, 2, 3, 65)
    assert post.measured_by == ended.id and post.next_at is None and post.text
    assert [(one.stage, one.counts["likes"]) for one in readings] == [(n, 10 * n) for n in range(1, 7)]
    days = at.fleet.sql("SELECT day, measured_by FROM account_days").all()
    assert len(days) == 1 and days[0].measured_by is not None
    assert len([one for one in at.server.calls if one.endswith("/verify_credentials")]) >= 4


def test_sums_follow_the_newest_counts_and_a_reading_that_comes_twice_counts_once(at: World) -> None:
    for _ in range(3):
        at.post()
    at.measure()
    at.older(HOUR)
    at.measure()
    assert (sums(at).posts, sums(at).measured, sums(at).interactions) == (3, 3, 18)
    at.server.statuses[1]["favourites_count"] = 101
    at.fleet.sql("UPDATE post_metrics SET next_at = clock_timestamp()")  # as after a worker that died
    at.measure()
    at.fleet.sql("UPDATE post_metrics SET next_at = clock_timestamp()")
    at.measure()
    found = sums(at)
    assert (found.posts, found.measured, found.likes, found.interactions) == (3, 3, 103, 118)
    with at.fleet.deps.db.transaction() as tx:
        (group,) = queries.grouped(tx, lately(at), GroupedBy.ACCOUNT)
        assert (group.name, group.surface, group.sums) == ("masto", "mastodon", found)
        for by in (GroupedBy.AGENT, GroupedBy.NETWORK):
            assert queries.grouped(tx, lately(at), by)[0].sums == found
        assert sum(day.sums.likes for day in queries.by_day(tx, lately(at))) == 103
        assert [one.likes for one in queries.top_posts(tx, lately(at), limit=2)] == [101, 1]
        assert len(queries.latest_posts(tx, lately(at), limit=2)) == 2
    assert sums(at, surface="x").posts == 0


def test_a_late_worker_does_not_turn_counts_back(at: World) -> None:
    at.post()
    at.measure()
    at.older(HOUR)
    at.measure()
    with at.fleet.deps.db.transaction() as tx:
        now = tx.now()
        at.fleet.sql("UPDATE post_metrics SET next_at = clock_timestamp()")
        (due,) = store.due_posts(tx, at.account, now + HOUR, limit=5)
        old = rules.measured(due, PostMetrics(id=due.remote_id, likes=0), now - HOUR)
        key = at.fleet.deps.accounts.get(at.account).key
        store.save_posts(tx, key, {due: old}, followers=None, at=now - HOUR, job_id=at.fleet.jobs()[0].id)
    assert sums(at).likes == 1


def test_a_post_that_its_network_removed_is_an_event_with_its_reason(at: World) -> None:
    at.post(), at.post()
    at.measure()
    del at.server.statuses[0]
    at.older(HOUR)
    at.measure()
    assert at.events("post.gone") == [], "its index may only lag behind"
    at.older(HOUR)
    (ended,) = at.measure()
    assert ended.result["gone"] == 1
    (event,) = at.events("post.gone")
    assert event.agent_id == at.agent and "removed there" in event.payload["why"]
    at.older(PLAN[-1])
    at.measure()
    assert len(at.events("post.gone")) == 1
    with at.fleet.deps.db.transaction() as tx:
        gone = [one for one in queries.latest_posts(tx, lately(at)) if one.gone_at]
    assert len(gone) == 1 and gone[0].gone_reason == event.payload["why"]


def test_posts_that_vanish_together_are_shown_as_a_suspended_account(at: World) -> None:
    for _ in range(4):
        at.post()
    at.measure()
    at.server.statuses.clear()
    at.older(HOUR)
    (ended,) = at.measure()
    assert ended.state == "skipped" and "suspended" in str(ended.error)
    assert [one.subject for one in at.events("account.unmeasurable", "post.gone")] == ["account.unmeasurable"]
    with at.fleet.deps.db.transaction() as tx:
        (state,) = queries.measured_accounts(tx)
    assert state.failures == 1 and "suspended" in state.problem
    assert at.measure() == [], "the account is left alone for a while"


def test_a_refused_token_stops_the_account_and_the_reason_is_shown(at: World) -> None:
    at.server.answers = [(401, {}, {"error": "The access token was revoked"})]
    at.measure()
    with at.fleet.deps.db.transaction() as tx:
        held = [one for one in controls.in_force(tx) if one.key == str(at.account)]
        (state,) = queries.measured_accounts(tx)
    assert [one.set_by for one in held] == [controls.REFUSED] and "refused" in held[0].reason
    assert "refused" in state.problem
    at.measure()
    assert len(at.fleet.jobs(kind=MEASURE)) == 1, "a stopped account gets no further job"


@pytest.mark.parametrize(
    ("status", "answer"),
    [(200, {"error": "Something went wrong"}), (200, "<html>"), (200, [{"id": 5}]), (503, {"error": "down"})],
)
def test_an_error_in_a_good_answer_is_an_error_and_changes_no_count(at: World, status: int, answer: Any) -> None:
    at.post()
    at.measure()
    at.older(HOUR)
    at.server.answers = [(status, {}, answer)]
    (ended,) = at.measure()
    assert at.events("post.gone") == []
    found = at.fleet.sql("SELECT measured_at, gone_at, next_at FROM post_metrics").one()
    assert (found.measured_at, found.gone_at) == (None, None) and found.next_at is not None
    at.older(HOUR)
    at.measure()
    assert sums(at).measured == 1, ended.error


def test_a_limit_of_the_network_delays_the_job_and_costs_no_attempt(at: World) -> None:
    at.post()
    at.measure()
    at.older(HOUR)
    at.server.answers = [(429, {"retry-after": "30"}, {"error": "Too many requests"})]
    (ended,) = at.measure()
    assert (ended.state, ended.attempts) == ("ready", 0)


def test_posts_of_before_are_measured_when_an_account_is_measured_for_the_first_time(at: World) -> None:
    job = at.post()
    at.fleet.sql("DELETE FROM post_metrics")
    at.fleet.sql("DELETE FROM engagement_hours")
    at.measure()
    assert at.fleet.sql("SELECT post_job FROM post_metrics").scalars().all() == [job]
    assert sums(at).posts == 1


def test_growth_and_success_come_from_days_and_from_the_ledger(at: World) -> None:
    at.post()
    at.measure()
    for days, followers in ((9, 100), (5, 150), (1, 120)):
        at.fleet.sql(
            """INSERT INTO account_days (account_id, day, surface, followers, measured_at)
               VALUES (:id, current_date - :days, 'mastodon', :followers,
                       clock_timestamp() - make_interval(days => :days))""",
            id=at.account, days=days, followers=followers,
        )  # fmt: skip
    which = lately(at)
    week = Slice(since=which.until - timedelta(days=7, hours=1), until=which.until)
    with at.fleet.deps.db.transaction() as tx:
        (grown,) = queries.growth(tx, week)
        assert (grown.first, grown.gained, grown.percent) == (100, 20, 20.0)
        at.fleet.sql("""UPDATE jobs SET state = 'dead', dead_reason = 'permanent', finished_at = clock_timestamp()
                        WHERE kind = 'nothing'""")  # fmt: skip
        assert queries.success(tx, which).share == 100.0
        assert queries.activity(tx, week).posts == 1


def test_pruning_keeps_sums(at: World) -> None:
    at.post()
    at.measure()
    at.older(timedelta(days=100))
    with at.fleet.deps.db.transaction() as tx:
        assert store.prune_posts(tx, days=30, limit=10) == 1
        assert store.prune_hours(tx, days=30, limit=10) == 0
