"""The services below one fleet: one run per home, homes side by side, and a clean start after any end."""

from __future__ import annotations

import errno
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
import redis
import sqlalchemy as sa

from fleet.core.errors import Conflict, InvalidInput, Unavailable
from fleet.sandbox import disk, ports, services
from fleet.sandbox.processes import orphans, proc, restart
from fleet.sandbox.processes.runfile import Recorded, RunFile, RunInfo, ourselves
from fleet.sandbox.processes.supervisor import Died, Event, Restarted
from fleet.sandbox.services import Services

# Each makes a server or two from nothing, which takes a while on a slow machine.
pytestmark = pytest.mark.timeout(300)

MakeServices = Callable[..., Services]

# What `fleet up` does in short: services, one supervised child, then it waits to be killed.
DRIVER = """
import sys, time
from pathlib import Path
from fleet.sandbox.processes.runfile import Recorded
from fleet.sandbox.services import Services
from fleet.sandbox.processes.supervisor import Process, Supervisor
home = Path(sys.argv[1])
services = Services(home, durable=False)
services.start()
supervisor = Supervisor(services.logs_dir, orphan_grace_s=300)
supervisor.add(Process("deaf", ("/bin/sh", "-c", "trap '' TERM; echo up; while :; do sleep 60; done")))
supervisor.start("deaf")
supervisor.wait_ready("deaf", lambda: supervisor.log_path("deaf").read_text() == "up\\n", 60)
services.record(urls={"gallery": "http://127.0.0.1:4/"},
                processes={name: Recorded(ref) for name, ref in supervisor.running().items()})
while True:
    time.sleep(60)
"""


def eventually(holds: Callable[[], object], within_s: float = 90.0) -> None:
    """Poll until `holds()` is true; fails when the time is up."""
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, "did not come about in time"
        time.sleep(0.01)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "my fleet's home"


@pytest.fixture
def make() -> Iterator[MakeServices]:
    made: list[Services] = []

    def build(home: Path, **options: object) -> Services:
        made.append(Services(home, durable=False, **options))  # type: ignore[arg-type]
        return made[-1]

    yield build
    for one in made:
        one.stop()


def execute(url: str, statement: str) -> object:
    plain = sa.make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain, autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else None


def poll_until_noticed(fleet: Services) -> list[Event]:
    """Poll until the death of a server is seen: a killed one may take a moment to let go of its threads."""
    seen: list[Event] = []
    eventually(lambda: seen.extend(fleet.poll()) or seen)
    return seen


def started_driver(home: Path) -> subprocess.Popen[bytes]:
    argv = [sys.executable, "-c", DRIVER, str(home)]
    driver = subprocess.Popen(
        argv, env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}, process_group=0
    )

    def is_up() -> bool:
        assert driver.poll() is None
        info = RunFile.read(home)
        return info is not None and bool(info.gallery_url)

    eventually(is_up)
    return driver


def test_embedded_servers_answer_and_other_terminals_find_them(make: MakeServices, home: Path) -> None:
    fleet = make(home)
    urls = fleet.start()
    gallery = fleet.gallery_database()
    assert execute(urls.database, "SELECT current_database()") == [("fleet",)]
    assert execute(gallery, "SELECT current_database()") == [("gallery",)]
    with redis.Redis.from_url(urls.broker) as client:
        assert client.ping()
    fleet.record(urls={"gallery": "http://127.0.0.1:4/"}, ports={"gallery": 4})
    info = RunFile.read(home)
    assert info is not None
    assert (info.pid, info.database_url, info.broker_url) == (os.getpid(), urls.database, urls.broker)
    assert list(info.processes) == ["postgres", "valkey"]
    assert stat.S_IMODE((home / "run.json").stat().st_mode) == 0o600
    assert "password" not in repr(info)
    assert urls.database not in repr(info)
    fleet.stop()
    assert RunFile.read(home) is None
    assert not any(proc.is_alive(one.ref) for one in info.processes.values())
    assert sa.make_url(urls.database).password not in (home / "run.json").read_text()


