"""Floods of notifications and clocks that differ: no mention is lost, each step is bounded, and nobody else waits."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fleet.adapters.atproto import keys
from fleet.features.platforms.inbox.reading import MOST_PAGES, PAGE
from tests.atproto.conftest import MakePerson, Person
from tests.atproto.network import Network
from tests.factories import Fleet, make_fleet
from tests.features.platforms.test_agent import inbox, wake, work

pytestmark = pytest.mark.network
_IN_A_CALL = 200
_IN_A_STEP = PAGE * MOST_PAGES


@pytest.fixture
def people(person: MakePerson) -> list[Person]:
    return [person(), person("bea"), person("zoe")]


@pytest.fixture
def fleet(database_url: str, people: list[Person]) -> Iterator[Fleet]:
    made = make_fleet(database_url, systems={"ada": people[0].surface, "bea": people[1].surface})
    for name in ("ada", "bea"):
        made.account(name, adapter="atproto")
    yield made
    made.deps.close()


def member(fleet: Fleet, name: str, who: Person) -> uuid.UUID:
    """Create a platform agent that posts at no hour of today, at its account."""
    hour = (datetime.now(UTC).hour + 12) % 24
    agent = fleet.agent(
        kind="atproto", surface="atproto", account_id=fleet.accounts[name], weights={"browse": 1.0},
        config={"post_hours": str(hour)},
    )  # fmt: skip
    fleet.sql("UPDATE agents SET remote_account = :did WHERE id = :id", did=who.did, id=agent)
    return agent


def mention(network: Network, by: Person, whom: Person, number: int = 1, *, at: datetime | None = None) -> set[str]:
    """Mention an account in so many posts; return their addresses."""
    name, when = f"@{whom.handle}", at or datetime.now(UTC)
    facet = {"index": {"byteStart": 0, "byteEnd": len(name)},
             "features": [{"$type": "app.bsky.richtext.facet#mention", "did": whom.did}]}  # fmt: skip
    made: set[str] = set()
    for start in range(0, number, _IN_A_CALL):
        writes: list[dict[str, Any]] = []
        for count in range(start, min(number, start + _IN_A_CALL)):
            created = keys.moment(when + timedelta(milliseconds=count))
            record = {"$type": keys.POST, "text": f"{name} lamp {count}?", "createdAt": created, "facets": [facet]}
            create = "com.atproto.repo.applyWrites#create"
            writes.append({"$type": create, "collection": keys.POST, "value": record})
        body = {"repo": by.did, "writes": writes}
        answer = network.call("com.atproto.repo.applyWrites", body, token=by.token)
        made |= {str(one["uri"]) for one in answer["results"]}
    return made


def test_a_flood_of_mentions_is_kept_whole_in_bounded_steps(
    network: Network, fleet: Fleet, people: list[Person]
) -> None:
    ada, bea, zoe = people
    flooded, other = member(fleet, "ada", ada), member(fleet, "bea", bea)
    wake(fleet, flooded)
    sent = mention(network, zoe, ada, _IN_A_STEP + 2 * PAGE)
    (single,) = mention(network, zoe, bea)
    network.indexed()
    assert wake(fleet, flooded)["action"] == "comment"
    assert len(inbox(fleet)) == _IN_A_STEP
    assert wake(fleet, other)["action"] == "comment", "another agent is answered in its next tick"
    assert inbox(fleet)[single][0] == "answered"
    (late,) = mention(network, zoe, ada)  # while the rest is still to be read
    network.indexed()
    for _ in range(3):
        wake(fleet, flooded)
    assert set(inbox(fleet)) == {*sent, single, late}
    states = [state for state, _ in inbox(fleet).values()]
    assert states.count("ignored") == len(sent) + 1 - 3, "one person gets three answers a day"
    work(fleet)
    assert {str(job.state) for job in fleet.jobs(kind="comment")} <= {"done", "skipped"}


@pytest.mark.parametrize("late", [timedelta(minutes=9), timedelta(hours=5)])
def test_a_mention_by_a_late_clock_is_kept(
    network: Network, fleet: Fleet, people: list[Person], late: timedelta
) -> None:
    ada, _, zoe = people
    agent = member(fleet, "ada", ada)
    (first,) = mention(network, zoe, ada)
    network.indexed()
    wake(fleet, agent)
    (second,) = mention(network, zoe, ada, at=datetime.now(UTC) - late)  # the AppView sorts by this time
    network.indexed()
    assert wake(fleet, agent)["action"] == "comment"
    assert {uri: state for uri, (state, _) in inbox(fleet).items()} == {first: "answered", second: "answered"}
    assert wake(fleet, agent)["action"] != "comment", "what a page repeats is not answered again"
    assert len(inbox(fleet)) == 2
