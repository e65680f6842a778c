"""A broken server in place of the real one: it is silent, answers nonsense, fails, or asks to slow down."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

RETRY_AFTER_S = 7
FAULTS = ("silent", "nonsense", "fails", "throttles")


@contextmanager
def serving(fault: str) -> Iterator[str]:
    """Serve a fault on loopback; yield the address."""
    ended = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            if fault == "silent":
                ended.wait(60)
                return
            status, body = {"nonsense": (200, b"<html>[["), "fails": (500, b"{}"), "throttles": (429, b"{}")}[fault]
            self.send_response(status)
            if fault == "throttles":
                self.send_header("Retry-After", str(RETRY_AFTER_S))
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer  # noqa: N815 - the names of http.server

        def log_message(self, *_: Any) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        ended.set()
        server.shutdown()
        server.server_close()
