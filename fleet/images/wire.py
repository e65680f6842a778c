"""The way to a server of pictures: every name is looked up once, every answer checked, and what was checked is called.

The only file of pictures that opens connections; called by `fetch`. Between the check and the call there is no second
look at the name, so a name that changes its mind (rebinding) changes nothing. Must never read proxies out of the
environment, nor wait beyond its deadline.
"""

from __future__ import annotations

import queue
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import httpcore

from fleet.core import clock
from fleet.images import addresses
from fleet.images.addresses import Place
from fleet.images.errors import OutOfReach

Resolve = Callable[[str, int], Sequence[str]]
"""Gives the addresses of a name. Raises OSError."""
Dial = Callable[[str, int, float], httpcore.NetworkStream]
"""Connects to an address and a port within seconds. Raises httpcore.ConnectError or ConnectTimeout."""

_MOST_TRIED = 4
_DIAL_S = 5.0


def ask_system(host: str, port: int) -> Sequence[str]:
    """Return what the system's resolver says. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return [str(entry[4][0]) for entry in found]


def dial(address: str, port: int, timeout_s: float) -> httpcore.NetworkStream:
    """Connect to an address; never to a name."""
    return httpcore.SyncBackend().connect_tcp(address, port, timeout=timeout_s)


@dataclass(frozen=True, slots=True)
class Network:
    """Who is asked for names, who connects, and whose certificates are trusted. Tests bring their own."""

    resolve: Resolve = ask_system
    dial: Dial = dial
    tls: ssl.SSLContext | None = None


@dataclass(frozen=True, slots=True)
class Deadline:
    """The end of one fetch on the clock that only rises, redirects and all."""

    until_s: float

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        """Return the deadline that many seconds from now."""
        return cls(clock.monotonic_s() + seconds)

    def left_s(self) -> float:
        """Return the seconds left. Raises OutOfReach when there are none."""
        left_s = self.until_s - clock.monotonic_s()
        if left_s <= 0:
            raise OutOfReach("The picture takes too long to come.")
        return left_s


class Wall(httpcore.NetworkBackend):
    """Connects to one place, if all of its addresses are public, and holds the connection to the deadline."""

    def __init__(self, place: Place, network: Network, deadline: Deadline) -> None:
        self._place = place
        self._network = network
        self._deadline = deadline

    def connect_tcp(
        self, host: str, port: int, timeout: float | None = None, local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:  # fmt: skip
        """Connect to the place, by one of the addresses that were checked. Raises Forbidden or OutOfReach."""
        del host, port, timeout, local_address, socket_options  # the place says where to, the deadline how long
        admitted = addresses.admit(self._place, self._look_up())
        for address in admitted[:_MOST_TRIED]:
            try:
                within_s = min(_DIAL_S, self._deadline.left_s())
                return _Timed(self._network.dial(str(address), self._place.port, within_s), self._deadline)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        raise OutOfReach(f"{self._place.host} cannot be reached.")

    def _look_up(self) -> Sequence[str]:
        """Ask for the place's addresses in a thread: the system's resolver knows no deadline."""
        heard: queue.SimpleQueue[Sequence[str] | Exception] = queue.SimpleQueue()

        def ask() -> None:
            try:
                heard.put(self._network.resolve(self._place.host, self._place.port))
            except (OSError, UnicodeError) as error:
                heard.put(error)

        threading.Thread(target=ask, name="look-up", daemon=True).start()
        try:
            answer = heard.get(timeout=self._deadline.left_s())
        except queue.Empty:
            raise OutOfReach(f"The name {self._place.host} takes too long to look up.") from None
        if isinstance(answer, Exception) or not answer:
            raise OutOfReach(f"The name {self._place.host} leads nowhere.")
        return answer


class _Timed(httpcore.NetworkStream):
    """A connection whose every read and write ends at the deadline, however slowly the other side drips."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._stream = stream
        self._deadline = deadline

    # What the caller asks for (`timeout`) is never longer than what is left.
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
