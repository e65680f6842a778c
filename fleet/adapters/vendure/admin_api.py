"""Calls of Vendure's GraphQL admin API: credentials, sessions, and errors, which come in bodies with status 200.

A call sends one mutation at most: several in one document are not atomic. A request without permission is refused
before it does anything, so it is sent once more with a new session.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from fleet.adapters import base
from fleet.adapters.answers import body_of, dict_of, dicts_of, retry_after_s, text_of
from fleet.adapters.http import MAX_ANSWER_BYTES, HttpClient, Response
from fleet.adapters.manifest import AccountAccess, MediaFile
from fleet.core import masking
from fleet.core.errors import InvalidInput

_PATH = "/admin-api"
_LOGIN = """mutation Login($username: String!, $password: String!) {
  login(username: $username, password: $password) { __typename ... on ErrorResult { errorCode message } }
}"""
_REFUSED = {"FORBIDDEN", "UNAUTHORIZED", "INVALID_CREDENTIALS_ERROR", "NOT_VERIFIED_ERROR"}
_GONE = {"ENTITY_NOT_FOUND"}
_UNKNOWN = {"", "INTERNAL_SERVER_ERROR"}
"""Codes that say nothing. Errors of the shop's database, such as a lock, have none at all."""
_LONGEST_TOKEN = 1000


class VendureKeys(BaseModel):
    """The credentials of an account: an administrator's login, or an API key."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    username: str = ""
    password: str = Field("", repr=False)
    api_key: str = Field("", repr=False)
    channel: str = Field("", repr=False)
    """The token of a channel; empty: the default channel."""

    @model_validator(mode="after")
    def _has_one(self) -> Self:
        if not self.api_key and not (self.username and self.password):
            raise ValueError("neither username with password nor api_key")
        values = (self.api_key, self.channel)
        if not all(one.isascii() and one.isprintable() for one in values):
            raise ValueError("characters that no header can have")
        return self

    @classmethod
    def read(cls, credentials: str) -> Self:
        """Return credentials: a JSON object, or an API key alone. Raises InvalidInput, which repeats nothing."""
        fix = 'Give an API key, or {"username": "...", "password": "..."} of an administrator.'
        try:
            is_json = credentials.lstrip().startswith("{")
            found = cls.model_validate(json.loads(credentials) if is_json else {"api_key": credentials.strip()})
        except (ValidationError, ValueError, RecursionError):
            raise InvalidInput("The credentials are no login and no API key of Vendure.", fix=fix) from None
        masking.conceal(*(one for one in (found.password, found.api_key) if len(one) >= masking.SHORTEST_CHARS))
        return found


class AdminApi:
    """The admin API of one shop, with an account's credentials. Safe to use from many threads."""

    def __init__(self, address: str, access: AccountAccess) -> None:
        self._keys = VendureKeys.read(access.credentials.get_secret_value())
        self._tokens = access.tokens
        self._token = ""
        self._lock = threading.Lock()
        self._http = HttpClient(
            address, timeout_s=access.timeout_s, most_bytes=MAX_ANSWER_BYTES, observe=access.observe,
            headers={"vendure-token": self._keys.channel} if self._keys.channel else None,
        )  # fmt: skip

    def read(self, document: str, variables: Mapping[str, Any], *, timeout_s: float | None = None) -> dict[str, Any]:
        """Return the `data` of a query. Raises an AdapterError."""
        return self._call(timeout_s, json={"query": document, "variables": dict(variables)})

    def write(self, document: str, variables: Mapping[str, Any], *, timeout_s: float) -> Any:
        """Return the one field of a mutation. Raises an AdapterError, also for an `ErrorResult` in its place."""
        data = self._call(timeout_s, json={"query": document, "variables": dict(variables)})
        found = next(iter(data.values()), None)
        return _accepted(found)

    def upload(self, document: str, name: str, file: MediaFile, *, timeout_s: float) -> Any:
        """Return the one field of a mutation that takes one file as `$file`. Raises an AdapterError."""
        operations = json.dumps({"query": document, "variables": {"file": None}})
        form = {"operations": operations, "map": json.dumps({"0": ["variables.file"]})}
        data = self._call(timeout_s, form=form, files={"0": (name, file.data, file.content_type)})
        found = next(iter(data.values()), None)
        return _accepted(found[0] if isinstance(found, list) and found else found)

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def _call(self, timeout_s: float | None, **body: Any) -> dict[str, Any]:
        token = self._session(timeout_s)
        try:
            return self._send(token, timeout_s, **body)
        except base.TokenRefused:
            if self._keys.api_key:
                raise
        with self._lock:
            if self._token == token:
                self._token = self._tokens.renew(token, lambda _: self._login(timeout_s))
        return self._send(self._token, timeout_s, **body)

    def _session(self, timeout_s: float | None) -> str:
        """Return the token of a session; empty with an API key."""
        if self._keys.api_key or self._token:
            return self._token
        with self._lock:
            if not self._token:
                stored = self._tokens.load()
                self._token = stored or self._tokens.renew(None, lambda _: self._login(timeout_s))
            return self._token

    def _login(self, timeout_s: float | None) -> str:
        variables = {"username": self._keys.username, "password": self._keys.password}
        try:
            response = self._post("", timeout_s, json={"query": _LOGIN, "variables": variables})
        except base.Uncertain as error:  # a lost session harms nobody, and nothing else was sent
            raise base.Unreachable(f"no login: {error}") from error
        _accepted(next(iter(_data_of(response).values()), None))
        token = text_of(response.headers.get("vendure-auth-token"), _LONGEST_TOKEN)
        if not token:
            raise base.TokenRefused("the shop gives no session token: its `tokenMethod` needs 'bearer'")
        masking.conceal(token)
        return token

    def _send(self, token: str, timeout_s: float | None, **body: Any) -> dict[str, Any]:
        return _data_of(self._post(token, timeout_s, **body))

    def _post(self, token: str, timeout_s: float | None, **body: Any) -> Response:
        headers = {"Apollo-Require-Preflight": "true"}
        if self._keys.api_key:
            headers["vendure-api-key"] = self._keys.api_key
        elif token:
            headers["Authorization"] = f"Bearer {token}"
        return self._http.request("POST", _PATH, headers=headers, timeout_s=timeout_s, **body)


