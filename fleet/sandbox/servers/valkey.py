"""The embedded Valkey: the broker of a fleet without one of its own, with an append-only file on disk.

Used by `services` and by the tests. Its password is in a private file, never in the process list.
"""

from __future__ import annotations

import signal
import socket
from typing import TYPE_CHECKING

from fleet.core.errors import InvalidInput
from fleet.sandbox import disk, ports
from fleet.sandbox.processes import proc
from fleet.sandbox.processes.child import Child, spawn
from fleet.sandbox.servers import binaries
from fleet.sandbox.servers.embedded import EmbeddedServer, StartFailure

if TYPE_CHECKING:
    import redis

_CONFIG_NAME = "server.conf"
# All paths are relative to the working folder, so that no path of the user needs quoting. `hz` is how often an idle
# server wakes for its housekeeping.
_CONFIG = """\
bind {host}
port {port}
requirepass {password}
daemonize no
dir ./
appendonly yes
appendfsync {fsync}
aof-load-truncated yes
save ""
maxmemory-policy noeviction
hz 4
"""


class EmbeddedValkey(EmbeddedServer):
    """Valkey (or Redis, if Valkey is missing) over `data_dir`.

    `port` is a port that the user named (taken: InvalidInput); `preferred_port` is only tried first.
    """

    title = "Valkey"
    port_setting = "FLEET_VALKEY_PORT"
    program_names = frozenset({"valkey-server", "redis-server"})
    stop_signal = signal.SIGTERM
    stop_timeout_s = 10.0

    def url(self, database: int = 0) -> str:
        """Return the redis:// URL of one of its numbered databases."""
        return f"redis://:{self._password}@{ports.LOOPBACK}:{self.port}/{database}"

    def client(self) -> redis.Redis:
        """Return a client; the caller closes it."""
        import redis

        return redis.Redis.from_url(self.url(), socket_timeout=2, socket_connect_timeout=2)

    def _prepare(self) -> None:
        disk.private_folder(self.data_dir)
        self._password = disk.stored_password(self.password_path)
        if not self._password.isprintable() or any(mark in self._password for mark in " \"'\\#@:/?%"):
            raise InvalidInput("A Valkey password may hold letters, digits and - _ . ~ only.")

    def _spawn(self, port: int) -> Child:
        text = _CONFIG.format(
            host=ports.LOOPBACK, port=port, password=self._password, fsync="everysec" if self.durable else "no"
        )
        disk.write_private(self.data_dir / _CONFIG_NAME, text)
        return spawn(
            "valkey",
            [str(binaries.find_valkey()), _CONFIG_NAME],
            log_path=self.log_path,
            cwd=self.data_dir,
            stop_signal=self.stop_signal,
        )

    def _answers(self) -> bool:
        """Check with a raw socket: importing the client takes longer than starting the server."""
        try:
            with socket.create_connection((ports.LOOPBACK, self.port), timeout=2) as connection:
                connection.sendall(f"AUTH {self._password}\r\nPING\r\nQUIT\r\n".encode())
                with connection.makefile("rb") as answers:
                    return b"+PONG" in answers.read()  # otherwise it still reads its file, or is another server
        except OSError:
            return False

    def _start_failure(self, said: str) -> StartFailure:
        if disk.reports_full_disk(said):
            return StartFailure.DISK_FULL
        if "Address already in use" in said:
            return StartFailure.PORT_TAKEN
        return StartFailure.OTHER

    def _leftovers(self) -> list[proc.ProcessRef]:
        """Return servers that still write to our files: Valkey, unlike PostgreSQL, does not check for them."""
        return proc.working_in(self.data_dir, self.program_names)
