"""Calls of a PDS with the session of an account: tokens that all processes share, and the meaning of each error.

Used by `adapter` alone. Logging in is limited (30 in 5 minutes, 300 a day), so a session is stored and refreshed; a
refresh token is good for two more hours after its use, so a lost answer to a refresh loses no session.
"""

from __future__ import annotations

import json
import time
from typing import Any
from urllib.parse import urlsplit

from fleet.adapters import base
from fleet.adapters.answers import body_of, bounded_s, epoch_of, retry_after_s, text_of
from fleet.adapters.http import MAX_JSON_BYTES, HttpClient, Response
from fleet.adapters.manifest import AccountAccess
from fleet.core.clock import SYSTEM
from fleet.core.errors import InvalidInput

_REFRESH = frozenset({"ExpiredToken", "InvalidToken"})
_STOPPED = frozenset(
    {"AccountTakedown", "AccountDeactivated", "AccountSuspended", "AuthMissing", "InvalidToken", "ExpiredToken",
     "AuthenticationRequired", "AuthFactorTokenRequired", "BadTokenScope"}
)  # fmt: skip
_GONE = frozenset({"RecordNotFound", "NotFound", "RepoNotFound", "RepoTakendown", "RepoDeactivated", "RepoSuspended"})


class SwapRefused(base.Refused):
    """The record is not the version that the call expected."""


class PdsSession:
    """Calls as one account. Safe to use from many threads."""

    def __init__(self, access: AccountAccess) -> None:
        self.identifier, self._password = _credentials(access.credentials.get_secret_value())
        self._tokens = access.tokens
        self._http = HttpClient(
            access.address, timeout_s=access.timeout_s, most_bytes=MAX_JSON_BYTES, observe=access.observe
        )
        self.timeout_s = access.timeout_s

    def did(self, timeout_s: float) -> str:
        """Return the account's permanent id; logs in at first."""
        return str(json.loads(self._stored(timeout_s))["did"])

    def query(self, name: str, timeout_s: float | None = None, /, **params: Any) -> dict[str, Any]:
        """Call a query. It changes nothing, so no outcome of it is uncertain to the caller's write."""
        return self._call("GET", name, timeout_s, params=params)

    def query_before_write(self, name: str, timeout_s: float, /, **params: Any) -> dict[str, Any]:
        """Call a query that a write needs: if no answer comes, the write has certainly not happened."""
        try:
            return self._call("GET", name, timeout_s, params=params)
        except base.Uncertain as error:
            raise base.Unreachable(f"nothing was sent: {error}") from error

    def procedure(self, name: str, body: dict[str, Any], *, timeout_s: float | None = None) -> dict[str, Any]:
        """Call a procedure."""
        return self._call("POST", name, timeout_s, json=body)

    def upload(self, data: bytes, content_type: str, timeout_s: float) -> dict[str, Any]:
        """Upload a blob and return the reference that records have. It is shown to nobody before."""
        headers = {"Content-Type": content_type}
        blob = self._call("POST", "com.atproto.repo.uploadBlob", timeout_s, content=data, headers=headers).get("blob")
        if not isinstance(blob, dict):
            raise base.Uncertain("the answer to an upload has no blob")
        return blob

    def end(self, timeout_s: float) -> None:
        """End the stored session, if there is one."""
        stored = self._tokens.load()
        if stored is not None:
            headers = {"Authorization": f"Bearer {json.loads(stored)['refresh']}"}
            self._http.request("POST", "/xrpc/com.atproto.server.deleteSession", headers=headers, timeout_s=timeout_s)

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def _call(self, method: str, name: str, timeout_s: float | None, *, headers: dict[str, str] | None = None,
              **request: Any) -> dict[str, Any]:  # fmt: skip
        limit_s = self.timeout_s if timeout_s is None else timeout_s
        ends_s = time.monotonic() + limit_s

        def send(stored: str) -> Response:
            left_s = ends_s - time.monotonic()
            if left_s <= 0:
                raise base.Unreachable("no time was left to send")
            signed = {**(headers or {}), "Authorization": f"Bearer {json.loads(stored)['access']}"}
            return self._http.request(method, f"/xrpc/{name}", headers=signed, timeout_s=left_s, **request)

        stored = self._stored(limit_s)
        response = send(stored)
        if _code(response) in _REFRESH and response.status_code in (400, 401):  # refused before anything was done
            response = send(self._renew(stored, ends_s - time.monotonic()))
        if not response.is_success:
            raise error_of(response)
        body = body_of(response)
        if isinstance(body.get("error"), str):  # no answer of these calls has one: a proxy before the server made it
            raise base.Uncertain(f"{response.status_code} with the error {text_of(body['error'], 60)}")
        return body

    def _stored(self, timeout_s: float) -> str:
        return self._tokens.load() or self._renew(None, timeout_s)

    def _renew(self, known: str | None, timeout_s: float) -> str:
        try:
            return self._tokens.renew(known, lambda stored: self._new_tokens(stored, max(0.1, timeout_s)))
        except base.Uncertain as error:  # of the session, not of the call that needs it
            raise base.Unreachable(f"the session could not be renewed: {error}") from error

    def _new_tokens(self, stored: str | None, timeout_s: float) -> str:
        if stored is not None:
            headers = {"Authorization": f"Bearer {json.loads(stored)['refresh']}"}
            path = "/xrpc/com.atproto.server.refreshSession"
            response = self._http.request("POST", path, headers=headers, timeout_s=timeout_s)
            if response.is_success:
                return _tokens_of(response)
            if _code(response) not in _REFRESH:
                raise error_of(response)
        response = self._http.request(
            "POST", "/xrpc/com.atproto.server.createSession", timeout_s=timeout_s,
            json={"identifier": self.identifier, "password": self._password},
        )  # fmt: skip
        if not response.is_success:
            raise error_of(response)
        return _tokens_of(response)


