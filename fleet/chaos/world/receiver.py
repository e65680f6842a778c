"""The receiver of a world's webhook: another service, which accepts events and sometimes fails.

It records every delivery with a valid signature, with its time of arrival; sometimes it answers 500, and sometimes it
accepts one and its response is lost. Started by `outsiders`; `checker` compares the events with its record.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import random
import threading
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from fleet.core import clock

_HOST = "127.0.0.1"
_REFUSES, _LOSES_ANSWER = 0.05, 0.12
"""Of a hundred deliveries so many are answered with 500, and for as many as lie between the two no answer comes."""


@dataclass(frozen=True, slots=True)
class ReceivedDelivery:
    """One accepted delivery: its event, its job, and its time of arrival."""

    event_id: str
    delivery: str
    at: datetime


class Receiver:
    """Listens on loopback from its creation until it is closed."""

    def __init__(self, *, seed: int) -> None:
        self._seed, self._lock = seed, threading.Lock()
        self._tries: Counter[str] = Counter()
        self._server = ThreadingHTTPServer((_HOST, 0), self._handler())
        self.secret = ""
        self.heard: list[ReceivedDelivery] = []
        self.forged = 0
        """How many deliveries were not signed with `secret`."""
        threading.Thread(target=self._server.serve_forever, name="chaos-receiver", daemon=True).start()

    @property
    def place(self) -> str:
        """Host and port."""
        return f"{_HOST}:{self._server.server_port}"

    def close(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()

    def _take(self, headers: Any, body: bytes) -> int | None:
        """Return the status to answer with; None for no answer."""
        stamp, _, rest = str(headers.get("Fleet-Signature", "")).removeprefix("t=").partition(",v1=")
        wanted = hmac.new(self.secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
        delivery = str(headers.get("Fleet-Delivery", ""))
        with self._lock:
            if not hmac.compare_digest(wanted, rest):
                self.forged += 1
                return 401
            self._tries[delivery] += 1
            chance = random.Random(f"{self._seed} {delivery} {self._tries[delivery]}").random()
            if chance < _REFUSES:
                return 500
            self.heard.append(ReceivedDelivery(str(json.loads(body)["id"]), delivery, clock.now()))
        return None if chance < _LOSES_ANSWER else 204

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        take = self._take

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                status = take(self.headers, self.rfile.read(int(self.headers.get("Content-Length", 0))))
                if status is None:
                    self.close_connection = True
                    return
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Keep quiet: the world has its own log."""

        return Handler
