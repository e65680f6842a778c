"""X: replies only to people who mentioned the account, duplicates, chunks, limits and mentions."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from PIL import Image
from pydantic import SecretStr

from fleet.adapters import base, registry, social
from fleet.adapters.base import Account, CheckingAdapter
from fleet.adapters.manifest import AccountAccess, MemoryTokens
from fleet.adapters.oauth import TokenPair
from fleet.images.placeholder import data_url, render_jpeg
from tests.adapters.networks import NOBODY, Case, account_of, act, publish, uploaded
from tests.contracts.server import Reply
from tests.contracts.x import OTHER, TOKEN, XContract, problem

CASE = Case("x", XContract, {"access_token": TOKEN})


@pytest.fixture
def server() -> Iterator[XContract]:
    with XContract().serve() as contract:
        yield contract


@pytest.fixture
def adapter(server: XContract) -> Iterator[Any]:
    made = CASE.connect(server.url)
    yield made
    made.close()


@pytest.fixture
def account(adapter: Any) -> Account:
    return account_of(adapter)


def test_a_reply_goes_only_to_somebody_who_mentioned_the_account(
    server: XContract, adapter: Any, account: Account
) -> None:
    stranger, fan = server.say(OTHER, "Nice weather."), server.say(OTHER, "What do you think, @fleet?")
    with pytest.raises(base.Refused, match="mention"):
        adapter.write(act(social.COMMENT, account, target=stranger["id"], text="Indeed."), timeout_s=5)
    assert server.count("POST", "/2/tweets") == 0
    reply = act(social.COMMENT, account, target=fan["id"], text="A fine harbour.")
    server.lose_reply("POST", "/2/tweets")
    with pytest.raises(base.Uncertain):
        adapter.write(reply, timeout_s=5)
    found = adapter.probe(reply, since=datetime.now(UTC), known=NOBODY)
    assert found is not None
    other = act(social.COMMENT, account, target=stranger["id"], text="A fine harbour.")
    assert adapter.probe(other, since=datetime.now(UTC), known=NOBODY) is None
    with pytest.raises(base.Vanished):
        adapter.write(act(social.COMMENT, account, target="5", text="Hello?"), timeout_s=5)


def test_a_duplicate_of_our_own_attempt_exists_and_one_of_an_older_post_is_refused(
    server: XContract, adapter: Any, account: Account
) -> None:
    action = act(social.POST, account, text="The same & more: https://example.org/a?b=1", image_url="")
    publish(adapter, action)
    with pytest.raises(base.Uncertain):  # the answer of the first attempt came late: the probe decides
        publish(adapter, action)
    assert adapter.probe(action, since=datetime.now(UTC), known=NOBODY) is not None
    server.say("1001", "Old words", created_at=datetime.now(UTC) - timedelta(hours=3))
    with pytest.raises(base.Refused):
        publish(adapter, act(social.POST, account, text="Old words", image_url=""))
    assert len(server.published()) == 2


def test_a_large_picture_goes_in_chunks_and_is_waited_for(server: XContract, adapter: Any, account: Account) -> None:
    server.polls = 2
    out = io.BytesIO()
    Image.effect_noise((1500, 1500), 90).save(out, "PNG")
    assert len(out.getvalue()) > 2 * 1024 * 1024
    second = data_url(render_jpeg("lamp", "ai_artist"))
    action = act(social.POST, account, text="Noise", image_url=data_url(out.getvalue()).replace("jpeg", "png", 1),
                 more_pictures=(social.Media(second, "A lamp."),))  # fmt: skip
    with pytest.raises(base.UploadPending) as raised:
        adapter.upload(action, timeout_s=10)
    assert raised.value.retry_after_s == 2
    publish(adapter, replace(action, uploads=raised.value.uploads))
    assert server.count("POST", r"/2/media/upload/initialize") == 2
    assert server.count("POST", r"/2/media/upload/700000/append") == 3
    (found,) = server.published()
    assert [data == out.getvalue() for data, _ in found["pictures"]] == [True, False]
    assert [alt for _, alt in found["pictures"]] == ["", "A lamp."]


def test_media_that_x_cannot_process_or_has_lost_is_uploaded_again(
    server: XContract, adapter: Any, account: Account
) -> None:
    action = act(social.POST, account, text="Lamp", image_url=data_url(render_jpeg("lamp", "ai_artist")))
    server.fails_processing = True
    with pytest.raises(base.UploadsLost):
        adapter.upload(action, timeout_s=5)
    server.fails_processing = False
    ready = uploaded(adapter, action)
    server.media.clear()
    with pytest.raises(base.UploadsLost):
        adapter.write(ready, timeout_s=5)
    assert not server.published()


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (problem(429, "Too Many Requests", "Too Many Requests"), base.Throttled),
        (problem(429, "UsageCapExceeded", "Spending cap", "https://api.x.com/2/problems/usage-capped"),
         base.SurfaceBudgetSpent),
        (Reply(402, {"title": "CreditsDepleted", "type": "https://api.x.com/2/problems/credits"}),
         base.SurfaceBudgetSpent),
        (problem(403, "Forbidden", "No access", "https://api.x.com/2/problems/client-forbidden"), base.TokenRefused),
        (problem(403, "Forbidden", "You are not permitted to perform this action."), base.Refused),
        (Reply(200, {"errors": [{"type": "https://api.x.com/2/problems/invalid-request"}]}), base.Refused),
        (Reply(201, {"data": {}}), base.Uncertain),
    ],
)  # fmt: skip
def test_refusals_are_distinguished(
    server: XContract, adapter: Any, account: Account, reply: Reply, error: type[Exception]
) -> None:
    soon = str(int(datetime.now(UTC).timestamp()) + 90)
    reply.headers |= {"x-rate-limit-remaining": "0", "x-rate-limit-reset": soon}
    server.answer("POST", "/2/tweets", reply)
    with pytest.raises(error) as raised:
        adapter.write(act(social.POST, account, text="Hello", image_url=""), timeout_s=5)
    assert type(raised.value) is error
    if isinstance(raised.value, base.Throttled):
        assert 80 < (raised.value.retry_after_s or 0) <= 90


def test_mentions_come_oldest_first_over_all_pages_and_not_again(
    server: XContract, adapter: Any, account: Account
) -> None:
    server.page = 2
    said = [server.say(OTHER, f"@fleet {number} <b>")["id"] for number in range(5)]
    page = adapter.notifications(account, cursor=None, limit=3)
    assert [one.item_id for one in page.items] == said[:3]
    assert page.items[0].text == "@fleet 0 <b>"
    page = adapter.notifications(account, cursor=page.cursor, limit=3)
    assert [one.item_id for one in page.items] == said[3:]
    assert adapter.notifications(account, cursor=page.cursor, limit=3).items == ()


def test_a_thread_continues_the_own_post_and_a_repost_can_be_repeated(
    server: XContract, adapter: Any, account: Account
) -> None:
    first = publish(adapter, act(social.POST, account, text="One", image_url=""))
    second = act(social.POST, account, text="Two", image_url="", follows=first.remote_id)
    receipt = publish(adapter, second)
    assert server.posts[str(receipt.remote_id)]["referenced_tweets"] == [{"type": "replied_to", "id": first.remote_id}]
    assert adapter.probe(second, since=datetime.now(UTC), known=NOBODY) is not None
    theirs = server.say(OTHER, "A bridge.")
    for _ in range(2):
        adapter.write(act(social.REPOST, account, target=theirs["id"]), timeout_s=5)
    assert server.reposts == {theirs["id"]}
    assert adapter.item(account, theirs["id"]).caption == "A bridge."
    assert adapter.feed(account, limit=1)[0].id == theirs["id"]


def test_a_token_that_ended_is_renewed_once_for_the_next_call(server: XContract) -> None:
    tokens = MemoryTokens(TokenPair("ended", "refresh-1").write())
    access = AccountAccess(server.url, SecretStr('{"client_id": "app-1"}'), 10, tokens)
    adapter = registry.get("x").connect(access)
    assert isinstance(adapter, CheckingAdapter)
    with pytest.raises(base.Throttled):
        adapter.check(timeout_s=5)
    assert adapter.check(timeout_s=5).username == "fleet"
    server.is_expired = True  # refused although it is new: no further refresh, whose token would be used up
    with pytest.raises(base.TokenRefused):
        adapter.check(timeout_s=5)
    assert server.count("POST", "/2/oauth2/token") == 1
