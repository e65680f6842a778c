"""The embedded PostgreSQL: made once, kept private, and back on its feet after whatever happened to it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from fleet.cli.commands.up.run import connections
from fleet.core.errors import Conflict, FleetError, InvalidInput, Unavailable
from fleet.core.settings import Settings
from fleet.sandbox import ports
from fleet.sandbox.gallery.config import _Environment
from fleet.sandbox.processes import proc
from fleet.sandbox.processes.child import RunAs
from fleet.sandbox.servers import binaries, cluster
from fleet.sandbox.servers.databases import ensure_sibling
from fleet.sandbox.servers.embedded import StartFailure
from fleet.sandbox.servers.postgres import EmbeddedPostgres

# Each makes a server from nothing, which takes a while on a slow machine.
pytestmark = pytest.mark.timeout(300)

MakeServer = Callable[..., EmbeddedPostgres]
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder whose path holds a space, quotes and more than ASCII."""
    made = tmp_path / "my 'fleet' ü"
    made.mkdir()
    return made


@pytest.fixture
def make(folder: Path) -> Iterator[MakeServer]:
    """Build servers over one data folder; all are stopped at the end."""
    made: list[EmbeddedPostgres] = []

    def build(**options: object) -> EmbeddedPostgres:
        made.append(EmbeddedPostgres(folder / "data", durable=False, **options))  # type: ignore[arg-type]
        return made[-1]

    yield build
    for server in made:
        server.stop()


def write_row(server: EmbeddedPostgres) -> None:
    with server.connect() as connection:
        connection.execute("CREATE TABLE kept (word text)")
        connection.execute("INSERT INTO kept VALUES ('here')")


def rows(server: EmbeddedPostgres) -> list[tuple[str]]:
    with server.connect() as connection:
        return connection.execute("SELECT word FROM kept").fetchall()


def test_start_serves_sqlalchemy_from_a_path_with_spaces(make: MakeServer) -> None:
    server = make()
    server.start()
    url = server.ensure_database("fleet")
    assert server.ensure_database("fleet") == url == server.url()
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        assert connection.scalar(sa.text("SELECT current_database()")) == "fleet"
        assert connection.scalar(sa.text("SHOW server_encoding")) == "UTF8"
        connection.execute(sa.text("CREATE EXTENSION vector"))
    engine.dispose()


@pytest.mark.parametrize(("memory_mb", "buffers"), [(64, "32MB"), (2048, "256MB"), (65_536, "512MB")])
def test_it_keeps_an_eighth_of_a_small_machine_at_hand_and_no_more_of_a_large_one(
    make: MakeServer, monkeypatch: pytest.MonkeyPatch, memory_mb: int, buffers: str
) -> None:
    sizes = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": memory_mb * 256}
    monkeypatch.setattr("os.sysconf", lambda name: sizes[name])
    server = make()
    server.start()
    with server.connect() as connection:
        assert connection.execute("SHOW shared_buffers").fetchone() == (buffers,)


@pytest.mark.parametrize(("workers", "most"), [(2, 100), (64, 64 * 10 + 80)])
def test_it_takes_the_connections_of_all_workers(make: MakeServer, workers: int, most: int) -> None:
    pool, of_gallery = Settings.model_fields["pool_size"].default, _Environment.model_fields["pool_size"].default
    web, ourselves, a_person_at_a_terminal, metrics, kept_for_superusers = pool, pool, pool, 1, 3
    others = web + ourselves + a_person_at_a_terminal + 2 * of_gallery + metrics + kept_for_superusers
    server = make(connections=connections(pool, workers))
    server.start()
    with server.connect() as connection:
        (taken,) = connection.execute("SHOW max_connections").fetchone() or ("0",)
    assert int(taken) == most >= workers * pool + others


def test_only_loopback_with_the_password_gets_in(make: MakeServer, folder: Path) -> None:
    server = make()
    server.start()
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(host="127.0.0.1", port=server.port, user="fleet", password="guess", dbname="postgres")
    with server.connect() as connection:
        assert connection.execute("SHOW listen_addresses").fetchone() == ("127.0.0.1",)
        assert connection.execute("SHOW unix_socket_directories").fetchone() == ("",)
    password = server.password_path.read_text().strip()
    assert stat.S_IMODE(server.password_path.stat().st_mode) == 0o600
    assert not any(password in word for word in proc.command_line(server.child.pid))
    assert not list(folder.glob(".*initdb*"))


