"""One campaign of one message on the networks, against their contract servers: adapted, reviewed, approved, published.

AT Protocol has a real network in place of a contract server; tests/atproto publishes to it.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from pydantic import SecretStr

from fleet.adapters.manifest import AccountAccess
from fleet.adapters.mastodon.adapter import Mastodon
from fleet.features.campaigns import service
from fleet.features.campaigns.values import ItemLink, ItemTarget, NewCampaign
from tests.adapters.mastodon.contract_server import served
from tests.adapters.networks import Case, account_of
from tests.contracts import linkedin, meta, tiktok, x
from tests.factories import Fleet, make_fleet
from tests.features.campaigns.test_pipeline import LONG, agent, approve, come_due, rows, work

CASES = (
    Case("x", x.XContract, {"access_token": x.TOKEN}),
    Case("linkedin", linkedin.LinkedInContract, {"access_token": linkedin.TOKEN, "author": linkedin.ORGANISATION}),
    Case("instagram", meta.InstagramContract, {"access_token": meta.TOKEN, "user_id": meta.IG}),
    Case("facebook", meta.FacebookContract, {"access_token": meta.TOKEN, "page_id": meta.PAGE}),
    Case("tiktok", tiktok.TikTokContract, {"access_token": tiktok.TOKEN, "publish": "direct"}),
)


@pytest.fixture
def servers() -> Iterator[dict[str, Any]]:
    with ExitStack() as stack:
        found = {one.name: stack.enter_context(one.contract().serve()) for one in CASES}
        yield {**found, "mastodon": stack.enter_context(served())}


@pytest.fixture
def fleet(database_url: str, servers: dict[str, Any], tmp_path: Path) -> Iterator[Fleet]:
    systems = {one.name: one.connect(servers[one.name].url) for one in CASES}
    systems["mastodon"] = Mastodon(AccountAccess(servers["mastodon"].url, SecretStr("token"), 10.0))
    made = make_fleet(database_url, systems=systems, objects=str(tmp_path))
    for name in systems:
        made.account(name, adapter=name)
    yield made
    made.deps.close()


def ratio(data: bytes) -> float:
    with Image.open(io.BytesIO(data)) as image:
        return image.width / image.height


def test_one_message_reaches_six_networks_in_the_form_of_each(fleet: Fleet, servers: dict[str, Any]) -> None:
    names = sorted(servers)
    targets = []
    for name in names:
        username = agent(fleet, name)
        adapter = fleet.deps.gateway(fleet.accounts[name]).adapter
        known = "7" if name == "mastodon" else account_of(adapter).remote_id
        fleet.sql("UPDATE agents SET remote_account = :id WHERE username = :u", id=known, u=username)
        targets.append(ItemTarget(username))
    new = NewCampaign(
        name="Lamps", message=LONG, targets=targets, hashtags=["lamps", "brass"], picture_prompt="a brass lamp",
        link=ItemLink("https://lamps.test/autumn", "Lamps for autumn"),
    )  # fmt: skip
    service.create(fleet.deps, new, by="ann")
    work(fleet)
    planned = {one.surface: one for one in rows(fleet)}
    wait = {name for name, one in planned.items() if one.state == "waiting"}
    assert wait == {"linkedin", "tiktok"}, {name: (one.state, one.reasons, one.error) for name, one in planned.items()}
    approve(fleet)
    assert {one.state for one in rows(fleet)} == {"scheduled"}
    assert all(one.score is not None and one.score >= 70 for one in rows(fleet))
    come_due(fleet)
    done = {one.surface: one for one in rows(fleet)}
    jobs = [(one.surface, one.kind, one.state, one.error, one.held, one.result) for one in fleet.jobs()
            if one.kind in ("post", "continue_item") and one.state != "done"]  # fmt: skip
    assert {one.state for one in done.values()} == {"published"}, jobs

    posts = {name: servers[name].published() for name in names if name != "mastodon"}
    assert len(posts["x"]) == len(done["x"].parts) > 2
    assert [one["text"].partition("\n\n")[0] for one in posts["x"]] == done["x"].parts
    assert posts["x"][-1]["text"].endswith("https://lamps.test/autumn")
    toots = servers["mastodon"].statuses
    assert len(toots) == len(done["mastodon"].parts) > 1
    for name in ("linkedin", "facebook", "instagram"):
        (found,) = posts[name]
        assert found["text"] == done[name].parts[0], name
    (clip,) = servers["tiktok"].jobs.values()
    assert clip["info"]["description"] == done["tiktok"].parts[0] and len(clip["info"]["title"]) <= 90
    assert not posts["linkedin"][0]["pictures"] and done["linkedin"].link["url"] == "https://lamps.test/autumn"
    assert not done["instagram"].link and "#lamps" in done["instagram"].parts[0]
    assert ratio(posts["instagram"][0]["pictures"][0][0]) == pytest.approx(1.0, abs=0.01)
    assert ratio(posts["x"][0]["pictures"][0][0]) == pytest.approx(16 / 9, abs=0.02)
    assert len({one.media[0]["original"] for one in done.values() if one.media}) == 1, "it was made and paid for once"
