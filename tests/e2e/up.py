"""`fleet up` in a process of its own, as tests run it and look at it from outside."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx

from fleet.core import queue
from fleet.sandbox.processes import proc
from fleet.sandbox.processes.runfile import RunFile, RunInfo

# Beyond the tempo: a visitor's minute would be a long one.
HASTE = {"FLEET_CAPS": '{"post": {"gap_s": 0}, "comment": {"gap_s": 0}}'}


class Up:
    """One home, in which a fleet is run again and again."""

    def __init__(self, home: Path, python: str = sys.executable) -> None:
        self.home = home
        self.python = python
        self.process: subprocess.Popen[bytes] | None = None
        self.output = home.with_suffix(".out")

    def start(self, *options: str, **env: str) -> None:
        """Run `fleet up` and return when it says that all is running."""
        before = self.said().count("All is running")
        self.begin(*options, **env)
        self.wait("all is running", lambda: self.said().count("All is running") > before)

    def begin(self, *options: str, **env: str) -> None:
        """Run `fleet up`, in a session of its own, as a terminal would."""
        with self.output.open("ab") as out:
            self.process = subprocess.Popen(
                [self.python, "-m", "fleet.cli", "up", "--home", str(self.home), "--no-flower", *options],
                stdout=out, stderr=out, stdin=subprocess.DEVNULL, start_new_session=True,
                env={**os.environ, **HASTE, **env},
            )  # fmt: skip

    def said(self) -> str:
        """Return all that it has printed, over all runs."""
        return self.output.read_text(errors="replace") if self.output.exists() else ""

    def end(self, *signals: signal.Signals, apart_s: float = 0.0) -> int:
        """Send signals and return the exit code."""
        assert self.process is not None
        for number in signals:
            self.process.send_signal(number)
            time.sleep(apart_s)
        return self.process.wait(timeout=240)

    def run_info(self) -> RunInfo:
        info = RunFile.read(self.home)
        assert info is not None, self.said()
        return info

    def call(self, *arguments: str, stdin: str = "") -> str:
        """Run another command on this home, as from another terminal, and return its output."""
        done = subprocess.run(
            [self.python, "-m", "fleet.cli", "--home", str(self.home), *arguments],
            input=stdin, capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        assert done.returncode in (0, 1), done.stderr
        return done.stdout

    def cli(self, *arguments: str) -> Any:
        """Run another command on this home, as from another terminal, and return its JSON."""
        return json.loads(self.call(*arguments, "--json"))

    def wait(self, what: str, true: Callable[[], Any], timeout_s: float = 240.0) -> Any:
        """Return what `true` returns as soon as it is truthy."""
        assert self.process is not None
        deadline = time.monotonic() + timeout_s
        while not (value := true()):
            assert self.process.poll() is None, f"up ended early:\n{self.said()[-4000:]}"
            assert time.monotonic() < deadline, f"never happened: {what}\n{self.said()[-4000:]}"
            time.sleep(0.1)
        return value

    def items(self) -> list[Any]:
        """Return the posts of the gallery, with the token that the home keeps."""
        token = json.loads((self.home / "settings.json").read_text())["service_token"]
        answer = httpx.get(
            f"{self.run_info().gallery_url}/api/showcase", params={"limit": 100},
            headers={"Authorization": f"Bearer {token}"}, timeout=60,
        )  # fmt: skip
        return list(answer.raise_for_status().json()["items"])

    def lives(self) -> bool:
        """Say whether the gallery shows a post, a comment and a like."""
        items = self.items()
        return bool(items) and any(i["commentCount"] for i in items) and any(i["likeCount"] for i in items)

    def metrics(self) -> str:
        """Return what Prometheus would be told; nothing while nobody listens yet."""
        with suppress(httpx.TransportError):
            return httpx.get(self.run_info().urls["metrics"], timeout=30, trust_env=False).text
        return ""

    def left(self) -> list[str]:
        """Return the living processes that belong to this home."""
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            with suppress(OSError):
                where = str((entry / "cwd").readlink())
                line = " ".join(proc.command_line(int(entry.name)))
                if (where + "/").startswith(f"{self.home}/") or str(self.home) in line:
                    found.append(f"{entry.name} {line}")
        return found

    def is_gone(self) -> bool:
        deadline = time.monotonic() + 60
        while self.left() and time.monotonic() < deadline:
            time.sleep(0.1)
        return not self.left()


def deafen(broker_url: str, name: str) -> None:
    """Cancel every queue of a worker, and return when it says that it has done so and still answers."""
    app = queue.make_app(broker_url)
    whom = [f"{name}@{socket.gethostname()}"]
    for each in queue.QUEUES:
        answers = app.control.cancel_consumer(each, destination=whom, reply=True, timeout=60)
        assert [list(answer.values()) for answer in answers or []] == [[{"ok": f"no longer consuming from {each}"}]]
    assert queue.workers(app, timeout_s=10, names=whom) == whom