def test_a_restart_keeps_rows_and_port(make: MakeServer) -> None:
    first = make()
    first.start()
    write_row(first)
    port = first.port
    first.stop()
    second = make(preferred_port=port)
    second.start()
    assert (second.port, rows(second)) == (port, [("here",)])


def test_stop_does_not_wait_for_idle_clients(make: MakeServer) -> None:
    server = make()
    server.start()
    with server.connect():
        assert server._stop_child(server.child) is False
    assert not server.is_running()


def test_rows_survive_kill_9_of_the_whole_server(make: MakeServer) -> None:
    first = make()
    first.start()
    write_row(first)
    first.kill()
    second = make()
    second.start()
    assert rows(second) == [("here",)]


def test_a_dead_server_starts_again_on_the_same_object(make: MakeServer) -> None:
    server = make()
    server.start()
    write_row(server)
    port = server.port
    os.kill(server.child.pid, signal.SIGKILL)
    assert server.child.wait(60)
    assert not server.is_running()
    server.start()
    assert (server.port, rows(server)) == (port, [("here",)])


def test_a_backend_that_outlived_its_postmaster_is_cleared_away(make: MakeServer) -> None:
    first = make()
    first.start()
    write_row(first)
    with first.connect() as client:
        backend = client.info.backend_pid
        os.kill(backend, signal.SIGSTOP)  # it cannot notice that its postmaster is gone
        first.kill()
        second = make()
        second.leftover_patience_s = 0.1
        second.start()
    assert proc.ref(backend) is None
    assert rows(second) == [("here",)]


def test_a_server_left_by_a_killed_run_is_stopped_first(make: MakeServer) -> None:
    left = make()
    left.start()
    write_row(left)
    left._lock.release()  # as when its owner died without a word
    second = make()
    second.start()
    assert not left.is_running()
    assert rows(second) == [("here",)]


def test_a_stale_pid_file_kills_no_foreign_process(make: MakeServer, folder: Path) -> None:
    first = make()
    first.start()
    first.kill()
    stranger = subprocess.Popen(["sleep", "60"])
    try:
        pid_file = folder / "data" / "postmaster.pid"
        lines = pid_file.read_text().splitlines()
        pid_file.write_text("\n".join([str(stranger.pid), *lines[1:]]) + "\n")
        make().start()
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_half_made_data_folder_is_made_again(make: MakeServer, folder: Path) -> None:
    half = folder / "data.new"
    half.mkdir()
    (half / "PG_VERSION").write_text("18\n")
    server = make()
    server.start()
    assert server.is_running()
    assert not half.exists()


def test_a_start_killed_during_initdb_leaves_nothing_in_the_way(make: MakeServer, folder: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from fleet.sandbox.servers.postgres import EmbeddedPostgres;"
        "Path.rename = lambda *_: time.sleep(600);"  # however late we look, it has not come to its end
        "EmbeddedPostgres(Path(sys.argv[1]) / 'data', durable=False).start()"
    )
    killed = subprocess.Popen([sys.executable, "-c", script, str(folder)], cwd=Path.cwd())
    while not (folder / "data.new" / "PG_VERSION").exists():
        assert killed.poll() is None, "it ended before it could be killed"
        time.sleep(0.001)
    killed.kill()
    killed.wait()
    assert not (folder / "data").exists()
    server = make()
    server.start()
    write_row(server)


def test_a_folder_of_something_else_is_left_alone(make: MakeServer, folder: Path) -> None:
    (folder / "data").mkdir()
    (folder / "data" / "letters.txt").write_text("dear")
    with pytest.raises(InvalidInput, match="not a PostgreSQL data folder"):
        make().start()
    assert (folder / "data" / "letters.txt").read_text() == "dear"


def test_data_of_another_version_is_named_as_such(make: MakeServer, folder: Path) -> None:
    (folder / "data").mkdir()
    (folder / "data" / "PG_VERSION").write_text("13\n")
    with pytest.raises(InvalidInput, match="created by PostgreSQL 13, but 18 was found"):
        make().start()


def test_two_servers_cannot_share_a_data_folder(make: MakeServer) -> None:
    first = make()
    first.start()
    with pytest.raises(Conflict, match=f"pid {os.getpid()}"):
        make().start()
    assert first.is_running()


