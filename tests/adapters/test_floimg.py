"""The FloImg adapter on the wire: every header, every code of the table, every way a connection breaks."""

from __future__ import annotations

import gzip
import json
import socket
import threading
import time
import tracemalloc
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, ClassVar

import httpx
import pytest
import respx

from fleet.adapters import base, social
from fleet.adapters.base import Account, Action
from fleet.adapters.floimg.adapter import FloImg
from fleet.adapters.floimg.pictures import FloImgPictures
from fleet.adapters.http import HttpClient
from fleet.adapters.pictures import PictureOrder
from fleet.core.errors import InvalidInput
from fleet.engine.attempts import error_policy
from fleet.engine.jobs.outcomes import Retry, Unknown
from tests.factories import WITHIN_S, act

URL = "http://127.0.0.1:9"
TOKEN = "fst_sesame_sesame"
ADA = Account("0001", "ada_1", "Ada", "ai_artist", bio="Automated account", remote_id="u1")
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@pytest.fixture
def surface() -> Iterator[FloImgPictures]:
    adapter = FloImgPictures(URL, TOKEN, timeout_s=2)
    yield adapter
    adapter.close()


@pytest.fixture
def wire() -> Iterator[respx.MockRouter]:
    with respx.mock(base_url=URL, assert_all_called=False) as router:
        yield router


def post(text: str = "Dawn") -> Action[social.PostPayload]:
    return act(social.POST, ADA, "job-1", text=text, image_url="http://x/1.png")


def sent(route: respx.Route, call: int = -1) -> Any:
    return json.loads(route.calls[call].request.content)


def test_a_post_carries_the_headers_and_omits_what_it_does_not_know(surface: FloImg, wire: respx.MockRouter) -> None:
    route = wire.post("/api/showcase").respond(201, json={"showcaseItem": {"id": "s1"}})
    assert surface.write(post(text="x" * 300), timeout_s=2).remote_id == "s1"
    headers = route.calls[0].request.headers
    assert headers["authorization"] == f"Bearer {TOKEN}"
    assert (headers["x-agent-id"], headers["idempotency-key"]) == ("ada_1", "job-1")
    assert headers["user-agent"].startswith("Fleet/")
    assert sent(route) == {"imageUrl": "http://x/1.png", "title": "x" * 200, "description": "x" * 300}


def test_an_account_is_asked_for_without_an_agents_name(surface: FloImg, wire: respx.MockRouter) -> None:
    route = wire.post("/api/admin/users/invite").respond(200, json={"id": "u1", "username": "ada_1", "created": True})
    receipt = surface.write(act(social.PROVISION, ADA, "job-1"), timeout_s=2)
    assert receipt.remote_id == "u1"
    assert "x-agent-id" not in route.calls[0].request.headers
    body = sent(route)
    assert (body["isAgent"], body["agentPersonaId"], body["agentId"]) == (True, "ai_artist", "0001")


@pytest.mark.parametrize("status", [200, 204, 404])
def test_removing_an_account_that_is_gone_counts_as_done(surface: FloImg, wire: respx.MockRouter, status: int) -> None:
    wire.delete("/api/admin/users/u1").respond(status)
    assert surface.write(act(social.DEPROVISION, ADA, "job-1"), timeout_s=2).remote_id == "u1"


def test_a_like_that_turns_out_to_be_an_unlike_is_put_back(surface: FloImg, wire: respx.MockRouter) -> None:
    answers = [httpx.Response(200, json={"success": True, "liked": liked}) for liked in (False, True)]
    route = wire.post("/api/showcase/p1/like").mock(side_effect=answers)
    receipt = surface.write(act(social.LIKE, ADA, "job-1", target="p1"), timeout_s=2)
    assert route.call_count == 2
    assert receipt.detail["restored"] is True


