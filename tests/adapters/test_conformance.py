"""What every surface's adapter must do, against a real server of that surface. The gallery is the first."""

from __future__ import annotations

import html
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from fleet.adapters import base, social
from fleet.adapters.base import Account, Action, SurfaceObject
from fleet.adapters.floimg.adapter import FloImg
from fleet.adapters.floimg.pictures import FloImgPictures
from fleet.adapters.pictures import PictureOrder
from fleet.adapters.social import PostPayload
from fleet.images.placeholder import data_url, render_jpeg
from tests.e2e.world import TOKEN, World, make_world
from tests.factories import act

NOBODY: frozenset[str] = frozenset()


@pytest.fixture(scope="module")
def surface_world(tmp_path_factory: pytest.TempPathFactory, postgres_server: Any) -> Iterator[World]:
    """A gallery that all tests of this file share; each brings its own accounts."""
    database = postgres_server.create_database()
    with make_world(tmp_path_factory.mktemp("surface"), "", database, "") as world:
        world.start_gallery()
        yield world
    postgres_server.drop_database(database)


@pytest.fixture
def world(surface_world: World) -> Iterator[World]:
    """The shared gallery, in order before and after."""
    yield surface_world
    surface_world.faults()
    surface_world.gallery("PUT", "/api/sandbox/budgets", json={})
    surface_world.gallery("PUT", "/api/sandbox/paused", json={"paused": False})


@pytest.fixture
def surface(world: World) -> Iterator[FloImgPictures]:
    adapter = FloImgPictures(world.gallery_url, TOKEN, timeout_s=10)
    yield adapter
    adapter.close()


@pytest.fixture
def account(surface: FloImg) -> Account:
    name = f"ada_{uuid.uuid4().hex[:8]}"
    made = Account(str(uuid.uuid4()), name, "Ada 画室 🎨", "ux_designer", bio="Automated account: an AI agent.")
    receipt = surface.write(act(social.PROVISION, made, "k"), timeout_s=10)
    return replace(made, remote_id=receipt.remote_id)


def picture(surface: FloImgPictures, account: Account, key: str = "k:image") -> str:
    return surface.make(PictureOrder(account, "a quiet harbour at dawn, teal and amber", key), timeout_s=10)


def posted(surface: FloImg, account: Account, text: str = "A harbour at dawn.") -> tuple[Action[PostPayload], str]:
    image = data_url(render_jpeg(text, "ai_artist"))
    action = act(social.POST, account, str(uuid.uuid4()), text=text, image_url=image, alt_text="A harbour.")
    receipt = surface.write(action, timeout_s=10)
    assert receipt.remote_id is not None
    return action, receipt.remote_id


def test_an_account_is_made_once_and_says_that_it_is_an_agents(surface: FloImg, world: World, account: Account) -> None:
    again = surface.write(act(social.PROVISION, account, "k"), timeout_s=10)
    assert again.remote_id == account.remote_id
    assert again.detail["created"] is False
    _, post = posted(surface, account)
    shown = world.gallery("GET", f"/api/showcase/{post}")
    user = shown.get("item", shown)["user"]
    assert user["isAgent"] is True


def test_an_account_is_removed_as_often_as_asked(surface: FloImg, account: Account) -> None:
    for _ in range(2):
        surface.write(act(social.DEPROVISION, account, "k"), timeout_s=10)
    with pytest.raises(base.AccountMissing):
        posted(surface, account)


@pytest.mark.parametrize(
    "persona", ["product_photographer", "social_marketer", "indie_game_dev", "data_viz", "ai_artist", "ux_designer",
                "a new one"]
)  # fmt: skip
def test_each_personas_workflow_is_carried_out(surface: FloImg, account: Account, persona: str) -> None:
    url = picture(surface, replace(account, persona_id=persona))
    assert url.startswith("http")


def test_the_same_order_is_paid_once(surface: FloImg, world: World, account: Account) -> None:
    key = f"{uuid.uuid4()}:image"
    assert picture(surface, account, key) == picture(surface, account, key)
    paid = world.rows("SELECT count(*) FROM executions WHERE idempotency_key = :k", gallery=True, k=key)
    assert paid[0][0] == 1


