"""Addresses of what agents published, for people who look at it in a browser.

Held by `fleet.engine.deps`. Adapters build them from ids that surfaces chose, so they are data: only an address at the
surface's own host, or at its public address (FLEET_PUBLIC_ADDRESSES), becomes a link.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from urllib.parse import SplitResult

from fleet.accounts.directory import Accounts, OpenAccount
from fleet.accounts.service import AccountKey
from fleet.adapters import registry as adapters
from fleet.adapters.base import Adapter, OutsideSystem, SurfaceObject
from fleet.core import logs
from fleet.core.errors import FleetError
from fleet.core.net import web_address
from fleet.core.settings import Settings

log = logs.get(__name__)
Origin = tuple[str, str, int]


class Links:
    """Builds addresses; each account's adapter is connected once, which makes no call. Not for transactions."""

    def __init__(
        self, accounts: Accounts, connect: Callable[[OpenAccount], Adapter], settings: Callable[[], Settings]
    ) -> None:
        self._accounts, self._connect, self._settings = accounts, connect, settings
        self._adapters: dict[AccountKey, Adapter | None] = {}

    def of(self, account_id: uuid.UUID | None, found: SurfaceObject) -> str | None:
        """Return the address of an object of an account's surface; None where there is none to follow.

        An account that was removed has none, nor one whose adapter this process lacks.
        """
        try:
            self._accounts.refresh()
            account = self._accounts.known(account_id)
        except FleetError:  # the database is away
            return None
        adapter = None if account is None else self._adapter(account)
        if adapter is None:
            return None
        try:
            url = adapter.url_of(found)
        except Exception:
            log.exception("link_not_built", surface=adapter.name, action=found.action)
            return None
        if url is None or account is None:
            return None
        return public(url, adapter, self._settings().public_addresses, pages=_pages(account))

    def _adapter(self, account: OpenAccount) -> Adapter | None:
        if account.key not in self._adapters:
            try:
                self._adapters[account.key] = self._connect(account)
            except FleetError as error:
                log.info("no_links", account=account.key.name, reason=str(error))
                self._adapters[account.key] = None
        return self._adapters[account.key]


def _pages(account: OpenAccount) -> str:
    return adapters.get(account.adapter).pages if account.adapter in adapters.names() else ""


def public(url: str, system: OutsideSystem, addresses: tuple[str, ...], *, pages: str = "") -> str | None:
    """Return an address of a surface as people reach it; None for one that a browser must not be led to.

    `pages`: where the surface's adapter says that its pages are, if that is not the host of its API.
    """
    parts, apart = web_address.split(url), web_address.split(pages)
    if parts is None:
        return None
    if apart is not None and _origin(parts) == _origin(apart):
        return url
    if _origin(parts) != (system.scheme, system.host.lower(), system.port):
        return None
    for one in addresses:
        api, _, instead = one.partition("=")
        named = web_address.split(api)
        if named is not None and _origin(named) == _origin(parts):
            return instead.rstrip("/") + url[len(f"{parts.scheme}://{parts.netloc}") :]
    return url


def _origin(parts: SplitResult) -> Origin:
    return parts.scheme, (parts.hostname or "").lower(), parts.port or web_address.PORTS[parts.scheme]