def test_ids_from_outside_cannot_change_the_path(surface: FloImg, wire: respx.MockRouter) -> None:
    route = wire.post(path__regex=".*").respond(200, json={"liked": True})
    surface.write(act(social.LIKE, ADA, "k", target="../admin/users/1?x=#"), timeout_s=2)
    assert route.calls[0].request.url.raw_path == b"/api/showcase/..%2Fadmin%2Fusers%2F1%3Fx%3D%23/like"


def test_the_feed_is_read_as_the_agent(surface: FloImg, wire: respx.MockRouter) -> None:
    items = [{"id": "p1", "title": "T", "description": None, "likeCount": 2, "commentCount": 3, "extra": 1,
              "createdAt": "2026-11-21T12:00:00Z", "user": {"id": "u", "username": "zoe", "name": "Zoë"}}]  # fmt: skip
    route = wire.get("/api/showcase").respond(200, json={"items": items})
    (seen,) = surface.feed(ADA, limit=20)
    assert (seen.id, seen.author, seen.author_name, seen.caption, seen.likes, seen.comments) == (
        "p1", "zoe", "Zoë", "T", 2, 3
    )  # fmt: skip
    assert dict(route.calls[0].request.url.params) == {"limit": "20", "offset": "0", "sort": "recent"}
    assert route.calls[0].request.headers["x-agent-id"] == "ada_1"


def test_of_a_feed_without_measure_no_more_is_taken_than_was_asked_for(surface: FloImg, wire: respx.MockRouter) -> None:
    """Symptom: a name of megabytes stood in decisions, events and jobs, and every page that told of it took minutes."""
    item = {"id": "p", "description": "d" * 30_000, "title": "t" * 30_000, "likeCount": 2**70, "commentCount": -(2**70),
            "agentLikeCount": 2**40, "user": {"name": "N" * 30_000, "username": "u" * 30_000}}  # fmt: skip
    wire.get("/api/showcase").respond(200, json={"items": [item] * 8})
    seen = surface.feed(ADA, limit=5)
    one = seen[0]
    assert len(seen) == 5
    assert (len(one.caption), len(one.author_name), len(one.author)) == (20_000, 200, 200)
    assert (one.likes, one.comments, one.likes_by_agents) == (10**9, -(10**9), 10**9)
    said = {"id": "c", "content": "w" * 30_000, "user": {"name": "N" * 30_000}}
    wire.get("/api/showcase/p/comments").respond(200, json={"comments": [said] * 8})
    (comment, *_) = found = surface.comments(ADA, "p", limit=3)
    assert (len(found), len(comment.text), len(comment.author_name)) == (3, 20_000, 200)
    wire.get("/api/showcase/p/comments").respond(200, json={"comments": {"items": 1}})
    with pytest.raises(base.Uncertain, match="no list"):
        surface.comments(ADA, "p", limit=3)


@pytest.mark.parametrize(
    "number", ["NaN", "Infinity", "-Infinity", "1e999", '{"a": {"b": "c"}}', '"' + "x" * 999 + '"']
)
def test_what_a_surface_says_of_a_like_can_be_kept(surface: FloImg, wire: respx.MockRouter, number: str) -> None:
    """Symptom: one NaN in an answer, and a like that had happened was a dead letter."""
    wire.post("/api/showcase/p/like").respond(200, content=f'{{"liked": true, "likeCount": {number}}}')
    detail = surface.write(act(social.LIKE, ADA, "k", target="p"), timeout_s=2).detail
    assert detail == {"likes": None, "restored": False}
    told = f'{{"connection": {{"state": {number}}}}}'
    wire.post("/api/users/p/connect").respond(200, content=told)
    state = surface.write(act(social.CONNECT, ADA, "k", target="p"), timeout_s=2).detail["state"]
    assert state in (None, "x" * 60)


