"""What strangers can do to the gallery: take its places, fill it with guests, call it by other names, send nonsense."""

from __future__ import annotations

import json
import re
import resource
import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from starlette.testclient import TestClient

from fleet.sandbox.gallery import FaultRule, GalleryConfig, running
from fleet.sandbox.gallery.store import database
from tests.factories import WITHIN_S
from tests.sandbox.gallery.gallery_world import TOKEN, World, workflow

AGENT = {"Authorization": f"Bearer {TOKEN}", "X-Agent-Id": "bright_1"}
ASKS = {"Sec-Fetch-Site": "same-origin", "Accept": "application/json"}


@pytest.fixture
def world(fresh_database: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[World]:
    made = World(fresh_database, tmp_path / "images", **getattr(request, "param", {}))
    made.invite("bright_1")
    with made.http:
        yield made


def likes_as_somebody_new(world: World, post_id: str, address: str = "192.0.2.1") -> int:
    with TestClient(world.app, base_url="http://127.0.0.1:8000", client=(address, 1)) as http:
        return http.post(f"/p/{post_id}/like", headers=ASKS).status_code


def guests(world: World) -> int:
    return int(world.rows("SELECT count(*) FROM users WHERE guest_key IS NOT NULL")[0][0])


# Names


@pytest.mark.parametrize("world", [{"public_url": "https://Gallery.Example", "names": ("box.example",)}], indirect=True)
def test_the_gallery_answers_to_its_own_names_alone(world: World) -> None:
    """Symptom: a page of another site could have its name lead to this machine, and then acted as a visitor."""
    for host in ("127.0.0.1:8000", "localhost", "[::1]:1", "gallery.example", "GALLERY.example:443", "box.example"):
        assert world.http.get("/", headers={"host": host}).status_code == 200, host
    for host in (
        "evil.example",
        "evil.example:8000",
        "127.0.0.1.evil.example",
        "gallery",
        "",
        "127.0.0.1@evil.example",
    ):
        for path in ("/", "/api/showcase", "/static/gallery.css", "/live", "/images/x.png"):
            answer = world.http.get(path, headers={"host": host})
            assert answer.status_code == 421, (host, path)
            assert "FLEET_GALLERY_NAMES" in answer.text
            assert answer.headers["content-security-policy"]
    assert world.http.get("/health", headers={"host": "whatever"}).status_code == 200


# Guests


@pytest.mark.parametrize("world", [{"guests_per_hour": 3}], indirect=True)
def test_one_address_makes_only_so_many_guests_in_an_hour(world: World) -> None:
    """Symptom: every request without a cookie made another account, without limit."""
    post_id = world.posted("bright_1")
    assert [likes_as_somebody_new(world, post_id) for _ in range(5)] == [200, 200, 200, 429, 429]
    assert likes_as_somebody_new(world, post_id, "192.0.2.2") == 200
    assert guests(world) == 4


@pytest.mark.parametrize("world", [{"deeds_per_minute": 3}], indirect=True)
def test_one_address_does_only_so_much_in_a_minute(world: World) -> None:
    post_id = world.posted("bright_1")
    answers = [world.http.post(f"/p/{post_id}/like", headers=ASKS) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert int(answers[-1].headers["retry-after"]) == 20
    page = world.http.post(f"/p/{post_id}/like", headers={"Sec-Fetch-Site": "same-origin"})
    assert (page.status_code, "Too many requests" in page.text) == (429, True)
    assert world.http.get("/").status_code == 200


@pytest.mark.parametrize("world", [{"most_guests": 2, "guests_per_hour": 0}], indirect=True)
def test_beyond_the_cap_the_oldest_session_ends_and_what_was_said_stays(world: World) -> None:
    post_id = world.posted("bright_1")
    world.http.post(f"/p/{post_id}/comments", data={"content": "first"}, headers=ASKS)
    for _ in range(5):
        assert likes_as_somebody_new(world, post_id) == 200
    assert guests(world) == 2
    assert "first" in world.http.get(f"/p/{post_id}").text
    assert world.item(post_id)["humanLikeCount"] == 5
    assert world.http.post(f"/p/{post_id}/comments", data={"content": "second"}, headers=ASKS).status_code == 200


def test_a_guests_session_ends_after_ninety_days_and_the_account_too_if_it_left_nothing(world: World) -> None:
    post_id = world.posted("bright_1")
    assert likes_as_somebody_new(world, post_id) == 200
    world.http.post(f"/p/{post_id}/like", headers=ASKS)
    world.http.post(f"/p/{post_id}/like", headers=ASKS)  # and taken back
    with world.engine.begin() as tx:
        tx.exec_driver_sql("UPDATE users SET created_at = now() - interval '91 days' WHERE guest_key IS NOT NULL")
    assert likes_as_somebody_new(world, post_id) == 200
    assert guests(world) == 1
    assert world.rows("SELECT count(*) FROM users WHERE NOT is_agent") == [(2,)]


def test_a_cookie_is_kept_as_long_as_a_guests_session(world: World) -> None:
    assert "Max-Age=7776000" in world.http.get("/").headers["set-cookie"]


def test_a_gallery_of_an_earlier_version_gets_the_index_of_guests(world: World) -> None:
    with world.engine.begin() as tx:
        tx.exec_driver_sql("DROP INDEX ix_users_guests")
    database.open_storage(world.config.database_url, pool_size=2).close()
    assert world.rows("SELECT 1 FROM pg_indexes WHERE indexname = 'ix_users_guests'") == [(1,)]


# Streams


def config(url: str, folder: Path, **options: Any) -> GalleryConfig:
    return GalleryConfig(database_url=url, images_dir=folder, service_tokens=(TOKEN,), port=0, **options)


def listen(stack: ExitStack, address: tuple[str, int], source: str) -> tuple[socket.socket, bytes]:
    peer = stack.enter_context(socket.create_connection(address, WITHIN_S, source_address=(source, 0)))
    peer.sendall(b"GET /live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    return peer, peer.recv(12)


def test_one_visitor_takes_a_part_of_the_live_streams_and_not_all(fresh_database: str, tmp_path: Path) -> None:
    """Symptom: one visitor took all 500."""
    limits = {"most_streams": 5, "streams_per_address": 3}
    with running(config(fresh_database, tmp_path, **limits)) as url, ExitStack() as stack:
        address = ("127.0.0.1", urlsplit(url).port or 0)
        peers = [listen(stack, address, "127.0.0.1") for _ in range(5)]
        assert [answer[9:] for _, answer in peers] == [b"200"] * 3 + [b"503"] * 2
        others = [listen(stack, address, "127.0.0.2")[1][9:] for _ in range(3)]
        assert others == [b"200", b"200", b"503"]
        peers[0][0].close()
        left = 503
        while left == 503:  # until the server has seen that the page is gone
            left = int(listen(stack, address, "127.0.0.2")[1][9:])
        assert left == 200


def test_pages_that_ask_at_once_do_not_all_find_the_last_place(fresh_database: str, tmp_path: Path) -> None:
    with running(config(fresh_database, tmp_path, streams_per_address=3)) as url, ExitStack() as stack:
        address = ("127.0.0.1", urlsplit(url).port or 0)
        peers = [stack.enter_context(socket.create_connection(address, WITHIN_S)) for _ in range(30)]
        for peer in peers:
            peer.sendall(b"GET /live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert sorted(peer.recv(12)[9:] for peer in peers) == [b"200"] * 3 + [b"503"] * 27


# Connections


def test_the_gallery_holds_its_connections_to_the_limits(fresh_database: str, tmp_path: Path) -> None:
    """Symptom: 600 of 600 half-sent requests stayed for 45 s: its protocol was plain Uvicorn, without a deadline."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)  # both ends of each connection are files of this process
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096 if hard == resource.RLIM_INFINITY else min(4096, hard), hard))
    with running(config(fresh_database, tmp_path, faults=(FaultRule(),))) as url, ExitStack() as stack:
        address = ("127.0.0.1", urlsplit(url).port or 0)
        peers = [stack.enter_context(socket.create_connection(address, WITHIN_S)) for _ in range(600)]
        for peer in peers:
            peer.sendall(b"GET / HTTP/1.1\r\nHost")
        assert httpx.get(f"{url}/health", timeout=WITHIN_S, trust_env=False).status_code == 200
        with suppress(ConnectionResetError):  # closed before it was read
            assert peers[0].recv(1) == b"", "the oldest, displaced by the 501st, was answered"
        peers[-1].settimeout(0.01)
        with pytest.raises(TimeoutError):
            peers[-1].recv(1)


# Characters

PATHS = (
    "/", "/p/{post}", "/p/{post}/card", "/c/{comment}", "/u/{username}", "/images/{name}", "/static/{file}",
    "/api/showcase", "/api/showcase/{post}", "/api/showcase/{post}/comments", "/api/capabilities", "/{nowhere}",
)  # fmt: skip
BAD = ("%00", "a%00b", "%ff%fe", "%ed%a0%80", "%EF%BF%BF", "%0d%0a", "%5c", "..%2f..%2f", "%25%30%30", "😀" * 50)
NUMBERS = ("-1", "1e9", "9" * 30, "0x10", "NaN", "%00", "1%00", "٣", "")
MOMENTS = ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "9" * 400, "%00", "inf", "0", "-1e300")


def test_no_address_makes_the_gallery_break(world: World) -> None:
    """Symptom: /u/%00 was answered with 500."""
    paths = [path for path in PATHS if path != "/live"]
    asked = [re.sub(r"\{\w+\}", lambda _, bad=bad: bad, path) for path in paths if "{" in path for bad in BAD]
    for path in paths:
        for name in ("sort", "limit", "offset", "until", "part", "after", "post", "audience", "x"):
            whole = "/p/x" if "{" in path else path
            asked += [f"{whole}?{name}={bad}" for bad in (*BAD, *NUMBERS, *MOMENTS) if path != "/live"]
    answers = {path: world.http.get(path, headers=AGENT).status_code for path in dict.fromkeys(asked)}
    assert len(answers) > 500
    assert not {path: status for path, status in answers.items() if status >= 500}
    assert world.http.get("/u/%00").status_code == 404
    assert world.http.get("/?sort=%00").status_code == 422
    for position in ("9" * 400 + ".1", f"{2**63}.{2**63}", "-1.-1", "1.1%00"):
        assert world.http.get(f"/p/x?after={position}").status_code < 500


POSTED = "https://pictures.example.org/1.png"
BODIES = ("\x00", "a\x00b", "\ud800", "￿", "\u202e", "x" * 300_000)


def test_no_body_makes_the_gallery_break(world: World) -> None:
    post_id = world.posted("bright_1")
    found = []
    for bad in BODIES:
        bodies: dict[str, Any] = {
            "/api/admin/users/invite": {"agentId": bad, "name": bad, "username": bad, "isAgent": True, "bio": bad},
            "/api/showcase": {"imageUrl": POSTED, "title": bad, "description": bad, "workflowId": bad},
            f"/api/showcase/{post_id}/comments": {"content": bad},
            f"/api/users/{world.rows('SELECT id FROM users')[0][0]}/connect": {"message": bad},
            "/api/execute/sync": {**workflow("a lamp"), "name": bad},
            f"/api/showcase/{post_id}/reaction": {"type": bad},
        }  # fmt: skip
        prompted = workflow(bad)
        for path, body in [*bodies.items(), ("/api/execute/sync", prompted)]:
            headers = {**AGENT, "Idempotency-Key": "k" + json.dumps(bad)[1:8], "Content-Type": "application/json"}
            answer = world.http.post(path, headers=headers, content=json.dumps(body))
            found += [(path, bad[:5], answer.text)] if answer.status_code >= 500 else []
        written = {"content": bad.encode(errors="replace"), "name": bad.encode(errors="replace")}
        form = world.http.post(f"/p/{post_id}/comments", data=written, headers=ASKS)
        found += [("form", bad[:5], form.text)] if form.status_code >= 500 else []
    for agent in (b"a%00b", b"\xe9", b"\xff" * 5000):
        answer = world.http.get("/api/showcase", headers={**AGENT, "X-Agent-Id": agent})
        found += [("agent", agent[:5], answer.text)] if answer.status_code >= 500 else []
    assert not found


# Pictures of other servers


def test_no_page_leads_a_visitors_browser_to_another_server(world: World) -> None:
    """Symptom: the address of a foreign picture stood in the page, and its server learned who looked."""
    post_id = world.posted("bright_1", "Lovely")
    world.posted("bright_1", "Another")
    for path in ("/", f"/p/{post_id}", "/u/bright_1", "/?part=true", f"/p/{post_id}/card"):
        answer = world.http.get(path)
        assert answer.status_code == 200
        assert "pictures.example.org" not in answer.text, path
        assert "is not shown" in answer.text, path
    assert "img-src 'self';" in world.http.get("/").headers["content-security-policy"]
    assert world.item(post_id)["image"]["url"] == "https://pictures.example.org/1.png"
