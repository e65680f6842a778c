"""httpx and httpx2: limit a whole response in time and size (both bound each read only); load httpx without commands.

Incident: a server that sent single bytes of its headers slowly blocked a worker for hours; Rich and Pygments, which
only the command `httpx` uses, cost every process 4 MB. Private parts: `Client._transport`, `Client._mounts`,
`HTTPTransport._pool._network_backend`, `Response._content`, `httpx._main`. Called by `adapters.http`,
`llm.providers.wire` and `fleet --server`, each with its own client; imports neither library.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fleet.core import clock

_COMMANDS = "httpx._main"


@contextmanager
def without_commands() -> Iterator[None]:
    """Have `import httpx` in this block leave out the module of its commands, as it does where Rich is missing."""
    is_loaded = "httpx" in sys.modules
    if not is_loaded:
        sys.modules[_COMMANDS] = None  # type: ignore[assignment]  # to the import system: there is no such module
    try:
        yield
    finally:
        if not is_loaded:
            del sys.modules[_COMMANDS]


def bound(client: Any, late: type[Exception]) -> None:
    """Make every response to a client end within its read timeout, counted from the end of the request.

    `late` is the client's exception for a slow read. There is no public way to this place; if a library has moved it,
    making the client raises AttributeError.
    """
    for transport in (client._transport, *client._mounts.values()):
        if transport is not None:
            transport._pool._network_backend = _Backend(transport._pool._network_backend, late)


def read(response: Any, most_bytes: int, broken: type[Exception]) -> None:
    """Read a response that was sent as a stream. Raises `broken` if it is longer than the limit, or compressed.

    A compressed response could expand to any size at its first read; the request asked for none.
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