def test_an_answer_that_is_nested_without_end_is_none(surface: FloImg, wire: respx.MockRouter) -> None:
    for deep in (b"[" * 200_000, b'{"items":' * 900 + b"[]" + b"}" * 900):
        wire.get("/api/showcase").respond(200, content=deep)
        with pytest.raises(base.Uncertain, match=r"not JSON|no items"):
            surface.feed(ADA, limit=5)


@pytest.mark.parametrize(
    "path",
    ["http://127.0.0.1:9/x", "https://gallery.example:8443/x", "http://gallery.example/x",
     "https://user@gallery.example/x"],
)  # fmt: skip
def test_a_token_goes_to_the_surfaces_own_scheme_host_and_port_alone(path: str) -> None:
    client = HttpClient("https://gallery.example", timeout_s=2, headers={"Authorization": "Bearer hush"})
    with respx.mock as nobody, pytest.raises(base.Unreachable, match="another server"):
        client.request("GET", path)
    assert not nobody.calls


@pytest.mark.parametrize("url", ["https://user:pw@gallery.example", "https://gallery.example:x", "ftp://x", "", "x"])
def test_a_surfaces_address_is_scheme_host_and_port(url: str) -> None:
    with pytest.raises(InvalidInput, match="is not a URL"):
        FloImg(url, TOKEN)


def test_json_is_read_up_to_what_a_page_has(surface: FloImg, wire: respx.MockRouter) -> None:
    """Symptom: eight megabytes of empty lists took half a gigabyte, in each of a worker's threads."""
    wire.get("/api/showcase").respond(200, content=b"[" + b"[]," * 800_000 + b"[]]")
    with pytest.raises(base.Uncertain, match="too large"):
        surface.feed(ADA, limit=5)


def test_what_has_an_id_that_the_ledger_does_not_keep_is_not_seen(surface: FloImg, wire: respx.MockRouter) -> None:
    """Symptom: one such post in a feed failed every tick that chose it, and every scan of whoever had it in view."""
    items = [{"id": "p" * 201, "user": {"username": "zoe"}}, {"id": "q" * 200, "user": {"id": "u" * 201}}]
    wire.get("/api/showcase").respond(200, json={"items": items})
    (seen,) = surface.feed(ADA, limit=20)
    assert (seen.id, seen.author_id) == ("q" * 200, "")


@pytest.mark.parametrize(
    ("status", "body", "headers", "error"),
    [
        (401, {"error": "no"}, {}, base.TokenRefused),
        (403, {"error": "who?"}, {}, base.AccountMissing),
        (404, {"error": "gone"}, {}, base.Vanished),
        (422, {"errors": [{"path": "title"}]}, {}, base.Refused),
        (400, {}, {}, base.Refused),
        (302, {}, {"location": "http://evil"}, base.Refused),
        (429, {}, {"retry-after": "7"}, base.Throttled),
        (503, {"code": "FLEET_PAUSED"}, {}, base.SurfacePaused),
        (503, {}, {}, base.Uncertain),
        (500, {}, {}, base.Uncertain),
        (408, {}, {}, base.Uncertain),
    ],
)
def test_each_code_means_what_the_table_says(
    surface: FloImg, wire: respx.MockRouter, status: int, body: dict[str, Any], headers: dict[str, str],
    error: type[Exception],
) -> None:  # fmt: skip
    wire.post("/api/showcase").respond(status, json=body, headers=headers)
    with pytest.raises(error):
        surface.write(post(), timeout_s=2)


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize(
    ("code", "whole_fleet"),
    [
        ("FLEET_DAILY_BUDGET_EXCEEDED", True),
        ("FLEET_MONTHLY_BUDGET_EXCEEDED", True),
        ("AGENT_DAILY_LIMIT_EXCEEDED", False),
        ("AGENT_MONTHLY_LIMIT_EXCEEDED", False),
    ],
)
def test_budgets_show_their_scope_and_their_end(
    surface: FloImg, wire: respx.MockRouter, code: str, whole_fleet: bool, nested: bool
) -> None:
    said: dict[str, Any] = {"code": code, "message": "enough", "resetAt": "2026-11-22T00:00:00Z"}
    wire.post("/api/execute/sync").respond(429, json={"error": said} if nested else said)
    with pytest.raises(base.SurfaceBudgetSpent) as caught:
        surface.make(PictureOrder(ADA, "a harbour", "k"), timeout_s=2)
    assert caught.value.whole_fleet is whole_fleet
    assert caught.value.reset_at == datetime(2026, 11, 22, tzinfo=UTC)


