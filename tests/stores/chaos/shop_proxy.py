"""An HTTP proxy between Fleet and one shop: it loses replies, refuses, delays and cuts, and logs every write of stock.

Runs in threads of the harness. People and the checker call the shop directly.
"""

from __future__ import annotations

import json
import random
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

_PASSED = ("authorization", "content-type", "accept", "vendure-token", "vendure-api-key", "apollo-require-preflight")
_RETURNED = ("content-type", "retry-after", "vendure-auth-token")
_RECORD = re.compile(r"/api/admin/stockrecords/([0-9]+)/")


@dataclass(frozen=True, slots=True)
class ShopFault:
    """What happens to a share of the calls. `answer` replaces the call; `loses` drops its reply."""

    rate: float
    seed: int
    only_writes: bool = False
    only_reads: bool = False
    answer: tuple[int, Mapping[str, str]] | None = None
    is_cut: bool = False
    loses: bool = False
    delay_s: float = 0.0


@dataclass(frozen=True, slots=True)
class StockCall:
    """A number of units that Fleet wrote. `place`: variant (Vendure), stock record (Oscar), or "sku X" of a new one."""

    at: datetime
    place: str
    quantity: int
    is_accepted: bool


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients are killed here."""


class ShopProxy:
    """Listens on loopback from `start` until `close`."""

    def __init__(self, target: str) -> None:
        self._http = httpx.Client(
            base_url=target, trust_env=False, timeout=60,
            limits=httpx.Limits(max_connections=100, max_keepalive_connections=50, keepalive_expiry=3),
        )  # fmt: skip
        self._lock = threading.Lock()
        self._fault: ShopFault | None = None
        self._dice = random.Random(0)
        self.made = 0
        """How often the present fault has struck."""
        self.faults: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()
        self.stock: list[StockCall] = []
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

    def arm(self, fault: ShopFault | None) -> None:
        """Cause one fault from now on, or none."""
        with self._lock:
            self._fault, self.made = fault, 0
            self._dice = random.Random(0 if fault is None else fault.seed)

    def _draw(self, *, is_write: bool) -> ShopFault | None:
        with self._lock:
            fault = self._fault
            if fault is None or (fault.only_writes and not is_write) or (fault.only_reads and is_write):
                return None
            if self._dice.random() >= fault.rate:
                return None
            self.made += 1
            kind = "cut" if fault.is_cut else "lost reply" if fault.loses else \
                str(fault.answer[0]) if fault.answer else "delay"  # fmt: skip
            self.faults[kind] += 1
            return fault

    def _serve(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers.get("content-length", 0)))
        is_write = _is_write(request.command, body)
        fault = self._draw(is_write=is_write)
        if fault is not None and fault.delay_s:
            time.sleep(fault.delay_s)
        if fault is not None and fault.is_cut:
            _hang_up(request)
            return
        if fault is not None and fault.answer is not None:
            _answer(request, fault.answer[0], b'{"detail": "fault"}', {"content-type": "application/json",
                                                                      **fault.answer[1]})  # fmt: skip
            return
        try:
            response = self._forward(request, body, is_write=is_write)
        except httpx.HTTPError:
            _hang_up(request)
            return
        if fault is not None and fault.loses:
            _hang_up(request)
        else:
            headers = {name: response.headers[name] for name in _RETURNED if name in response.headers}
            _answer(request, response.status_code, response.content, headers)

    def _forward(self, request: BaseHTTPRequestHandler, body: bytes, *, is_write: bool) -> httpx.Response:
        headers = {name: request.headers[name] for name in _PASSED if name in request.headers}
        arrived = datetime.now(UTC)
        written = list(_stock_in(request.command, request.path, body)) if is_write else []
        response = None
        try:
            response = self._http.request(request.command, request.path, content=body or None,
                                          headers={**headers, "accept-encoding": "identity"})  # fmt: skip
        finally:
            is_accepted = response is not None and response.is_success and b'"errors"' not in response.content[:200]
            with self._lock:
                self.calls["writes" if is_write else "reads"] += 1
                self.stock += [StockCall(arrived, place, units, is_accepted) for place, units in written]
        return response

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        serve = self._serve

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                serve(self)

            def do_POST(self) -> None:
                serve(self)

            def do_PATCH(self) -> None:
                serve(self)

            def do_DELETE(self) -> None:
                serve(self)

            def log_message(self, *_: object) -> None:
                """Keep quiet: the world has its own log."""

        return Handler


def _is_write(method: str, body: bytes) -> bool:
    if method == "POST" and body.lstrip().startswith(b'{"query"'):
        return b'{"query":"mutation' in body.replace(b'": "', b'":"')[:40] and b"mutation Login" not in body[:60]
    return method != "GET"


def _stock_in(method: str, path: str, body: bytes) -> Iterator[tuple[str, int]]:
    """Yield the units that a write sets, by variant (Vendure) or stock record (Oscar)."""
    try:
        data = json.loads(body)
    except ValueError:
        return
    if method == "PATCH" and (match := _RECORD.search(path)) and "num_in_stock" in data:
        yield match[1], int(data["num_in_stock"])
    elif method == "POST" and "updateProductVariants" in str(data.get("query", "")):
        for one in data["variables"]["input"]:
            for level in one.get("stockLevels", ()):
                yield str(one["id"]), int(level["stockOnHand"])
    elif method == "POST" and "createProductVariants" in str(data.get("query", "")):
        for one in data["variables"]["input"]:
            for level in one.get("stockLevels", ()) or [{"stockOnHand": one.get("stockOnHand", 0)}]:
                yield f"sku {one.get('sku')}", int(level["stockOnHand"])
    elif method == "POST" and path.startswith("/api/admin/products/"):
        for record in data.get("stockrecords", ()):
            yield f"sku {record.get('partner_sku')}", int(record.get("num_in_stock") or 0)


def _hang_up(request: BaseHTTPRequestHandler) -> None:
    request.close_connection = True
    try:
        request.connection.shutdown(2)
    except OSError:
        return


def _answer(request: BaseHTTPRequestHandler, status: int, content: bytes, headers: Mapping[str, str]) -> None:
    try:
        request.send_response(status)
        for header, value in {**headers, "content-length": str(len(content))}.items():
            request.send_header(header, value)
        request.end_headers()
        request.wfile.write(content)
    except OSError:  # the client was killed meanwhile
        request.close_connection = True