def test_servers_of_the_user_are_used_and_nothing_is_embedded(make: MakeServices, home: Path) -> None:
    fleet = make(home, database_url="postgresql+psycopg://me@db/fleet", broker_url="redis://broker/0")
    urls = fleet.start()
    assert (urls.database, urls.broker) == ("postgresql+psycopg://me@db/fleet", "redis://broker/0")
    info = RunFile.read(home)
    assert info is not None
    assert info.processes == {}
    assert sorted(path.name for path in home.iterdir()) == ["lock", "logs", "run.json"]
    assert fleet.poll() == []


def test_a_second_start_finds_the_same_rows_and_ports(make: MakeServices, home: Path) -> None:
    first = make(home)
    urls = first.start()
    execute(urls.owner, "CREATE TABLE kept AS SELECT 'here' AS word")
    first.record(ports={"gallery": 4567})
    first.stop()
    second = make(home)
    again = second.start()
    assert again == urls
    assert execute(again.owner, "SELECT word FROM kept") == [("here",)]
    assert second.last_port("gallery") == 4567


def test_a_second_fleet_in_the_same_home_is_pointed_to_the_first(
    make: MakeServices, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orphans, "_REAP_PATIENCE_S", 0.2)
    driver = started_driver(home)
    try:
        with pytest.raises(Conflict) as refused:
            make(home).start()
        assert f"already runs from this folder (pid {driver.pid})" in str(refused.value)
        assert "gallery is at http://127.0.0.1:4/" in str(refused.value)
        assert "FLEET_HOME" in str(refused.value)
        assert RunFile.read(home) is not None
    finally:
        os.killpg(driver.pid, signal.SIGKILL)
        driver.wait()
    make(home).start()  # clears away what the kill left


def test_two_homes_run_side_by_side(make: MakeServices, tmp_path: Path) -> None:
    first, second = make(tmp_path / "a").start(), make(tmp_path / "b").start()
    execute(first.owner, "CREATE TABLE mine ()")
    assert execute(second.database, "SELECT to_regclass('mine')") == [(None,)]
    with redis.Redis.from_url(first.broker) as one, redis.Redis.from_url(second.broker) as other:
        one.set("mine", 1)
        assert other.get("mine") is None


def test_the_start_after_kill_9_stops_what_was_left_and_keeps_the_rows(
    make: MakeServices, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orphans, "_REAP_PATIENCE_S", 0.2)
    driver = started_driver(home)
    info = RunFile.read(home)
    assert info is not None
    execute(info.database_owner_url, "CREATE TABLE kept AS SELECT 'here' AS word")
    os.killpg(driver.pid, signal.SIGKILL)
    driver.wait()
    assert proc.is_alive(info.processes["deaf"].ref)  # its undertaker is still patient
    lines: list[str] = []
    urls = make(home, report=lines.append).start()
    assert "deaf" in lines[0]
    assert not any(proc.is_alive(one.ref) for one in info.processes.values())
    assert execute(urls.owner, "SELECT word FROM kept") == [("here",)]
    assert urls.database == info.database_url


def test_kill_9_of_everything_leaves_no_server_behind(home: Path) -> None:
    driver = started_driver(home)
    info = RunFile.read(home)
    assert info is not None
    servers = [info.processes[name].ref for name in ("postgres", "valkey")]
    os.killpg(driver.pid, signal.SIGKILL)
    driver.wait()
    eventually(lambda: not any(proc.is_alive(one) for one in servers))
    orphans.reap(home, lambda _line: None)


def test_a_number_that_went_to_a_stranger_is_not_stopped(tmp_path: Path) -> None:
    stranger = subprocess.Popen(["sleep", "60"], start_new_session=True)
    try:
        real = proc.ref(stranger.pid)
        assert real is not None
        before = proc.ProcessRef(real.pid, real.started - 1)
        for boot, ref in ((proc.boot_id(), before), ("another boot", real)):
            info = RunInfo(proc.ProcessRef(1, 1), boot, processes={"worker": Recorded(ref)})
            RunFile.write(tmp_path, info)
            orphans.reap(tmp_path, lambda _line: None)
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_forked_orphan_is_stopped_after_its_leader_is_gone(tmp_path: Path) -> None:
    leader = subprocess.Popen(["sh", "-c", "sleep 60 & exec sleep 61"], start_new_session=True)
    ref = proc.ref(leader.pid)
    assert ref is not None
    eventually(lambda: len(proc.session_members(leader.pid)) == 2)
    leader.kill()
    leader.wait()
    RunFile.write(tmp_path, RunInfo(proc.ProcessRef(1, 1), proc.boot_id(), processes={"worker": Recorded(ref)}))
    orphans.reap(tmp_path, lambda _line: None)
    eventually(lambda: proc.session_members(leader.pid) == [])


