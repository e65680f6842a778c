"""The calls of a board. Each failure is one error of `fleet.adapters.base`: its class alone decides the next step."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlsplit

from fleet.adapters import base
from fleet.adapters.base import Account, AnyAction, Receipt, RemoteAccount, Resolution, SurfaceObject
from fleet.adapters.http import HttpClient
from fleet.adapters.manifest import AccountAccess
from fleet.adapters.social import (
    DeletePayload,
    FeedItem,
    LikePayload,
    Offers,
    PostPayload,
    ProvisionPayload,
    SaidComment,
)
from fleet.core.errors import InvalidInput


class Board:
    """One account at a board. Built once an account and process, without a call; many threads use it."""

    name = "board"
    third_party = True
    actions: Mapping[str, Resolution] = {
        "post": Resolution.RESEND, "like": Resolution.NATURAL, "delete": Resolution.NATURAL,
        "provision": Resolution.NATURAL,
    }  # fmt: skip

    def __init__(self, access: AccountAccess) -> None:
        parts = urlsplit(access.address)
        if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
            raise InvalidInput("The address of the board is not a URL.", fix="Write it as https://host.")
        self.scheme, self.host = parts.scheme, parts.hostname
        self.port = parts.port or {"http": 80, "https": 443}[parts.scheme]
        self._pages = access.address.rstrip("/")
        self._http = HttpClient(
            access.address, timeout_s=access.timeout_s, observe=access.observe,
            headers={"Authorization": f"Bearer {access.credentials.get_secret_value()}"},
        )  # fmt: skip

    def write(self, action: AnyAction, *, timeout_s: float) -> Receipt:
        """Make one write."""
        who = {"agent": action.account.username}
        match action.payload:
            case PostPayload(text):
                body = self._call("POST", "/posts", json={**who, "text": text}, key=action.key, timeout_s=timeout_s)
            case LikePayload(target):
                body = self._call("PUT", f"/posts/{quote(target, safe='')}/like", json=who, timeout_s=timeout_s)
            case DeletePayload(target):
                self._call("DELETE", f"/posts/{quote(target, safe='')}", timeout_s=timeout_s)
                return Receipt(target)
            case ProvisionPayload():
                body = self._call("PUT", f"/agents/{quote(action.account.username)}", timeout_s=timeout_s)
            case _:
                raise base.Refused(f"the board has no {action.type.noun}")
        if not isinstance(body.get("id"), str):
            raise base.Uncertain("the board does not say what it did")
        return Receipt(body["id"])

    def probe(self, action: AnyAction, *, since: datetime, known: frozenset[str]) -> Receipt | None:
        """Nothing needs a probe: each write can be sent again."""
        raise base.Refused("the board needs no probe")

    def url_of(self, found: SurfaceObject) -> str | None:
        """Return the page of a post."""
        return f"{self._pages}/p/{quote(found.id, safe='')}" if found.action == "post" else None

    def check(self, *, timeout_s: float) -> RemoteAccount:
        """Return the account that the token opens."""
        body = self._call("GET", "/me", timeout_s=timeout_s)
        return RemoteAccount(id=str(body.get("id", "")), username=str(body.get("name", "")), is_bot=body.get("agent"))

    def offers(self) -> Offers:
        """Return what this server has beyond posts and likes."""
        return Offers()

    def feed(self, account: Account, *, limit: int, audience: str = "public") -> list[FeedItem]:
        """Return the newest posts."""
        return [_item(one) for one in self._call("GET", "/posts").get("items", [])[:limit]]

    def comments(self, account: Account, item_id: str, *, limit: int) -> list[SaidComment]:
        """Return nothing: the board has no comments."""
        return []

    def item(self, account: Account, item_id: str) -> FeedItem:
        """Return one post. Raises Vanished."""
        return _item(self._call("GET", f"/posts/{quote(item_id, safe='')}"))

    def _call(self, method: str, path: str, *, key: str = "", timeout_s: float | None = None,
              **request: Any) -> dict[str, Any]:  # fmt: skip
        headers = {"Idempotency-Key": key} if key else {}
        response = self._http.request(method, path, headers=headers, timeout_s=timeout_s, **request)
        if response.is_success:
            try:
                body = response.json()
            except ValueError:
                raise base.Uncertain("the board's response is no JSON") from None
            return body if isinstance(body, dict) else {}
        raise _error(response.status_code, response.headers.get("retry-after", ""))


def _error(status: int, retry_after: str) -> base.AdapterError:
    if status == 429:
        return base.Throttled("too fast", retry_after_s=float(retry_after) if retry_after.isdigit() else None)
    if status == 401:
        return base.TokenRefused("the board refuses the token")
    if status == 404:
        return base.Vanished("the board does not have it")
    if status >= 500:
        return base.Uncertain(f"the board failed ({status})")
    return base.Refused(f"the board refused it ({status})")


def _item(one: dict[str, Any]) -> FeedItem:
    return FeedItem(
        one["id"], one["agent"], one["agent"], one["text"], datetime.fromisoformat(one["at"]), likes=one["likes"],
        by_agent=True,
    )  # fmt: skip
