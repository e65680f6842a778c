"""An HTTP proxy between Fleet and one shop: it loses replies, refuses, delays and cuts, and logs every write of stock.

Runs in threads of the harness. People and the checker call the shop directly.
"""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler

import httpx

from fleet.chaos.world.http_proxy import HttpFaultProxy, answer, hang_up

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


class ShopProxy(HttpFaultProxy[ShopFault]):
    """Listens on loopback from `start` until `close`."""

    def __init__(self, target: str) -> None:
        self.faults: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()
        self.stock: list[StockCall] = []
        super().__init__(target, timeout_s=60)

    def _serve(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        is_write = _is_write(request.command, body)
        fault = self._drawn(lambda one: not (one.only_reads if is_write else one.only_writes))
        if fault is not None:
            with self._lock:
                self.faults[_kind_of(fault)] += 1
        if fault is not None and fault.delay_s:
            time.sleep(fault.delay_s)
        if fault is not None and fault.is_cut:
            hang_up(request)
            return
        if fault is not None and fault.answer is not None:
            answer(request, fault.answer[0], b'{"detail": "fault"}', {"content-type": "application/json",
                                                                      **fault.answer[1]})  # fmt: skip
            return
        try:
            response = self._forward(request, body, is_write=is_write)
        except httpx.HTTPError:
            hang_up(request)
            return
        if fault is not None and fault.loses:
            hang_up(request)
        else:
            headers = {name: response.headers[name] for name in _RETURNED if name in response.headers}
            answer(request, response.status_code, response.content, headers)

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


def _kind_of(fault: ShopFault) -> str:
    if fault.is_cut or fault.loses:
        return "cut" if fault.is_cut else "lost reply"
    return str(fault.answer[0]) if fault.answer else "delay"


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
