"""Sends webhooks: one thread that waits until a delivery is due, signs it and posts it.

At least once: a delivery is removed after its receiver has answered with 2xx, and sent again otherwise.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from urllib.error import HTTPError
from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, build_opener

import sqlalchemy as sa

from fleet.core import clock, logs
from fleet.sandbox.gallery.store.database import Storage
from fleet.sandbox.shop.store import hooks
from fleet.sandbox.shop.store.hooks import DueDelivery

SIGNATURE, STAMP = "X-Shop-Signature", "X-Shop-Timestamp"
_TIMEOUT_S = 5.0
_BATCH = 50
_IDLE_S = 60.0

log = logs.get(__name__)


def signature(secret: str, stamp: str, body: bytes) -> str:
    """Return the signature of a delivery: HMAC-SHA256 of time and body, in hex."""
    return "sha256=" + hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()


class _NoRedirects(HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


class HookSender:
    """The thread. `wake` has it look for deliveries at once."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._woken = threading.Event()
        self._ended = threading.Event()
        self._opener = build_opener(ProxyHandler({}), _NoRedirects())
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to send."""
        self._thread = threading.Thread(target=self._run, name="shop-webhooks", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Look for deliveries now."""
        self._woken.set()

    def close(self) -> None:
        """End the thread. What was not delivered is delivered by the next run."""
        self._ended.set()
        self._woken.set()
        if self._thread is not None:
            self._thread.join(_TIMEOUT_S + 1)

    def _run(self) -> None:
        while not self._ended.is_set():
            self._woken.clear()
            try:
                wait_s = self._send_due()
            except sa.exc.DBAPIError as error:
                log.warning("shop_database_away", error=logs.mask(str(error).split("\n", maxsplit=1)[0]))
                wait_s = 5.0
            self._woken.wait(wait_s)

    def _send_due(self) -> float:
        """Send what is due; return the wait in seconds until the next delivery is."""
        with self._storage.transaction() as tx:
            due = hooks.due(tx, clock.now(), limit=_BATCH)
        for one in due:
            if self._ended.is_set():
                return 0.0
            error = self._post(one)
            with self._storage.transaction() as tx:
                if error:
                    hooks.failed(tx, one, error)
                else:
                    hooks.answered(tx, one)
        with self._storage.transaction() as tx:
            next_at = hooks.next_due(tx)
        return _IDLE_S if next_at is None else min(_IDLE_S, max(0.0, (next_at - clock.now()).total_seconds()))

    def _post(self, one: DueDelivery) -> str:
        """Return why a delivery failed; empty if its receiver has accepted it."""
        body = json.dumps(one.body).encode()
        stamp = str(int(clock.now().timestamp()))
        headers = {"Content-Type": "application/json", STAMP: stamp, SIGNATURE: signature(one.secret, stamp, body)}
        request = Request(one.url, body, headers, method="POST")  # noqa: S310 - checked when it was subscribed
        try:
            with self._opener.open(request, timeout=_TIMEOUT_S):
                return ""
        except HTTPError as error:
            error.close()
            return f"HTTP {error.code}"
        except OSError as error:
            return str(error) or type(error).__name__
