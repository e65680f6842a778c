"""A proxy before the PDS, in which the network's faults happen: lost replies, cuts, wrong answers, refused tokens.

Runs in threads of the harness. It notes when each write arrived, and counts the answers 429 that the PDS itself gave.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler
from typing import Any

import httpx

from fleet.chaos.world.http_proxy import HttpFaultProxy, answer, hang_up
from fleet.core import clock, logs

CLIENT = "203.0.113.7"
"""The address of the fleet as the PDS sees it (TEST-NET-3), so that its calls have a budget of their own."""
_WRITES = ("putRecord", "deleteRecord", "createRecord", "applyWrites")
_TOKENS = ("createSession", "refreshSession", "deleteSession")
_PASSED = ("authorization", "content-type", "accept")
_JSON = {"content-type": "application/json"}
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


class FaultProxy(HttpFaultProxy[NetworkFault]):
    """Listens on loopback from `start` until `close`."""

    def __init__(self, target: str) -> None:
        self._seen = _Seen()
        super().__init__(target, timeout_s=30)

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

    def _serve(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        arrived = clock.now()
        name = request.path.partition("?")[0].rpartition(".")[2]
        fault = self._drawn(lambda one: _concerns(one, name, body))
        if fault is not None and fault.delay_s:
            time.sleep(fault.delay_s)
        if fault is not None and fault.is_cut:
            hang_up(request)
            return
        if fault is not None and fault.answer is not None:
            status, shown, headers = fault.answer
            answer(request, status, json.dumps(shown).encode(), {**headers, **_JSON})
            return
        try:
            response = self._forward(request, name, body, arrived)
            if fault is not None and fault.is_twice:
                response = self._forward(request, name, body, arrived)
        except httpx.HTTPError:
            hang_up(request)
            return
        if fault is not None and fault.loses:
            hang_up(request)
        elif fault is not None and fault.lies:
            answer(request, 200, b'{"error": "InternalServerError", "message": "It went wrong."}', _JSON)
        else:
            passed = {one: value for one, value in response.headers.items()
                      if one == "retry-after" or one.startswith("ratelimit-")}  # fmt: skip
            passed["content-type"] = response.headers.get("content-type", "")
            answer(request, response.status_code, response.content, passed)


def _concerns(fault: NetworkFault, name: str, body: bytes) -> bool:
    is_named = name in fault.calls if fault.calls else name not in _TOKENS
    return is_named and fault.only_with in body
