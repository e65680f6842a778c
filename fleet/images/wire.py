"""Connections to untrusted servers: each name is resolved once, every address checked, and that address is called.

The only file that opens such connections; called by `fetch` for pictures and by `fleet.features.webhooks` for webhooks.
The name is not resolved again between the check and the call, so DNS rebinding has no effect. Never reads proxies from
the environment, nor waits beyond its deadline.
"""

from __future__ import annotations

import queue
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpcore

from fleet.core import clock
from fleet.images import addresses
from fleet.images.addresses import Address, Endpoint
from fleet.images.errors import OutOfReach

Resolve = Callable[[str, int], Sequence[str]]
"""Gives the addresses of a name. Raises OSError."""
Dial = Callable[[str, int, float], httpcore.NetworkStream]
"""Connects to an address and a port within seconds. Raises httpcore.ConnectError or ConnectTimeout."""
Headers = Sequence[tuple[bytes, bytes]]
Response = httpcore.Response

_MOST_TRIED = 4
_DIAL_S = 5.0


def ask_system(host: str, port: int) -> Sequence[str]:
    """Return the addresses of a name from the system's resolver. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return [str(entry[4][0]) for entry in found]


def dial(address: str, port: int, timeout_s: float) -> httpcore.NetworkStream:
    """Connect to an address; never to a name."""
    return httpcore.SyncBackend().connect_tcp(address, port, timeout=timeout_s)


@dataclass(frozen=True, slots=True)
class Network:
    """The resolver, the connector and the trusted certificates. Tests pass their own."""

    resolve: Resolve = ask_system
    dial: Dial = dial
    tls: ssl.SSLContext | None = None


@dataclass(frozen=True, slots=True)
class Deadline:
    """The deadline of one fetch on the monotonic clock, redirects included."""

    until_s: float

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        """Return the deadline that many seconds from now."""
        return cls(clock.monotonic_s() + seconds)

    def left_s(self) -> float:
        """Return the seconds left. Raises OutOfReach when there are none."""
        left_s = self.until_s - clock.monotonic_s()
        if left_s <= 0:
            raise OutOfReach("It takes too long.")
        return left_s


class Wall(httpcore.NetworkBackend):
    """Connects to one place, if all of its addresses are public, and ends the connection at the deadline."""

    def __init__(self, place: Endpoint, network: Network, deadline: Deadline) -> None:
        self._place = place
        self._network = network
        self._deadline = deadline

    def connect_tcp(
        self, host: str, port: int, timeout: float | None = None, local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:  # fmt: skip
        """Connect to the place, by one of the addresses that were checked. Raises ForbiddenAddress or OutOfReach."""
        del host, port, timeout, local_address, socket_options  # the place gives the address, the deadline the timeout
        for address in admitted(self._place, self._network, self._deadline)[:_MOST_TRIED]:
            try:
                within_s = min(_DIAL_S, self._deadline.left_s())
                return _Timed(self._network.dial(str(address), self._place.port, within_s), self._deadline)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        raise OutOfReach(f"{self._place.host} cannot be reached.")


def admitted(place: Endpoint, network: Network, deadline: Deadline) -> list[Address]:
    """Return the addresses of a place, each of them public. Raises ForbiddenAddress, or OutOfReach if it has none now.

    The resolver runs in a thread: the system's resolver has no timeout.
    """
    heard: queue.SimpleQueue[Sequence[str] | Exception] = queue.SimpleQueue()

    def ask() -> None:
        try:
            heard.put(network.resolve(place.host, place.port))
        except (OSError, UnicodeError) as error:
            heard.put(error)

    threading.Thread(target=ask, name="look-up", daemon=True).start()
    try:
        answer = heard.get(timeout=deadline.left_s())
    except queue.Empty:
        raise OutOfReach(f"The name {place.host} takes too long to look up.") from None
    if isinstance(answer, Exception) or not answer:
        raise OutOfReach(f"The name {place.host} leads nowhere.")
    return addresses.admit(place, answer)


@contextmanager
def exchange(
    place: Endpoint,
    network: Network,
    deadline: Deadline,
    *,
    method: str = "GET",
    headers: Headers = (),
    body: bytes = b"",
) -> Iterator[Response]:
    """Send one request to a place and yield the response, with an unread body. No redirect is followed.

    Raises ForbiddenAddress or OutOfReach.
    """
    url = httpcore.URL(scheme=place.scheme, host=place.host, port=place.port, target=place.target)
    wall = Wall(place, network, deadline)
    told = [(b"Host", place.authority.encode()), *headers]
    try:
        with (
            httpcore.ConnectionPool(ssl_context=network.tls, max_connections=1, network_backend=wall) as pool,
            pool.stream(method, url, headers=told, content=body or None) as response,
        ):
            yield response
    except httpcore.TimeoutException as error:
        raise OutOfReach(f"{place.host} takes too long to answer.") from error
    except (httpcore.NetworkError, httpcore.ProtocolError) as error:
        raise OutOfReach(f"{place.host} broke off or answered nonsense ({type(error).__name__}).") from error


class _Timed(httpcore.NetworkStream):
    """A connection whose every read and write ends at the deadline, however slowly the server sends."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._stream = stream
        self._deadline = deadline

    # The caller's `timeout` is cut to the remaining time.
    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002
        return self._stream.read(max_bytes, self._deadline.left_s())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002
        self._stream.write(buffer, self._deadline.left_s())

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002
    ) -> httpcore.NetworkStream:
        left_s = self._deadline.left_s()
        return _Timed(self._stream.start_tls(ssl_context, server_hostname, left_s), self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
