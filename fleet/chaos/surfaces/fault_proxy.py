"""A proxy before the PDS, in which the network's faults happen: lost replies, cuts, wrong answers, refused tokens.

Runs in threads of the harness. It notes when each write arrived, and counts the answers 429 that the PDS itself gave.
"""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

from fleet.core import clock, logs

CLIENT = "203.0.113.7"
"""The address of the fleet as the PDS sees it (TEST-NET-3), so that its calls have a budget of their own."""
_WRITES = ("putRecord", "deleteRecord", "createRecord", "applyWrites")
_TOKENS = ("createSession", "refreshSession", "deleteSession")
_PASSED = ("authorization", "content-type", "accept")
log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class NetworkFault:
    """What happens to a share of the calls. `calls` are ends of names: "putRecord"; empty: all but logins.

    Instead of forwarding: `answer` (status, body, headers), or `is_cut` closes the connection. After the call was done:
    `loses` closes it, `lies` answers 200 with an error inside. `delay_s` is before, `is_twice` makes the call twice.
    """

    rate: float
    seed: int
    calls: tuple[str, ...] = ()
    answer: tuple[int, Mapping[str, Any], Mapping[str, str]] | None = None
    is_cut: bool = False
    loses: bool = False
    lies: bool = False
    is_twice: bool = False
    delay_s: float = 0.0
    only_with: bytes = b""
    """Only calls whose body has this in it."""


@dataclass(slots=True)
class _Seen:
    """What the proxy has noted."""

    writes: dict[str, datetime] = field(default_factory=dict)
    """By address of a record, when the first write of it arrived that the PDS carried out."""
    refused: list[datetime] = field(default_factory=list)
    calls: Counter[str] = field(default_factory=Counter)
    times: list[float] = field(default_factory=list)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients are killed here."""


class FaultProxy:
    """Listens on loopback from `start` until `close`."""

    def __init__(self, target: str) -> None:
        self._http = httpx.Client(
            base_url=target, trust_env=False, timeout=30,
            limits=httpx.Limits(max_connections=100, max_keepalive_connections=50, keepalive_expiry=3),
        )  # fmt: skip
        self._lock = threading.Lock()
        self._fault: NetworkFault | None = None
        self._dice = random.Random(0)
        self._made = 0
        self._seen = _Seen()
        self._server = _Server(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, name="chaos-network", daemon=True
        )
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

    def arm(self, fault: NetworkFault | None) -> None:
        """Cause one fault from now on, or none."""
        with self._lock:
            self._fault, self._made = fault, 0
            self._dice = random.Random(0 if fault is None else fault.seed)

    @property
    def made(self) -> int:
        """How often the present fault has struck."""
        return self._made

    @property
    def writes(self) -> Mapping[str, datetime]:
        """When each record was written first, by its address."""
        return self._seen.writes

    @property
    def refused(self) -> list[datetime]:
        """When the PDS itself answered 429."""
        return self._seen.refused

    @property
    def calls(self) -> Counter[str]:
        """How often each call reached the PDS."""
        return self._seen.calls

    def most_calls(self, window_s: float) -> int:
        """Return the most calls that reached the PDS within any window of this length."""
        times, most, first = self._seen.times, 0, 0
        for last, at in enumerate(times):
            while times[first] <= at - window_s:
                first += 1
            most = max(most, last - first + 1)
        return most

    def _draw(self, name: str, body: bytes) -> NetworkFault | None:
        with self._lock:
            fault = self._fault
            if fault is None or (name not in fault.calls if fault.calls else name in _TOKENS):
                return None
            if fault.only_with not in body or self._dice.random() >= fault.rate:
                return None
            self._made += 1
            return fault

    def _forward(self, request: BaseHTTPRequestHandler, name: str, body: bytes, arrived: datetime) -> httpx.Response:
        headers = {one: request.headers[one] for one in _PASSED if one in request.headers}
        headers |= {"x-forwarded-for": CLIENT, "accept-encoding": "identity"}
        with self._lock:
            self._seen.calls[name] += 1
            self._seen.times.append(time.monotonic())
        response = self._http.request(request.command, request.path, content=body or None, headers=headers)
        if response.status_code == 429:
            with self._lock:
                self._seen.refused.append(arrived)
            log.warning("network_throttled", call=name, headers=dict(response.headers))
        elif name in _WRITES and response.is_success and b'"commit"' in response.content:
            with self._lock:
                self._seen.writes.setdefault(str(response.json().get("uri")), arrived)
        return response

    def _serve(self, request: BaseHTTPRequestHandler) -> None:
        arrived = clock.now()
        body = request.rfile.read(int(request.headers.get("content-length", 0)))
        name = request.path.partition("?")[0].rpartition(".")[2]
        fault = self._draw(name, body)
        if fault is not None and fault.delay_s:
            time.sleep(fault.delay_s)
        if fault is not None and fault.is_cut:
            _hang_up(request)
            return
        if fault is not None and fault.answer is not None:
            status, shown, headers = fault.answer
            _answer(request, status, json.dumps(shown).encode(), headers)
            return
        try:
            response = self._forward(request, name, body, arrived)
            if fault is not None and fault.is_twice:
                response = self._forward(request, name, body, arrived)
        except httpx.HTTPError:
            _hang_up(request)
            return
        if fault is not None and fault.loses:
            _hang_up(request)
        elif fault is not None and fault.lies:
            _answer(request, 200, b'{"error": "InternalServerError", "message": "It went wrong."}', {})
        else:
            passed = {one: value for one, value in response.headers.items()
                      if one == "retry-after" or one.startswith("ratelimit-")}  # fmt: skip
            _answer(request, response.status_code, response.content, passed, response.headers.get("content-type", ""))

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        serve = self._serve

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                serve(self)

            def do_POST(self) -> None:
                serve(self)

            def log_message(self, *_: object) -> None:
                """Keep quiet: the world has its own log."""

        return Handler


def _hang_up(request: BaseHTTPRequestHandler) -> None:
    request.close_connection = True
    try:
        request.connection.shutdown(2)
    except OSError:
        return


def _answer(request: BaseHTTPRequestHandler, status: int, content: bytes, headers: Mapping[str, str],
            kind: str = "application/json") -> None:  # fmt: skip
    try:
        request.send_response(status)
        for header, value in {**headers, "content-type": kind, "content-length": str(len(content))}.items():
            request.send_header(header, value)
        request.end_headers()
        request.wfile.write(content)
    except OSError:  # the client was killed meanwhile
        request.close_connection = True
