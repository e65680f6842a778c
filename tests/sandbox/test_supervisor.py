"""The supervisor: starts, restarts, stops in order, and leaves nobody behind whatever kills it."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fleet.core.errors import Conflict, FleetError, InvalidInput, NotFound, Unavailable
from fleet.sandbox.processes import child, proc
from fleet.sandbox.processes.restart import RestartPolicy
from fleet.sandbox.processes.supervisor import (
    Died,
    Event,
    GaveUp,
    Process,
    ProcessStopped,
    Restarted,
    Stopping,
    Supervisor,
)

# Notes its signals in a shared file, so that their order can be read there.
OBEDIENT = """
import os, signal, sys
def note(word):
    with open(sys.argv[2], "a") as file: file.write(f"{sys.argv[1]} {word}\\n")
def end(*_): note("term"); os._exit(0)
signal.signal(signal.SIGTERM, end)
signal.signal(signal.SIGINT, lambda *_: note("int"))
note("up")
while True: signal.pause()
"""
# Forks a child; neither listens to anything. Both pids go into the shared file.
STUBBORN = """
import os, signal, sys, time
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP): signal.signal(number, signal.SIG_IGN)
if os.fork() == 0: os.setpgid(0, 0)
with open(sys.argv[2], "a") as file: file.write(f"{os.getpid()} up\\n")
while True: time.sleep(60)
"""
DRIVER = """
import os, signal, sys, time
from pathlib import Path
from fleet.sandbox.processes.supervisor import Process, Supervisor
folder, script, grace_s, names = Path(sys.argv[1]), sys.argv[2], float(sys.argv[3]), sys.argv[4:]
stop = []
signal.signal(signal.SIGINT, lambda *_: stop.append(1))
supervisor = Supervisor(folder / "logs", orphan_grace_s=grace_s)
for name in names:
    supervisor.add(Process(name, (sys.executable, script, name, str(folder / "notes")), stop_timeout_s=60))
    supervisor.start(name)
    supervisor.wait_ready(name, lambda: name in (folder / "notes").read_text() if (folder / "notes").exists() else False
                          , 60) if "obedient" in script else None
while not stop:
    supervisor.poll()
    time.sleep(0.02)
