"""The sandbox gallery over a real socket: faults, the live feed, and how the process starts and ends."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from fleet.core.errors import InvalidInput
from fleet.core.net import serving
from fleet.sandbox.gallery import FaultRule, GalleryConfig, running
from fleet.sandbox.gallery.faults import Faults
from tests.sandbox.gallery.gallery_world import TOKEN

HEADERS = {"Authorization": f"Bearer {TOKEN}", "X-Agent-Id": "bright_1"}
POST = {"imageUrl": "https://pictures.example.org/1.png", "title": "A picture"}


def config(database: str, folder: Path, **options: Any) -> GalleryConfig:
    return GalleryConfig(
        **{"database_url": database, "images_dir": folder, "service_tokens": (TOKEN,), "port": 0, **options}
    )


@pytest.fixture
def gallery(fresh_database: str, tmp_path: Path) -> Iterator[httpx.Client]:
    """A client of a gallery that listens in this process, with one agent invited."""
    with running(config(fresh_database, tmp_path)) as url, httpx.Client(base_url=url, headers=HEADERS) as client:
        invite(client)
        yield client


def invite(client: httpx.Client) -> None:
    body = {"agentId": "1", "name": "Bright", "username": "bright_1", "isAgent": True}
    assert client.post("/api/admin/users/invite", json=body).is_success


def faults(client: httpx.Client, *rules: dict[str, Any]) -> list[dict[str, Any]]:
    return list(client.put("/api/sandbox/faults", json=list(rules)).raise_for_status().json()["rules"])


def titles(client: httpx.Client) -> list[str]:
    return [item["title"] for item in client.get("/api/showcase").json()["items"]]


# Faults


def test_a_dropped_reply_leaves_the_deed_done_and_the_client_without_an_answer(gallery: httpx.Client) -> None:
    faults(gallery, {"match": "/api/showcase", "methods": ["POST"], "dropRate": 1, "limit": 1})
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        gallery.post("/api/showcase", json=POST)
    assert titles(gallery) == ["A picture"]
    assert gallery.post("/api/showcase", json={**POST, "title": "Another"}).status_code == 201
    assert titles(gallery) == ["Another", "A picture"]


def test_a_duplicated_request_is_carried_out_twice_and_answered_once(gallery: httpx.Client) -> None:
    faults(gallery, {"match": "/api/showcase", "methods": ["POST"], "duplicateRate": 1, "limit": 1})
    answer = gallery.post("/api/showcase", json=POST).json()["showcaseItem"]
    items = gallery.get("/api/showcase").json()["items"]
    assert [item["title"] for item in items] == ["A picture"] * 2
    assert answer["id"] == items[0]["id"]
    faults(gallery, {"match": "/api/showcase/*/like", "duplicateRate": 1})
    assert gallery.post(f"/api/showcase/{answer['id']}/like", json={}).json()["liked"] is False


def test_429_and_500_do_nothing_and_say_so(gallery: httpx.Client) -> None:
    faults(gallery, {"methods": ["post"], "tooManyRate": 1, "retryAfterS": 7, "limit": 1})
    refused = gallery.post("/api/showcase", json=POST)
    assert (refused.status_code, refused.headers["retry-after"], refused.json()["code"]) == (429, "7", "RATE_LIMITED")
    faults(gallery, {"methods": ["POST"], "errorRate": 1})
    assert gallery.post("/api/showcase", json=POST).status_code == 500
    assert titles(gallery) == []


def test_latency_holds_an_answer_back(gallery: httpx.Client) -> None:
    faults(gallery, {"match": "/api/showcase", "latencyRate": 1, "latencyMs": 300})
    begun = time.monotonic()
    assert gallery.get("/api/showcase").is_success
    assert time.monotonic() - begun >= 0.3
    with pytest.raises(httpx.ReadTimeout):
        gallery.get("/api/showcase", timeout=0.1)


def test_faults_never_touch_the_controls_nor_the_pages(gallery: httpx.Client) -> None:
    faults(gallery, {"match": "*", "dropRate": 1})
    assert gallery.get("/health").json() == {"status": "ok"}
    with pytest.raises(httpx.TransportError):
        gallery.get("/api/showcase")
    assert faults(gallery) == []
    faults(gallery, {"dropRate": 1})
    assert gallery.get("/").is_success
    assert gallery.get("/api/sandbox/faults").json()["rules"][0]["made"] == 0


def test_faults_of_a_seed_come_again_and_stop_at_their_limit() -> None:
    rule = FaultRule(seed=4, limit=10, drop_rate=0.2, error_rate=0.2, too_many_rate=0.1, duplicate_rate=0.1)

    def run() -> list[str | None]:
        made = Faults((rule,))
        return [thrown[0] if (thrown := made.throw("POST", "/api/showcase")) else None for _ in range(60)]

    assert run() == run()
    assert sum(kind is not None for kind in run()) == 10
    assert {"drop", "error", "too_many", "duplicate"} >= {kind for kind in run() if kind}


def test_faults_can_be_there_from_the_start(fresh_database: str, tmp_path: Path) -> None:
    broken = config(fresh_database, tmp_path, faults=(FaultRule(error_rate=1.0),))
    with running(broken) as url, httpx.Client(base_url=url, headers=HEADERS) as client:
        assert client.get("/api/showcase").status_code == 500


# Live


class Stream:
    """An open live feed, read event by event."""

    def __init__(self, response: httpx.Response) -> None:
        self._lines = response.iter_lines()
        self.last_id = ""

    def next(self) -> tuple[str, dict[str, Any]]:
        kind, data = "", "{}"
        for line in self._lines:
            name, _, value = line.partition(": ")
            if name == "event":
                kind = value
            elif name == "data":
                data = value
            elif name == "id":
                self.last_id = value
            elif not line and kind:
                return kind, json.loads(data)
        raise EOFError

    def until(self, kind: str) -> dict[str, Any]:
        while True:
            found, data = self.next()
            if found == kind:
                return data


@contextlib.contextmanager
def live(client: httpx.Client, last_id: str = "", **query: str) -> Iterator[Stream]:
    headers = {"Last-Event-ID": last_id} if last_id else {}
    with client.stream("GET", "/live", params=query, headers=headers, timeout=60) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        stream = Stream(response)
        assert stream.next()[0] == "hello"
        yield stream


def test_open_pages_get_events(gallery: httpx.Client) -> None:
    with live(gallery) as stream:
        made = gallery.post("/api/showcase", json=POST).json()["showcaseItem"]["id"]
        assert stream.until("post")["id"] == made
        gallery.post(f"/api/showcase/{made}/like", json={})
        counts = stream.until("counts")
        assert (counts["id"], counts["likes"], counts["agent_likes"], counts["human_likes"]) == (made, 1, 1, 0)


def test_a_page_of_one_post_gets_events_of_that_post_only(gallery: httpx.Client) -> None:
    first, second = (gallery.post("/api/showcase", json=POST).json()["showcaseItem"]["id"] for _ in range(2))
    with live(gallery, post=second) as stream:
        for post_id in (first, second):
            gallery.post(f"/api/showcase/{post_id}/comments", json={"content": "hello"})
        assert stream.until("comment")["post"] == second


def test_a_page_that_comes_back_misses_nothing(gallery: httpx.Client) -> None:
    with live(gallery) as stream:
        gallery.post("/api/showcase", json={**POST, "title": "seen"})
        stream.until("post")
        seen_id = stream.last_id
    missed = [gallery.post("/api/showcase", json=POST).json()["showcaseItem"]["id"] for _ in range(3)]
    with live(gallery, last_id=seen_id) as stream:
        assert [stream.until("post")["id"] for _ in range(3)] == missed
        fourth = gallery.post("/api/showcase", json=POST).json()["showcaseItem"]["id"]
        assert stream.until("post")["id"] == fourth


def test_two_galleries_on_one_database_tell_each_others_news(fresh_database: str, tmp_path: Path) -> None:
    first, second = config(fresh_database, tmp_path / "1"), config(fresh_database, tmp_path / "2")
    with (
        running(first) as one,
        running(second) as two,
        httpx.Client(base_url=one, headers=HEADERS) as writer,
        httpx.Client(base_url=two) as reader,
        live(reader) as stream,
    ):
        invite(writer)
        made = writer.post("/api/showcase", json=POST).json()["showcaseItem"]["id"]
        assert stream.until("post")["id"] == made


def test_an_open_feed_does_not_hold_up_the_end(
    fresh_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "_STOP_S", 60)  # so long the end would wait for a feed that stays open
    with contextlib.ExitStack() as stack:
        with running(config(fresh_database, tmp_path)) as url:
            client = stack.enter_context(httpx.Client(base_url=url))
            stream = stack.enter_context(live(client))
            begun = time.monotonic()
        assert time.monotonic() - begun < 30
        with pytest.raises((EOFError, httpx.TransportError)):
            stream.until("post")


# The process


class Process:
    """`python -m fleet.sandbox.gallery` with settings of its own."""

    def __init__(self, database: str, folder: Path, **settings: str) -> None:
        given = {"FLEET_GALLERY_DATABASE_URL": database, "FLEET_GALLERY_IMAGES_DIR": str(folder),
                 "FLEET_GALLERY_PORT": "0", "FLEET_SERVICE_TOKEN": TOKEN, **settings}  # fmt: skip
        self.process = subprocess.Popen(
            [sys.executable, "-m", "fleet.sandbox.gallery"], text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={**os.environ, **given},
        )  # fmt: skip

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()

    def url(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.startswith("gallery listening on http://"), line
        return line.removeprefix("gallery listening on ").strip()

    def ends(self) -> tuple[int, str]:
        _, errors = self.process.communicate(timeout=90)
        return self.process.returncode, errors


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_the_process_says_where_it_listens_and_ends_cleanly(
    fresh_database: str, tmp_path: Path, stop: signal.Signals
) -> None:
    with (
        Process(fresh_database, tmp_path / "images with spaces") as gallery,
        httpx.Client(base_url=gallery.url(), timeout=60) as client,
        live(client),
    ):
        assert client.get("/health").json() == {"status": "ok"}
        gallery.process.send_signal(stop)
        code, errors = gallery.ends()
    assert code == 0, errors
    assert "Traceback" not in errors


def test_a_taken_port_is_named_with_the_way_out(fresh_database: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with Process(fresh_database, tmp_path, FLEET_GALLERY_PORT=str(port)) as gallery:
            code, errors = gallery.ends()
    assert code == 2
    assert f"Port {port}" in errors
    assert "FLEET_GALLERY_PORT" in errors
    assert "Traceback" not in errors


def test_a_database_out_of_reach_is_said(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with Process(f"postgresql+psycopg://u:hidden@127.0.0.1:{port}/gallery", tmp_path) as gallery:
        code, errors = gallery.ends()
    assert code == 5
    assert "cannot be reached" in errors
    assert "hidden" not in errors
    assert "Traceback" not in errors


def test_a_folder_that_cannot_be_used_is_said(fresh_database: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with (
        pytest.raises(InvalidInput, match="FLEET_GALLERY_IMAGES_DIR"),
        running(config(fresh_database, tmp_path / "file" / "images")),
    ):
        pass


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"service_tokens": ()}, "FLEET_SERVICE_TOKEN"), ({"service_tokens": ("short",)}, "fst_"),
        ({"database_url": ""}, "FLEET_GALLERY_DATABASE_URL"), ({"database_url": "sqlite:///x"}, "PostgreSQL"),
        ({"database_url": "nonsense"}, "cannot be read"), ({"port": 70_000}, "FLEET_GALLERY_PORT"),
    ],
)  # fmt: skip
def test_wrong_settings_are_named(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        config(**{"database": "postgresql+psycopg://u@h/d", "folder": tmp_path, **change})