@pytest.mark.parametrize("reset", [None, "soon", 5, ""])
def test_a_budget_without_a_readable_reset_is_still_a_budget(
    surface: FloImg, wire: respx.MockRouter, reset: Any
) -> None:
    wire.post("/api/showcase").respond(429, json={"code": "FLEET_DAILY_BUDGET_EXCEEDED", "resetAt": reset})
    with pytest.raises(base.SurfaceBudgetSpent) as caught:
        surface.write(post(), timeout_s=2)
    assert caught.value.reset_at is None


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (httpx.ConnectError("refused"), base.Unreachable),
        (httpx.ConnectTimeout("slow"), base.Unreachable),
        (httpx.PoolTimeout("full"), base.Unreachable),
        (httpx.ReadTimeout("slow"), base.Uncertain),
        (httpx.WriteTimeout("slow"), base.Uncertain),
        (httpx.ReadError("reset"), base.Uncertain),
        (httpx.RemoteProtocolError("cut"), base.Uncertain),
    ],
)
def test_only_what_never_left_the_house_is_certain(
    surface: FloImg, wire: respx.MockRouter, fault: Exception, error: type[Exception]
) -> None:
    wire.post("/api/showcase").mock(side_effect=fault)
    with pytest.raises(error):
        surface.write(post(), timeout_s=2)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"showcaseItem": {}}', b'{"showcaseItem": null}'])
def test_a_success_that_is_not_understood_may_have_happened(
    surface: FloImg, wire: respx.MockRouter, body: bytes
) -> None:
    wire.post("/api/showcase").respond(200, content=body)
    with pytest.raises(base.Uncertain):
        surface.write(post(), timeout_s=2)


class Packing(BaseHTTPRequestHandler):
    """A surface that packs its answers, whatever it was asked: a few kilobytes unfold to 64 MB."""

    asked: ClassVar[list[tuple[str, str | None]]] = []
    packed = b""

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers["content-length"] or 0))
        self.asked.append((self.command, self.headers["accept-encoding"]))
        self.send_response(200)
        self.send_header("content-length", str(len(self.packed)))
        self.send_header("content-encoding", "gzip, gzip")
        self.end_headers()
        self.wfile.write(self.packed)

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def packing(monkeypatch: pytest.MonkeyPatch) -> Iterator[FloImg]:
    answer = b'{"items": [], "showcaseItem": {"id": "s1"}}' + b" " * 64_000_000
    monkeypatch.setattr(Packing, "packed", gzip.compress(gzip.compress(answer, 1), 1))
    monkeypatch.setattr(Packing, "asked", [])
    with HTTPServer(("127.0.0.1", 0), Packing) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        adapter = FloImg(f"http://127.0.0.1:{server.server_port}", TOKEN, timeout_s=10)
        yield adapter
        adapter.close()
        server.shutdown()


def test_a_packed_answer_is_not_unpacked_and_what_was_asked_may_have_happened(packing: FloImg) -> None:
    calls: list[tuple[Callable[[], object], bool, type[object]]] = [
        (lambda: packing.feed(ADA, limit=5), False, Retry),
        (lambda: packing.write(post(), timeout_s=10), True, Unknown),
    ]
    tracemalloc.start()
    for call, sent, follows in calls:
        with pytest.raises(base.Uncertain, match="packed") as caught:
            call()
        verdict = error_policy.judge(
            caught.value, now=NOW, agent_id=uuid.uuid4(), account=None, sent=sent, settle=timedelta(seconds=20)
        )  # fmt: skip
        assert isinstance(verdict.outcome, follows)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16_000_000
    assert Packing.asked == [("GET", "identity"), ("POST", "identity")]