def test_a_lost_password_file_is_explained(make: MakeServer) -> None:
    first = make()
    first.start()
    first.stop()
    first.password_path.unlink()
    with pytest.raises(InvalidInput, match="is not that of the database"):
        make().start()


def test_a_named_port_that_is_taken_is_refused_with_its_setting(make: MakeServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(InvalidInput, match=rf"Port {port}.*PostgreSQL.*FLEET_POSTGRES_PORT"):
            make(port=port).start()


def test_a_port_lost_between_choice_and_start_is_replaced(make: MakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    choose = ports.choose
    with socket.create_server(("127.0.0.1", 0)) as other:
        answers = iter([other.getsockname()[1]])
        monkeypatch.setattr(ports, "choose", lambda **named: next(answers, None) or choose(**named))
        server = make()
        server.start()
        assert server.port != other.getsockname()[1]


def test_no_server_at_all_says_what_to_install(make: MakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binaries, "_postgres_folders", lambda: iter(()))
    with pytest.raises(InvalidInput, match=r"No PostgreSQL server was found\. Run `make setup`.*FLEET_DATABASE_URL"):
        make().start()


def test_a_wheel_without_initdb_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "postgres").touch()
    monkeypatch.setattr(binaries, "_postgres_folders", lambda: iter([(tmp_path, ())]))
    with pytest.raises(InvalidInput, match=r"lacks initdb"):
        binaries.find_postgres()


def test_a_full_disk_is_distinguished_from_other_errors(make: MakeServer) -> None:
    server = make()
    assert server._start_failure("FATAL: could not write: No space left on device") is StartFailure.DISK_FULL
    assert isinstance(server._failure(StartFailure.DISK_FULL), Unavailable)
    assert server._start_failure("FATAL: bad luck") is StartFailure.OTHER


@pytest.mark.as_root
@needs_root
def test_root_runs_it_without_giving_files_away_or_opening_folders(make: MakeServer, folder: Path) -> None:
    folder.chmod(0o700)
    server = make()
    server.start()
    place = server._place()
    if place.run_as.namespace_uid is None:
        pytest.skip("user namespaces are refused here")
    assert {path.stat().st_uid for path in (folder / "data").rglob("*")} == {0}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.fixture
def no_namespaces(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """As in a container that refuses user namespaces; yields the folder used instead of /var/lib/fleet."""
    can_run = cluster._can_run

    def refuse(run_as: RunAs, postgres: Path, folder: Path) -> bool:
        return run_as.namespace_uid is None and can_run(run_as, postgres, folder)

    shared = Path(tempfile.mkdtemp(prefix="fleet-shared-"))
    shared.chmod(0o755)
    monkeypatch.setattr(cluster, "SHARED_ROOT", shared)
    monkeypatch.setattr(cluster, "_can_run", refuse)
    yield shared
    shutil.rmtree(shared)


@pytest.mark.as_root
@needs_root
def test_root_becomes_nobody_where_namespaces_are_refused(make: MakeServer, folder: Path, no_namespaces: Path) -> None:
    first = make()
    first.start()
    try:
        write_row(first)
        data = first._place().data
        assert no_namespaces in data.parents
        assert data.stat().st_uid != 0
        assert not (folder / "data").exists()
        first.kill()
        second = make()
        second.start()
        assert rows(second) == [("here",)]
        second.stop()
    finally:
        first.stop()


@pytest.mark.as_root
@needs_root
def test_root_without_any_way_gets_an_error_with_the_fix(make: MakeServer, no_namespaces: Path,
                                                           monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    monkeypatch.setattr(cluster, "_can_run", lambda *_: False)
    with pytest.raises(FleetError, match="Run Fleet as an ordinary user"):
        make().start()


def test_a_sibling_database_is_made_on_a_server_of_the_users(make: MakeServer) -> None:
    server = make()
    server.start()
    url = server.ensure_database("theirs")
    sibling = ensure_sibling(url, "gallery")
    assert sibling == server.url("theirs_gallery") == ensure_sibling(url, "gallery")
    with server.connect() as connection:
        connection.execute("CREATE ROLE guest LOGIN PASSWORD 'guest'")
    guest = sa.make_url(url).set(username="guest", password="guest").render_as_string(hide_password=False)
    assert "guest" in ensure_sibling(guest, "gallery")
    with pytest.raises(InvalidInput, match="CREATE DATABASE theirs_more"):
        ensure_sibling(guest, "more")
