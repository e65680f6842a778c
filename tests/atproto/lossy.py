"""A proxy before a PDS that loses answers after the write, and gives answers of its own instead of forwarding."""

from __future__ import annotations

import json
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

import httpx


class LossyProxy:
    """Forwards to `target`. Calls are known by the last part of their name: "putRecord"."""

    def __init__(self, target: str) -> None:
        self.calls: Counter[str] = Counter()
        self.statuses: Counter[tuple[str, int]] = Counter()
        """Answers of the server itself, by call and status."""
        self.lost: Counter[str] = Counter()
        """How many answers of a call still get lost, after the server has done it."""
        self.only_for: str | None = None
        """The token to which the answers are given; None: to each."""
        self.answers: dict[str, list[tuple[int, dict[str, Any], dict[str, str]]]] = {}
        """Answers that are given instead: status, body, headers."""
        self._http = httpx.Client(base_url=target, trust_env=False, timeout=30)
        self._lock = threading.Lock()
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                proxy._serve(self)

            def do_POST(self) -> None:
                proxy._serve(self)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    def _serve(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers.get("content-length", 0)))
        name = request.path.partition("?")[0].rpartition(".")[2]
        with self._lock:
            self.calls[name] += 1
            given = self.answers.get(name) or []
            is_meant = self.only_for is None or request.headers.get("authorization") == f"Bearer {self.only_for}"
            own = given.pop(0) if given and is_meant else None
            is_lost = own is None and self.lost[name] > 0
            self.lost[name] -= is_lost
        if own is not None:
            status, shown, headers = own
            content = json.dumps(shown).encode()
        else:
            passed = {one: request.headers[one] for one in ("authorization", "content-type") if one in request.headers}
            response = self._http.request(request.command, request.path, content=body or None, headers=passed)
            status, content = response.status_code, response.content
            headers = {name: value for name, value in response.headers.items()
                       if name == "retry-after" or name.startswith("ratelimit-")}  # fmt: skip
            with self._lock:
                self.statuses[name, status] += 1
        if is_lost:
            request.close_connection = True
            request.connection.shutdown(2)
            return
        request.send_response(status)
        for header, value in {
            **headers,
            "content-type": "application/json",
            "content-length": str(len(content)),
        }.items():
            request.send_header(header, value)
        request.end_headers()
        request.wfile.write(content)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self._http.close()
