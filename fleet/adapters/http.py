"""HTTP for adapters: one client with deadlines, and the translation of network errors.

The only file that imports httpx for surfaces. Redirects are not followed, the environment's proxies are not used,
responses are limited in size and time, and must come uncompressed: a compressed one could expand to any size at its
first read.
"""

from __future__ import annotations

from typing import Any

from fleet import __version__
from fleet.adapters import limits
from fleet.adapters.base import Uncertain, Unreachable
from fleet.core import clock, logs
from fleet.core.workarounds import httpx as http_deadline

with http_deadline.without_commands():
    import httpx

Response = httpx.Response
FilePart = tuple[str, bytes, str]
"""A file of a form: its name, its bytes and its content type."""
MAX_ANSWER_BYTES = 8 * 1024 * 1024
MAX_JSON_BYTES = 2 * 1024 * 1024
"""Far more than a page of a hundred posts has. Read, it takes up to fifty times as much memory, in each thread."""
_HEADERS = {"User-Agent": f"Fleet/{__version__}", "Accept": "application/json", "Accept-Encoding": "identity"}
_NEVER_SENT = (
    httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol, httpx.InvalidURL,
    httpx.LocalProtocolError, httpx.ProxyError,
)  # fmt: skip


class HttpClient:
    """A pool of connections to one surface. `observe` takes what the headers of responses say about limits."""

    def __init__(self, base_url: str, *, timeout_s: float, headers: dict[str, str] | None = None,
                 most_bytes: int = MAX_ANSWER_BYTES, observe: limits.Observe = limits.ignore) -> None:  # fmt: skip
        self.timeout_s = timeout_s
        self._most_bytes = most_bytes
        self._observe = observe
        self._client = httpx.Client(
            base_url=base_url.rstrip("/"),
            headers={**_HEADERS, **(headers or {})},
            timeout=httpx.Timeout(timeout_s, connect=min(5.0, timeout_s)),
            limits=httpx.Limits(max_connections=200, max_keepalive_connections=50, keepalive_expiry=15),
            follow_redirects=False,
            trust_env=False,
        )
        http_deadline.bound(self._client, httpx.ReadTimeout)

    def request(self, method: str, path: str, *, json: Any = None, params: dict[str, Any] | None = None,
                headers: dict[str, str] | None = None, timeout_s: float | None = None,
                form: dict[str, Any] | None = None, files: dict[str, FilePart] | None = None,
                content: bytes | None = None) -> httpx.Response:  # fmt: skip
        """Make one call and read the whole answer. The body is one of `json`, `form` (with `files`) and `content`.

        Raises Unreachable when nothing can have been sent, Uncertain when something may have been. `timeout_s` bounds
        the wait for the whole answer; it is never longer than the client's own.
        """
        limit_s = min(self.timeout_s, timeout_s if timeout_s is not None else self.timeout_s)
        try:
            request = self._client.build_request(
                method, path, json=json, params=params, headers=headers, data=form, files=files, content=content,
                timeout=httpx.Timeout(limit_s, connect=min(5.0, limit_s)),
            )  # fmt: skip
            self._refuse_elsewhere(request.url)
            limits.count_request()
            response = self._client.send(request, stream=True)
            try:
                http_deadline.read(response, self._most_bytes, httpx.ReadError)
            finally:
                response.close()
        except _NEVER_SENT as error:
            raise Unreachable(f"{self._client.base_url.host} cannot be reached ({_words(error)})") from error
        # A response that is not read, compressed or too large, may come from a server that has done the write.
        except httpx.TransportError as error:
            raise Uncertain(f"no answer from {self._client.base_url.host} ({_words(error)})") from error
        seen = limits.of_headers(response.status_code, response.headers, clock.now())
        if seen is not None:
            self._observe(seen)
        return response

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def _refuse_elsewhere(self, url: httpx.URL) -> None:
        """Raise Unreachable for a URL of another server: the headers hold our token. Host, port and scheme count."""
        own = self._client.base_url
        if (url.scheme, url.host, url.port) != (own.scheme, own.host, own.port) or url.userinfo:
            raise Unreachable(f"the path leads to another server than {own.host}")


def _words(error: Exception) -> str:
    return logs.mask(str(error)) or type(error).__name__