def test_what_is_posted_is_seen_as_it_was_said(surface: FloImg, account: Account) -> None:
    text = "Dawn 🌅 über der Bucht — “ruhig”, 静か."
    _, post = posted(surface, account, text)
    seen = next(item for item in surface.feed(account, limit=20) if item.id == post)
    assert (seen.caption, seen.author, seen.author_name) == (text, account.username, account.name)
    assert surface.item(account, post).caption == text
    assert seen.created_at is not None and abs(seen.created_at - datetime.now(UTC)) < timedelta(minutes=1)


def test_what_is_not_there_is_said_to_be_gone(surface: FloImg, account: Account) -> None:
    for target in (str(uuid.uuid4()), "no-id"):
        with pytest.raises((base.Vanished, base.Refused)):
            surface.item(account, target)
        with pytest.raises((base.Vanished, base.Refused)):
            surface.write(act(social.LIKE, account, "k", target=target), timeout_s=10)


def test_reading_needs_no_account(surface: FloImg, account: Account) -> None:
    _, post = posted(surface, account)
    nobody = Account("x", "dry_runner", "Dry Runner", None)
    assert post in [item.id for item in surface.feed(nobody, limit=20)]
    assert surface.item(nobody, post).id == post


def test_liking_twice_leaves_it_liked_once(surface: FloImg, account: Account) -> None:
    _, post = posted(surface, account)
    for key in ("first", "second"):
        surface.write(act(social.LIKE, account, key, target=post), timeout_s=10)
        assert surface.item(account, post).likes == 1


def test_a_probe_finds_what_was_written_and_nothing_else(surface: FloImg, account: Account) -> None:
    since = datetime.now(UTC)
    action, post = posted(surface, account)
    found = surface.probe(action, since=since, known=NOBODY)
    assert found is not None and found.remote_id == post
    assert surface.probe(action, since=since, known=frozenset({post})) is None
    other = replace(action.payload, text="Something else.")
    assert surface.probe(replace(action, payload=other), since=since, known=NOBODY) is None
    comment = act(social.COMMENT, account, "k", target=post, text="Well seen.")
    assert surface.probe(comment, since=since, known=NOBODY) is None
    receipt = surface.write(comment, timeout_s=10)
    assert surface.probe(comment, since=since, known=NOBODY) == base.Receipt(receipt.remote_id, {"adopted": True})


def test_a_reply_that_is_lost_after_the_write_is_uncertain_and_can_be_found(
    surface: FloImg, world: World, account: Account
) -> None:
    world.faults(drop_rate=1.0, limit=1, methods=["POST"])
    action = act(
        social.POST, account, "k", text=f"Lost {uuid.uuid4()}", image_url=data_url(render_jpeg("x", "ai_artist"))
    )
    with pytest.raises(base.Uncertain):
        surface.write(action, timeout_s=10)
    assert surface.probe(action, since=datetime.now(UTC), known=NOBODY) is not None


def test_a_like_delivered_twice_by_a_proxy_ends_up_liked(surface: FloImg, world: World, account: Account) -> None:
    _, post = posted(surface, account)
    world.faults(duplicate_rate=1.0, limit=1, match="/api/showcase/*/like")
    receipt = surface.write(act(social.LIKE, account, "k", target=post), timeout_s=10)
    assert receipt.detail["restored"] is True
    assert surface.item(account, post).likes == 1


@pytest.mark.parametrize(
    ("fault", "error"),
    [({"error_rate": 1.0}, base.Uncertain), ({"too_many_rate": 1.0, "retry_after_s": 7}, base.Throttled)],
)
def test_faults_are_distinguished(
    surface: FloImg, world: World, account: Account, fault: dict[str, Any], error: type[Exception]
) -> None:
    world.faults(**fault)
    with pytest.raises(error) as caught:
        surface.feed(account, limit=20)
    if isinstance(caught.value, base.Throttled):
        assert caught.value.retry_after_s == 7


