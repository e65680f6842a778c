"""Packages from outside, installed into an environment of its own: a fleet has all that they register.

docs/extending.md explains both packages: the template of a feature, and the agent in 60 lines.
"""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests import extending
from tests.e2e import outside
from tests.e2e.up import Up

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


class Lamp(ThreadingHTTPServer):
    """A status lamp on the network, and the requests that it got."""

    def __init__(self) -> None:
        self.got: list[tuple[str, Any]] = []
        super().__init__(("127.0.0.1", 0), _Requests)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Requests(BaseHTTPRequestHandler):
    server: Lamp

    def do_PUT(self) -> None:
        self.server.got.append((self.path, json.loads(self.rfile.read(int(self.headers["content-length"])))))
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Stay silent."""


@pytest.fixture
def lamp() -> Iterator[Lamp]:
    with Lamp() as lamp:
        threading.Thread(target=lamp.serve_forever, daemon=True).start()
        yield lamp
        lamp.shutdown()


def test_a_package_brings_nine_things_and_no_line_of_fleet_is_edited(tmp_path: Path, lamp: Lamp) -> None:
    python = outside.install(tmp_path / "an environment", extending.TEMPLATE, extending.write_minimum(tmp_path))
    up = Up(tmp_path / "a home", python)
    try:
        up.start("--agents", "0", "--workers", "1")
        up.call("accounts", "add", "desk", "--adapter", "lamp", "--address", lamp.url, stdin="none")
        up.call("agents", "create", "desk_lamp", "--name", "Lamp", "--kind", "lamp", "--account", "desk", "--start")
        _look_at_all(up, lamp)
        assert up.end(signal.SIGTERM) == 0
    finally:
        if up.process is not None and up.process.poll() is None:
            up.end(signal.SIGINT, signal.SIGINT, apart_s=0.5)
    assert up.is_gone(), up.left()


def _look_at_all(up: Up, lamp: Lamp) -> None:
    web = _program(up)
    # The API and the row behind it; before its migration there was no table. Its event is in the feed.
    items = up.wait("a change", lambda: web.get("/api/v1/lamp/changes").json()["items"])
    assert [(one["lamp"], one["colour"]) for one in items] == [("desk_lamp", "green")]
    up.wait("the lamp's event is in the feed", lambda: "Lamp 💡 turned green: 0 dead letters" in up.said())
    # The action: one write through the gateway.
    assert lamp.got == [("/colour", {"colour": "green"})]
    # The agent, its decision and its job.
    (job,) = web.get("/api/v1/jobs", params={"kind": "light"}).json()["items"]
    assert (job["id"], job["state"], job["agent"]) == (items[0]["job_id"], "done", "desk_lamp")
    decisions = web.get("/api/v1/agents/desk_lamp/decisions").json()["items"]
    assert decisions[-1]["outcome"]["colour"] == "green"
    # The page, in the navigation too; the command; the metric.
    page = web.get("/lamp").text
    assert "desk_lamp</a></th><td>green</td>" in page
    assert '<a href="/lamp"' in page
    assert up.cli("lamp")["items"] == items
    up.wait("the metric is served", lambda: 'fleet_lamps{colour="green"} 1.0' in up.metrics())
    # The agent in 60 lines.
    up.wait("the clerk's report is in the feed", lambda: "Clerk reports: “0 dead letters wait”" in up.said())


def _program(up: Up) -> httpx.Client:
    """Return a client of the dashboard with a token."""
    up.call("users", "create", "ana", "--password-stdin", stdin="a long pass phrase of ana")
    token = up.cli("tokens", "create", "test", "--user", "ana", "--scope", "all")["token"]
    return httpx.Client(base_url=up.run_info().urls["web"], headers={"authorization": f"Bearer {token}"}, timeout=60)
