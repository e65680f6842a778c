"""A TCP proxy before Postgres that cuts connections during COMMIT, so that its outcome is unknown.

`world` routes one worker's database connection through it; the nemesis arms it. It parses just enough of the protocol
to detect a COMMIT (frames, and the text of queries) and never changes a byte.
"""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import suppress
from enum import StrEnum

_ASKS_FOR_ENCRYPTION = (80877103, 80877104)  # SSLRequest, GSSENCRequest: answered with one byte, the start follows
_CHUNK = 65_536


class Cut(StrEnum):
    """Where a COMMIT is interrupted."""

    REQUEST = "request"  # it never arrives: nothing is written
    BLIND = "blind"  # it was sent on, and the connection is cut at once: unknown
    ANSWER = "answer"  # it is done, and its response never arrives: everything is written


class CommitProxy:
    """Listens on loopback and passes everything on, until armed."""

    def __init__(self, host: str, port: int) -> None:
        self._upstream = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._lock = threading.Lock()
        self._armed: list[Cut] = []
        self.cuts = 0
        """How many connections have been cut during COMMIT."""

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def start(self) -> None:
        """Begin to accept connections."""
        threading.Thread(target=self._accept, name="commit-proxy", daemon=True).start()

    def arm(self, cut: Cut, times: int) -> None:
        """Cut the next so many connections that send a COMMIT."""
        with self._lock:
            self._armed = [cut] * times

    def disarm(self) -> None:
        """Cut no more."""
        with self._lock:
            self._armed = []

    def close(self) -> None:
        """Accept no more connections; open ones end with their clients."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def take(self) -> Cut | None:
        """Return what to do with the present COMMIT, and count it."""
        with self._lock:
            if not self._armed:
                return None
            self.cuts += 1
            return self._armed.pop()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                _Link(self, client, self._upstream).start()


class _Link:
    """One connection: a thread for the questions, one for the answers."""

    def __init__(self, proxy: CommitProxy, client: socket.socket, upstream: tuple[str, int]) -> None:
        self._proxy, self._client, self._address = proxy, client, upstream
        self._server: socket.socket | None = None
        self._swallow = False

    def start(self) -> None:
        threading.Thread(target=self._questions, name="commit-proxy", daemon=True).start()

    def _questions(self) -> None:
        with self._client:
            try:
                server = self._server = socket.create_connection(self._address, timeout=5)
            except OSError:
                return
            with server:
                server.settimeout(None)
                threading.Thread(target=self._answers, name="commit-proxy", daemon=True).start()
                with suppress(OSError):
                    for frame in _frames(self._client):
                        if not self._pass_on(server, frame):
                            break
                self._cut()  # before both are closed: the session of a client that was killed would stay open

    def _pass_on(self, server: socket.socket, frame: bytes) -> bool:
        """Send a frame to the server; False when this connection is to end here."""
        cut = self._proxy.take() if _is_commit(frame) else None
        if cut is Cut.REQUEST:
            return False
        self._swallow = cut is Cut.ANSWER
        if cut is Cut.BLIND:
            self._client.shutdown(socket.SHUT_RDWR)  # first, or a quick answer would still get through
        server.sendall(frame)
        return cut is not Cut.BLIND

    def _answers(self) -> None:
        server = self._server
        assert server is not None
        with suppress(OSError):
            while data := server.recv(_CHUNK):
                if self._swallow:
                    break  # the server confirms the COMMIT; the client will not get it
                self._client.sendall(data)
        self._cut()

    def _cut(self) -> None:
        """End both halves. Shutting down wakes the other thread, which closing would not."""
        for end in (self._client, self._server):
            if end is not None:
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)


def _frames(client: socket.socket) -> Iterator[bytes]:
    """Give the client's messages whole. The first ones have no type; after the real start all have."""
    buffer, typed = b"", False
    while chunk := client.recv(_CHUNK):
        buffer += chunk
        while (size := _size(buffer, typed=typed)) is not None and len(buffer) >= size:
            frame, buffer = buffer[:size], buffer[size:]
            if not typed:
                (code,) = struct.unpack("!I", frame[4:8])
                typed = code not in _ASKS_FOR_ENCRYPTION
            yield frame


def _size(buffer: bytes, *, typed: bool) -> int | None:
    """Return how long the first message is, its type included; None while its head is not there yet."""
    start = 1 if typed else 0
    if len(buffer) < start + 4:
        return None
    (length,) = struct.unpack("!I", buffer[start : start + 4])
    return int(length) + start


def _is_commit(frame: bytes) -> bool:
    """Return whether a message is a simple query with COMMIT, which is how the driver sends it."""
    return frame[:1] == b"Q" and frame[5:].rstrip(b"\0; \n").upper() == b"COMMIT"