def test_headers_that_drip_are_waited_for_no_longer_than_an_answer() -> None:
    hung_up = threading.Event()

    def drip(listener: socket.socket) -> None:
        peer, _ = listener.accept()
        with peer:
            peer.recv(65_536)
            try:
                for letter in b"HTTP/1.1 201 Created\r\nX-Slow: " + b"x" * 3000:
                    peer.sendall(bytes([letter]))
                    time.sleep(0.02)
            except OSError:
                hung_up.set()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=drip, args=(listener,), daemon=True).start()
        adapter = FloImg(f"http://127.0.0.1:{listener.getsockname()[1]}", TOKEN, timeout_s=20)
        with pytest.raises(base.Uncertain, match="no answer"):
            adapter.write(post(), timeout_s=2)  # to connect is part of it
        assert hung_up.wait(WITHIN_S)
        adapter.close()


def test_an_answer_without_end_is_no_answer(surface: FloImg, wire: respx.MockRouter) -> None:
    wire.post("/api/showcase").respond(200, content=b"x" * (9 * 1024 * 1024))
    with pytest.raises(base.Uncertain, match="too large"):
        surface.write(post(), timeout_s=2)


@pytest.mark.parametrize(
    "body", [{"status": "failed", "error": "no"}, {"status": "completed", "imageUrls": []}, {"imageUrls": ["x"]}, {}]
)
def test_a_workflow_without_a_picture_is_refused(surface: FloImg, wire: respx.MockRouter, body: dict[str, Any]) -> None:
    wire.post("/api/execute/sync").respond(200, json=body)
    with pytest.raises(base.Refused):
        surface.make(PictureOrder(ADA, "a harbour", "k"), timeout_s=2)


def test_a_workflow_is_the_personas_own(surface: FloImg, wire: respx.MockRouter) -> None:
    done = {"status": "completed", "imageUrls": ["http://x/1.png", "http://x/2.png"]}
    route = wire.post("/api/execute/sync").respond(200, json=done)
    assert surface.make(PictureOrder(ADA, "a harbour", "k"), timeout_s=2) == "http://x/1.png"
    assert sent(route)["name"] == "fleet-ai_artist"
    assert "a harbour" in json.dumps(sent(route)["steps"])
    assert route.calls[0].request.headers["idempotency-key"] == "k"


def _item(name: str, username: str, text: str, at: datetime = NOW) -> dict[str, Any]:
    return {"id": name, "description": text, "createdAt": at.isoformat(), "user": {"username": username}}


def test_a_probe_finds_our_own_post_by_its_words(surface: FloImg, wire: respx.MockRouter) -> None:
    items = [_item("a", "zoe", "Dawn"), _item("b", "ada_1", "Dusk"), _item("c", "ada_1", "Dawn "),
             _item("d", "ada_1", "Dawn")]  # fmt: skip
    wire.get("/api/showcase").respond(200, json={"items": items})
    found = surface.probe(post(), since=NOW, known=frozenset({"c"}))
    assert found is not None and found.remote_id == "d"
    assert surface.probe(post(), since=NOW, known=frozenset({"c", "d"})) is None


def test_a_probe_reads_on_until_before_the_write(surface: FloImg, wire: respx.MockRouter) -> None:
    def page(request: httpx.Request) -> httpx.Response:
        offset = int(request.url.params["offset"])
        at = [NOW - timedelta(seconds=offset + n) for n in range(100)]
        items = [_item(f"{offset}-{n}", "zoe", "x", when) for n, when in enumerate(at)]
        if offset == 200:
            items[5] = _item("mine", "ada_1", "Dawn", at[5])
        return httpx.Response(200, json={"items": items})

    route = wire.get("/api/showcase").mock(side_effect=page)
    found = surface.probe(post(), since=NOW - timedelta(seconds=150), known=frozenset())
    assert found is not None and found.remote_id == "mine"
    assert surface.probe(post(text="other"), since=NOW, known=frozenset()) is None
    assert route.call_count < 20


