"""One campaign of one message on all seven networks: adapted, reviewed, approved, scheduled, published, measured.

AT Protocol is the real network; the others are contract servers. `make screenshots` has it take the pictures of docs/.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from fleet.accounts.sealing import new_key
from fleet.adapters.manifest import AccountAccess
from fleet.adapters.mastodon.adapter import Mastodon
from fleet.engine import system_agents
from fleet.features.campaigns import service
from fleet.features.campaigns.values import ItemLink, ItemTarget, NewCampaign
from fleet.features.platforms.networks import NETWORKS
from tests.adapters.mastodon.contract_server import served
from tests.adapters.networks import account_of
from tests.atproto.conftest import MakePerson, Person
from tests.atproto.network import Network
from tests.browser.photographs import photograph
from tests.factories import Fleet, make_fleet
from tests.features.campaigns.test_networks import CASES
from tests.features.campaigns.test_pipeline import agent, approve, come_due, rows, work
from tests.features.engagement.world import World
from tests.web_client import Web

pytestmark = [pytest.mark.network, pytest.mark.timeout(300)]
MESSAGE = (
    "Our autumn lamps are here. Each one is spun from brass by hand and finished with a dark slate base. "
    "The shade turns, so that one lamp reads a book or lights a whole table. We made two hundred of them. "
    "The first ones leave the workshop on Friday. Every lamp comes with a spare bulb and a letter from its maker. "
    "Come and see them in the harbour shop, or order one from your chair."
)


@pytest.fixture
def servers() -> Iterator[dict[str, Any]]:
    with ExitStack() as stack:
        found = {one.name: stack.enter_context(one.contract().serve()) for one in CASES}
        yield {**found, "mastodon": stack.enter_context(served())}


@pytest.fixture
def ada(person: MakePerson) -> Person:
    return person()


@pytest.fixture
def fleet(database_url: str, servers: dict[str, Any], ada: Person, tmp_path: Path) -> Iterator[Fleet]:
    systems = {one.name: one.connect(servers[one.name].url) for one in CASES}
    systems["mastodon"] = Mastodon(AccountAccess(servers["mastodon"].url, SecretStr("token"), 10.0))
    systems["atproto"] = ada.surface
    made = make_fleet(database_url, systems=systems, objects=str(tmp_path), secret_keys=new_key())
    for name in systems:
        made.account(name, adapter=name)
    system_agents.staff(made.deps.db)
    yield made
    made.deps.close()


def campaign(fleet: Fleet, ada: Person) -> Any:
    """Create the campaign, for one agent on each network."""
    ids = {"mastodon": "7", "atproto": ada.did}
    targets = []
    for name in sorted(NETWORKS):
        username = agent(fleet, name, username=f"lamps_{name}")
        known = ids.get(name) or account_of(fleet.deps.gateway(fleet.accounts[name]).adapter).remote_id
        fleet.sql("UPDATE agents SET remote_account = :id WHERE username = :u", id=known, u=username)
        targets.append(ItemTarget(username))
    new = NewCampaign(
        name="Autumn lamps", message=MESSAGE, targets=targets, hashtags=["lamps", "brass"],
        picture_prompt="a brass lamp on a slate base, by a harbour window",
        link=ItemLink("https://lamps.test/autumn", "Lamps for autumn", "Spun from brass by hand."),
    )  # fmt: skip
    return service.create(fleet.deps, new, by="ann")


def test_one_message_reaches_all_seven_networks_and_is_measured(
    fleet: Fleet, network: Network, ada: Person, servers: dict[str, Any]
) -> None:
    made = campaign(fleet, ada)
    work(fleet)
    states = {one.surface: one.state for one in rows(fleet)}
    assert set(states) == set(NETWORKS)
    assert {name for name, state in states.items() if state == "waiting"} == {"linkedin", "tiktok"}, states
    photograph(fleet.deps, "campaign-waiting", f"/campaigns/{made.id}")
    approve(fleet)
    assert {one.state for one in rows(fleet)} == {"scheduled"}
    photograph(fleet.deps, "calendar-month", f"/calendar?zone=Europe/Berlin&day={rows(fleet)[0].scheduled_at:%Y-%m-%d}")
    come_due(fleet)
    done = {one.surface: one for one in rows(fleet)}
    assert {one.state for one in done.values()} == {"published"}, {n: (o.state, o.error) for n, o in done.items()}

    records = {one["uri"]: one["value"] for one in network.records(ada.did, "app.bsky.feed.post")}
    thread = done["atproto"]
    assert list(records) and set(records) == set(thread.remote_ids)
    written = [records[uri] for uri in thread.remote_ids]
    assert written[0]["text"].startswith(thread.parts[0][:80])
    assert [one["reply"]["parent"]["uri"] for one in written[1:]] == thread.remote_ids[:-1]
    assert written[0]["embed"]["images"][0]["alt"]

    network.indexed()
    world = World(fleet, servers["mastodon"], thread.agent_id)
    world.older(timedelta(hours=2))
    jobs = world.measure()
    assert jobs and {one.state for one in jobs} == {"done"}, [(one.error, one.held) for one in jobs]
    read = set(fleet.sql("SELECT surface FROM post_metrics WHERE measured_at IS NOT NULL").scalars())
    assert {"atproto", "mastodon", "x"} <= read, read
    page = Web(fleet).browser("viewer").get(f"/campaigns/{made.id}").text
    assert "published (7)" in page.lower() and "3 likes, 1 comment" in page
    assert "Measured" in Web(fleet).browser("viewer", "vera").get(f"/content-items/{done['x'].id}").text
    photograph(fleet.deps, "campaign-published", f"/campaigns/{made.id}")
    photograph(fleet.deps, "campaign-item", f"/content-items/{done['linkedin'].id}")
    photograph(fleet.deps, "campaign-item-phone", f"/content-items/{thread.id}", is_phone=True)
    photograph(fleet.deps, "calendar-list", f"/calendar?view=list&zone=Europe/Berlin&day={datetime.now(UTC):%Y-%m-%d}")
