"""Flower waits for no request without end, and keeps no more connections than it may."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from socket import create_connection, socket

import pytest
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

from tests.factories import WITHIN_S
from workers import flower


class Hello(RequestHandler):
    def get(self) -> None:
        self.write("hello")


@contextmanager
def serving() -> Iterator[tuple[str, int]]:
    (listener,) = bind_sockets(0, "127.0.0.1")
    ready, loop = threading.Event(), asyncio.new_event_loop()

    async def start() -> None:
        server = flower.LimitedServer(Application([("/", Hello)]))
        server.add_sockets([listener])
        ready.set()

    def run() -> None:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(start())
        loop.run_forever()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert ready.wait(WITHIN_S)
    try:
        yield listener.getsockname()[:2]
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(WITHIN_S)


def answer(peer: socket) -> bytes:
    peer.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    return peer.recv(15)


def test_half_a_request_holds_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """Symptom: 600 of 600 were open after 47 s."""
    monkeypatch.setattr(flower, "LIMITS", replace(flower.LIMITS, head_s=0.05))
    with serving() as address, create_connection(address, WITHIN_S) as peer:
        peer.sendall(b"GET / HTTP/1.1\r\nHost")
        with suppress(ConnectionResetError):
            assert peer.recv(1) == b""


def test_beyond_the_most_the_one_that_is_idle_longest_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flower, "LIMITS", replace(flower.LIMITS, connections=5))
    with serving() as address, ExitStack() as opened:
        peers = [opened.enter_context(create_connection(address, WITHIN_S)) for _ in range(20)]
        assert answer(peers[-1]) == b"HTTP/1.1 200 OK"
        for peer in peers[:15]:
            with suppress(ConnectionResetError):
                assert peer.recv(1) == b""
        assert answer(peers[15]) == b"HTTP/1.1 200 OK"
