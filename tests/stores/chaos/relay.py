"""A relay between the webhooks of a shop and Fleet: it delivers each one, half of them twice, in another order.

A delivery is repeated until Fleet has accepted it, so none is lost; `lost` of them are dropped on purpose.
"""

from __future__ import annotations

import heapq
import random
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

_TWICE, _LATEST_S, _AGAIN_S = 0.5, 6.0, 1.5


class HookRelay:
    """Receives on a port of this machine, and passes on to `target` from one thread."""

    def __init__(self, target: str, *, seed: int, lost: float = 0.0) -> None:
        self._target, self._dice, self._lost = target, random.Random(f"{seed} {target}"), lost
        self._due: list[tuple[float, int, bytes, str]] = []
        self._changed = threading.Condition()
        self._is_over = False
        self._number = 0
        self._newest = 0
        self.counts: Counter[str] = Counter()
        relay = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                relay._take(body, self.headers.get("x-shop-signature", ""))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: Any) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/hooks"
        self._threads = [
            threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True),
            threading.Thread(target=self._deliver, daemon=True),
        ]

    def start(self) -> None:
        """Begin to receive and to deliver."""
        for thread in self._threads:
            thread.start()

    @property
    def waiting(self) -> int:
        """How many deliveries have not been accepted."""
        with self._changed:
            return len(self._due)

    def close(self) -> None:
        """Receive and deliver no more."""
        with self._changed:
            self._is_over = True
            self._changed.notify_all()
        if self._threads[0].is_alive():
            self._server.shutdown()
        self._server.server_close()

    def _take(self, body: bytes, signature: str) -> None:
        with self._changed:
            self.counts["events of the shop"] += 1
            if self._dice.random() < self._lost:
                self.counts["lost on purpose"] += 1
                return
            times = 2 if self._dice.random() < _TWICE else 1
            self.counts["sent twice"] += times - 1
            for _ in range(times):
                self._number += 1
                late_s = self._dice.uniform(0, _LATEST_S) if self._dice.random() < 0.5 else self._dice.uniform(0, 0.3)
                heapq.heappush(self._due, (time.monotonic() + late_s, self._number, body, signature))
            self._changed.notify_all()

    def _deliver(self) -> None:
        headers = {"content-type": "application/json"}
        with httpx.Client(trust_env=False, timeout=10) as http:
            while True:
                with self._changed:
                    self._changed.wait_for(lambda: self._is_over or bool(self._due))
                    if self._is_over:
                        return
                    left_s = self._due[0][0] - time.monotonic()
                    if left_s > 0:
                        self._changed.wait(left_s)
                        continue
                    _, number, body, signature = heapq.heappop(self._due)
                try:
                    status = http.post(self._target, content=body,
                                       headers={**headers, "x-shop-signature": signature}).status_code  # fmt: skip
                except httpx.HTTPError:
                    status = 0
                with self._changed:
                    if status in (200, 202):
                        self.counts["accepted"] += 1
                        self.counts["known to Fleet already"] += status == 200
                        self.counts["out of order"] += number < self._newest
                        self._newest = max(self._newest, number)
                    else:
                        self.counts["refused or failed, sent again"] += 1
                        heapq.heappush(self._due, (time.monotonic() + _AGAIN_S, number, body, signature))
