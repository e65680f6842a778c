"""The base of HTTP proxies in which faults happen. They run in threads of the harness, on loopback."""

from __future__ import annotations

import random
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Generic, Protocol, TypeVar

import httpx


class HttpFault(Protocol):
    """What happens to a share of the calls; `seed` says to which."""

    @property
    def rate(self) -> float: ...
    @property
    def seed(self) -> int: ...


F = TypeVar("F", bound=HttpFault)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients are killed here."""


class HttpFaultProxy(ABC, Generic[F]):
    """Listens on loopback from `start` until `close`. A subclass serves each call in `_serve`."""

    def __init__(self, target: str, *, timeout_s: float) -> None:
        self._http = httpx.Client(
            base_url=target, trust_env=False, timeout=timeout_s,
            limits=httpx.Limits(max_connections=100, max_keepalive_connections=50, keepalive_expiry=3),
        )  # fmt: skip
        self._lock = threading.Lock()
        self._fault: F | None = None
        self._dice = random.Random(0)
        self.made = 0
        """How often the present fault has struck."""
        self._server = _Server(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def close(self) -> None:
        """Serve no more."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()
        self._http.close()

    def arm(self, fault: F | None) -> None:
        """Cause one fault from now on, or none."""
        with self._lock:
            self._fault, self.made = fault, 0
            self._dice = random.Random(0 if fault is None else fault.seed)

    def _drawn(self, is_meant: Callable[[F], bool]) -> F | None:
        """Return the present fault if it strikes this call."""
        with self._lock:
            fault = self._fault
            if fault is None or not is_meant(fault) or self._dice.random() >= fault.rate:
                return None
            self.made += 1
            return fault

    @abstractmethod
    def _serve(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        """Forward a call and answer it, or do what the fault says."""

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _pass(self) -> None:
                proxy._serve(self, self.rfile.read(int(self.headers.get("content-length", 0))))

            do_GET = do_POST = do_PATCH = do_DELETE = _pass  # noqa: N815 - as the library calls them

            def log_message(self, *_: object) -> None:
                """Keep quiet: the world has its own log."""

        return Handler


def hang_up(request: BaseHTTPRequestHandler) -> None:
    """Close the connection of a call without an answer."""
    request.close_connection = True
    try:
        request.connection.shutdown(2)
    except OSError:
        return


def answer(request: BaseHTTPRequestHandler, status: int, content: bytes, headers: Mapping[str, str]) -> None:
    """Answer a call."""
    try:
        request.send_response(status)
        for header, value in {**headers, "content-length": str(len(content))}.items():
            request.send_header(header, value)
        request.end_headers()
        request.wfile.write(content)
    except OSError:  # the client was killed meanwhile
        request.close_connection = True
