"""The adapter of Mastodon against `mastodon-mock`, a server that somebody else wrote; `make mastodon` installs it.

What that server gets wrong (media in process, times of limits, the end of keys, the length of URLs) is in
`test_contract.py`.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from fleet.adapters import base, social
from fleet.adapters.base import Account, Action
from fleet.adapters.manifest import AccountAccess
from fleet.adapters.mastodon.adapter import Mastodon
from fleet.adapters.social import NotificationKind, PostPayload
from fleet.images.placeholder import data_url, render_jpeg
from tests.factories import act

testing = pytest.importorskip("mastodon_mock.testing", reason="`make mastodon` installs the server of these tests")

NOBODY: frozenset[str] = frozenset()
BIO = "Automated account: an AI agent run by Lamp Ltd with Fleet."
ALICE = Account("a", "alice", "Alice", "ai_artist", bio=BIO)
BOB = Account("b", "bob", "Bob", "ai_artist", bio=BIO)


@pytest.fixture(scope="module")
def running() -> Iterator[str]:
    with testing.MockServer() as server:
        yield server.base_url


@pytest.fixture
def address(running: str) -> str:
    httpx.post(f"{running}/api/v1/_mock/reset").raise_for_status()
    return running


def connected(address: str, token: str) -> Mastodon:
    return Mastodon(AccountAccess(address, SecretStr(token), 10.0))


@pytest.fixture
def alice(address: str) -> Iterator[Mastodon]:
    adapter = connected(address, "alice_token")
    yield adapter
    adapter.close()


@pytest.fixture
def bob(address: str) -> Iterator[Mastodon]:
    adapter = connected(address, "bob_token")
    yield adapter
    adapter.close()


def posted(adapter: Mastodon, text: str = "A harbour at dawn.", **more: Any) -> tuple[Action[PostPayload], str]:
    action = act(social.POST, ALICE, str(uuid.uuid4()), text=text, image_url="", **more)
    receipt = adapter.write(action, timeout_s=10)
    assert receipt.remote_id is not None
    return action, receipt.remote_id


def read(address: str, path: str, token: str = "bob_token") -> Any:
    return httpx.get(f"{address}{path}", headers={"Authorization": f"Bearer {token}"}).raise_for_status().json()


def do(adapter: Mastodon, one: Any, target: str, **more: Any) -> base.Receipt:
    return adapter.write(act(one, ALICE, str(uuid.uuid4()), target=target, **more), timeout_s=10)


def test_a_post_is_seen_as_it_was_written(alice: Mastodon, bob: Mastodon, address: str) -> None:
    text = "Dawn 🌅 over the bay & “quiet”, 静か.\n\nSecond paragraph."
    _, found = posted(alice, text, warning="harbours", language="de-AT", visibility="unlisted")
    seen = bob.item(BOB, found)
    assert (seen.caption, seen.author, seen.by_agent) == (f"harbours\n\n{text}", "alice", False)
    status = read(address, f"/api/v1/statuses/{found}")
    assert (status["language"], status["visibility"], status["spoiler_text"]) == ("de", "unlisted", "harbours")


def test_one_key_makes_one_post_however_many_send_it(alice: Mastodon) -> None:
    action, first = posted(alice)
    with ThreadPoolExecutor(8) as pool:
        again = {one.remote_id for one in pool.map(lambda _: alice.write(action, timeout_s=10), range(8))}
    assert again == {first}


def test_pictures_are_published_in_order_with_their_alt_texts(alice: Mastodon, address: str) -> None:
    picture = data_url(render_jpeg("x", "ai_artist"))
    more = tuple(social.Media(picture, f"Picture {number}.") for number in (2, 3))
    action = act(social.POST, ALICE, "k", text="Three.", image_url=picture, alt_text="Picture 1.", more_pictures=more)
    uploads = alice.upload(action, timeout_s=10)
    assert uploads is not None
    found = alice.write(replace(action, uploads=uploads), timeout_s=10).remote_id
    shown = read(address, f"/api/v1/statuses/{found}")["media_attachments"]
    assert [one["description"] for one in shown] == ["Picture 1.", "Picture 2.", "Picture 3."]
    assert alice.upload(posted(alice)[0], timeout_s=10) is None


def test_five_pictures_and_a_text_that_is_too_long_are_refused(alice: Mastodon) -> None:
    picture = data_url(render_jpeg("x", "ai_artist"))
    five = act(social.POST, ALICE, "k", text="x", image_url=picture, more_pictures=(social.Media(picture),) * 4)
    with pytest.raises(base.Refused, match="at most 4"):
        alice.upload(five, timeout_s=10)
    with pytest.raises(base.Refused):
        posted(alice, "x" * 501)
    assert {name: rule.most for name, rule in alice.text_rules().items()} == {"post": 500, "comment": 450}


def test_a_thread_and_a_quote_refer_to_what_they_follow(alice: Mastodon, address: str) -> None:
    _, first = posted(alice, "One.")
    _, second = posted(alice, "Two.", follows=first)
    _, third = posted(alice, "See this.", quoted=first)
    assert read(address, f"/api/v1/statuses/{second}")["in_reply_to_id"] == first
    assert read(address, f"/api/v1/statuses/{third}")["quote"]["quoted_status"]["id"] == first
    assert [one.text for one in alice.comments(ALICE, first, limit=5)] == ["Two."]


def test_a_reply_reaches_its_author(alice: Mastodon, bob: Mastodon) -> None:
    _, found = posted(bob, "What a lamp!", visibility="unlisted")
    bob.write(act(social.PROVISION, BOB), timeout_s=10)
    reply = do(alice, social.COMMENT, found, text="Indeed.")
    page = bob.notifications(BOB, cursor=None, limit=20)
    one = page.items[-1]
    assert (one.kind, one.author, one.item_id, one.about) == (NotificationKind.REPLY, "alice", reply.remote_id, found)
    (said,) = alice.comments(ALICE, found, limit=5)
    assert (said.text, said.by_agent) == ("@bob Indeed.", False)


def test_a_probe_finds_posts_and_replies_by_their_source(alice: Mastodon, bob: Mastodon) -> None:
    since = datetime.now(UTC)
    action, found = posted(alice, "Ships & #harbours https://example.org/a?b=c")
    assert alice.probe(action, since=since, known=NOBODY) == base.Receipt(found, {"adopted": True})
    assert alice.probe(action, since=since, known=frozenset({found})) is None
    assert alice.probe(action, since=since + timedelta(hours=1), known=NOBODY) is None
    comment = act(social.COMMENT, ALICE, "k2", target=posted(bob)[1], text="Well seen.")
    assert alice.probe(comment, since=since, known=NOBODY) is None
    written = alice.write(comment, timeout_s=10).remote_id
    assert alice.probe(comment, since=since, known=NOBODY) == base.Receipt(written, {"adopted": True})


def test_what_is_done_twice_is_done_once_and_can_be_undone(alice: Mastodon, bob: Mastodon, address: str) -> None:
    _, found = posted(bob)
    for one, counted in ((social.LIKE, "favourites_count"), (social.REPOST, "reblogs_count")):
        for _ in range(2):
            do(alice, one, found)
        assert read(address, f"/api/v1/statuses/{found}")[counted] == 1
    metrics = bob.post_metrics(BOB, [found, "1"])
    assert [(one.likes, one.reposts, one.is_gone) for one in metrics] == [(1, 1, False), (None, None, True)]
    for _ in range(2):
        do(alice, social.UNLIKE, found)
        do(alice, social.UNREPOST, found)
    status = read(address, f"/api/v1/statuses/{found}")
    assert (status["favourites_count"], status["reblogs_count"]) == (0, 0)


def test_following_and_its_end(alice: Mastodon, bob: Mastodon) -> None:
    me = alice.check(timeout_s=10).id
    for _ in range(2):
        do(bob, social.FOLLOW, me)
    assert alice.account_metrics(ALICE).followers == 1
    do(bob, social.UNFOLLOW, me)
    assert alice.account_metrics(ALICE).followers == 0


def test_an_edit_keeps_the_pictures_and_a_removal_can_be_repeated(alice: Mastodon, address: str) -> None:
    picture = data_url(render_jpeg("x", "ai_artist"))
    action = act(social.POST, ALICE, "k", text="Old.", image_url=picture, warning="lamps")
    found = alice.write(replace(action, uploads=alice.upload(action, timeout_s=10) or {}), timeout_s=10).remote_id or ""
    for _ in range(2):
        do(alice, social.EDIT, found, text="New.")
    status = read(address, f"/api/v1/statuses/{found}")
    assert ("New." in status["content"], len(status["media_attachments"]), status["spoiler_text"]) == (True, 1, "lamps")
    assert do(alice, social.DELETE, found).detail == {}
    assert do(alice, social.DELETE, found).detail == {"was": "gone already"}
    with pytest.raises(base.Vanished):
        alice.item(ALICE, found)


def test_the_account_says_that_it_is_a_bot(alice: Mastodon, address: str) -> None:
    httpx.patch(f"{address}/api/v1/accounts/update_credentials", data={"note": "I like ships."},
                headers={"Authorization": "Bearer alice_token"}).raise_for_status()  # fmt: skip
    assert alice.check(timeout_s=10).is_bot is False
    for _ in range(2):
        receipt = alice.write(act(social.PROVISION, ALICE), timeout_s=10)
    me = alice.check(timeout_s=10)
    assert (me.is_bot, me.id, me.username) == (True, receipt.remote_id, "alice")
    note = read(address, "/api/v1/accounts/verify_credentials", "alice_token")["source"]["note"]
    assert note == f"{BIO}\n\nI like ships."
    alice.write(act(social.DEPROVISION, ALICE), timeout_s=10)
    shown = read(address, "/api/v1/accounts/verify_credentials", "alice_token")
    assert (shown["source"]["note"], shown["bot"]) == ("I like ships.", True)


@pytest.mark.parametrize("one", [social.LIKE, social.COMMENT, social.FOLLOW])
def test_who_keeps_bots_off_is_left_alone(alice: Mastodon, bob: Mastodon, address: str, one: Any) -> None:
    httpx.patch(f"{address}/api/v1/accounts/update_credentials", data={"note": "Painter. #NoBot please"},
                headers={"Authorization": "Bearer bob_token"}).raise_for_status()  # fmt: skip
    _, found = posted(bob, "Mine.")
    target = bob.check(timeout_s=10).id if one is social.FOLLOW else found
    with pytest.raises(base.Refused, match="#nobot"):
        do(alice, one, target, **({"text": "Hello"} if one is social.COMMENT else {}))
    assert found not in [item.id for item in alice.feed(ALICE, limit=20)]
    assert found not in [item.id for item in alice.feed(ALICE, limit=20, audience="friends")]


def test_notifications_come_once_and_in_order_by_their_cursor(alice: Mastodon, bob: Mastodon) -> None:
    _, found = posted(alice)
    do(bob, social.LIKE, found)
    page = alice.notifications(ALICE, cursor=None, limit=2)
    assert [one.kind for one in page.items] == [NotificationKind.LIKE]
    do(bob, social.REPOST, found)
    for number in range(4):
        posted(bob, f"@alice ahoy {number}")
    do(bob, social.FOLLOW, alice.check(timeout_s=10).id)
    read_kinds, cursor = [], page.cursor
    for _ in range(4):
        page = alice.notifications(ALICE, cursor=cursor, limit=2)
        read_kinds += [one.kind for one in page.items]
        cursor = page.cursor
    assert read_kinds == [NotificationKind.REPOST, *[NotificationKind.MENTION] * 4, NotificationKind.FOLLOW]
    assert alice.notifications(ALICE, cursor=cursor, limit=2).cursor == cursor


def test_trends_are_hashtags(alice: Mastodon) -> None:
    posted(alice, "A #harbour and a #lamp.")
    assert set(alice.trends(ALICE, limit=5)) == {"harbour", "lamp"}


def test_a_token_that_is_none_is_refused(address: str) -> None:
    stranger = connected(address, "no_token")
    with pytest.raises(base.TokenRefused):
        stranger.check(timeout_s=5)
    stranger.close()


@pytest.mark.parametrize(
    ("effect", "error"),
    [({"type": "status", "status": 503}, base.Uncertain), ({"type": "ratelimit"}, base.Throttled),
     ({"type": "malformed"}, base.Uncertain)],
)  # fmt: skip
def test_faults_of_the_server_are_distinguished(
    alice: Mastodon, address: str, effect: dict[str, Any], error: type[Exception]
) -> None:
    rule = {"match": {"methods": ["POST"], "path": "/api/v1/statuses"}, "effect": effect, "count": 1}
    httpx.post(f"{address}/api/v1/_mock/faults", json=rule).raise_for_status()
    with pytest.raises(error):
        posted(alice)


def test_a_page_of_a_post_is_at_its_server(alice: Mastodon, address: str) -> None:
    one = base.SurfaceObject(action="post", id="1/../2", username="alice")
    assert alice.url_of(one) == f"{address}/statuses/1%2F..%2F2"
    assert alice.url_of(replace(one, action="provision")) is None