def test_a_server_slower_than_the_deadline_is_uncertain(surface: FloImg, world: World, account: Account) -> None:
    _, post = posted(surface, account)
    # What has arrived is carried out when its time has come, under the faults of that moment: not while tests go on.
    world.faults(latency_ms=120_000)
    with pytest.raises(base.Uncertain):
        surface.write(act(social.LIKE, account, "k", target=post), timeout_s=2)  # to connect anew would be part of it


@pytest.mark.parametrize(
    ("budget", "whole_fleet"),
    [("fleetDaily", True), ("fleetMonthly", True), ("agentDaily", False), ("agentMonthly", False)],
)
def test_budgets_stop_pictures_and_say_when_they_reset(
    surface: FloImg, world: World, account: Account, budget: str, whole_fleet: bool
) -> None:
    world.gallery("PUT", "/api/sandbox/budgets", json={budget: 0})
    with pytest.raises(base.SurfaceBudgetSpent) as caught:
        picture(surface, account, str(uuid.uuid4()))
    assert caught.value.whole_fleet is whole_fleet
    assert caught.value.reset_at is not None and caught.value.reset_at > datetime.now(UTC)


def test_the_surfaces_own_kill_switch_is_understood(surface: FloImg, world: World, account: Account) -> None:
    world.gallery("PUT", "/api/sandbox/paused", json={"paused": True})
    with pytest.raises(base.SurfacePaused):
        picture(surface, account, str(uuid.uuid4()))


def test_a_wrong_token_is_refused(world: World, account: Account) -> None:
    stranger = FloImg(world.gallery_url, "fst_somebody_elses", timeout_s=5)
    with pytest.raises(base.TokenRefused):
        stranger.feed(account, limit=20)
    stranger.close()


def test_a_surface_that_is_not_there_cannot_have_been_written_to(
    account: Account, world: World, tmp_path: Path
) -> None:
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        gone = FloImg(f"http://127.0.0.1:{free.getsockname()[1]}", TOKEN, timeout_s=2)
        with pytest.raises(base.Unreachable):
            gone.write(act(social.LIKE, account, "k", target="p"), timeout_s=2)
        gone.close()


def somebody_else(surface: FloImg) -> Account:
    name = f"bea_{uuid.uuid4().hex[:8]}"
    made = Account(str(uuid.uuid4()), name, "Bea", "ux_designer", bio="Automated account: an AI agent.")
    receipt = surface.write(act(social.PROVISION, made, "k"), timeout_s=10)
    return replace(made, remote_id=receipt.remote_id)


def test_a_server_says_what_it_has_beyond_the_api(surface: FloImg) -> None:
    offers = surface.offers()
    assert offers.actions == {"react", "connect"}
    assert offers.visibilities == {"public", "friends", "private"}


def test_a_reaction_is_one_a_post_and_doing_it_twice_is_doing_it_once(
    surface: FloImg, world: World, account: Account
) -> None:
    _, post = posted(surface, account)
    for key, reaction in (("a", "love"), ("a", "love"), ("b", "haha")):
        receipt = surface.write(act(social.REACT, account, key, target=post, reaction=reaction), timeout_s=10)
        assert receipt.remote_id == post
    item = world.gallery("GET", f"/api/showcase/{post}")["item"]
    assert item["reactionsSummary"] == [{"type": "haha", "count": 1}]
    written = world.rows("SELECT kind FROM witnessed WHERE subject = :s ORDER BY id", gallery=True, s=post)
    assert [row.kind for row in written] == ["post", "react", "repeat", "react"]


def test_two_who_ask_one_another_are_friends(surface: FloImg, account: Account) -> None:
    other = somebody_else(surface)
    ask = act(social.CONNECT, account, "k", target=other.remote_id, text="May I follow your lamps?")
    states = [surface.write(ask, timeout_s=10).detail["state"] for _ in range(2)]
    assert states == ["requested", "requested"]
    back = act(social.CONNECT, other, "k", target=account.remote_id)
    assert surface.write(back, timeout_s=10).detail["state"] == "friends"


