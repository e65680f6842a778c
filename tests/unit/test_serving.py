"""A port is taken with plain words when it cannot be, and answers leave at once."""

from __future__ import annotations

import asyncio
import gc
import socket

import pytest

from fleet.core import serving
from fleet.core.errors import InvalidInput


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
