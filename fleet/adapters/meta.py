"""What the adapters of Facebook and Instagram share: Meta's Graph API, its errors, its limits and its paging."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, TypeVar
from urllib.parse import quote

from fleet.adapters import base
from fleet.adapters.answers import bounded_s, count_of, dict_of, dicts_of, retry_after_s, text_of
from fleet.adapters.http import Response
from fleet.adapters.network import NetworkAdapter, NetworkToken, words

GRAPH = "v26.0"
"""The version of the Graph API."""
_CHECKPOINT = {459, 464}
_STOPPED_CODES, _STOPPED = {368}, {4854002, 2207050, 2207051}
_THROTTLED = {4, 17, 32, 341, 613, *range(80000, 80015)}
_DAILY_CAP, _NOT_READY = 2207042, 2207027
_DUPLICATE_CODES, _DUPLICATE = {506}, {1366051}
_LOST_MEDIA = {2207003, 2207020, 2207052, 2207053, 2207082}
_MISSING = {33, 2207006}
_TEMPORARY = {1, 2}
_WAIT_S, _NOT_READY_S = 300.0, 60.0
_C = TypeVar("_C", bound=NetworkToken)


class MetaDuplicate(base.Refused):
    """Meta has an equal post or photo."""


class MetaAdapter(NetworkAdapter[_C]):
    """The base of an adapter to the Graph API."""

    upload_hosts = (".facebook.com",)

    def _path(self, *parts: str) -> str:
        return "/".join(["", GRAPH, *(quote(one, safe="") for one in parts)])

    def _edge(self, *parts: str, fields: str, most_pages: int, **query: Any) -> Iterator[dict[str, Any]]:
        """Return the entries of a list. Raises Uncertain where it is longer than so many pages."""
        path, params = self._path(*parts), {"fields": fields, **query}
        for _ in range(most_pages):
            body = self._call("GET", path, params=params)
            yield from dicts_of(body.get("data"))
            after = following_of(body)
            if after is None:
                return
            params = {**params, "after": after}
        raise base.Uncertain("the list is too long to say that an entry is not in it")

    def _send_video(self, url: str, token: str, data: bytes, timeout_s: float) -> None:
        """Send a video's file to the address that Meta names for it."""
        headers = {"Authorization": f"OAuth {token}", "offset": "0", "file_size": str(len(data))}
        with self._upload_client(url, timeout_s) as (client, place):
            answer = client.request("POST", place, content=data, headers=headers)
        if not answer.is_success:
            raise base.UploadsLost(f"Meta does not take the video: {answer.status_code}")

    def _error_of(self, response: Response, body: dict[str, Any]) -> base.AdapterError:
        return error_of(response, body)

    def _is_failure(self, response: Response, body: dict[str, Any]) -> bool:
        return not response.is_success or "error" in body


def error_of(response: Response, body: dict[str, Any]) -> base.AdapterError:
    """Translate a refusal by its code and subcode, never by its words."""
    found, status = dict_of(body.get("error")), response.status_code
    code, subcode = count_of(found.get("code")) or 0, count_of(found.get("error_subcode")) or 0
    said = words(response, code or "", subcode or "", text_of(found.get("message"), 200))
    if code in _STOPPED_CODES or subcode in _STOPPED or (code == 190 and subcode in _CHECKPOINT):
        return base.SurfacePaused(f"Meta has restricted the account: {said}")
    if code in _THROTTLED:
        return base.Throttled(said, retry_after_s=_wait_s(response))
    if subcode == _DAILY_CAP:
        return base.SurfaceBudgetSpent(said, whole_fleet=True, reset_at=None)
    if subcode == _NOT_READY:
        return base.Throttled(said, retry_after_s=_NOT_READY_S)
    if subcode in _LOST_MEDIA:
        return base.UploadsLost(said)
    if code in _DUPLICATE_CODES or subcode in _DUPLICATE:
        return MetaDuplicate(said)
    if code == 100 and subcode in _MISSING:
        return base.Vanished(said)
    if code in (10, 190) or 200 <= code <= 299 or (status == 401 and not code):
        return base.TokenRefused(said)
    if code in _TEMPORARY or status >= 500 or status == 408:
        return base.Uncertain(said)
    if status == 429:
        return base.Throttled(said, retry_after_s=_wait_s(response))
    return base.Vanished(said) if status == 404 and not code else base.Refused(said)


def following_of(body: dict[str, Any]) -> str | None:
    """Return the cursor of the page after a page of a list; None after the last one."""
    paging = dict_of(body.get("paging"))
    after = text_of(dict_of(paging.get("cursors")).get("after"), 500)
    return after if after and paging.get("next") else None


def _wait_s(response: Response) -> float:
    """Return how long to wait: Meta names minutes in the header of business use cases, for each of them."""
    minutes = [0.0]
    try:
        usage = json.loads(response.headers.get("x-business-use-case-usage", "{}"))
    except ValueError:
        usage = {}
    for cases in dict_of(usage).values():
        minutes += [bounded_s(one.get("estimated_time_to_regain_access")) or 0.0 for one in dicts_of(cases)]
    return min(max(minutes) * 60, 86_400.0) or retry_after_s(response) or _WAIT_S


def insights_of(found: object) -> dict[str, int | None]:
    """Return the numbers of insights by their names; Meta leaves empty what it has not counted yet."""
    numbers: dict[str, int | None] = {}
    for one in dicts_of(found):
        values = dicts_of(one.get("values"))
        numbers[text_of(one.get("name"), 100)] = count_of(values[-1].get("value")) if values else None
    return numbers
