"""HTTP for providers of pictures, by the safe fetcher: their own server alone, with limits of time and size.

A call that ends without a whole answer is `unmetered` once its bytes may have left: it may be billed. Redirects are
refused, since a key goes along with each request.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from fleet import __version__
from fleet.core.clock import monotonic_s
from fleet.images import addresses, wire
from fleet.images.addresses import Endpoint, Rules
from fleet.images.errors import FetchError, Unusable
from fleet.images.fetch import SYSTEM, FetchLimits, fetch_file
from fleet.images.wire import Deadline, Network
from fleet.llm.base import Usage
from fleet.llm.errors import AuthFailed, ModelError, Overloaded, Rejected, Transient

MOST_ANSWER_BYTES = 24 * 1024 * 1024
"""A PNG of 16 MB in base64; no provider sends more for one picture of the sizes that are asked for."""
_SAID = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class PictureAnswer:
    """A whole answer of a provider."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        """Return the body as an object; empty for anything else."""
        try:
            found = json.loads(self.body)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}


class ProviderClient:
    """Calls one provider. `base_url` is named by the operator, so it may lead into a network of theirs."""

    def __init__(
        self, provider: str, model: str, base_url: str, headers: Mapping[str, str], *, network: Network = SYSTEM
    ) -> None:
        self.provider, self.model = provider, model
        self._base = base_url.rstrip("/")
        self._headers = headers
        self._network = network
        self._rules = Rules(hosts=frozenset(), origins=frozenset((addresses.origin_of(self._base),)))
        self.began_s = 0.0

    def get(self, path: str, query: Mapping[str, str | int], *, within_s: float) -> PictureAnswer:
        """Send a GET. Raises ModelError."""
        return self._call("GET", f"{self._base}{path}?{urlencode(query)}", b"", {}, within_s)

    def get_url(self, url: str, *, within_s: float) -> PictureAnswer:
        """Send a GET to an address that an answer named, if it is at the provider's own server. Raises ModelError."""
        return self._call("GET", url, b"", {}, within_s)

    def post(self, path: str, body: bytes, content_type: str, *, within_s: float, accept: str) -> PictureAnswer:
        """Send a POST. Raises ModelError."""
        headers = {"Content-Type": content_type, "Accept": accept}
        return self._call("POST", f"{self._base}{path}", body, headers, within_s)

    def fetch(self, url: str, hosts: frozenset[str], *, within_s: float) -> bytes:
        """Return a picture from an address in an answer: at these hosts or the provider's own. Raises ModelError.

        The key does not go along.
        """
        rules = Rules(hosts=hosts, origins=self._rules.origins)
        try:
            limits = FetchLimits(max_bytes=MOST_ANSWER_BYTES, total_s=within_s)
            return fetch_file(url, rules=rules, limits=limits, network=self._network).data
        except FetchError as error:
            raise Transient(f"its picture cannot be fetched: {error.message}", self.usage(within_s)) from error

    def usage(self, took_s: float = 0.0, **values: Any) -> Usage:
        """Return the usage of a call."""
        return Usage(self.provider, self.model, latency_ms=round(took_s * 1000), **values)

    def _call(self, method: str, url: str, body: bytes, headers: Mapping[str, str], within_s: float) -> PictureAnswer:
        began_s = monotonic_s()
        with self._translated(began_s) as network:
            place = addresses.read(url, self._rules)
            told = self._lines(headers, body)
            with wire.exchange(
                place, network, Deadline.after(within_s), method=method, headers=told, body=body
            ) as response:
                answer = _read(place, response)
        if 200 <= answer.status < 300:
            return answer
        raise self._refusal(answer, monotonic_s() - began_s)

    def _lines(self, headers: Mapping[str, str], body: bytes) -> list[tuple[bytes, bytes]]:
        told = {
            "User-Agent": f"Fleet/{__version__}", "Accept": "application/json", "Accept-Encoding": "identity",
            "Connection": "close", **self._headers, **headers,
        }  # fmt: skip
        if body:
            told["Content-Length"] = str(len(body))
        return [(name.encode(), value.encode()) for name, value in told.items()]

    @contextmanager
    def _translated(self, began_s: float) -> Iterator[Network]:
        """Yield the network of one call, and translate its errors."""
        is_sent = False

        def dial(address: str, port: int, timeout_s: float) -> Any:
            nonlocal is_sent
            stream = self._network.dial(address, port, timeout_s)
            is_sent = True
            return stream

        try:
            yield Network(self._network.resolve, dial, self._network.tls)
        except FetchError as error:
            usage = self.usage(monotonic_s() - began_s)
            if error.retryable or is_sent:
                raise Transient(error.message, usage, unmetered=is_sent) from error
            raise Rejected(error.message, usage, fix="Look at the address of the provider.") from error

    def _refusal(self, answer: PictureAnswer, took_s: float) -> ModelError:
        usage, status = self.usage(took_s), answer.status
        said = f"{status}: {_words_of(answer)}"
        wait = answer.headers.get("retry-after", "")
        wait_s = float(wait) if wait.isdigit() and len(wait) < 6 else None
        if status == 429:
            return Overloaded(said, usage, retry_after_s=wait_s)
        if status in (401, 402, 403):
            return AuthFailed(said, usage, fix="Look at its key, and at the account behind it.")
        if status in (408, 409) or status >= 500:
            return Transient(said, usage, retry_after_s=wait_s)
        return Rejected(said, usage, fix="Look at its model and its address.")


def _read(place: Endpoint, response: wire.Response) -> PictureAnswer:
    """Return the whole answer. Raises Unusable for one that is too large."""
    said = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
    received = bytearray()
    for chunk in response.iter_stream():
        received += chunk
        if len(received) > MOST_ANSWER_BYTES:
            raise Unusable(f"{place.host} answers with more than {MOST_ANSWER_BYTES:,} bytes.")
    return PictureAnswer(response.status, said, bytes(received))


def _words_of(answer: PictureAnswer) -> str:
    body = answer.json()
    error = body.get("error")
    words = error.get("message") if isinstance(error, dict) else error or body.get("errors") or body.get("message")
    return _SAID.sub(" ", str(words or "no reason given"))[:300]


def form_data(fields: Mapping[str, str], boundary: str) -> tuple[bytes, str]:
    """Return multipart form data of text fields, and its content type."""
    parts = (f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
             for name, value in fields.items())  # fmt: skip
    return ("".join(parts) + f"--{boundary}--\r\n").encode(), f"multipart/form-data; boundary={boundary}"