def error_of(response: Response) -> base.AdapterError:
    """Translate a refusal by its code. Whatever is new to us and not 4xx may have happened."""
    status, code = response.status_code, _code(response)
    said = f"{status} {code} {str(body_of(response).get('message') or response.reason_phrase)[:300]}".replace("  ", " ")
    if status == 429:
        return base.Throttled(said, retry_after_s=_wait_s(response))
    if code in _STOPPED or status in (401, 403):
        return base.TokenRefused(said)
    if code == "InvalidSwap":
        return SwapRefused(said)
    if code == "BlobNotFound":
        return base.UploadsLost(said)
    if code in _GONE or status == 404:
        return base.Vanished(said)
    if 300 <= status < 500 and status != 408:
        return base.Refused(said)
    return base.Refused(said) if status == 501 else base.Uncertain(said)


def _wait_s(response: Response) -> float | None:
    wait_s = retry_after_s(response)
    if wait_s is not None:
        return wait_s
    reset = epoch_of(response.headers.get("ratelimit-reset"))
    return None if reset is None else bounded_s((reset - SYSTEM.now()).total_seconds())


def _code(response: Response) -> str:
    return "" if response.is_success else str(body_of(response).get("error", ""))[:60]


def _tokens_of(response: Response) -> str:
    body = body_of(response)
    names = {"did": "did", "handle": "handle", "access": "accessJwt", "refresh": "refreshJwt"}
    if not all(isinstance(body.get(name), str) and body[name] for name in names.values()):
        raise base.Uncertain("the answer to a login has no session")
    if body.get("active") is False and body.get("status"):
        raise base.TokenRefused(f"the account is {str(body['status'])[:40]}")
    return json.dumps({ours: body[theirs] for ours, theirs in names.items()})


def _credentials(secret: str) -> tuple[str, str]:
    """Return handle or DID, and app password. Raises InvalidInput."""
    words = secret.strip().removeprefix("@")
    identifier, password = words.partition(":")[::2]
    if words.startswith("did:"):
        did, method, name, password = (words.split(":", 3) + [""] * 3)[:4]
        identifier = f"{did}:{method}:{name}"
    if not identifier or not password or not identifier.isascii():
        raise InvalidInput(
            "The credentials are not a handle and an app password.",
            fix="Write HANDLE:APP-PASSWORD, such as ada.example.org:abcd-efgh-ijkl-mnop.",
        )
    return identifier, password


def address_of(url: str) -> tuple[str, str, int]:
    """Return scheme, host and port of a PDS. Raises InvalidInput."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
    except ValueError:
        parts, port = urlsplit(""), 0
    if not port or not parts.hostname or "@" in parts.netloc:
        raise InvalidInput(
            "The address of the account's server is not a URL.", fix="Write it as https://bsky.social, or your PDS."
        )
    return parts.scheme, parts.hostname, port
