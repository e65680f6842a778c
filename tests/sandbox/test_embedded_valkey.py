"""The embedded Valkey: private, durable, and alone on its files."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from fleet.core.errors import InvalidInput
from fleet.sandbox.processes import proc
from fleet.sandbox.servers import binaries
from fleet.sandbox.servers.embedded import StartFailure
from fleet.sandbox.servers.valkey import EmbeddedValkey


def test_it_keeps_what_was_written_through_kill_9(private_valkey: EmbeddedValkey) -> None:
    with private_valkey.client() as client:
        client.set("word", "here")
        client.wait(0, 0)
    port = private_valkey.port
    private_valkey.kill()
    private_valkey.start()
    with private_valkey.client() as client:
        assert client.get("word") == b"here"
    assert private_valkey.port == port


def test_it_starts_again_after_dying_by_itself(private_valkey: EmbeddedValkey) -> None:
    os.kill(private_valkey.child.pid, signal.SIGKILL)
    assert private_valkey.child.wait(60)
    private_valkey.start()
    with private_valkey.client() as client:
        assert client.ping()


def test_it_neither_evicts_nor_forgets(private_valkey: EmbeddedValkey) -> None:
    with private_valkey.client() as client:
        settings = client.config_get("maxmemory-policy", "appendonly", "appendfsync", "bind")
    assert settings == {
        "maxmemory-policy": "noeviction", "appendonly": "yes", "appendfsync": "everysec", "bind": "127.0.0.1",
    }  # fmt: skip


def test_the_password_is_asked_for_and_never_shown(private_valkey: EmbeddedValkey) -> None:
    password = private_valkey.password_path.read_text().strip()
    assert not any(password in word for word in proc.command_line(private_valkey.child.pid))
    for secret in (private_valkey.password_path, private_valkey.data_dir / "server.conf"):
        assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    with (
        redis.Redis(port=private_valkey.port, retry=Retry(NoBackoff(), retries=0)) as stranger,
        pytest.raises(redis.AuthenticationError),
    ):
        stranger.ping()


def test_a_server_left_by_a_killed_run_never_shares_its_files(private_valkey: EmbeddedValkey) -> None:
    with private_valkey.client() as client:
        client.set("word", "here")
    left = private_valkey.child
    private_valkey._lock.release()  # as when its owner died without a word
    second = EmbeddedValkey(private_valkey.data_dir)
    second.start()
    try:
        assert left.wait(5)
        with second.client() as client:
            assert client.get("word") == b"here"
    finally:
        second.stop()


def test_a_process_lives_on_its_files_until_its_last_thread_has_ended(tmp_path: Path) -> None:
    program = (
        "import ctypes, sys, threading\nthreading.Thread(target=sys.stdin.read).start()\nctypes.CDLL(None).syscall({})"
    )
    ends_a_thread = {"x86_64": 60, "aarch64": 93}[os.uname().machine]
    left = subprocess.Popen([sys.executable, "-c", program.format(ends_a_thread)], cwd=tmp_path, stdin=subprocess.PIPE)
    try:
        deadline = time.monotonic() + 30
        while "State:\tZ" not in Path(f"/proc/{left.pid}/status").read_text() and time.monotonic() < deadline:
            time.sleep(0.01)
        (name,) = {Path(f"/proc/{left.pid}/comm").read_text().strip()}
        found = proc.ref(left.pid)
        assert left.poll() is None and found is not None
        assert proc.working_in(tmp_path, frozenset({name})) == [found]
    finally:
        left.communicate()
    assert not proc.is_alive(found)


def test_a_password_of_ones_own_is_used(tmp_path: Path) -> None:
    server = EmbeddedValkey(tmp_path / "data", durable=False)
    server.password_path.write_text("my-own\n")
    server.start()
    try:
        assert server.url() == f"redis://:my-own@127.0.0.1:{server.port}/0"
        with redis.Redis.from_url(server.url(2)) as client:
            assert client.ping()
    finally:
        server.stop()


@pytest.mark.parametrize("password", ["with space", 'quo"te', "new\nline", "a@b", "#first"])
def test_a_password_that_would_break_file_or_url_is_refused(tmp_path: Path, password: str) -> None:
    server = EmbeddedValkey(tmp_path / "data")
    server.password_path.write_text(password)
    with pytest.raises(InvalidInput, match="letters, digits"):
        server.start()


def test_a_named_port_that_is_taken_is_refused_with_its_setting(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(InvalidInput, match=rf"Port {port}.*Valkey.*FLEET_VALKEY_PORT"):
            EmbeddedValkey(tmp_path / "data", port=port).start()


def test_a_port_out_of_range_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"70000.*is not a port"):
        EmbeddedValkey(tmp_path / "data", port=70_000).start()


def test_a_port_lost_after_the_check_is_read_from_its_words(tmp_path: Path) -> None:
    server = EmbeddedValkey(tmp_path / "data", durable=False)
    with socket.create_server(("127.0.0.1", 0)) as other:
        server._prepare()
        child = server._spawn(other.getsockname()[1])
        assert child.wait(60)
    assert server._start_failure(child.said()) is StartFailure.PORT_TAKEN


def test_no_server_at_all_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binaries, "_package_folder", lambda _name: None)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(InvalidInput, match=r"No Valkey or Redis.*make setup.*FLEET_BROKER_URL"):
        binaries.find_valkey()
