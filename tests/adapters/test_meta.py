"""Facebook Pages and Instagram: containers, public pictures, unpublished photos, reels, duplicates, codes of errors."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from PIL import Image

from fleet.accounts.media import PictureTools
from fleet.adapters import base, social
from fleet.adapters.manifest import MediaFile
from fleet.adapters.social import LinkCard, Media
from fleet.core.errors import InvalidInput
from fleet.engine import registry
from fleet.images.placeholder import data_url, render_jpeg
from tests.adapters.networks import NOBODY, Case, account_of, act, publish, uploaded
from tests.contracts.meta import IG, PAGE, TOKEN, FacebookContract, InstagramContract, V, refusal
from tests.contracts.server import Reply

FACEBOOK = Case("facebook", FacebookContract, {"access_token": TOKEN, "page_id": PAGE})
INSTAGRAM = Case("instagram", InstagramContract, {"access_token": TOKEN, "user_id": IG})
MP4 = "data:video/mp4;base64," + base64.b64encode(b"a film").decode()


@pytest.fixture
def page_server() -> Iterator[FacebookContract]:
    with FacebookContract().serve() as contract:
        yield contract


@pytest.fixture
def page(page_server: FacebookContract) -> Iterator[Any]:
    made = FACEBOOK.connect(page_server.url)
    yield made
    made.close()


@pytest.fixture
def ig_server() -> Iterator[InstagramContract]:
    with InstagramContract().serve() as contract:
        yield contract


@pytest.fixture
def ig(ig_server: InstagramContract) -> Iterator[Any]:
    made = INSTAGRAM.connect(ig_server.url)
    yield made
    made.close()


def a_post(adapter: Any, text: str = "Hello", **payload: Any) -> Any:
    return act(social.POST, account_of(adapter), text=text, **{"image_url": "", **payload})


def picture(width: int = 400, height: int = 400, kind: str = "PNG") -> str:
    out = io.BytesIO()
    Image.effect_noise((width, height), 60).convert("RGB").save(out, kind)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(out.getvalue()).decode()}"


# Instagram


def test_a_picture_is_cropped_and_published_for_meta_to_fetch(ig_server: InstagramContract, ig: Any) -> None:
    ig_server.polls = 1
    action = a_post(ig, image_url=picture(300, 900), alt_text="A tower.")
    with pytest.raises(base.UploadPending) as raised:
        ig.upload(action, timeout_s=10)
    assert raised.value.retry_after_s == 60
    receipt = publish(ig, replace(action, uploads=raised.value.uploads))
    assert ig_server.count("POST", f"{V}/{IG}/media") == 1
    ((data, alt),) = ig_server.published()[0]["pictures"]
    with Image.open(io.BytesIO(data)) as image:
        assert (image.format, image.width / image.height) == ("JPEG", 0.8)
    assert alt == "A tower."
    number, _, code = str(receipt.remote_id).partition("_")
    assert number in ig_server.posts
    found = base.SurfaceObject(action="post", id=str(receipt.remote_id), username="ada")
    assert ig.url_of(found) == f"https://www.instagram.com/p/{code}/"
    assert ig.item(account_of(ig), receipt.remote_id).caption == "Hello"


def test_a_carousel_has_its_mark_on_the_parent(ig_server: InstagramContract, ig: Any) -> None:
    publish(
        ig, a_post(ig, image_url=picture(), alt_text="A.", more_pictures=(Media(picture(), "B."), Media(picture())))
    )
    (found,) = ig_server.published()
    assert [alt for _, alt in found["pictures"]] == ["A.", "B.", ""]
    marked = [box for box in ig_server.containers.values() if box.get("is_ai_generated")]
    assert [box["media_type"] for box in marked] == ["CAROUSEL"]


@pytest.mark.parametrize("state", ["ERROR", "EXPIRED"])
def test_a_container_that_meta_cannot_fill_is_made_again(ig_server: InstagramContract, ig: Any, state: str) -> None:
    ig_server.state = state
    with pytest.raises(base.UploadsLost):
        uploaded(ig, a_post(ig, image_url=picture()))
    assert not ig_server.published()


def test_a_lost_reply_is_decided_by_the_container(ig_server: InstagramContract, ig: Any) -> None:
    action = uploaded(ig, a_post(ig, image_url=picture()))
    assert ig.probe(action, since=datetime.now(UTC), known=NOBODY) is None
    ig_server.lose_reply("POST", f"{V}/{IG}/media_publish")
    with pytest.raises(base.Uncertain):
        ig.write(action, timeout_s=5)
    ig_server.is_list_late = True
    with pytest.raises(base.Uncertain):
        ig.probe(action, since=datetime.now(UTC), known=NOBODY)
    ig_server.is_list_late = False
    found = ig.probe(action, since=datetime.now(UTC), known=NOBODY)
    assert found is not None and "_C" in str(found.remote_id)


def test_a_published_post_keeps_its_id_when_its_code_cannot_be_read(ig_server: InstagramContract, ig: Any) -> None:
    action = uploaded(ig, a_post(ig, image_url=picture()))
    ig_server.answer("GET", rf"{V}/\d+", Reply(500, {}))
    receipt = ig.write(action, timeout_s=5)
    assert receipt.remote_id in ig_server.posts


def test_a_reel_is_sent_as_a_file_and_a_story_has_no_caption(ig_server: InstagramContract, ig: Any) -> None:
    publish(ig, a_post(ig, video=Media(MP4), format="reel"))
    assert [one["data"] for one in ig_server.videos.values()] == [b"a film"]
    publish(ig, a_post(ig, image_url=picture(), format="story"))
    story = [*ig_server.containers.values()][-1]
    assert story["media_type"] == "STORIES" and "caption" not in story


def test_posts_without_a_picture_or_a_public_address_are_refused(ig_server: InstagramContract, ig: Any) -> None:
    with pytest.raises(base.Refused, match="needs a picture"):
        ig.upload(a_post(ig), timeout_s=5)
    real = INSTAGRAM.connect("https://graph.instagram.com")
    action = act(social.POST, base.Account("a", "ada", "Ada", None), text="x", image_url="http://pictures.test/a.jpg")
    with pytest.raises(base.Refused, match="public https"):
        real.upload(action, timeout_s=5)
    with pytest.raises(base.Refused, match="Facebook Login"):
        real.write(act(social.DELETE, action.account, target="1784"), timeout_s=5)
    real.close()


def test_a_store_without_an_address_says_what_to_set(tmp_path: Any) -> None:
    settings = registry.load_settings(objects=str(tmp_path))
    with pytest.raises(InvalidInput) as raised:
        PictureTools(settings).publish(MediaFile(render_jpeg("x", "ai_artist"), "image/jpeg"))
    assert "FLEET_OBJECTS_URL" in str(raised.value.fix)


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (refusal(4), base.Throttled),
        (refusal(80002), base.Throttled),
        (refusal(9, 2207042), base.SurfaceBudgetSpent),
        (refusal(9007, 2207027), base.Throttled),
        (refusal(190, 460, status=401), base.TokenRefused),
        (refusal(190, 459), base.SurfacePaused),
        (refusal(25, 2207050), base.SurfacePaused),
        (refusal(10), base.TokenRefused),
        (refusal(100, 2207053), base.UploadsLost),
        (refusal(36003, 2207009, "a ratio of 4901, code 4"), base.Refused),
        (refusal(2, status=500), base.Uncertain),
        (Reply(200, {"error": {"code": 1, "message": "unknown"}}), base.Uncertain),
        (Reply(200, {"error": {"code": 100, "message": "no"}}), base.Refused),
        (Reply(200, {}), base.Uncertain),
    ],
)
def test_errors_are_distinguished_by_code(
    ig_server: InstagramContract, ig: Any, reply: Reply, error: type[Exception]
) -> None:
    action = uploaded(ig, a_post(ig, image_url=picture()))
    usage = {IG: [{"type": "instagram", "call_count": 100, "estimated_time_to_regain_access": 7}]}
    reply.headers["X-Business-Use-Case-Usage"] = json.dumps(usage)
    ig_server.answer("POST", f"{V}/{IG}/media_publish", reply)
    with pytest.raises(error) as raised:
        ig.write(action, timeout_s=5)
    assert type(raised.value) is error
    if isinstance(raised.value, base.Throttled):
        assert raised.value.retry_after_s == (60 if reply.body["error"]["code"] == 9007 else 420)


# Facebook


def test_several_pictures_are_uploaded_unpublished_and_become_one_post(
    page_server: FacebookContract, page: Any
) -> None:
    action = uploaded(page, a_post(page, image_url=picture(), alt_text="A.", more_pictures=(Media(picture()),)))
    assert not page_server.published()
    page.write(action, timeout_s=5)
    assert [alt for _, alt in page_server.published()[0]["pictures"]] == ["A.", ""]


def test_a_duplicate_of_our_attempt_exists_and_an_older_one_is_refused(
    page_server: FacebookContract, page: Any
) -> None:
    action = a_post(page, "The same")
    publish(page, action)
    with pytest.raises(base.Uncertain):
        publish(page, action)
    assert page.probe(action, since=datetime.now(UTC), known=NOBODY) is not None
    page_server.add("Old words\n\nMade with AI.", made="2026-01-01T00:00:00+0000")
    with pytest.raises(base.Refused):
        publish(page, a_post(page, "Old words"))


def test_a_reel_is_uploaded_then_finished_with_its_mark(page_server: FacebookContract, page: Any) -> None:
    page_server.polls = 1
    action = uploaded(page, a_post(page, "A film", video=Media(MP4), format="reel"))
    assert page.probe(action, since=datetime.now(UTC), known=NOBODY) is None
    page_server.lose_reply("POST", f"{V}/{PAGE}/video_reels")
    with pytest.raises(base.Uncertain):
        page.write(action, timeout_s=5)
    found = page.probe(action, since=datetime.now(UTC), known=NOBODY)
    assert found is not None
    video = page_server.videos[str(found.remote_id)]
    assert video["data"] == b"a film" and video["form"]["is_ai_generated"] == "true"


@pytest.mark.parametrize("kind", ["photo", "video"])
def test_a_story_of_a_page_is_published_once_and_found_by_its_media(
    page_server: FacebookContract, page: Any, kind: str
) -> None:
    shown = {"video": Media(MP4)} if kind == "video" else {"image_url": data_url(render_jpeg("a", "ai_artist"))}
    action = uploaded(page, a_post(page, "no text is shown", format="story", **shown))
    assert page.probe(action, since=datetime.now(UTC), known=NOBODY) is None
    page_server.lose_reply("POST", f"{V}/{PAGE}/{kind}_stories")
    with pytest.raises(base.Uncertain):
        page.write(action, timeout_s=5)
    found = page.probe(action, since=datetime.now(UTC), known=NOBODY)
    assert found is not None and [one["post_id"] for one in page_server.stories] == [found.remote_id]
    assert page_server.count("POST", f"{V}/{PAGE}/video_reels") == 0 == len(page_server.posts)


def test_comments_likes_and_edits_of_the_page(page_server: FacebookContract, page: Any) -> None:
    account, target = account_of(page), publish(page, a_post(page, link=LinkCard("https://example.org"))).remote_id
    comment = act(social.COMMENT, account, target=target, text="Well seen.")
    page_server.lose_reply("POST", rf"{V}/[\d_]+/comments")
    with pytest.raises(base.Uncertain):
        page.write(comment, timeout_s=5)
    page_server.add_comment(str(target), {"id": "9", "name": "Bea"}, "Well seen.")
    found = page.probe(comment, since=datetime.now(UTC), known=NOBODY)
    assert found is not None and found.remote_id == page_server.comments[str(target)][0]["id"]
    assert page.probe(comment, since=datetime.now(UTC), known=frozenset({str(found.remote_id)})) is None
    for kind in (social.LIKE, social.LIKE):
        page.write(act(kind, account, target=target), timeout_s=5)
    assert page_server.likes == {target}
    with pytest.raises(base.Refused, match="own posts"):
        page.write(act(social.LIKE, account, target="99_1"), timeout_s=5)
    page.write(act(social.EDIT, account, target=target, text="Better"), timeout_s=5)
    assert page.feed(account, limit=3)[0].caption == "Better\n\nMade with AI."


def test_a_list_that_is_too_long_is_not_taken_for_an_answer(page_server: FacebookContract, page: Any) -> None:
    page_server.page_size = 1
    for number in range(12):
        page_server.add(f"Post {number}")
    with pytest.raises(base.Uncertain):
        page.probe(a_post(page, "Not there"), since=datetime.now(UTC), known=NOBODY)


def test_a_jpeg_keeps_the_mark_that_meta_reads(page_server: FacebookContract, page: Any) -> None:
    publish(page, a_post(page, image_url=data_url(render_jpeg("lamp", "ai_artist"))))
    assert page_server.published()[0]["label"] is True
