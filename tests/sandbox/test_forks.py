"""Programs that are forked from a process with their modules loaded: children of ours like all others."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fleet.sandbox.processes import proc
from fleet.sandbox.processes.child import Child
from fleet.sandbox.processes.forks import ForkServer
from fleet.sandbox.processes.supervisor import Process, Restarted, Supervisor

ROOT = Path(__file__).resolve().parents[2]
# What the server loads, and a program that tells how it finds the world, then waits for its end.
LOADED = """
import threading
def load(): pass
def begin_a_thread(): threading.Thread(target=threading.Event().wait, daemon=True).start()
"""
PROGRAM = """
import json, os, sys
was_loaded = "loaded" in sys.modules
seen = {"pid": os.getpid(), "argv": sys.argv[1:], "sid": os.getsid(0), "cwd": os.getcwd(), "loaded": was_loaded,
        "env": dict(os.environ), "stdin": sys.stdin.read(), "descriptors": len(os.listdir("/proc/self/fd")) - 1}
with open(os.environ["NOTES"], "a") as file: file.write(json.dumps(seen) + "\\n")
print("here I am", flush=True)
import signal
if "ends" not in sys.argv:
    signal.pause()
sys.exit(3)
"""
DRIVER = """
import sys
from pathlib import Path
from fleet.sandbox.processes.forks import ForkServer
folder, env = Path(sys.argv[1]), dict(zip(sys.argv[2::2], sys.argv[3::2]))
forks = ForkServer("loaded:load", log_path=folder / "server.log", cwd=folder, env=env)
forks.spawn("it", (sys.executable, "-m", "program"), log_path=folder / "it.log", cwd=folder, env=env)
sys.stdin.read()
"""


def eventually(holds: Callable[[], object]) -> None:
    """Poll until `holds()` is true; fails when the time is up."""
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline, "did not come about in time"
        time.sleep(0.01)


class World:
    """A folder with modules, a server over it, and what programs noted."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.env = {"PYTHONPATH": os.pathsep.join((str(folder), str(ROOT))), "NOTES": str(folder / "notes")}
        self.opened: list[ForkServer] = []
        self.children: list[Child] = []
        (folder / "loaded.py").write_text(LOADED)
        (folder / "program.py").write_text(PROGRAM)
        (folder / "driver.py").write_text(DRIVER)

    def server(self, ref: str = "loaded:load", **options: float) -> ForkServer:
        made = ForkServer(ref, log_path=self.folder / "server.log", cwd=self.folder, env=self.env, **options)
        self.opened.append(made)
        return made

    def spawn(self, forks: ForkServer, *words: str) -> Child:
        argv = (sys.executable, "-m", "program", *words)
        env = {**self.env, "OF": "the program"}
        made = forks.spawn("it", argv, log_path=self.folder / "it.log", cwd=self.folder / "elsewhere", env=env)
        self.children.append(made)
        return made

    def notes(self) -> list[dict[str, object]]:
        path = self.folder / "notes"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    (tmp_path / "elsewhere").mkdir()
    made = World(tmp_path)
    yield made
    for child in made.children:
        child.kill()
    for server in made.opened:
        server.close()


def test_a_program_has_its_own_surroundings_and_the_modules_of_the_server(world: World) -> None:
    child = world.spawn(world.server(), "a word")
    eventually(world.notes)
    (seen,) = world.notes()
    assert (seen["pid"], seen["sid"], seen["argv"]) == (child.pid, child.pid, ["a word"])
    assert (seen["cwd"], seen["stdin"], seen["loaded"]) == (str(world.folder / "elsewhere"), "", True)
    assert seen["env"] == {**world.env, "OF": "the program"}
    assert seen["descriptors"] == 3, "it keeps none of the server's files"
    assert [word for word in proc.command_line(child.pid) if word] == [sys.executable, "-m", "program", "a word"]
    eventually(lambda: child.said() == "here I am\n")


