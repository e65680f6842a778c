"""What the feature engagement tells the team leader: the whole score of a network, computed by hand from rows."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import timedelta

import pytest

from fleet.access import organisations
from fleet.engine import system_agents
from fleet.engine.points.network_measures import Measured
from fleet.features.engagement import network_measures
from fleet.features.leader import queries
from tests.factories import Fleet, Surface, make_fleet
from tests.features.leader.test_coordination import answer, ended, leader, member, wake


@pytest.fixture
def fleet(database_url: str) -> Iterator[Fleet]:
    made = make_fleet(database_url, systems={"brass": Surface(), "slate": Surface()})
    system_agents.staff(made.deps.db)
    made.account("brass", adapter="x")
    made.account("slate", adapter="x")
    yield made
    made.deps.close()


def engaged(fleet: Fleet, agent: uuid.UUID, days: float, *, measured: int, rated: int, audience: int) -> None:
    """Let an agent have an hour of posts so many days ago."""
    fleet.sql(
        """INSERT INTO engagement_hours (agent_id, account_id, hour, surface, posts, measured, interactions, rated,
               audience)
           VALUES (:agent, :account, date_trunc('hour', now() - :days * interval '1 day', 'UTC'), 'x', 9, :measured,
               500, :rated, :audience)""",
        agent=agent, account=fleet.accounts["brass"], days=days, measured=measured, rated=rated, audience=audience,
    )  # fmt: skip


def counted(fleet: Fleet, account: str, days: float, followers: int) -> None:
    """Let the followers of an account be counted so many days ago."""
    fleet.sql(
        """INSERT INTO account_days (account_id, day, surface, followers, measured_at)
           SELECT :account, (at AT TIME ZONE 'UTC')::date, 'x', :followers, at
           FROM (SELECT now() - :days * interval '1 day' AS at) AS given""",
        account=fleet.accounts[account], days=days, followers=followers,
    )  # fmt: skip


def test_the_score_of_a_network_is_that_of_its_rows(fleet: Fleet) -> None:
    boss = leader(fleet)
    ann = member(fleet, account_id=fleet.accounts["brass"])
    member(fleet, account_id=fleet.accounts["slate"])
    fleet.sql("UPDATE agents SET status = 'running', created_at = now() - interval '30 d' WHERE id = :id", id=ann)
    engaged(fleet, ann, 1, measured=2, rated=30, audience=1000)
    engaged(fleet, ann, 2, measured=5, rated=0, audience=0)  # nobody knows who saw them
    engaged(fleet, ann, 9, measured=4, rated=0, audience=9000)  # before the period
    counted(fleet, "brass", 7.01, 1000)
    counted(fleet, "brass", 3.505, 1010)
    counted(fleet, "brass", 0.01, 1025)
    counted(fleet, "slate", 1, 4000)  # once: its growth is unknown, not 0
    ended(fleet, ann, "post", "done", 21)
    ended(fleet, ann, "comment", "dead", 7)
    wake(fleet, boss)
    answer(fleet)
    wake(fleet, boss)
    (network,) = queries.teams(fleet.deps)[0].networks
    points = {one["part"]: one["points"] for one in network.parts}
    # 30 of 1000 are 3 %: excellent on X. 21 of 28 jobs. 25 of 1000 in a week are 2.5 of 5 %. 21 of 7 x 4 posts.
    assert points == {"engagement": 40, "success": 22.5, "growth": 10, "activity": 7.5}, network.parts
    assert (network.points, network.covered, network.band) == (80, 100, "excellent")
    assert network.parts[0]["words"] == "engagement 3 % of 2 posts"


def test_posts_and_followers_that_nobody_measured_are_unknown_and_not_zero(fleet: Fleet) -> None:
    ann = member(fleet, account_id=fleet.accounts["brass"])
    own = fleet.row(ann).organisation_id
    now = fleet.deps.now()

    def measured(organisation_id: uuid.UUID) -> dict[str, Measured]:
        with fleet.deps.db.transaction() as tx:
            return network_measures.measure(fleet.deps, tx, organisation_id, now - timedelta(days=7), now)

    engaged(fleet, ann, 1, measured=0, rated=0, audience=0)
    counted(fleet, "brass", 1.4, 1000)
    assert measured(own) == {}
    counted(fleet, "brass", 0.0, 0)
    with fleet.deps.db.transaction() as tx:
        other = organisations.create(tx, "Other").id
    engaged(fleet, ann, 2, measured=1, rated=0, audience=50)
    found = measured(own)["x"]
    assert (found.reaction_percent, found.sample) == (0, 1)  # this was measured, and nobody reacted
    assert measured(other) == {}
