"""TikTok: drafts by default, chunks, processing that ends later or badly, privacy, errors within status 200."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from fleet.adapters import base, social
from fleet.adapters.social import Media
from fleet.adapters.tiktok import adapter as module
from fleet.images.placeholder import data_url, render_jpeg
from tests.adapters.networks import NOBODY, Case, account_of, act, publish, uploaded
from tests.contracts.server import Reply
from tests.contracts.tiktok import TOKEN, TikTokContract, answer

CASE = Case("tiktok", TikTokContract, {"access_token": TOKEN})


@pytest.fixture
def server() -> Iterator[TikTokContract]:
    with TikTokContract().serve() as contract:
        yield contract


@pytest.fixture
def drafts(server: TikTokContract) -> Iterator[Any]:
    made = CASE.connect(server.url)
    yield made
    made.close()


@pytest.fixture
def direct(server: TikTokContract) -> Iterator[Any]:
    made = CASE.connect(server.url, publish="direct")
    yield made
    made.close()


def film(adapter: Any, data: bytes = b"a film", text: str = "Hello", **payload: Any) -> Any:
    video = Media("data:video/mp4;base64," + base64.b64encode(data).decode())
    return act(social.POST, account_of(adapter), text=text, image_url="", **{"video": video, **payload})


def test_a_video_becomes_a_draft_unless_a_person_chose_otherwise(server: TikTokContract, drafts: Any) -> None:
    receipt = publish(drafts, film(drafts))
    assert [one["is_draft"] for one in server.published()] == [True]
    assert receipt.detail["state"] == "draft in the inbox"
    found = base.SurfaceObject(action="post", id=str(receipt.remote_id), username="ada")
    assert drafts.url_of(found) is None
    assert server.count("POST", "/v2/post/publish/creator_info/query/") == 0


def test_a_large_video_goes_in_chunks_of_which_the_last_is_the_write(
    server: TikTokContract, drafts: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ONE_CHUNK_BYTES", 6_000_000)
    monkeypatch.setattr(module, "CHUNK_BYTES", 5_000_000)
    data = bytes(range(256)) * 66_000  # 16.9 MB: three chunks, the last larger
    action = uploaded(drafts, film(drafts, data))
    assert server.count("PUT", "/upload/.+") == 2 and not server.published()
    assert drafts.probe(action, since=datetime.now(UTC), known=NOBODY) is None
    drafts.write(action, timeout_s=10)
    assert [one["data"] == data for one in server.published()] == [True]


def test_a_video_that_is_still_processed_is_looked_up_later(server: TikTokContract, direct: Any) -> None:
    server.is_slow = True
    action = uploaded(direct, film(direct))
    with pytest.raises(base.Uncertain):
        direct.write(action, timeout_s=5)
    found = direct.probe(action, since=datetime.now(UTC), known=NOBODY)
    assert found is not None and found.detail["state"] == "processing"
    (job,) = server.jobs.values()
    server.process(job)
    later = direct.probe(action, since=datetime.now(UTC), known=NOBODY)
    assert later is not None and later.remote_id == job["post_id"]
    assert direct.post_metrics(account_of(direct), [str(found.remote_id)])[0].views == 250


@pytest.mark.parametrize(
    ("reason", "error"),
    [
        ("duration_check_failed", base.Refused),
        ("spam_risk_user_banned_from_posting", base.SurfacePaused),
        ("spam_risk_too_many_posts", base.SurfaceBudgetSpent),
        ("auth_removed", base.TokenRefused),
        ("internal", base.UploadsLost),
    ],
)
def test_a_video_that_is_refused_after_processing_says_why(
    server: TikTokContract, drafts: Any, reason: str, error: type[Exception]
) -> None:
    server.is_slow = True
    action = uploaded(drafts, film(drafts))
    with pytest.raises(base.Uncertain):
        drafts.write(action, timeout_s=5)
    server.fail_reason = reason
    server.process(next(iter(server.jobs.values())))
    assert drafts.probe(action, since=datetime.now(UTC), known=NOBODY) is None
    with pytest.raises(error, match=reason):
        drafts.write(action, timeout_s=5)
    assert server.count("PUT", "/upload/.+") == 1


def test_a_post_in_moderation_has_its_publish_id(server: TikTokContract, direct: Any) -> None:
    server.in_moderation = True
    receipt = publish(direct, film(direct))
    assert receipt.remote_id in server.jobs
    (metrics,) = direct.post_metrics(account_of(direct), [str(receipt.remote_id)])
    assert metrics.views is None and not metrics.is_gone


def test_an_upload_that_tiktok_forgot_is_made_again(server: TikTokContract, drafts: Any) -> None:
    action = uploaded(drafts, film(drafts))
    server.jobs.clear()
    assert drafts.probe(action, since=datetime.now(UTC), known=NOBODY) is None
    with pytest.raises(base.UploadsLost):
        drafts.write(action, timeout_s=5)


def test_pictures_are_fetched_and_a_lost_answer_is_for_a_person(server: TikTokContract, direct: Any) -> None:
    pictures = [data_url(render_jpeg(one, "ai_artist")) for one in "ab"]
    action = film(direct, video=None, text="Two")
    action = replace(
        action, payload=replace(action.payload, image_url=pictures[0], more_pictures=(Media(pictures[1]),))
    )
    publish(direct, action)
    assert [len(one["pictures"]) for one in server.published()] == [2]
    server.lose_reply("POST", "/v2/post/publish/content/init/")
    ready = uploaded(direct, action)
    with pytest.raises(base.Uncertain):
        direct.write(ready, timeout_s=5)
    with pytest.raises(base.Refused):  # the engine makes it a dead letter of an unknown outcome
        direct.probe(ready, since=datetime.now(UTC), known=NOBODY)
    with pytest.raises(base.Refused, match="needs a video"):
        direct.upload(film(direct, video=None), timeout_s=5)


def test_a_privacy_that_the_creator_does_not_offer_is_refused(server: TikTokContract, direct: Any) -> None:
    server.offered = ["MUTUAL_FOLLOW_FRIENDS"]
    with pytest.raises(base.Refused, match="privacy"):
        direct.upload(film(direct), timeout_s=5)
    assert not server.jobs


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (answer(code="rate_limit_exceeded", status=429), base.Throttled),
        (answer(code="spam_risk_too_many_pending_share", status=403), base.SurfaceBudgetSpent),
        (answer(code="scope_not_authorized", status=401), base.TokenRefused),
        (answer(code="unaudited_client_can_only_post_to_private_accounts", status=403), base.Refused),
        (answer(code="invalid_params"), base.Refused),
        (answer(code="internal_error", status=500), base.Uncertain),
        (Reply(200, {"data": {}}), base.Uncertain),
    ],
)
def test_errors_are_told_apart_even_with_status_200(
    server: TikTokContract, drafts: Any, reply: Reply, error: type[Exception]
) -> None:
    server.answer("POST", "/v2/post/publish/inbox/video/init/", reply)
    with pytest.raises(error) as raised:
        drafts.upload(film(drafts), timeout_s=5)
    assert type(raised.value) is error


def test_own_videos_are_the_feed(server: TikTokContract, direct: Any) -> None:
    receipt = publish(direct, film(direct, text="A harbour"))
    account = account_of(direct)
    assert [one.id for one in direct.feed(account, limit=5)] == [receipt.remote_id]
    assert direct.item(account, receipt.remote_id).caption == "A harbour"
    assert direct.comments(account, receipt.remote_id, limit=5) == []
    with pytest.raises(base.Vanished):
        direct.item(account, "7999999999999999999")
