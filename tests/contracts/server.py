"""A contract server: a small, stateful stand-in of a network that behaves as the network's documentation says.

It listens on loopback. Faults can be scripted: a reply that is lost after the write, an answer in place of the
handling, an answer in place of the real one after it.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlsplit


@dataclass
class Call:
    """One request."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    parts: tuple[str, ...] = ()
    """What the groups of the route's pattern matched."""

    @property
    def json(self) -> dict[str, Any]:
        found = json.loads(self.body or b"{}")
        assert isinstance(found, dict)
        return found

    @property
    def form(self) -> dict[str, Any]:
        """The fields of a form; files as bytes."""
        kind = self.headers.get("content-type", "")
        if kind.startswith("multipart/"):
            message = BytesParser(policy=HTTP).parsebytes(f"Content-Type: {kind}\r\n\r\n".encode() + self.body)
            found = {}
            for part in message.iter_parts():
                value = part.get_payload(decode=True)
                is_file = part.get_filename() is not None
                found[str(part.get_param("name", header="content-disposition"))] = value if is_file else value.decode()
            return found
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))

    @property
    def token(self) -> str:
        return self.headers.get("authorization", "").removeprefix("Bearer ")


@dataclass
class Reply:
    """One answer."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Fault:
    """What goes wrong with the next calls that match. `reply` None: the connection is cut without an answer."""

    method: str
    path: str
    is_done: bool
    reply: Reply | None
    times: int
    having: str = ""
    """What the body must have."""


Handler = Callable[[Any, Call], Reply]


def route(method: str, pattern: str) -> Callable[[Handler], Handler]:
    """Mark a method of a contract as the handler of a path."""

    def mark(handler: Handler) -> Handler:
        handler.__dict__["route"] = (method, re.compile(pattern))
        return handler

    return mark


class Contract:
    """The base of contract servers. One request at a time is handled, as if each were a transaction."""

    not_found: ClassVar[Reply] = Reply(404, {})

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.faults: list[Fault] = []
        self._turn = threading.Lock()
        self.url = ""
        found = (getattr(type(self), name) for name in dir(type(self)))
        routes = [(*one.route, one) for one in found if hasattr(one, "route")]
        self._routes = sorted(routes, key=lambda one: one[1].groups)  # the more literal first

    def lose_reply(self, method: str, path: str, *, times: int = 1, having: str = "") -> None:
        """Do what the next matching calls request, and cut their connection."""
        self.faults.append(Fault(method, path, is_done=True, reply=None, times=times, having=having))

    def answer(
        self, method: str, path: str, reply: Reply, *, is_done: bool = False, times: int = 1, having: str = ""
    ) -> None:
        """Answer the next matching calls so; with `is_done` after doing what they request."""
        self.faults.append(Fault(method, path, is_done=is_done, reply=reply, times=times, having=having))

    def count(self, method: str, path: str) -> int:
        """Return how many calls came."""
        return sum(one.method == method and re.fullmatch(path, one.path) is not None for one in self.calls)

    def refuse(self, call: Call) -> Reply | None:
        """Return the answer to a call whose token is wrong, or whose account is suspended."""
        return None

    def handle(self, call: Call) -> Reply | None:
        """Return the answer; None to cut the connection."""
        with self._turn:
            self.calls.append(call)
            fault = next((one for one in self.faults if one.times and one.method == call.method and re.fullmatch(
                one.path, call.path) and one.having.encode() in call.body), None)  # fmt: skip
            if fault is None:
                return self._handled(call)
            fault.times -= 1
            if fault.is_done:
                self._handled(call)
            return fault.reply

    def _handled(self, call: Call) -> Reply:
        for method, pattern, handler in self._routes:
            match = pattern.fullmatch(call.path)
            if method == call.method and match is not None:
                call.parts = match.groups()
                reply: Reply = self.refuse(call) or handler(self, call)
                return reply
        return self.not_found

    @contextmanager
    def serve(self) -> Iterator[Any]:
        """Answer on a free port of loopback."""
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        server.daemon_threads = True
        self.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


def _handler(contract: Contract) -> type[BaseHTTPRequestHandler]:
    class _Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _any(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            call = Call(self.command, parts.path, dict(parse_qsl(parts.query)), headers, body)
            reply = contract.handle(call)
            if reply is None:
                self.close_connection = True
                return
            data = (
                reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body, default=lambda _: None).encode()
            )
            data = b"" if reply.body is None else data
            self.send_response(reply.status)
            for name, value in {"Content-Type": "application/json", **reply.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            """Write nothing."""

    for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        setattr(_Handler, f"do_{method}", _Handler._any)
    return _Handler
