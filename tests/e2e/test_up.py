"""`fleet up` as a person runs it: a whole fleet in one process, looked at from outside, stopped, killed, run again."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from fleet.engine import system_agents
from fleet.sandbox.processes import proc
from fleet.sandbox.processes.runfile import RunFile
from tests.e2e.up import Up, deafen
from workers.liveness import EXIT_CODE

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

LIVENESS_S = 12.0
"""A deaf worker has messages waiting from the first queue on that it loses, and lives until it has lost the last."""


def test_a_fleet_comes_to_life_stops_in_order_or_by_kill_9_and_goes_on(up: Up) -> None:
    up.start("--agents", "6", "--tempo", "200", "--with-shop")
    up.wait("a post, a comment and a like", up.lives)
    up.wait("the post is told", lambda: "📸 posted" in up.said())  # its line comes a moment after its event
    said = up.said()
    assert "200: the fleet lives 200 times faster than life" in said
    assert said.index("Gallery") < said.index("📸 posted")
    assert up.run_info().gallery_url in said
    shop = up.run_info().urls["shop"]
    assert f"{shop}, invented; its account is sandbox_shop" in said
    assert _account_of_shop(up)["address"] == shop
    assert "Amber Glass Bottle" in httpx.get(shop, timeout=60, trust_env=False).text
    up.wait("a customer has ordered", lambda: "Mark order 1001" in httpx.get(f"{shop}/orders", trust_env=False).text)
    first = up.cli("status")
    assert first["tempo"] == 200
    agents = 6 + len(system_agents.kinds()) + 1  # the agent of the store that the sandbox shop is
    assert sum(first["agents"].values()) == agents
    assert {item["check"]: item["level"] for item in up.cli("check")["checks"]}["gallery"] == "ok"
    assert up.wait("the metrics are told", up.metrics).startswith("# HELP fleet_database_up")
    up.wait("all run", lambda: f'fleet_agents{{state="running"}} {agents}.0' in up.metrics())
    assert up.run_info().urls["metrics"] in said
    assert said.index("first-login") < said.index("Gallery")  # first of all, how its owner comes in
    assert "/join/" not in said  # the output is a file
    assert "/join/fli_" in (up.home / "first-login").read_text()
    secrets = {str(sa.make_url(url).password) for name, url in up.run_info().urls.items() if "database" in name}
    assert len(secrets) == 2
    for name, process in up.run_info().processes.items():
        folder = Path(f"/proc/{process.ref.pid}")
        assert not [one for one in secrets if one.encode() in (folder / "cmdline").read_bytes()], name
        owner = sa.make_url(up.run_info().database_owner_url).password
        assert str(owner).encode() not in (folder / "environ").read_bytes(), name
    assert up.run_info().urls["web"] in said
    stopped = up.cli("agents", "list")["items"][0]["username"]
    subprocess.run(
        [sys.executable, "-m", "fleet.cli", "--home", str(up.home), "agents", "stop", stopped], check=True, timeout=120
    )
    posts = {item["id"] for item in up.items()}

    assert up.end(signal.SIGINT) == 0
    names = ("beat", "worker1", "gallery", "shop", "Valkey", "PostgreSQL")
    order = [up.said().index(f"Stopping {name}") for name in names]
    assert order == sorted(order)
    assert up.is_gone(), up.left()

    up.start("--agents", "6", "--tempo", "200", "--workers", "1")
    assert sum(up.cli("status")["agents"].values()) == agents
    assert up.cli("agents", "show", stopped)["status"] == "idle"
    assert posts <= {item["id"] for item in up.items()}
    assert "shop" not in up.run_info().processes
    _goes_on_after_kill_9(up)


def _account_of_shop(up: Up) -> Any:
    (found,) = (one for one in up.cli("accounts", "list")["items"] if one["name"] == "sandbox_shop")
    return found


def _goes_on_after_kill_9(up: Up) -> None:
    posts = {item["id"] for item in up.items()}
    assert up.process is not None
    os.killpg(up.process.pid, signal.SIGKILL)
    up.process.wait()
    assert up.is_gone(), up.left()
    up.start("--agents", "6", "--workers", "1", "--with-shop")
    assert posts <= {item["id"] for item in up.items()}
    shop = up.run_info().urls["shop"]
    assert _account_of_shop(up)["address"] == shop  # the same account, and the orders of the first run
    assert "1001" in httpx.get(f"{shop}/orders", timeout=60, trust_env=False).text
    _is_for_one_fleet_and_ends_at_once_after_a_second_ctrl_c(up)


def _is_for_one_fleet_and_ends_at_once_after_a_second_ctrl_c(up: Up) -> None:
    second = subprocess.run(
        [sys.executable, "-m", "fleet.cli", "up", "--home", str(up.home)],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert second.returncode == 4
    assert "Fleet already runs from this folder" in second.stderr
    assert up.run_info().gallery_url in second.stderr
    worker = up.run_info().processes["worker1"].ref
    before = up.said()
    assert proc.send(worker, signal.SIGSTOP)  # what is ended in order waits for it
    assert up.process is not None
    up.process.send_signal(signal.SIGINT)
    up.wait("it stops in order", lambda: "Stopping worker1" in up.said()[len(before) :])
    assert up.end(signal.SIGINT) == 130
    last = up.said()[len(before) :]
    assert "Everything was ended at once" in last
    assert "Stopped. `fleet up` continues this fleet." not in last
    assert up.is_gone(), up.left()


def test_a_port_that_is_taken_is_named_and_nothing_is_left_running(up: Up) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        up.begin("--port", port)
        assert up.process is not None
        assert up.process.wait(timeout=240) == 2
    assert f"Port {port}, named for the gallery, is taken" in up.said()
    assert up.is_gone(), up.left()


def test_what_dies_or_takes_nothing_is_started_again_beside_given_servers(
    up: Up, fresh_database: str, broker_url: str
) -> None:
    given = {"FLEET_DATABASE_URL": fresh_database, "FLEET_BROKER_URL": broker_url}
    up.start("--agents", "3", "--workers", "1", "--tempo", "200", FLEET_LIVENESS_S=str(LIVENESS_S), **given)
    assert not {"postgres", "valkey"} & set(up.run_info().processes)
    assert not (up.home / "postgres").exists()
    up.wait("a post", up.items)
    _a_deaf_worker_is_brought_back(up)
    _a_process_that_dies_is_started_again_until_that_is_no_use(up)


def _a_deaf_worker_is_brought_back(up: Up) -> None:
    info = up.run_info()
    deaf = info.processes["worker1"].ref
    deafen(info.broker_url, "worker1")
    up.wait("worker1 runs again", lambda: "worker1 runs again" in up.said())
    assert f"worker1 ended (exit code {EXIT_CODE})" in up.said()
    up.wait("the new one is written down", lambda: up.run_info().processes["worker1"].ref != deaf)
    before = {item["id"] for item in up.items()}
    up.wait("a further post", lambda: {item["id"] for item in up.items()} - before)


def _a_process_that_dies_is_started_again_until_that_is_no_use(up: Up) -> None:
    assert up.process is not None
    before = up.said()
    worker = up.run_info().processes["worker1"].ref
    os.kill(worker.pid, signal.SIGKILL)
    up.wait("worker1 runs again", lambda: "worker1 runs again" in up.said()[len(before) :])
    assert "worker1 ended (killed by SIGKILL)" in up.said()
    killed = set()
    while up.process.poll() is None:
        info = RunFile.read(up.home)
        beat = info.processes.get("beat") if info else None
        if beat is not None and beat.ref not in killed and proc.send(beat.ref, signal.SIGKILL):
            killed.add(beat.ref)
        time.sleep(0.05)
    assert up.process.returncode == 1
    assert len(killed) >= 5  # a beat that lived a while before it was killed begins the row anew
    assert "beat ended 5 times in a row" in up.said()
    assert "Error: beat cannot be kept running." in up.said()
    assert up.is_gone(), up.left()


def test_broken_persona_files_are_named_before_anything_acts(up: Up, tmp_path: Path) -> None:
    broken = tmp_path / "broken personas"
    broken.mkdir()
    up.begin("--agents", "0", FLEET_PERSONAS_DIR=str(broken))
    assert up.process is not None
    assert up.process.wait(timeout=240) == 2
    assert "holds no persona" in up.said()
    assert up.is_gone(), up.left()