def _data_of(response: Response) -> dict[str, Any]:
    """Return the `data` of an answer. Raises the AdapterError that its errors mean."""
    body = body_of(response)
    errors = dicts_of(body.get("errors"))
    if errors:
        raise _error_of(errors[0], response)
    if not response.is_success:
        raise _status_error(response)
    if not isinstance(body.get("data"), dict):
        raise base.Uncertain("the shop's answer has no data")
    return dict_of(body["data"])


def _error_of(error: dict[str, Any], response: Response) -> base.AdapterError:
    """Translate an error. One below the mutation's own field came after the mutation was done."""
    code = text_of(dict_of(error.get("extensions")).get("code"), 60)
    said = _said(code, error)
    path = error.get("path")
    if isinstance(path, list) and len(path) > 1:
        return base.Uncertain(said)
    if response.status_code in (401, 403, 429) or response.is_server_error:
        return _status_error(response)
    return _refusal(code, said)


def _refusal(code: str, said: str) -> base.AdapterError:
    if code in _REFUSED:
        return base.TokenRefused(said)
    if code in _GONE:
        return base.Vanished(said)
    return base.Uncertain(said) if code in _UNKNOWN else base.Refused(said)


def _accepted(found: Any) -> Any:
    """Return the result of a mutation. Raises what its `ErrorResult` means: such a mutation changed nothing."""
    if isinstance(found, dict) and "errorCode" in found:
        code = text_of(found.get("errorCode"), 60)
        raise _refusal(code, _said(code, found))
    return found


def _said(code: str, error: Mapping[str, Any]) -> str:
    return masking.mask(f"{code or 'no code'}: {text_of(error.get('message'), 300)}")


def _status_error(response: Response) -> base.AdapterError:
    status = response.status_code
    said = f"{status} {response.reason_phrase}"
    if status in (401, 403):
        return base.TokenRefused(said)
    if status == 429:
        return base.Throttled(said, retry_after_s=retry_after_s(response))
    if 300 <= status < 500 and status != 408:
        return base.Refused(said)
    return base.Uncertain(said)
