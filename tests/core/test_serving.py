"""A port is taken with plain words when it cannot be, and answers leave at once."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest
from starlette.types import Receive, Scope, Send

from fleet.core.errors import InvalidInput
from fleet.core.net import connections, serving
from fleet.core.net.connections import ConnectionLimits, Connections, site_of
from tests.factories import WITHIN_S


def test_a_port_that_is_taken_is_named_with_what_to_do() -> None:
    with serving.bound("tea room", "127.0.0.1", 0, setting="FLEET_TEA") as first:
        port = first.getsockname()[1]
        with pytest.raises(InvalidInput, match=f"Port {port} on 127.0.0.1 is taken") as caught:
            serving.bound("tea room", "127.0.0.1", port, setting="FLEET_TEA")
    assert caught.value.fix is not None and "FLEET_TEA_PORT" in caught.value.fix


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"tea room cannot listen on 192\.0\.2\.1") as caught:
        serving.bound("tea room", "192.0.2.1", 0, setting="FLEET_TEA")
    assert caught.value.fix is not None and "FLEET_TEA_HOST" in caught.value.fix


def test_what_is_sent_leaves_at_once_and_waits_for_no_packet_before_it() -> None:
    async def is_undelayed() -> bool:
        accepted: asyncio.Future[socket.socket] = asyncio.get_running_loop().create_future()

        def connected(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            accepted.set_result(writer.get_extra_info("socket"))

        listener = serving.bound("tea room", "127.0.0.1", 0, setting="FLEET_TEA")
        async with await asyncio.start_server(connected, sock=listener):
            _, writer = await asyncio.open_connection(*listener.getsockname())
            found = (await accepted).getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            writer.close()
            return bool(found)

    assert asyncio.run(is_undelayed())


def test_a_server_leaves_what_it_has_loaded_to_itself_before_it_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    monkeypatch.setattr(gc, "freeze", lambda: done.append("left"))
    monkeypatch.setattr(serving.Server, "run", lambda *_, **__: done.append("served"))
    listener = serving.bound("tea room", "127.0.0.1", 0, setting="FLEET_TEA")
    serving.Server(None, listener, "tea room", close=lambda: None).serve_until_told()
    assert done == ["left", "served"]


class Host:
    """An app that reads what it is sent, and answers when it is let."""

    def __init__(self, body: bytes = b"") -> None:
        self.may_answer = threading.Event()
        self.asked = threading.Semaphore(0)
        self.cut = threading.Event()
        self._body = body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        while (await receive()).get("more_body"):
            pass
        self.asked.release()
        await asyncio.to_thread(self.may_answer.wait, WITHIN_S)
        length = str(len(self._body)).encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", length)]})
        for start in range(0, len(self._body), 65_536):
            await send({"type": "http.response.body", "body": self._body[start : start + 65_536], "more_body": True})
        await send({"type": "http.response.body", "body": b""})
        if (await receive())["type"] == "http.disconnect":
            self.cut.set()


BRIEF = ConnectionLimits(head_s=0.05, body_s=0.05)


@contextlib.contextmanager
def serves(app: Host, limits: ConnectionLimits) -> Iterator[tuple[serving.Server, tuple[str, int]]]:
    listener = serving.bound("tea room", "127.0.0.1", 0, setting="FLEET_TEA")
    server = serving.Server(app, listener, "tea room", close=lambda: None, limits=limits)
    with server.in_a_thread() as url:
        yield server, ("127.0.0.1", urlsplit(url).port or 0)


@pytest.fixture
def host() -> Iterator[tuple[Host, tuple[str, int]]]:
    """A server that waits for the rest of a request no longer than a twentieth of a second."""
    app = Host()
    with serves(app, BRIEF) as (_, address):
        yield app, address
        app.may_answer.set()


@pytest.mark.parametrize(
    "half",
    [
        b"",
        b"GET / HTTP/1.1\r\nHost: tea",
        b"POST / HTTP/1.1\r\nHost: tea\r\nContent-Length: 9\r\n\r\nhalf",
        b"POST / HTTP/1.1\r\nHost: tea\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
    ],
)
def test_a_request_that_never_comes_in_whole_holds_no_connection(
    host: tuple[Host, tuple[str, int]], half: bytes
) -> None:
    """Symptom: a thousand half requests of one machine, and nobody else was let in any more."""
    with socket.create_connection(host[1], timeout=WITHIN_S) as guest:
        guest.sendall(half)
        with contextlib.suppress(ConnectionResetError):
            assert guest.recv(1) == b""


def test_who_has_asked_waits_for_an_answer_as_long_as_it_takes(host: tuple[Host, tuple[str, int]]) -> None:
    app, address = host
    with socket.create_connection(address, timeout=WITHIN_S) as guest:
        guest.sendall(b"POST / HTTP/1.1\r\nHost: tea\r\nContent-Length: 4\r\n\r\ntea!")
        test_a_request_that_never_comes_in_whole_holds_no_connection(host, b"GET")  # meanwhile a patience has ended
        app.may_answer.set()
        assert guest.recv(15) == b"HTTP/1.1 200 OK"


WHOLE = b"GET / HTTP/1.1\r\nHost: tea\r\n\r\n"


def answered(guest: socket.socket) -> bytes:
    guest.sendall(WHOLE)
    return guest.recv(15)


@pytest.mark.parametrize("limits", [ConnectionLimits(connections=20), ConnectionLimits(per_address=20)])
def test_a_flood_of_half_requests_displaces_itself_and_visitors_come_in(limits: ConnectionLimits) -> None:
    """Symptom: 600 of 600 half requests stayed, without a limit, until nobody could connect."""
    app = Host()
    app.may_answer.set()
    with serves(app, limits) as (server, address), contextlib.ExitStack() as opened:
        flood = [opened.enter_context(socket.create_connection(address, timeout=WITHIN_S)) for _ in range(60)]
        for guest in flood:
            guest.sendall(b"GET / HTTP/1.1\r\nHost")
        with socket.create_connection(address, timeout=WITHIN_S) as visitor:
            assert answered(visitor) == b"HTTP/1.1 200 OK"
        for guest in flood[:40]:
            with contextlib.suppress(ConnectionResetError):
                assert guest.recv(1) == b""
        assert len(server.connections) <= 20
        assert server.connections.counted["displaced"] >= 40


def test_a_served_connection_is_not_displaced_and_the_new_one_gets_an_error() -> None:
    app = Host()
    with serves(app, ConnectionLimits(connections=2)) as (server, address), contextlib.ExitStack() as opened:
        served = [opened.enter_context(socket.create_connection(address, timeout=WITHIN_S)) for _ in range(2)]
        for guest in served:
            guest.sendall(WHOLE)
        assert app.asked.acquire(timeout=WITHIN_S)
        assert app.asked.acquire(timeout=WITHIN_S)
        with socket.create_connection(address, timeout=WITHIN_S) as late:
            assert late.recv(12) == b"HTTP/1.1 503"
        app.may_answer.set()
        assert [guest.recv(15) for guest in served] == [b"HTTP/1.1 200 OK"] * 2
        assert server.connections.counted == {"refused": 1}


def test_an_answer_that_is_not_taken_holds_no_connection() -> None:
    app = Host(body=b"x" * 50_000_000)
    app.may_answer.set()
    with serves(app, ConnectionLimits(stalled_s=0.05)) as (server, address):
        guest = socket.create_connection(address, timeout=WITHIN_S)
        guest.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        guest.sendall(WHOLE)
        assert app.cut.wait(WITHIN_S)
        assert server.connections.counted == {"stalled": 1}
        guest.close()


def test_a_byte_now_and_then_does_not_extend_the_deadline() -> None:
    app = Host()
    with (
        serves(app, ConnectionLimits(head_s=0.3)) as (_, address),
        socket.create_connection(address, WITHIN_S) as guest,
    ):
        guest.sendall(b"GET / HTTP/1.1\r\nHost: tea\r\nx: ")
        until_s = time.monotonic() + WITHIN_S
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            while time.monotonic() < until_s:
                guest.sendall(b"x")
                time.sleep(0.01)


class Peer:
    """A connection in name only."""

    def __init__(self) -> None:
        self.is_closed = False

    def close_now(self) -> None:
        self.is_closed = True


def test_one_address_displaces_its_own_connections_and_no_others() -> None:
    known = Connections(ConnectionLimits(connections=100, per_address=2))
    other, first, second, third = Peer(), Peer(), Peer(), Peer()
    assert known.admit(other, "192.0.2.1")
    assert all(known.admit(peer, f"2001:db8::{place}") for place, peer in enumerate((first, second, third)))
    assert [peer.is_closed for peer in (other, first, second, third)] == [False, True, False, False]
    known.works(second)
    known.works(third)
    assert not known.admit(Peer(), "2001:db8::9")
    assert known.admit(Peer(), "2001:db8:0:1::9")


def test_a_proxy_speaks_for_many_visitors() -> None:
    known = Connections(ConnectionLimits(connections=100, per_address=2, proxies=("10.0.0.0/8",)))
    assert all(known.admit(Peer(), "10.1.2.3") for _ in range(50))
    assert len(known) == 50


@pytest.mark.parametrize(
    ("address", "site"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("testclient", "testclient"),
    ],
)
def test_addresses_are_counted_by_what_one_visitor_has(address: str, site: str) -> None:
    assert site_of(address) == site


def test_closed_connections_are_logged_once_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    known = Connections(ConnectionLimits(connections=1))
    logged: list[str] = []
    monkeypatch.setattr(connections, "log", SimpleNamespace(warning=lambda event, **_: logged.append(event)))
    for _ in range(100):
        known.admit(Peer(), "192.0.2.1")
    assert logged == ["connections_closed"]
    assert known.counted == {"displaced": 99}
