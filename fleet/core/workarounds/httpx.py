"""httpx and httpx2: bound a whole answer in time and size. Both bound each read only.

Incident: a server that sent one byte of its headers now and then held a worker for hours. Private parts:
`Client._transport`, `Client._mounts`, `HTTPTransport._pool._network_backend`, `Response._content`. Called by
`adapters.http`, `llm.providers.wire` and `fleet --server`, each with its own client; imports neither library.
"""

from __future__ import annotations

from typing import Any

from fleet.core import clock


def bound(client: Any, late: type[Exception]) -> None:
    """Have every answer to a client end within its read timeout, counted from when the last of the question was sent.

    `late` is what the client raises for a read that takes too long. There is no public way to this place;
    a library that has it elsewhere by now raises AttributeError when the client is made.
    """
    for transport in (client._transport, *client._mounts.values()):
        if transport is not None:
            transport._pool._network_backend = _Backend(transport._pool._network_backend, late)


def read(response: Any, most_bytes: int, broken: type[Exception]) -> None:
    """Read an answer that was sent for as a stream. Raises `broken` where it is longer than that, or packed.

    A packed one could unfold to any size at its first read; who asks has said that it wants none.
    """
    if response.headers.get("content-encoding", "").strip().lower() not in ("", "identity"):
        raise broken("the answer is packed, though it was asked not to be")
    chunks, size = [], 0
    for chunk in response.iter_bytes():
        size += len(chunk)
        if size > most_bytes:
            raise broken("the answer is too large")
        chunks.append(chunk)
    response._content = b"".join(chunks)


class _Backend:
    """Makes connections that are timed."""

    def __init__(self, backend: Any, late: type[Exception]) -> None:
        self._backend = backend
        self._late = late

    def connect_tcp(self, *args: Any, **options: Any) -> _Stream:
        return _Stream(self._backend.connect_tcp(*args, **options), self._late)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)


class _Stream:
    """A connection whose reads after a write end together."""

    def __init__(self, stream: Any, late: type[Exception]) -> None:
        self._stream = stream
        self._late = late
        self._asked_s = clock.monotonic_s()

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        left_s = None if timeout is None else self._asked_s + timeout - clock.monotonic_s()
        if left_s is not None and left_s <= 0:
            raise self._late("the answer takes too long")
        read: bytes = self._stream.read(max_bytes, left_s)
        return read

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, timeout)
        self._asked_s = clock.monotonic_s()

    def start_tls(self, *args: Any, **options: Any) -> _Stream:
        return _Stream(self._stream.start_tls(*args, **options), self._late)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