def test_it_is_our_child_outlives_the_server_and_ends_as_others_do(world: World) -> None:
    forks = world.server()
    ending, staying = world.spawn(forks, "ends"), world.spawn(forks)
    forks.close()
    eventually(lambda: ending.exit_code() == 3)
    eventually(lambda: len(world.notes()) == 2)
    assert staying.exit_code() is None
    assert not staying.stop(60)
    assert staying.exit_code() == -signal.SIGTERM


@pytest.mark.parametrize("ref", ["loaded:load", "loaded:begin_a_thread", "loaded:missing"])
def test_without_the_server_a_program_is_started_by_itself(world: World, ref: str) -> None:
    forks = world.server(ref)
    if ref == "loaded:load":
        forks._server.kill()
    child = world.spawn(forks)
    eventually(world.notes)
    (seen,) = world.notes()
    assert (seen["pid"], seen["loaded"]) == (child.pid, False)


def test_what_a_slow_server_forks_too_late_does_not_run_beside_its_double(world: World) -> None:
    forks = world.server(patience_s=1)
    world.spawn(forks, "ends")  # it is loaded by now
    forks._server.signal(signal.SIGSTOP)
    child = world.spawn(forks)
    forks._server.signal(signal.SIGCONT)
    world.spawn(forks, "ends")  # the server has come to the end of its requests
    eventually(lambda: len(world.notes()) == 3)
    forks.close()
    assert [seen["pid"] for seen in world.notes() if seen["argv"] == []] == [child.pid]


def test_a_server_that_failed_once_is_asked_no_more_and_leaves_no_zombie(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Symptom: each further program waited a minute for the same server; one forked too late stayed as a zombie."""
    forks, socketpair, asked = world.server(), socket.socketpair, []

    class Late(socket.socket):
        def recv(self, *given: int) -> bytes:
            asked.append(super().recv(*given))
            raise TimeoutError("timed out")

    def late_socketpair() -> tuple[socket.socket, socket.socket]:
        ours, theirs = socketpair()
        return Late(fileno=ours.detach()), theirs

    before = set(_children(os.getpid())) - {str(forks._server.pid)}
    monkeypatch.setattr(socket, "socketpair", late_socketpair)
    own = [world.spawn(forks), world.spawn(forks)]
    assert len(asked) == 1 and int(asked[0]) > 0, "it was forked"
    assert set(_children(os.getpid())) - before == {str(one.pid) for one in own}
    eventually(lambda: {seen["pid"] for seen in world.notes()} == {one.pid for one in own})


def test_a_program_that_dies_is_started_again_by_itself(world: World) -> None:
    forks, supervisor = world.server(), Supervisor(world.folder / "logs", orphan_grace_s=0.3)
    supervisor.add(Process("it", (sys.executable, "-m", "program"), env=world.env, cwd=world.folder))
    try:
        supervisor.start("it", forks=forks)
        forks.close()
        eventually(world.notes)
        os.kill(supervisor.running()["it"].pid, signal.SIGKILL)
        events: list[object] = []
        eventually(lambda: events.extend(supervisor.poll()) or len(world.notes()) == 2)
        assert [type(event) for event in events][-1] is Restarted
        assert [seen["loaded"] for seen in world.notes()] == [True, False]
    finally:
        supervisor.kill_all()


def test_programs_and_server_end_when_their_parent_is_killed(world: World) -> None:
    argv = [sys.executable, str(world.folder / "driver.py"), str(world.folder)]
    argv += [word for pair in world.env.items() for word in pair]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, env={**os.environ, **world.env}) as driver:
        eventually(world.notes)
        pids = [int(str(world.notes()[0]["pid"])), *map(int, _children(driver.pid))]
        driver.kill()
    assert len(set(pids)) == 2, "the program and the server"
    eventually(lambda: not any(proc.ref(pid) for pid in pids))


def _children(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
