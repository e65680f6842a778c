"""HTTP for all vendors' clients: responses limited in size and time, Retry-After.

Called by the vendors' files alone. Their SDKs limit each read, not the whole response, so a slow server would block a
worker for hours; and they read any amount.
"""

from __future__ import annotations

import email.utils
import math
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TypeVar

import httpx2

from fleet import __version__
from fleet.core.workarounds import httpx as http_deadline

HEADERS = {"User-Agent": f"Fleet/{__version__}", "Accept-Encoding": "identity"}
"""The headers of every request besides its key.

A compressed response could expand to any size after it was measured.
"""
MAX_ANSWER_BYTES = 2 * 1024 * 1024
MAX_BATCH_BYTES = 64 * 1024 * 1024
CONNECT_S = 5.0
LONGEST_WISH_S = 3_600.0
Client = TypeVar("Client", bound=httpx2.Client)
_NEVER_SENT = (
    httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.ProxyError, httpx2.UnsupportedProtocol,
    httpx2.LocalProtocolError, httpx2.InvalidURL, UnicodeEncodeError,
)  # fmt: skip
"""No line, an address that is none, and a header that cannot be written: a key with a letter that none has."""


class _Bounded(httpx2.SyncByteStream):
    """A stream that raises an error when it is too long."""

    def __init__(self, stream: httpx2.SyncByteStream, *, limit_bytes: int) -> None:
        self._stream = stream
        self._limit_bytes = limit_bytes

    def __iter__(self) -> Iterator[bytes]:
        size = 0
        for chunk in self._stream:
            size += len(chunk)
            if size > self._limit_bytes:
                raise httpx2.ReadError("the answer is too large")
            yield chunk

    def close(self) -> None:
        self._stream.close()


def bounded(client: Client) -> Client:
    """Return a vendor's client whose responses are limited in size, and in time from the request on."""
    client.event_hooks = {"response": [_bound]}
    http_deadline.bound(client, httpx2.ReadTimeout)
    return client


def _bound(response: httpx2.Response) -> None:
    """Bound an answer before it is read."""
    if response.headers.get("content-encoding", "").strip().lower() not in ("", "identity"):
        raise httpx2.ReadError("the answer is packed, though it was asked not to be")
    limit_bytes = MAX_BATCH_BYTES if response.request.url.path.endswith("/results") else MAX_ANSWER_BYTES
    if isinstance(response.stream, httpx2.SyncByteStream):
        response.stream = _Bounded(response.stream, limit_bytes=limit_bytes)


def went_out(error: BaseException | None) -> bool:
    """Return whether a request may have reached the server before this error, by its chain of causes."""
    while error is not None:
        if isinstance(error, _NEVER_SENT):
            return False
        error = error.__cause__ or error.__context__
    return True


def timeout(timeout_s: float) -> httpx2.Timeout:
    """Return a vendor client's timeout for one call."""
    return httpx2.Timeout(timeout_s, connect=min(CONNECT_S, timeout_s))


def retry_after_s(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return a server's Retry-After, in seconds up to an hour; None without a usable one."""
    for name, scale in (("retry-after-ms", 1_000.0), ("retry-after", 1.0)):
        try:
            wish_s = float(headers.get(name, "")) / scale
        except ValueError:
            continue
        if math.isfinite(wish_s) and wish_s >= 0:
            return min(wish_s, LONGEST_WISH_S)
    try:
        at = email.utils.parsedate_to_datetime(headers.get("retry-after", ""))
        wish_s = (at - now).total_seconds()
    except (ValueError, TypeError, OverflowError):  # no date, one without a zone, one beyond all calendars
        return None
    return min(max(wish_s, 0.0), LONGEST_WISH_S)
