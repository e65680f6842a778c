"""Calls of an Oscar shop's REST API (django-oscar-api): Basic authentication, and what its statuses mean."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fleet.adapters import base
from fleet.adapters.answers import retry_after_s, storable
from fleet.adapters.http import MAX_ANSWER_BYTES, HttpClient, Response
from fleet.adapters.manifest import AccountAccess
from fleet.core import masking
from fleet.core.errors import InvalidInput

_NAME = re.compile(r"[\w.@+-]{1,200}")
_MOST_ROWS = 200_000


class OscarKeys(BaseModel):
    """The credentials of an account: the login of a member of staff, and what the shop's API does not tell."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    username: str = Field(min_length=1, max_length=200)
    password: str = Field(repr=False, min_length=1, max_length=1000)
    currency: str = Field("", pattern=r"^([A-Z]{3})?$")
    """Of a shop without products; else it is that of a stock record."""
    partner: str = Field("", max_length=200)
    """The code of the partner that owns new stock records; empty: the first."""
    product_class: str = Field("", max_length=200)
    """The slug of the class of new products; empty: the first."""
    lookup: str = Field("", pattern=r"^([A-Za-z0-9_/-]{1,100})?$")
    """The path of a view that finds products by UPC and by change (docs/shops/oscar.md); empty: there is none."""

    @classmethod
    def read(cls, credentials: str) -> Self:
        """Return credentials: "user:password", or a JSON object. Raises InvalidInput, which repeats nothing."""
        text = credentials.strip()
        name, colon, password = text.partition(":")
        try:
            if text.startswith("{"):
                found = cls.model_validate(json.loads(text))
            else:
                found = cls(username=name if colon and _NAME.fullmatch(name) else "", password=password)
        except (ValidationError, ValueError, RecursionError):
            raise InvalidInput(
                "The credentials are no login of an Oscar shop.",
                fix='Give "user:password" of a member of staff, or {"username": "...", "password": "..."}.',
            ) from None
        if len(found.password) >= masking.SHORTEST_CHARS:
            masking.conceal(found.password)
        return found


class RestApi:
    """The API of one shop, with an account's credentials. Safe to use from many threads."""

    def __init__(self, address: str, access: AccountAccess) -> None:
        self.keys = OscarKeys.read(access.credentials.get_secret_value())
        login = base64.b64encode(f"{self.keys.username}:{self.keys.password}".encode()).decode()
        self._http = HttpClient(
            address, timeout_s=access.timeout_s, most_bytes=MAX_ANSWER_BYTES, observe=access.observe,
            headers={"Authorization": f"Basic {login}"},
        )  # fmt: skip
        self.clock: datetime | None = None

    def get(self, path: str, *, timeout_s: float | None = None, **params: Any) -> dict[str, Any]:
        """Return an object. Raises an AdapterError."""
        found = self._call("GET", path, timeout_s, params=params or None)
        if not isinstance(found, dict):
            raise base.Uncertain("the shop's answer is no object")
        return found

    def rows(
        self, path: str, *, offset: int, limit: int, timeout_s: float | None = None
    ) -> tuple[list[dict[str, Any]], int]:
        """Return rows of a list, and how many there are in all. A shop without paging sends all of them at once."""
        found = self._call("GET", path, timeout_s, params={"limit": limit, "offset": offset})
        total: Any
        if isinstance(found, list):
            rows, total = found[offset : offset + limit], len(found)
        elif isinstance(found, dict) and isinstance(found.get("results"), list):
            rows, total = found["results"], found.get("count")
        else:
            raise base.Uncertain("the shop's answer is no list")
        if not isinstance(total, int) or isinstance(total, bool) or not 0 <= total <= _MOST_ROWS * 10:
            raise base.Uncertain("the shop does not say how long its list is")
        return [one for one in rows if isinstance(one, dict)], total

    def send(self, method: str, path: str, body: Mapping[str, Any] | None, *, timeout_s: float) -> dict[str, Any]:
        """Write, and return the object that the shop answers. Raises an AdapterError."""
        found = self._call(method, path, timeout_s, json=None if body is None else dict(body))
        return found if isinstance(found, dict) else {}

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def _call(self, method: str, path: str, timeout_s: float | None, **request: Any) -> Any:
        response = self._http.request(method, path, timeout_s=timeout_s, **request)
        if not response.is_success:
            raise _error_of(response)
        self.clock = _date_of(response)
        return _json_of(response) if response.content else {}


def _json_of(response: Response) -> Any:
    try:
        return storable(response.json())
    except (ValueError, RecursionError):
        raise base.Uncertain("the shop's answer is not JSON") from None


def _date_of(response: Response) -> datetime | None:
    try:
        found = parsedate_to_datetime(response.headers.get("date", ""))
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _error_of(response: Response) -> base.AdapterError:
    """Translate a refusal by its status. Oscar answers a request that broke with 500 and a page of HTML."""
    status = response.status_code
    said = f"{status} {_words(response)}"
    if status in (401, 403):
        return base.TokenRefused(said)
    if status == 429:
        return base.Throttled(said, retry_after_s=retry_after_s(response))
    if status in (404, 410):
        return base.Vanished(said)
    if 300 <= status < 500 and status != 408:
        return base.Refused(said)
    return base.Uncertain(said)


def _words(response: Response) -> str:
    """Return what a refusal says: {"detail": ...}, {"reason": ...}, or messages by field, nested at times."""
    is_json = "json" in response.headers.get("content-type", "")
    return masking.mask(response.text[:300]) if is_json else response.reason_phrase