supervisor.stop_all()
"""


def eventually(holds: Callable[[], object], within_s: float = 60.0) -> None:
    """Poll until `holds()` is true; fails when the time is up."""
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, "did not come about in time"
        time.sleep(0.01)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "a fleet's home"
    made.mkdir()
    (made / "obedient.py").write_text(OBEDIENT)
    (made / "stubborn.py").write_text(STUBBORN)
    (made / "driver.py").write_text(DRIVER)
    return made


@pytest.fixture
def told() -> list[Event]:
    return []


@pytest.fixture
def supervisor(folder: Path, told: list[Event]) -> Iterator[Supervisor]:
    made = Supervisor(folder / "logs", report=told.append, orphan_grace_s=0.3)
    yield made
    made.kill_all()


def notes(folder: Path) -> list[str]:
    path = folder / "notes"
    return path.read_text().splitlines() if path.exists() else []


def process(folder: Path, name: str, script: str = "obedient.py", **options: object) -> Process:
    argv = (sys.executable, str(folder / script), name, str(folder / "notes"))
    return Process(name, argv, **options)  # type: ignore[arg-type]


def inline(name: str, code: str, **options: object) -> Process:
    return Process(name, (sys.executable, "-c", code), **options)  # type: ignore[arg-type]


def drive(folder: Path, script: str, *names: str, grace_s: float = 60.0) -> subprocess.Popen[bytes]:
    """Run a supervisor in a process group of its own, as a shell would; orphans that listen have their time."""
    argv = [sys.executable, str(folder / "driver.py"), str(folder), str(folder / script), str(grace_s), *names]
    return subprocess.Popen(
        argv, env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}, process_group=0
    )


def poll_until(supervisor: Supervisor, kind: type[Event], within_s: float = 60.0) -> Event:
    found: list[Event] = []

    def seen() -> bool:
        found.extend(event for event in supervisor.poll() if isinstance(event, kind))
        return bool(found)

    eventually(seen, within_s)
    return found[0]


def test_stop_all_ends_the_last_started_first(supervisor: Supervisor, folder: Path, told: list[Event]) -> None:
    for name in ("one", "two", "three"):
        supervisor.add(process(folder, name))
        supervisor.start(name)
        supervisor.wait_ready(name, lambda name=name: f"{name} up" in notes(folder), 60)
    assert list(supervisor.running()) == ["one", "two", "three"]
    supervisor.stop_all()
    assert notes(folder)[3:] == ["three term", "two term", "one term"]
    assert told == [e for name in ("three", "two", "one") for e in (Stopping(name), ProcessStopped(name, forced=False))]
    assert supervisor.running() == {}


def test_ctrl_c_reaches_the_supervisor_alone_and_children_end_in_order(folder: Path) -> None:
    driver = drive(folder, "obedient.py", "one", "two", "three")
    try:
        eventually(lambda: notes(folder) == ["one up", "two up", "three up"])
        os.killpg(driver.pid, signal.SIGINT)
        assert driver.wait(60) == 0
    finally:
        driver.kill()
        driver.wait()
    assert notes(folder)[3:] == ["three term", "two term", "one term"]


def test_kill_9_of_the_process_group_leaves_no_process(folder: Path) -> None:
    driver = drive(folder, "stubborn.py", "one", "two", grace_s=0.3)
    try:
        eventually(lambda: len(notes(folder)) == 4)
        everybody = [proc.ref(int(line.split()[0])) for line in notes(folder)]
        assert None not in everybody
        eventually(lambda: _undertakers_of(driver.pid))
        undertakers = _undertakers_of(driver.pid)
    finally:
        os.killpg(driver.pid, signal.SIGKILL)
        driver.wait()
    eventually(lambda: not any(one and proc.is_alive(one) for one in [*everybody, *undertakers]))


def test_kill_9_lets_children_that_listen_end_cleanly(folder: Path) -> None:
    driver = drive(folder, "obedient.py", "one", "two")
    try:
        eventually(lambda: len(notes(folder)) == 2)
    finally:
        os.killpg(driver.pid, signal.SIGKILL)
        driver.wait()
    eventually(lambda: sorted(notes(folder)[2:]) == ["one term", "two term"])


def _undertakers_of(pid: int) -> list[proc.ProcessRef]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    refs = [proc.ref(int(one)) for one in children if "undertaker.py" in " ".join(proc.command_line(int(one)))]
    return [one for one in refs if one]


def test_a_lost_undertaker_is_replaced(supervisor: Supervisor, folder: Path) -> None:
    supervisor.add(process(folder, "one"))
    supervisor.start("one")
    eventually(lambda: _undertakers_of(os.getpid()))
    (first,) = _undertakers_of(os.getpid())
    os.kill(first.pid, signal.SIGKILL)
    eventually(lambda: not proc.is_alive(first))
    eventually(lambda: supervisor.poll() == [] and _undertakers_of(os.getpid()))
    (second,) = _undertakers_of(os.getpid())
    assert second != first
    supervisor.stop_all()
    assert _undertakers_of(os.getpid()) == []


def test_a_child_that_dies_is_started_again_and_reported(supervisor: Supervisor, folder: Path,
                                                          told: list[Event]) -> None:  # fmt: skip
    supervisor.add(process(folder, "one", restart=RestartPolicy(first_delay_s=0.05)))
    supervisor.start("one")
    eventually(lambda: notes(folder) == ["one up"])
    first = supervisor.running()["one"]
    os.kill(first.pid, signal.SIGKILL)
    died = poll_until(supervisor, Died)
    assert isinstance(died, Died)
    assert (died.name, died.how, died.restart_in_s) == ("one", "killed by SIGKILL", 0.05)
    assert supervisor.running() == {}
    again = poll_until(supervisor, Restarted)
    assert isinstance(again, Restarted)
    assert (again.name, again.deaths) == ("one", 1)
    assert supervisor.running()["one"].pid == again.pid != first.pid
    assert told == [died, again]


def test_it_gives_up_after_quick_deaths_and_quotes_the_log(supervisor: Supervisor) -> None:
    policy = RestartPolicy(first_delay_s=0.01, longest_delay_s=0.02, quick_deaths=3)
    supervisor.add(inline("bad", "import sys; print('no such setting: colour'); sys.exit(7)", restart=policy))
    supervisor.start("bad")
    end = poll_until(supervisor, GaveUp)
    assert isinstance(end, GaveUp)
    assert "bad ended 3 times in a row" in end.message
    assert "exit code 7" in end.message
    assert "no such setting: colour" in end.message
    assert str(supervisor.log_path("bad")) in end.message
    assert supervisor.poll() == []
    assert supervisor.log_path("bad").read_text().count("no such setting") == 3


def test_without_a_policy_one_death_is_the_end(supervisor: Supervisor) -> None:
    supervisor.add(inline("once", "print('done')", restart=None))
    supervisor.start("once")
    end = poll_until(supervisor, GaveUp)
    assert "once ended (exit code 0)" in end.message  # type: ignore[union-attr]


def test_a_program_gone_at_restart_counts_as_a_death(supervisor: Supervisor, folder: Path) -> None:
    program = folder / "program"
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o755)
    supervisor.add(Process("gone", (str(program),), restart=RestartPolicy(first_delay_s=0.01, quick_deaths=2)))
    supervisor.start("gone")
    poll_until(supervisor, Died)
    program.unlink()
    end = poll_until(supervisor, GaveUp)
    assert "could not be started" in end.message  # type: ignore[union-attr]


def test_a_system_that_makes_no_process_now_is_asked_again(supervisor: Supervisor, folder: Path,
                                                           monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    supervisor.add(process(folder, "one", restart=RestartPolicy(first_delay_s=0.01)))
    supervisor.start("one")
    eventually(lambda: notes(folder) == ["one up"])

    def refuse(*_: object, **__: object) -> None:
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    with monkeypatch.context() as patch:
        patch.setattr(subprocess, "Popen", refuse)
        for one in (supervisor.running()["one"], *_undertakers_of(os.getpid())):
            os.kill(one.pid, signal.SIGKILL)
            eventually(lambda one=one: not proc.is_alive(one))  # type: ignore[misc]
        assert poll_until(supervisor, Died).how == "killed by SIGKILL"  # type: ignore[union-attr]
        again = poll_until(supervisor, Died)
    assert again.how == "it could not be started"  # type: ignore[union-attr]
    assert "Resource temporarily unavailable" in again.last_lines  # type: ignore[union-attr]
    poll_until(supervisor, Restarted)
    eventually(lambda: notes(folder) == ["one up", "one up"] and _undertakers_of(os.getpid()))


def test_a_child_deaf_to_its_signal_is_killed_with_all_it_forked(supervisor: Supervisor, folder: Path,
                                                                  told: list[Event]) -> None:  # fmt: skip
    supervisor.add(process(folder, "deaf", "stubborn.py", stop_timeout_s=0.1))
    supervisor.start("deaf")
    eventually(lambda: len(notes(folder)) == 2)
    both = [proc.ref(int(line.split()[0])) for line in notes(folder)]
    supervisor.stop("deaf")
    eventually(lambda: not any(one and proc.is_alive(one) for one in both))
    assert told[-1] == ProcessStopped("deaf", forced=True)


def test_what_a_dead_child_forked_does_not_live_on(supervisor: Supervisor, folder: Path) -> None:
    supervisor.add(process(folder, "deaf", "stubborn.py", restart=None))
    supervisor.start("deaf")
    eventually(lambda: len(notes(folder)) == 2)
    both = [proc.ref(int(line.split()[0])) for line in notes(folder)]
    os.kill(supervisor.running()["deaf"].pid, signal.SIGKILL)
    poll_until(supervisor, GaveUp)
    eventually(lambda: not any(one and proc.is_alive(one) for one in both))


def test_an_interrupted_stop_kills_the_rest(supervisor: Supervisor, folder: Path,
                                            monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    for name in ("one", "two"):
        supervisor.add(process(folder, name))
        supervisor.start(name)
    left = supervisor.running()

    def impatient(self: child.Child, timeout_s: float) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(child.Child, "stop", impatient)
    with pytest.raises(KeyboardInterrupt):
        supervisor.stop_all()
    assert not any(proc.is_alive(one) for one in left.values())


def test_a_stopped_child_stays_stopped(supervisor: Supervisor, folder: Path) -> None:
    supervisor.add(process(folder, "one", restart=RestartPolicy(first_delay_s=0.01)))
    supervisor.start("one")
    supervisor.stop("one")
    time.sleep(0.03)
    assert supervisor.poll() == []
    supervisor.start("one")
    assert list(supervisor.running()) == ["one"]


def test_wait_ready_quotes_a_child_that_ended(supervisor: Supervisor) -> None:
    supervisor.add(inline("bad", "print('port is taken'); raise SystemExit(3)"))
    supervisor.start("bad")
    with pytest.raises(Unavailable, match=r"bad ended before it was ready \(exit code 3\)(?s:.)*port is taken"):
        supervisor.wait_ready("bad", lambda: False, 60)


def test_wait_ready_ends_when_the_time_is_up(supervisor: Supervisor, folder: Path) -> None:
    supervisor.add(process(folder, "slow"))
    supervisor.start("slow")
    with pytest.raises(Unavailable, match="slow is not ready after 0 s"):
        supervisor.wait_ready("slow", lambda: False, 0.05)


def test_children_get_their_environment_and_default_signals(supervisor: Supervisor) -> None:
    code = "import os, signal; print(os.environ['COLOUR'], signal.getsignal(signal.SIGHUP) == signal.SIG_DFL)"
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        supervisor.add(inline("child", code, env={"COLOUR": "teal"}, restart=None))
        supervisor.start("child")
        poll_until(supervisor, GaveUp)
    finally:
        signal.signal(signal.SIGHUP, before)
    assert supervisor.log_path("child").read_text() == "teal True\n"


def test_starting_off_the_main_thread_is_refused(supervisor: Supervisor, folder: Path) -> None:
    supervisor.add(process(folder, "one"))
    raised: list[BaseException] = []

    def start() -> None:
        try:
            supervisor.start("one")
        except FleetError as error:
            raised.append(error)

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    assert "main thread" in str(raised[0])


def test_mistakes_of_the_caller_are_named(supervisor: Supervisor, folder: Path) -> None:
    supervisor.add(process(folder, "one"))
    with pytest.raises(Conflict, match="one already"):
        supervisor.add(process(folder, "one"))
    with pytest.raises(NotFound, match="two"):
        supervisor.start("two")
    with pytest.raises(InvalidInput, match="cannot name"):
        supervisor.add(process(folder, "../one"))
    supervisor.add(Process("none", ("no-such-program-anywhere",)))
    with pytest.raises(InvalidInput, match=r"program of none is missing.*make setup"):
        supervisor.start("none")


def test_a_log_past_its_cap_moves_aside_while_its_writer_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "worker.log"
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, b"x" * 100)
    child.rotate_log(path, cap_bytes=100)
    assert path.stat().st_size == 100
    child.rotate_log(path, cap_bytes=99)
    os.write(descriptor, b"more")
    os.close(descriptor)
    assert (path.read_text(), path.with_name("worker.log.1").stat().st_size) == ("more", 100)


def test_what_is_moved_aside_of_a_log_is_for_its_owner_alone(tmp_path: Path) -> None:
    """Symptom: `worker.log` was private, and its older half could be read by everybody."""
    path, older = tmp_path / "worker.log", tmp_path / "worker.log.1"
    elsewhere = tmp_path / "elsewhere"
    for before in (None, "a file", "a link"):
        path.write_bytes(b"x" * 100)
        older.unlink(missing_ok=True)
        if before == "a file":
            older.write_text("of an older version")
            older.chmod(0o644)
        elif before == "a link":
            older.symlink_to(elsewhere)
        child.rotate_log(path, cap_bytes=99)
        assert (older.read_bytes(), older.stat().st_mode & 0o777) == (b"x" * 100, 0o600), before
    assert not elsewhere.exists()