@pytest.mark.parametrize("server", ["postgres", "valkey"])
def test_a_server_that_dies_comes_back_at_the_same_address(make: MakeServices, home: Path, server: str) -> None:
    fleet = make(home)
    urls = fleet.start()
    info = RunFile.read(home)
    assert info is not None
    victim = info.processes[server].ref
    os.kill(victim.pid, signal.SIGKILL)
    died, restarted = poll_until_noticed(fleet)
    assert isinstance(died, Died)
    assert isinstance(restarted, Restarted)
    assert (died.name, died.how) == (server, "killed by SIGKILL")
    assert execute(urls.database, "SELECT 1") == [(1,)]
    with redis.Redis.from_url(urls.broker) as client:
        assert client.ping()
    recorded = RunFile.read(home)
    assert recorded is not None
    assert recorded.processes[server].ref.pid == restarted.pid
    assert fleet.poll() == []


def test_a_server_that_keeps_dying_is_given_up_with_its_words(make: MakeServices, home: Path,
                                                               monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    monkeypatch.setattr(services, "_POLICY", restart.RestartPolicy(quick_deaths=1))
    fleet = make(home, database_url="postgresql+psycopg://me@db/fleet")
    fleet.start()
    info = RunFile.read(home)
    assert info is not None
    victim = info.processes["valkey"].ref
    os.kill(victim.pid, signal.SIGKILL)
    with pytest.raises(Unavailable, match=r"Valkey keeps ending(?s:.)*Ready to accept connections"):
        poll_until_noticed(fleet)


def test_a_taken_port_is_named_and_the_home_is_free_again(make: MakeServices, home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(InvalidInput, match=f"Port {port}"):
            make(home, valkey_port=port).start()
    make(home, valkey_port=port).start()


def test_a_preferred_port_that_is_taken_is_given_up_silently() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        assert ports.choose(purpose="the gallery", setting="FLEET_GALLERY_PORT", preferred=taken) != taken


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 1}', '{"version": 99}', "null"])
def test_a_broken_run_file_is_as_good_as_none(make: MakeServices, home: Path, text: str) -> None:
    home.mkdir()
    (home / "run.json").write_text(text)
    assert RunFile.read(home) is None
    make(home, database_url="postgresql+psycopg://me@db/fleet", broker_url="redis://broker/0").start()
    assert json.loads((home / "run.json").read_text())["fleet"][0] == os.getpid()


def test_the_run_file_reads_back_as_written(tmp_path: Path) -> None:
    info = RunInfo(
        ourselves(), proc.boot_id(), {"database": "postgresql://ü"}, {"gallery": 4},
        {"worker 1": Recorded(proc.ProcessRef(7, 8), signal.SIGINT)},
    )  # fmt: skip
    RunFile.write(tmp_path, info)
    assert RunFile.read(tmp_path) == info


def test_a_file_where_the_home_should_be_is_explained(make: MakeServices, home: Path) -> None:
    home.write_text("not a folder")
    with pytest.raises(InvalidInput, match=r"in the way.*FLEET_HOME"):
        make(home).start()


@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        (errno.ENOSPC, Unavailable, "is full. Free some space"),
        (errno.EDQUOT, Unavailable, "is full. Free some space"),
        (errno.EACCES, InvalidInput, "may not write in"),
        (errno.EROFS, InvalidInput, "may not write in"),
    ],
)
def test_what_the_disk_refuses_is_said_with_its_fix(
    tmp_path: Path, code: int, kind: type[Exception], words: str
) -> None:
    with pytest.raises(kind, match=words), disk.explained(tmp_path):
        raise OSError(code, os.strerror(code), str(tmp_path))


def test_a_file_that_could_not_be_written_whole_stays_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run.json"
    disk.write_private(path, "old")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Unavailable, match="is full"):
        disk.write_private(path, "new")
    assert path.read_text() == "old"
    assert [one.name for one in tmp_path.iterdir()] == ["run.json"]