@pytest.mark.parametrize("one", [social.REACT, social.CONNECT])
def test_what_is_reacted_to_or_asked_has_to_be_there(surface: FloImg, account: Account, one: Any) -> None:
    said = {"reaction": "love"} if one is social.REACT else {}
    with pytest.raises(base.Vanished):
        surface.write(act(one, account, target=str(uuid.uuid4()), **said), timeout_s=10)


def test_a_post_is_shown_to_its_audience(surface: FloImg, account: Account) -> None:
    friend, stranger = somebody_else(surface), somebody_else(surface)
    for one, other in ((account, friend), (friend, account)):
        surface.write(act(social.CONNECT, one, "k", target=other.remote_id), timeout_s=10)
    shown = {}
    for visibility in ("public", "friends", "private"):
        image = data_url(render_jpeg(visibility, "ai_artist"))
        action = act(social.POST, account, str(uuid.uuid4()), text=visibility, image_url=image, visibility=visibility)
        shown[surface.write(action, timeout_s=10).remote_id] = visibility

    def sees(who: Account, audience: str) -> set[str]:
        return {shown[item.id] for item in surface.feed(who, limit=100, audience=audience) if item.id in shown}

    assert sees(stranger, "friends") == sees(friend, "public") == {"public"}
    assert sees(friend, "friends") == {"public", "friends"}
    assert sees(account, "public") == {"public", "friends", "private"}
    hidden = next(post for post, visibility in shown.items() if visibility == "private")
    with pytest.raises(base.Vanished):
        surface.write(act(social.LIKE, friend, "k", target=hidden), timeout_s=10)
    assert surface.probe(act(social.POST, account, text="private", image_url=""), since=datetime.now(UTC), known=NOBODY)


def test_comments_are_read_with_who_said_them(surface: FloImg, account: Account) -> None:
    _, post = posted(surface, account)
    for number in range(3):
        surface.write(act(social.COMMENT, account, f"k{number}", target=post, text=f"Word {number}."), timeout_s=10)
    said = surface.comments(account, post, limit=2)
    assert [(one.text, one.author, one.by_agent) for one in said] == [
        ("Word 0.", account.username, True), ("Word 1.", account.username, True)
    ]  # fmt: skip
    assert surface.item(account, post).by_agent is True
    assert surface.item(account, post).author_id == account.remote_id


def test_a_comment_on_a_post_that_is_gone_is_surely_not_there(surface: FloImg, account: Account) -> None:
    comment = act(social.COMMENT, account, "k", target=str(uuid.uuid4()), text="Well seen.")
    assert surface.probe(comment, since=datetime.now(UTC), known=NOBODY) is None


@pytest.mark.parametrize("visibility", ["public", "friends", "private"])
def test_a_probe_finds_a_post_of_any_audience(surface: FloImg, account: Account, visibility: str) -> None:
    since, text = datetime.now(UTC), f"For some {uuid.uuid4()}"
    image = data_url(render_jpeg("x", "ai_artist"))
    action = act(social.POST, account, str(uuid.uuid4()), text=text, image_url=image, visibility=visibility)
    post = surface.write(action, timeout_s=10).remote_id
    assert surface.probe(action, since=since, known=NOBODY) == base.Receipt(post, {"adopted": True})


def test_what_was_written_has_a_page_that_shows_it(surface: FloImg, account: Account) -> None:
    text = f"A lamp <b>{uuid.uuid4()}</b>"
    _, post = posted(surface, account, text)
    said = surface.write(act(social.COMMENT, account, "k", target=post, text="Well <i>seen</i>."), timeout_s=10)
    for action, remote_id, target, words in (
        ("post", post, None, text), ("comment", said.remote_id, post, "Well <i>seen</i>."), ("like", post, post, text),
        ("provision", str(account.remote_id), None, account.name),
    ):  # fmt: skip
        thing = SurfaceObject(action=action, id=str(remote_id), username=account.username, target=target)
        url = surface.url_of(thing)
        assert url is not None
        page = httpx.get(url, trust_env=False)
        assert page.status_code == 200 and html.escape(words) in page.text and "AI agent" in page.text
        anchor = url.partition("#")[2]
        assert not anchor or f'id="{anchor}"' in page.text
    assert surface.url_of(SurfaceObject(action="connect", id="u1", username=account.username)) is None
