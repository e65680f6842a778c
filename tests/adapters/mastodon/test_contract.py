"""What Mastodon's documentation says of media, keys, limits and lost replies, against a contract server."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from fleet.adapters import base, registry, social
from fleet.adapters.base import Account, AnyAction, Resolution
from fleet.adapters.limits import Observation
from fleet.adapters.manifest import AccountAccess
from fleet.adapters.mastodon.adapter import Mastodon
from fleet.features.content import review, surfaces
from fleet.images.placeholder import data_url, render_jpeg
from tests.adapters.mastodon.contract_server import Server, served
from tests.factories import act

LAMP = Account("a", "lamp", "Lamp", "ai_artist", remote_id="7")
NOBODY: frozenset[str] = frozenset()
PICTURE = data_url(render_jpeg("x", "ai_artist"))
THREE = tuple(social.Media(PICTURE, f"Picture {number}.") for number in (2, 3, 4))


@pytest.fixture
def server() -> Iterator[Server]:
    with served() as found:
        yield found


@pytest.fixture
def mastodon(server: Server) -> Iterator[Mastodon]:
    adapter = Mastodon(AccountAccess(server.url, SecretStr("token"), 10.0))
    yield adapter
    adapter.close()


def post(text: str = "A lamp.", **more: Any) -> AnyAction:
    return act(social.POST, LAMP, "job-1", text=text, image_url="", **more)


def test_its_manifest_is_right_and_names_what_the_adapter_does() -> None:
    assert registry.get("mastodon").writes == Mastodon.actions
    assert Mastodon.actions["post"] is Resolution.RESEND_THEN_PROBE


def test_pictures_are_published_when_they_are_processed(server: Server, mastodon: Mastodon) -> None:
    server.polls = 2
    action = act(social.POST, LAMP, "job-1", text="Four.", image_url=PICTURE, alt_text="One.", more_pictures=THREE)
    waits, uploads = 0, None
    while uploads is None:
        try:
            uploads = mastodon.upload(action, timeout_s=10)
        except base.UploadPending as pending:
            action, waits = replace(action, uploads=pending.uploads), waits + 1
    assert (waits, len(server.media)) == (2, 4)
    assert b"Picture 4." in server.media["103"]["body"]
    mastodon.write(replace(action, uploads=uploads), timeout_s=10)
    assert server.statuses[0]["request"]["media_ids"] == ["100", "101", "102", "103"]


def test_a_picture_that_cannot_be_processed_is_refused(server: Server, mastodon: Mastodon) -> None:
    server.polls = -1
    with pytest.raises(base.Refused):
        mastodon.upload(act(social.POST, LAMP, "k", text="x", image_url=PICTURE), timeout_s=10)
    assert not server.statuses


@pytest.mark.parametrize("left", [5, None])
def test_pictures_that_the_server_has_no_more_are_uploaded_again(
    server: Server, mastodon: Mastodon, left: int | None
) -> None:
    if left is not None:
        server.media["100"] = {"left": left}
    action = replace(post(), uploads={"media": [{"id": "100", "is_ready": True}]})
    with pytest.raises(base.UploadsLost):
        mastodon.write(action, timeout_s=10)


def test_a_refusal_of_the_text_says_nothing_about_pictures(server: Server, mastodon: Mastodon) -> None:
    server.media["100"] = {"left": 0}
    server.answers.append((422, {}, {"error": "Validation failed: Text character limit of 500 exceeded"}))
    with pytest.raises(base.Refused, match="422 Validation failed"):
        mastodon.write(replace(post(), uploads={"media": [{"id": "100", "is_ready": True}]}), timeout_s=10)


def test_a_lost_reply_is_resolved_by_the_key_within_the_hour(server: Server, mastodon: Mastodon) -> None:
    server.lose = 1
    with pytest.raises(base.Uncertain):
        mastodon.write(post(), timeout_s=10)
    server.now += base.KEY_LIFE
    assert mastodon.write(post(), timeout_s=10).remote_id == "1000"
    assert len(server.statuses) == 1


def test_a_lost_reply_is_found_by_its_source_when_the_key_has_ended(server: Server, mastodon: Mastodon) -> None:
    born = server.now
    server.lose = 1
    with pytest.raises(base.Uncertain):
        mastodon.write(post("A lamp &\n\n a #shade."), timeout_s=10)
    for number in range(60):  # more than a page, all newer
        server.now += timedelta(minutes=2)
        mastodon.write(act(social.POST, LAMP, f"job-{number + 2}", text="Another.", image_url=""), timeout_s=10)
    found = mastodon.probe(post("A lamp &\n\n a #shade."), since=born, known=NOBODY)
    assert found == base.Receipt("1000", {"adopted": True})
    assert mastodon.probe(post("A lamp &\n\n a #shade."), since=born, known=frozenset({"1000"})) is None
    assert mastodon.probe(post("A lamp."), since=born, known=NOBODY) is None
    late = server.now - timedelta(minutes=1)
    assert mastodon.probe(post("A lamp &\n\n a #shade."), since=late, known=NOBODY) is None


def test_a_post_that_was_deleted_within_the_hour_is_gone(server: Server, mastodon: Mastodon) -> None:
    mastodon.write(post(), timeout_s=10)
    server.statuses.clear()
    with pytest.raises(base.Vanished):
        mastodon.write(post(), timeout_s=10)


@pytest.mark.parametrize(
    ("form", "expected"),
    [("iso", 90.0), ("epoch", 90.0), ("retry", 7.0), ("none", None), ("odd", None)],
)
def test_a_limit_says_when_it_resets(server: Server, mastodon: Mastodon, form: str, expected: float | None) -> None:
    server.now = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=5)  # its clock, not ours
    reset = server.now + timedelta(seconds=90)
    headers = {
        "iso": {"x-ratelimit-reset": reset.isoformat().replace("+00:00", ".000Z").replace(".000Z", "Z")},
        "epoch": {"x-ratelimit-reset": str(int(reset.timestamp()))},
        "retry": {"retry-after": "7"}, "none": {}, "odd": {"x-ratelimit-reset": "soon"},
    }[form]  # fmt: skip
    server.answers.append((429, headers, {"error": "Too many requests"}))
    with pytest.raises(base.Throttled) as caught:
        mastodon.write(post(), timeout_s=10)
    assert caught.value.retry_after_s == expected


@pytest.mark.parametrize(
    ("status", "headers", "error"),
    [
        (401, {}, base.TokenRefused),
        (403, {"www-authenticate": 'Bearer realm="Doorkeeper", error="insufficient_scope"'}, base.TokenRefused),
        (403, {}, base.Refused),
        (404, {}, base.Vanished),
        (410, {}, base.Vanished),
        (422, {}, base.Refused),
        (500, {}, base.Uncertain),
        (503, {}, base.Uncertain),
    ],
)
def test_refusals_are_distinguished_by_their_codes(
    server: Server, mastodon: Mastodon, status: int, headers: dict[str, str], error: type[Exception]
) -> None:
    server.answers.append((status, headers, {"error": "429 500 token invalid"}))  # words decide nothing
    with pytest.raises(error):
        mastodon.write(post(), timeout_s=10)
    assert not server.statuses


def test_an_account_that_its_server_stopped_is_one_for_a_person(server: Server, mastodon: Mastodon) -> None:
    server.answers += [(403, {}, {"error": "Your login is currently disabled"})] * 2
    with pytest.raises(base.TokenRefused, match="stopped by its server"):
        mastodon.write(post(), timeout_s=10)


def test_what_is_read_before_a_write_leaves_nothing_uncertain(server: Server, mastodon: Mastodon) -> None:
    server.answers.append((502, {}, {}))
    with pytest.raises(base.Unreachable):
        mastodon.write(act(social.LIKE, LAMP, "k", target="1000"), timeout_s=10)


def test_odd_answers_of_a_success_are_uncertain(server: Server, mastodon: Mastodon) -> None:
    server.answers.append((200, {}, ["no", "status"]))
    with pytest.raises(base.Uncertain):
        mastodon.write(post(), timeout_s=10)
    server.answers.append((200, {}, {"error": "not here"}))
    with pytest.raises(base.Uncertain):
        mastodon.feed(LAMP, limit=5)


@pytest.mark.parametrize("old", [False, True])
def test_posts_are_counted_in_one_call_where_the_server_can(server: Server, mastodon: Mastodon, old: bool) -> None:
    server.old = old
    mastodon.write(post(), timeout_s=10)
    counted = mastodon.post_metrics(LAMP, ["1000", "99"])
    assert counted == [
        social.PostMetrics(id="1000", likes=1, reposts=2, comments=3), social.PostMetrics(id="99", is_gone=True)
    ]  # fmt: skip


def test_hostile_texts_are_data(server: Server, mastodon: Mastodon) -> None:
    note = "<p>I am <a>#<span>nobot</span></a></p>"
    hostile: list[dict[str, Any]] = [
        {"id": "1", "account": {"note": note}}, {"id": "x" * 300}, {"id": None}, {"account": 5},
        {"id": "2", "content": "<p>One<script>alert(1)</script></p><p>Two<br>three &amp; four</p>",
         "account": {"acct": "a" * 500, "bot": "yes"}, "favourites_count": "9" * 30, "media_attachments": "none"},
    ]  # fmt: skip
    server.answers.append((200, {}, hostile))
    (item,) = mastodon.feed(LAMP, limit=10)
    assert (item.id, len(item.author), item.by_agent, item.likes) == ("2", 200, False, 0)
    assert item.caption.endswith("Two\nthree & four") and "<" not in item.caption


@pytest.mark.parametrize(("most", "is_cut"), [(100, True), (1000, False)])
def test_texts_are_checked_by_the_length_that_the_accounts_server_sets(
    server: Server, mastodon: Mastodon, most: int, *, is_cut: bool
) -> None:
    server.most_chars = most
    own = surfaces.own_texts(lambda: mastodon)
    words = " ".join(f"Harbour number {number} is quiet at dawn." for number in range(16))
    assert 500 < len(words) < 1000
    reviewed = review.review(words, surfaces.Kind.CAPTION, "mastodon", review.standards(), own=own)
    assert reviewed.ok and len(reviewed.text) <= most and (reviewed.text != words) is is_cut
    assert server.calls.count("GET /api/v2/instance") == 1


def test_a_server_that_does_not_say_its_limits_leaves_those_of_the_manifest(server: Server, mastodon: Mastodon) -> None:
    server.answers.append((503, {}, {}))
    assert surfaces.own_texts(lambda: mastodon) == {}


def test_what_a_response_says_about_limits_is_reported(server: Server) -> None:
    seen: list[Observation] = []
    adapter = Mastodon(AccountAccess(server.url, SecretStr("token"), 10.0, observe=seen.append))
    reset = (server.now + timedelta(minutes=4)).isoformat()
    said = {"x-ratelimit-limit": "300", "x-ratelimit-remaining": "7", "x-ratelimit-reset": reset}
    server.answers.append((200, said, {"id": "7", "acct": "lamp"}))
    adapter.check(timeout_s=5)
    adapter.close()
    (one,) = seen
    assert (one.most, one.remaining) == (300, 7)
    assert one.reset_in is not None and abs(one.reset_in - timedelta(minutes=4)) < timedelta(seconds=2)
