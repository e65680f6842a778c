"""The sandbox gallery as a witness: each effect written down with its key and arrival, under every fault; and keys.

What a fault does to a reply must not hide from the record what happened: the fault harness rests on it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from fleet.sandbox.gallery import running
from tests.sandbox.gallery.gallery_world import TOKEN, World
from tests.sandbox.gallery.test_server import HEADERS, POST, config, faults, invite

SEEN = "SELECT kind, key, username, subject, content FROM witnessed ORDER BY id"


@pytest.fixture
def world(fresh_database: str, tmp_path: Path) -> Iterator[World]:
    made = World(fresh_database, tmp_path / "images")
    made.invite("bright_1")
    made.invite("pixel_2")
    with made.http:
        yield made


@pytest.fixture
def gallery(fresh_database: str, tmp_path: Path) -> Iterator[httpx.Client]:
    """A client of a gallery that listens: only there can connections be cut."""
    with running(config(fresh_database, tmp_path)) as url, httpx.Client(base_url=url, headers=HEADERS) as client:
        invite(client)
        yield client


def seen(database: str, *kinds: str) -> list[Any]:
    """Return what was witnessed, of these kinds or of all but invitations."""
    engine = sa.create_engine(database)
    try:
        with engine.connect() as connection:
            rows = connection.execute(sa.text(SEEN.replace("SELECT", "SELECT arrived_at, effective_at,"))).all()
    finally:
        engine.dispose()
    return [row for row in rows if row.kind in kinds or (not kinds and row.kind != "invite")]


def keys(world: World, honour: bool | None) -> bool:
    return bool(world.call("PUT", "/api/sandbox/keys", json={"honourKeys": honour}).json()["honourKeys"])


def test_every_effect_is_written_down_with_its_key_and_whose_it_is(world: World) -> None:
    execution = world.execute("pixel_2", "a castle", key="job:image").json()
    post_id = world.post("pixel_2", "A castle", key="job").json()["showcaseItem"]["id"]
    comment_id = world.comment("bright_1", post_id, " Fine. ", key="other").json()["comment"]["id"]
    like = ("POST", f"/api/showcase/{post_id}/like", "bright_1")
    world.call(*like, key="third:0", json={})
    world.call(*like, key="third:1", json={})
    account = world.rows("SELECT id FROM users WHERE username = 'pixel_2'")[0].id
    world.call("DELETE", f"/api/admin/users/{account}")
    assert [tuple(row) for row in world.rows(SEEN)][2:] == [
        ("image", "job:image", "pixel_2", execution["executionId"], execution["imageUrls"][0]),
        ("post", "job", "pixel_2", post_id, "A castle, described"),
        ("comment", "other", "bright_1", comment_id, "Fine."),
        ("like", "third:0", "bright_1", post_id, ""),
        ("unlike", "third:1", "bright_1", post_id, ""),
        ("remove", None, "pixel_2", str(account), ""),
    ]
    invited = [row.username for row in world.rows(SEEN) if row.kind == "invite"]
    assert invited == ["bright_1", "pixel_2"]


def test_what_is_refused_is_not_witnessed(world: World) -> None:
    before = len(world.rows(SEEN))
    assert world.comment("bright_1", "no post", "Hello.").status_code == 404
    assert world.post("bright_1", imageUrl="ftp://x").status_code == 422
    assert world.like("nobody", "p").status_code == 403
    world.call("PUT", "/api/sandbox/paused", json={"paused": True})
    assert world.post("bright_1").status_code == 503
    assert len(world.rows(SEEN)) == before


def test_a_picture_is_paid_once_under_its_key_and_again_under_another(world: World) -> None:
    for key in ("a", "a", "b"):
        assert world.execute("pixel_2", "a castle", key=key).json()["status"] == "completed"
    assert [row.key for row in world.rows(SEEN) if row.kind == "image"] == ["a", "b"]


def test_a_reply_that_is_lost_and_a_request_that_comes_twice_are_witnessed_all_the_same(
    gallery: httpx.Client, fresh_database: str
) -> None:
    faults(gallery, {"match": "/api/showcase", "methods": ["POST"], "dropRate": 1, "limit": 1})
    with pytest.raises(httpx.TransportError):
        gallery.post("/api/showcase", json=POST, headers={"Idempotency-Key": "lost"})
    assert [row.key for row in seen(fresh_database)] == ["lost"]
    faults(gallery, {"match": "/api/showcase", "methods": ["POST"], "duplicateRate": 1, "limit": 1})
    gallery.post("/api/showcase", json=POST, headers={"Idempotency-Key": "doubled"}).raise_for_status()
    assert [row.key for row in seen(fresh_database)] == ["lost", "doubled", "doubled"]
    assert len({row.subject for row in seen(fresh_database)}) == 3


@pytest.mark.parametrize("kind", ["cutRate", "errorRate", "tooManyRate"])
def test_what_fails_before_anything_is_done_is_not_witnessed(
    gallery: httpx.Client, fresh_database: str, kind: str
) -> None:
    faults(gallery, {"match": "/api/showcase", "methods": ["POST"], kind: 1, "limit": 1})
    if kind == "cutRate":
        with pytest.raises(httpx.TransportError):
            gallery.post("/api/showcase", json=POST)
    else:
        assert gallery.post("/api/showcase", json=POST).status_code in (429, 500)
    assert seen(fresh_database) == []
    assert gallery.get("/api/showcase").json()["items"] == []


def test_a_write_that_takes_effect_after_its_client_gave_up_tells_when_it_came(
    gallery: httpx.Client, fresh_database: str
) -> None:
    made = gallery.post("/api/showcase", json=POST).json()["showcaseItem"]["id"]
    faults(gallery, {"match": "/api/showcase", "methods": ["POST"], "latencyRate": 1, "latencyMs": 5000})
    with pytest.raises(httpx.ReadTimeout):
        gallery.post("/api/showcase", json=POST, headers={"Idempotency-Key": "slow"}, timeout=0.1)
    # A comment is held up by no fault, so that this one can stand however late the server looks at the post.
    said = gallery.post(
        f"/api/showcase/{made}/comments", json={"content": "Fine."}, headers={"Idempotency-Key": "quick"}
    )
    assert said.is_success
    while len(rows := seen(fresh_database)) < 3:
        time.sleep(0.05)
    _, quick, slow = rows
    assert (quick.key, slow.key) == ("quick", "slow")
    assert slow.arrived_at < quick.arrived_at
    assert (slow.effective_at - slow.arrived_at).total_seconds() >= 5


def test_keys_can_be_honoured_and_not_while_the_gallery_runs(world: World) -> None:
    first = world.post("bright_1", key="k").json()
    assert world.post("bright_1", key="k").json() != first
    assert keys(world, True)
    last = world.post("bright_1", key="k").json()
    assert last == world.post("bright_1", key="k").json()
    assert world.item(last["showcaseItem"]["id"]), "an answer from before the switch counts"
    assert world.post("bright_1", "Another", key="k").status_code == 422
    assert [row.kind for row in world.rows(SEEN) if row.key == "k"] == ["post", "post", "repeat", "repeat"]
    assert not keys(world, False)
    assert world.post("bright_1", key="k").json() != last
    assert not keys(world, None), "as configured"


def test_a_like_under_a_known_key_is_not_taken_back_while_keys_are_honoured(world: World) -> None:
    post_id = world.posted("bright_1")
    keys(world, True)

    def like(key: str) -> bool:
        answer = world.call("POST", f"/api/showcase/{post_id}/like", "pixel_2", key=key, json={})
        return bool(answer.json()["liked"])

    assert [like("a"), like("a"), like("b"), like("b"), like("c")] == [True, True, False, False, True]
    assert world.item(post_id)["likeCount"] == 1
    keys(world, False)
    assert not like("c")
    keys(world, True)
    assert not like("c"), "the last answer counts, or a client would think that its like stands"


def test_the_switch_of_keys_is_for_those_who_may_and_outlives_a_restart(world: World, tmp_path: Path) -> None:
    assert (
        world.call("PUT", "/api/sandbox/keys", token="fst_of_nobody_at_all", json={"honourKeys": True}).status_code
        == 401
    )
    assert keys(world, True)
    again = World(world.config.database_url, tmp_path / "more")
    answer = again.call("GET", "/api/sandbox/keys", token=TOKEN)
    assert answer.json() == {"honourKeys": True}
    again.engine.dispose()
