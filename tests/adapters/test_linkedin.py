"""LinkedIn: the escape of texts, pictures that are processed, duplicates that name the post, members."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from fleet.adapters import base, social
from fleet.adapters.linkedin.answers import commentary, posted_at, shown
from fleet.adapters.social import Media
from fleet.images.placeholder import data_url, render_jpeg
from tests.adapters.networks import NOBODY, Case, account_of, act, publish, uploaded
from tests.contracts.linkedin import ORGANISATION, PERSON, TOKEN, LinkedInContract, long_ago, refusal
from tests.contracts.server import Reply

CASE = Case("linkedin", LinkedInContract, {"access_token": TOKEN, "author": ORGANISATION})


@pytest.fixture
def server() -> Iterator[LinkedInContract]:
    with LinkedInContract().serve() as contract:
        yield contract


@pytest.fixture
def adapter(server: LinkedInContract) -> Iterator[Any]:
    made = CASE.connect(server.url)
    yield made
    made.close()


@pytest.fixture
def member(server: LinkedInContract) -> Iterator[Any]:
    made = CASE.connect(server.url, author=PERSON)
    yield made
    made.close()


def plain(adapter: Any, text: str, **payload: Any) -> Any:
    return act(social.POST, account_of(adapter), text=text, **{"image_url": "", **payload})


def test_reserved_characters_are_escaped_and_hashtags_stay_hashtags() -> None:
    text = r"A (new) [lamp] {by} <us> @fleet #snake_case *bold* _it_ ~x~ a|b c:\d # alone"
    written = commentary(text)
    assert r"{hashtag|\#|snake\_case}" in written
    assert r"\(new\)" in written and r"c:\\d" in written
    assert shown(written) == text


def test_a_text_of_reserved_characters_is_not_cut(server: LinkedInContract, adapter: Any) -> None:
    publish(adapter, plain(adapter, "Our (first) #lamp_2 [draft] @ work: a*b"))
    assert server.published()[0]["text"] == "Our (first) #lamp_2 [draft] @ work: a*b"


def test_a_lost_reply_of_a_member_is_resolved_by_the_duplicate_that_names_the_post(
    server: LinkedInContract, member: Any
) -> None:
    action = plain(member, "Hello")
    server.lose_reply("POST", "/rest/posts")
    with pytest.raises(base.Uncertain):
        member.write(action, timeout_s=5)
    assert member.probe(action, since=datetime.now(UTC), known=NOBODY) is None
    receipt = member.write(action, timeout_s=5)
    assert [receipt.remote_id] == [*server.posts]
    assert receipt.detail["adopted"] is True


def test_an_older_post_is_not_adopted_and_a_ghost_is_named(server: LinkedInContract, adapter: Any, member: Any) -> None:
    first = plain(member, "Old words")
    request = member._request(first)
    old = server.add(request, long_ago())
    made = posted_at(old)
    assert made is not None and abs((made - long_ago()).total_seconds()) < 5
    with pytest.raises(base.Refused):
        member.write(first, timeout_s=5)
    action = plain(adapter, "Deleted words")
    receipt = publish(adapter, action)
    with pytest.raises(base.Uncertain):  # it exists: the probe finds it
        adapter.write(action, timeout_s=5)
    adapter.write(act(social.DELETE, account_of(adapter), target=receipt.remote_id), timeout_s=5)
    with pytest.raises(base.Refused, match="deleted post"):
        adapter.write(action, timeout_s=5)


def test_several_pictures_are_waited_for_and_become_one_post(server: LinkedInContract, adapter: Any) -> None:
    server.polls = 1
    pictures = [data_url(render_jpeg(one, "ai_artist")) for one in ("a", "b", "c")]
    action = plain(adapter, "Three", image_url=pictures[0], alt_text="A.",
                   more_pictures=(Media(pictures[1], "B."), Media(pictures[2])))  # fmt: skip
    with pytest.raises(base.UploadPending):
        adapter.upload(action, timeout_s=10)
    server.images.clear()
    receipt = publish(adapter, action)
    assert str(receipt.remote_id).startswith("urn:li:ugcPost:")
    assert [alt for _, alt in server.published()[0]["pictures"]] == ["A.", "B.", ""]


@pytest.mark.parametrize("kind", ["video", "document"])
def test_a_video_and_a_document_are_sent_waited_for_and_posted_with_a_title(
    server: LinkedInContract, adapter: Any, kind: str
) -> None:
    server.polls = 1
    data = bytes(range(256)) * 8
    url = f"data:{'video/mp4' if kind == 'video' else 'application/pdf'};base64,{base64.b64encode(data).decode()}"
    action = plain(adapter, "A lamp\nand more", **{kind: Media(url, "A lamp")})
    with pytest.raises(base.UploadPending) as waiting:
        adapter.upload(action, timeout_s=10)
    again = replace(action, uploads=waiting.value.uploads)
    adapter.write(uploaded(adapter, again), timeout_s=5)
    (post,), (file,) = server.posts.values(), server.images.values()
    assert post["content"]["media"]["title"] == "A lamp" and file["data"] == data
    with pytest.raises(base.UploadsLost):
        adapter.write(action, timeout_s=5)
    with pytest.raises(base.Refused, match="not several"):
        both = plain(adapter, "x", document=Media(url), image_url=data_url(render_jpeg("a", "ai_artist")))
        adapter.upload(both, timeout_s=5)


def test_pictures_that_failed_or_are_gone_are_uploaded_again(server: LinkedInContract, adapter: Any) -> None:
    action = plain(adapter, "One", image_url=data_url(render_jpeg("a", "ai_artist")))
    server.fails_processing = True
    with pytest.raises(base.UploadsLost):
        uploaded(adapter, action)
    server.fails_processing = False
    ready = uploaded(adapter, action)
    server.images.clear()
    with pytest.raises(base.UploadsLost):
        adapter.write(ready, timeout_s=5)


def test_an_upload_goes_to_no_foreign_host(server: LinkedInContract, adapter: Any) -> None:
    action = plain(adapter, "One", image_url=data_url(render_jpeg("a", "ai_artist")))
    for url in ("https://evil.example/u", "https://www.linkedin.com.evil.example/u", "http://10.0.0.1/u"):
        server.answer("POST", "/rest/images", Reply(200, {"value": {"uploadUrl": url, "image": "urn:li:image:C1"}}))
        with pytest.raises(base.Unreachable, match="foreign"):
            adapter.upload(action, timeout_s=5)


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply(429, {"status": 429, "code": "TOO_MANY_REQUESTS"}), base.Throttled),
        (refusal(426, "NONEXISTENT_VERSION", "not active"), base.SurfacePaused),
        (refusal(400, "BAD_REQUEST", "no", "FIELD_INVALID"), base.Refused),
        (Reply(201, None), base.Uncertain),
        (Reply(504, {}), base.Uncertain),
    ],
)
def test_refusals_are_distinguished(
    server: LinkedInContract, adapter: Any, reply: Reply, error: type[Exception]
) -> None:
    server.answer("POST", "/rest/posts", reply)
    with pytest.raises(error) as raised:
        publish(adapter, plain(adapter, "Hello"))
    assert type(raised.value) is error
    if isinstance(raised.value, base.Throttled):
        assert raised.value.retry_after_s == 900


def test_comments_likes_edits_and_reshares_of_an_organisation(
    server: LinkedInContract, adapter: Any, member: Any
) -> None:
    account = account_of(adapter)
    target = publish(adapter, plain(adapter, "A lamp")).remote_id
    comment = act(social.COMMENT, account, target=target, text="Well [seen].")
    server.lose_reply("POST", "/rest/socialActions/.+/comments")
    with pytest.raises(base.Uncertain):
        adapter.write(comment, timeout_s=5)
    assert adapter.probe(comment, since=datetime.now(UTC), known=NOBODY) is not None
    assert [one.text for one in adapter.comments(account, target, limit=5)] == ["Well [seen]."]
    for kind in (social.LIKE, social.LIKE, social.UNLIKE, social.UNLIKE):
        adapter.write(act(kind, account, target=target), timeout_s=5)
    assert not server.reactions
    with pytest.raises(base.Refused):
        member.write(act(social.LIKE, account_of(member), target=target), timeout_s=5)
    adapter.write(act(social.EDIT, account, target=target, text="A better lamp"), timeout_s=5)
    assert adapter.item(account, target).caption == "A better lamp\n\nMade with AI."
    reshare = act(social.REPOST, account, target=target)
    receipt = adapter.write(reshare, timeout_s=5)
    assert server.posts[receipt.remote_id]["reshareContext"] == {"parent": target}
    assert adapter.probe(reshare, since=datetime.now(UTC), known=NOBODY) is not None
    assert len(adapter.feed(account, limit=5)) == 2 and member.feed(account, limit=5) == []


def test_a_members_token_of_another_member_is_refused(server: LinkedInContract) -> None:
    other = CASE.connect(server.url, author="urn:li:person:somebody")
    with pytest.raises(base.TokenRefused):
        other.check(timeout_s=5)
    other.close()
