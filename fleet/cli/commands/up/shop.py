"""The steps of `fleet up --with-shop` that need the database. They run in the helper of `up`, as `preparation` does.

The home stores the shop's token and the secret of its webhooks in a private file, so that a later start opens the same
shop.
"""

from __future__ import annotations

import json
import secrets
import urllib.error
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from urllib.request import ProxyHandler, Request, build_opener

from fleet.accounts import service
from fleet.accounts.service import NewAccount
from fleet.cli.commands.up.answers import Known
from fleet.cli.commands.up.preparation import acting
from fleet.core.errors import NotFound, Unavailable
from fleet.engine import registry
from fleet.engine.deps import Deps
from fleet.engine.points.sandbox_shop import POINT, SandboxShopSetup
from fleet.features.accounts import commands as account_commands
from fleet.sandbox import disk

ACCOUNT = ADAPTER = "sandbox_shop"
_FILE = "shop.json"


@dataclass(frozen=True, slots=True)
class ShopSecrets:
    """What the home stores of its shop. `is_prepared`: features have made what they make of its account."""

    token: str = field(repr=False)
    webhook_secret: str = field(repr=False)
    is_prepared: bool = False

    @property
    def credentials(self) -> str:
        """Return the credentials of the account."""
        return json.dumps({"token": self.token, "webhook_secret": self.webhook_secret})


def token(home: Path) -> str:
    """Return the token of this home's shop: the one of last time, or a new one."""
    stored = _stored(home) or ShopSecrets(f"shp_{secrets.token_urlsafe(24)}", secrets.token_urlsafe(24))
    _store(home, stored)
    return stored.token


def open_account(known: Known, by: str, url: str) -> None:
    """Create the account of the shop, or give it the shop's present address; have features prepare it once."""
    with acting(known, by) as deps:
        open_in(deps, deps.settings.home.absolute(), url, registry.current().extensions(POINT), by=by)


def open_in(deps: Deps, home: Path, url: str, setups: Sequence[SandboxShopSetup], *, by: str) -> None:
    """Do the same with given parts of features. `token` was called before for the home."""
    stored, found = _secrets(home), _account_id(deps)
    if found is None:
        new = NewAccount(ACCOUNT, ADAPTER, url, stored.credentials)
        stored, found = replace(stored, is_prepared=False), account_commands.add(deps, new, by=by)
    elif _address(deps) != url:
        account_commands.change(deps, ACCOUNT, by=by, address=url, credentials=stored.credentials)
    if not stored.is_prepared:
        for one in setups:
            one.prepare(deps, found)
        _store(home, replace(stored, is_prepared=True))


def subscribe(known: Known, by: str, url: str, web: str) -> None:
    """Have the shop send its webhooks to the dashboard of this fleet, and nowhere else."""
    with acting(known, by) as deps:
        subscribe_in(deps, deps.settings.home.absolute(), url, web, registry.current().extensions(POINT))


def subscribe_in(deps: Deps, home: Path, url: str, web: str, setups: Sequence[SandboxShopSetup]) -> None:
    """Do the same with given parts of features."""
    stored, found = _secrets(home), _account_id(deps)
    _call(url, stored.token, "DELETE")
    for one in setups:
        if one.hook_path:
            address = web + one.hook_path.format(account=found)
            _call(url, stored.token, "PUT", {"url": address, "secret": stored.webhook_secret})


def _account_id(deps: Deps) -> uuid.UUID | None:
    with suppress(NotFound), deps.db.transaction() as tx:
        return service.named(tx, ACCOUNT).id
    return None


def _address(deps: Deps) -> str:
    with deps.db.transaction() as tx:
        return service.named(tx, ACCOUNT).address


def _call(url: str, shop_token: str, method: str, body: dict[str, str] | None = None) -> None:
    headers = {"Authorization": f"Bearer {shop_token}", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    request = Request(f"{url}/api/hooks", data, headers, method=method)  # noqa: S310 - the address of our own shop
    try:
        build_opener(ProxyHandler({})).open(request, timeout=10).close()
    except (urllib.error.URLError, OSError) as error:
        raise Unavailable(f"The shop does not accept an address for webhooks ({error}).") from error


def _secrets(home: Path) -> ShopSecrets:
    found = _stored(home)
    if found is None:
        raise Unavailable(f"The secrets of the shop cannot be read from {home / _FILE}.", fix="Start `fleet up` again.")
    return found


def _stored(home: Path) -> ShopSecrets | None:
    with suppress(OSError, ValueError, KeyError, TypeError):
        data = json.loads((home / _FILE).read_text(encoding="utf-8"))
        return ShopSecrets(str(data["token"]), str(data["webhook_secret"]), bool(data["is_prepared"]))
    return None


def _store(home: Path, stored: ShopSecrets) -> None:
    disk.write_private(home / _FILE, json.dumps(asdict(stored)) + "\n")
