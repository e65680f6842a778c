"""The page, the API and the commands of engagement show the same figures: sums, posts with links, hours, growth."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fleet.access import organisations
from fleet.core.db import visibility
from fleet.features.engagement.api import EngagementQuery, GroupedQuery, growth, summary
from tests.features.engagement.world import World, world
from tests.web_client import Web

PICTURE = f"ab/{'c' * 64}.png"


@pytest.fixture
def at(database_url: str) -> Iterator[World]:
    with world(database_url) as made:
        yield made


def measured(at: World, text: str, likes: int) -> str:
    """Publish a post and have it measured; return its job."""
    job = at.post(text)
    at.measure()
    at.server.statuses[0]["favourites_count"] = likes
    at.older(timedelta(hours=1))
    at.measure()
    return str(job)


def hours_of(at: World, hours: dict[int, int], *, posts: int = 30) -> None:
    """Have posts of hours (UTC) of twenty days ago be measured."""
    day = (datetime.now(UTC) - timedelta(days=20)).date()
    for hour, each in hours.items():
        at.fleet.sql(
            """INSERT INTO engagement_hours (agent_id, account_id, hour, surface, posts, day_posts, day_log,
                                             day_log_squares)
               VALUES (:agent, :account, :at, 'mastodon', :n, :n, :logs, :squares)""",
            agent=at.agent, account=at.account, at=datetime(day.year, day.month, day.day, hour, tzinfo=UTC), n=posts,
            logs=posts * math.log1p(each), squares=posts * math.log1p(each) ** 2,
        )  # fmt: skip


def test_best_posts_lead_to_their_network_with_their_pictures(at: World) -> None:
    job = measured(at, "A lamp.", 40)
    at.fleet.sql(
        """UPDATE jobs SET result = result || jsonb_build_object('picture', CAST(:key AS text), 'alt_text',
           'A lit lamp', 'text', 'A <b>lamp</b>.') WHERE id = :job""", key=PICTURE, job=job,
    )  # fmt: skip
    browser = Web(at.fleet).browser()
    (best,) = browser.get("/api/v1/engagement/posts").json()["items"]
    assert (best["job_id"], best["likes"], best["picture"], best["alt_text"]) == (job, 40, PICTURE, "A lit lamp")
    assert best["url"] and best["url"].startswith(at.server.url)
    page = browser.get("/engagement").text
    assert f'href="{best["url"]}"' in page and f'src="/media/{PICTURE}"' in page
    assert "A &lt;b&gt;lamp" in page and "<b>lamp" not in page
    readings = browser.get(f"/api/v1/engagement/posts/{job}").json()["readings"]
    assert [one["counts"]["likes"] for one in readings] == [40]
    assert browser.get(f"/api/v1/engagement/posts/{at.agent}").status_code == 404
    at.fleet.sql("UPDATE post_metrics SET gone_at = clock_timestamp()")
    assert browser.get("/api/v1/engagement/posts").json()["items"][0]["url"] is None
    assert "no longer there" in browser.get("/engagement").text


def test_sums_are_grouped_and_stand_beside_the_period_before(at: World) -> None:
    measured(at, "A lamp.", 40)
    agent = at.fleet.row(at.agent).username

    def shown(**which: Any) -> Any:
        with at.fleet.deps.db.transaction() as tx:
            return summary(tx, GroupedQuery(**which))

    for by, name in (("account", "masto"), ("network", "mastodon"), ("agent", agent)):
        found = shown(by=by)
        assert [(one.name, one.sums.posts) for one in found.groups] == [(name, 1)]
        assert found.sums.interactions == found.groups[0].sums.interactions >= 40 and found.before.posts == 0
    assert sum(one.interactions for one in found.days) == found.sums.interactions and len(found.days) == 28
    at.fleet.sql("UPDATE engagement_hours SET hour = hour - interval '28 days'")
    assert (shown().sums.posts, shown().before.posts) == (0, 1)
    assert shown(days=60, account="masto", network="mastodon", agent=agent).sums.posts == 1
    assert shown(days=60, network="x").sums.posts == 0
    page = Web(at.fleet).browser().get("/engagement?account=nobody&days=60").text
    assert "nobody" in page and "masto" in page, "the problem is said, and all accounts are shown"


def test_hours_are_those_of_a_zone_with_their_uncertainty(at: World) -> None:
    browser = Web(at.fleet).browser()
    hours_of(at, {4: 60, 13: 2})
    found = browser.get("/api/v1/engagement/hours").json()
    (one,) = found["items"]
    assert one["best"][0] == 4 and one["posts"] == 60 and len(one["hours"]) == 24
    best = one["hours"][4]
    assert 30 < best["low"] < best["interactions"] < best["high"] and best["posts"] == 30
    shifted = browser.get("/api/v1/engagement/hours?zone=Asia/Tokyo").json()["items"][0]
    assert shifted["best"][0] == 13
    assert browser.get("/api/v1/engagement/hours?zone=Nowhere/Town").status_code == 422
    assert browser.get("/api/v1/engagement/hours?network=x").json()["items"] == []
    page = browser.get("/engagement?zone=Asia/Tokyo").text
    assert "Hours of masto in Asia/Tokyo; the best are 13:00" in page
    assert "Nowhere/Town" in browser.get("/engagement?zone=Nowhere/Town").text


def test_members_see_figures_of_their_organisation_alone(at: World) -> None:
    measured(at, "A lamp.", 4)
    for days, followers in ((5, 100), (1, 120)):
        at.fleet.sql(
            """INSERT INTO account_days (account_id, day, surface, followers, measured_at) VALUES (:id,
               current_date - :days, 'mastodon', :followers, clock_timestamp() - :days * interval '1 day')""",
            id=at.account, days=days, followers=followers,
        )  # fmt: skip
    with at.fleet.deps.db.transaction() as tx:
        two = organisations.create(tx, "Two")
        (grown,) = growth(tx, EngagementQuery()).items
        assert (grown.gained, grown.percent, [one.followers for one in grown.days]) == (20, 20.0, [100, 120])
    with visibility.restricted(frozenset({two.id})), at.fleet.deps.db.transaction() as tx:
        found = summary(tx, GroupedQuery())
        assert (found.sums.posts, found.groups, growth(tx, EngagementQuery()).items) == (0, [], [])
