"""A receiver of the signed events of a test shop, on a free port of this machine."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from tests.factories import WITHIN_S


class HookInbox:
    """Keeps the events whose signature is right, and refuses others."""

    def __init__(self) -> None:
        self.secret = "secret-of-tests"
        self.events: list[dict[str, Any]] = []
        self.refused = 0
        self._arrived = threading.Condition()
        inbox = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                is_right = inbox._take(body, self.headers.get("x-shop-signature", ""))
                self.send_response(204 if is_right else 403)
                self.end_headers()

            def log_message(self, *_: Any) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/hooks"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    def _take(self, body: bytes, signature: str) -> bool:
        expected = hmac.new(self.secret.encode(), body, hashlib.sha256).hexdigest()
        is_right = hmac.compare_digest(expected, signature)
        with self._arrived:
            if is_right:
                self.events.append(json.loads(body))
            else:
                self.refused += 1
            self._arrived.notify_all()
        return is_right

    def wait_for(self, kind: str, *, that: Callable[[dict[str, Any]], bool] = lambda _: True) -> dict[str, Any]:
        """Return the first event of this type for which `that` holds, once it is there."""

        def found() -> dict[str, Any] | None:
            return next((one for one in self.events if one["type"] == kind and that(one)), None)

        with self._arrived:
            event = self._arrived.wait_for(found, WITHIN_S)
        if event is None:
            raise TimeoutError(f"No {kind} within {WITHIN_S:.0f} s; there came {self.events}, {self.refused} refused.")
        return event

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
