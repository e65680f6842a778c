"""A port is taken with plain words when it cannot be, and answers leave at once."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from starlette.types import Receive, Scope, Send

from fleet.core import serving
from fleet.core.errors import InvalidInput
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

    def __init__(self) -> None:
        self.may_answer = threading.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        while (await receive()).get("more_body"):
            pass
        await asyncio.to_thread(self.may_answer.wait, WITHIN_S)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Host, tuple[str, int]]]:
    """A tea room that waits for the rest of an order no longer than a twentieth of a second."""
    monkeypatch.setattr(serving, "_ASK_S", 0.05)
    app = Host()
    listener = serving.bound("tea room", "127.0.0.1", 0, setting="FLEET_TEA")
    with serving.Server(app, listener, "tea room", close=lambda: None).in_a_thread() as url:
        yield app, ("127.0.0.1", urlsplit(url).port or 0)


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
