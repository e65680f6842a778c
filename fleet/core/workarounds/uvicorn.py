"""uvicorn: deadlines for requests and responses, and a maximum number of connections.

Incident: uvicorn waits without end for the rest of a request, and for a client that does not read its response; a
thousand of those, from one machine, used up all connections of a process. Private parts: `H11Protocol` with its
attributes `transport`, `flow`, `conn`, `client`, `loop`, `logger`, `app_state`. Used by `fleet.core.net.serving`.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Protocol

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

_FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: text/plain\r\nretry-after: 10\r\nconnection: close\r\n"
    b"content-length: 29\r\n\r\nToo many connections are open"
)
_quiet = logging.getLogger("uvicorn.error.connections")
_quiet.setLevel(logging.ERROR)


class Timeouts(Protocol):
    """Maximum durations of the phases of a connection, in seconds."""

    @property
    def head_s(self) -> float: ...

    @property
    def body_s(self) -> float: ...

    @property
    def stalled_s(self) -> float: ...


class Guard(Protocol):
    """The open connections of one server (`core.net.connections.Connections`)."""

    def admit(self, connection: Any, address: str) -> bool: ...

    def waits(self, connection: Any) -> None: ...

    def works(self, connection: Any) -> None: ...

    def forget(self, connection: Any) -> None: ...

    def count(self, what: str) -> None: ...


class LimitedProtocol(H11Protocol):
    """One connection, closed when a phase of it takes too long or the guard has no room."""

    def __init__(self, *args: Any, guard: Guard, limits: Timeouts, **options: Any) -> None:
        super().__init__(*args, **options)
        self._guard, self._limits = guard, limits
        self.logger = _quiet  # any client can send something that is no HTTP, and would fill the log
        self._phase = ""
        self._late: asyncio.TimerHandle | None = None
        self._stalled: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if self._guard.admit(self, self.client[0] if self.client else ""):
            self._enter("head")
        else:
            transport.write(_FULL)
            transport.close()

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():  # refused
            return
        super().data_received(data)
        self._follow()

    def connection_lost(self, exc: Exception | None) -> None:
        self._guard.forget(self)
        _cancel(self._late)
        _cancel(self._stalled)
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        """Wait for the next request, or for the client to read the rest of the response."""
        super().on_response_complete()
        if self.transport.is_closing():
            self._expect_progress()  # the unsent rest
        elif self.conn.their_state is h11.IDLE:
            self._guard.waits(self)

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        self._expect_progress()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._expect_progress()

    def resume_writing(self) -> None:
        super().resume_writing()
        if not self.transport.is_closing():
            _cancel(self._stalled)
            self._stalled = None

    def close_now(self) -> None:
        """Close the connection whatever state it is in."""
        self.transport.abort()

    def send_400_response(self, msg: str) -> None:
        """Count a request that is no HTTP, and answer it."""
        self._guard.count("malformed")
        super().send_400_response(msg)

    def _follow(self) -> None:
        """Start the deadline of the phase that the request has reached; single bytes do not move it."""
        if self.conn.their_state is h11.IDLE:
            self._enter("head")
        elif self.conn.their_state is h11.SEND_BODY:
            self._enter("body")
        else:
            _cancel(self._late)
            self._phase, self._late = "", None
            self._guard.works(self)

    def _enter(self, phase: str) -> None:
        if phase == self._phase:
            return
        _cancel(self._late)
        self._phase = phase
        within_s = self._limits.head_s if phase == "head" else self._limits.body_s
        self._late = self.loop.call_later(within_s, self._end_late)
        self._guard.waits(self)

    def _end_late(self) -> None:
        if self.flow.read_paused:  # closed by Fleet: the app has not yet read the rest
            self._late = self.loop.call_later(self._limits.body_s, self._end_late)
            return
        self._guard.count("late")
        self.close_now()

    def _expect_progress(self) -> None:
        if self._stalled is None:
            self._stalled = self.loop.call_later(self._limits.stalled_s, self._end_stalled)

    def _end_stalled(self) -> None:
        self._guard.count("stalled")
        self.close_now()


def _cancel(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()