def test_a_probe_finds_our_comment_by_its_author(surface: FloImg, wire: respx.MockRouter) -> None:
    comments = [{"id": "c1", "content": "x", "user": {"username": "zoe"}},
                {"id": "c2", "content": "y", "user": {"username": "ada_1"}}]  # fmt: skip
    wire.get("/api/showcase/p1/comments").respond(200, json={"comments": comments})
    action = act(social.COMMENT, ADA, "k", target="p1", text="y")
    found = surface.probe(action, since=NOW, known=frozenset())
    assert found is not None and found.remote_id == "c2"
    assert surface.probe(action, since=NOW, known=frozenset({"c2"})) is None


@pytest.mark.parametrize("url", ["", "gallery", "ftp://x", "http://", "//x"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput, match="is not a URL"):
        FloImg(url, TOKEN)


def test_no_error_tells_the_token(surface: FloImg, wire: respx.MockRouter) -> None:
    wire.post("/api/showcase").mock(side_effect=httpx.ConnectError(f"with {TOKEN}"))
    with pytest.raises(base.Unreachable) as caught:
        surface.write(post(), timeout_s=2)
    assert TOKEN not in str(caught.value)


def test_somebody_elses_host_is_a_third_party() -> None:
    assert FloImg("https://gallery.example", TOKEN).third_party
    assert not FloImg(URL, TOKEN).third_party


def test_a_feed_tells_the_picture_and_every_reaction_of_a_post(surface: FloImg, wire: respx.MockRouter) -> None:
    items = [{"id": "s1", "likeCount": 3, "image": {"url": "http://x/1.png", "width": 9}, "reactionsSummary": [
        {"type": "like", "count": 3}, {"type": "love", "count": 2}, {"type": "sad", "count": 1}]}]  # fmt: skip
    wire.get("/api/showcase").respond(200, json={"items": items})
    (seen,) = surface.feed(ADA, limit=20)
    assert (seen.likes, dict(seen.reactions), seen.image_url) == (3, {"love": 2, "sad": 1}, "http://x/1.png")


@pytest.mark.parametrize("image", [None, 7, {}, {"url": None}, "data:image/png;base64,AAAA", "http://x/" + "y" * 2000])
@pytest.mark.parametrize("reactions", [
    None, 7, "love", [None, 7, "love", {}], [{"type": "love"}, {"type": 7, "count": 1}, {"type": "l\n", "count": 1}],
    [{"type": "love", "count": count} for count in (True, 0, -1, 1.5, "2", 10**30)],
])  # fmt: skip
def test_odd_pictures_and_reactions_cost_no_feed(
    surface: FloImg, wire: respx.MockRouter, image: Any, reactions: Any
) -> None:
    item = {"id": "s1", "image": image, "reactionsSummary": reactions}
    wire.get("/api/showcase").respond(200, json={"items": [item]})
    (seen,) = surface.feed(ADA, limit=20)
    assert (dict(seen.reactions), seen.image_url) == ({}, "")


@pytest.mark.parametrize(
    ("told", "at"), [(NOW.isoformat(), NOW), ("2026-11-21T12:00:00", NOW), (None, None), ("soon", None), (7, None)]
)
def test_a_comment_has_a_time_or_none(surface: FloImg, wire: respx.MockRouter, told: Any, at: datetime | None) -> None:
    wire.get("/api/showcase/s1/comments").respond(200, json={"comments": [{"id": "c1", "createdAt": told}]})
    (said,) = surface.comments(ADA, "s1", limit=3)
    assert said.created_at == at
