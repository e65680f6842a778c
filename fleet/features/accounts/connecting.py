"""Verbs that connect an account by OAuth 2: begin a login, end it with the code of the system, revoke the tokens.

The system is called between two transactions, never inside one. The code, the tokens and the app's secret are in no
event, log or page.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import cast
from urllib.parse import urlsplit

from fleet.access import Principal, audit
from fleet.accounts import keys, logins, service, tokens
from fleet.accounts.logins import PendingLogin
from fleet.accounts.models import SETTINGS_ACCOUNT, AccountRow
from fleet.accounts.sealing import Keyring
from fleet.adapters import base
from fleet.adapters import registry as adapters
from fleet.adapters.base import Adapter
from fleet.adapters.gateway import Gateway
from fleet.adapters.manifest import OAuth
from fleet.adapters.oauth import AppKeys, OAuthClient, TokenPair, new_state, new_verifier
from fleet.core import events
from fleet.core.db import Tx
from fleet.core.errors import Conflict, FleetError, InvalidInput
from fleet.engine import controls
from fleet.engine.deps import Deps, policy
from fleet.engine.jobs import snooze

OUT_OF_BAND = "urn:ietf:wg:oauth:2.0:oob"
"""The system shows the code, and the person copies it."""
_LOOPBACK = re.compile(r"http://(?:127\.0\.0\.1|localhost):\d{1,5}/[a-z]{0,20}")
_REVOKED_WITHIN_S = 10.0


@dataclass(frozen=True, slots=True)
class LoginBegun:
    """The address that a person opens, and the state that comes back with the code."""

    url: str
    state: str


@dataclass(frozen=True, slots=True)
class _Host:
    """A host that is about to be called, as the rules about hosts see it."""

    name: str
    scheme: str
    host: str
    port: int
    third_party: bool = True


def begin(deps: Deps, name: str, *, redirect_uri: str, who: Principal) -> LoginBegun:
    """Begin to connect an account. Raises NotFound, InvalidInput, Conflict, NotAllowed, an AdapterError."""
    with deps.db.transaction() as tx:
        row = service.changeable(tx, name)
        oauth, client = _client(deps, row)
        stored = service.open_credentials(row, lambda: keys.ring(deps.settings))
        account_id = row.id
    for url in oauth.endpoints:
        _require_host(deps, row, url)
    app = client.register(redirect_uri) if oauth.register_url else AppKeys.read(stored)
    login = PendingLogin(account_id, redirect_uri, app, new_verifier())
    state = new_state()
    with deps.db.transaction() as tx:
        service.changeable(tx, str(account_id), lock=True)
        logins.begin(tx, keys.ring(deps.settings), state, login, by=_bound_to(who))
    url = client.authorize_url(app, state=state, verifier=login.verifier, redirect_uri=redirect_uri)
    return LoginBegun(url, state)


def begin_at_terminal(deps: Deps, name: str, *, redirect_uri: str, who: Principal) -> LoginBegun:
    """Begin a login that ends at the person's own machine. Raises InvalidInput for an address elsewhere."""
    if redirect_uri != OUT_OF_BAND and not _LOOPBACK.fullmatch(redirect_uri):
        raise InvalidInput(
            "The login would return to another machine.", fix=f"Write http://127.0.0.1:PORT/ or {OUT_OF_BAND}."
        )
    return begin(deps, name, redirect_uri=redirect_uri, who=who)


def finish(deps: Deps, *, state: str, code: str, who: Principal) -> str:
    """Exchange a code for tokens and store them; return the account's name.

    Raises InvalidInput for a login that this person did not begin, TokenRefused, and Uncertain if the answer is lost:
    the code is used up then, so that the login begins again.
    """
    ring = keys.ring(deps.settings)
    with deps.db.transaction() as tx:
        login = logins.end(tx, ring, state, by=_bound_to(who))
        row = service.changeable(tx, str(login.account_id))
        _, client = _client(deps, row)
    pair = client.exchange(login.keys, code=code, verifier=login.verifier, redirect_uri=login.redirect_uri)
    with deps.db.transaction() as tx:
        snooze.free_held(tx)
        row = service.changeable(tx, str(login.account_id), lock=True)
        credentials = _with_app(service.open_credentials(row, lambda: ring), login.keys)
        service.change(tx, lambda: ring, row, by=who.by, credentials=credentials)
        tokens.put(tx, ring, row.id, pair.write(), by=who.by)
        controls.resume_refused(tx, row.id, by=who.by)
        events.emit(tx, "account.connected", account=row.name, by=who.by)
        audit.note(tx, "account.connected", f"account:{row.name}")
        tx.afterwards(deps.accounts.expire)
        return row.name


@dataclass(frozen=True, slots=True)
class Revocable:
    """The tokens of an account that this transaction removes."""

    account: str
    client: OAuthClient
    keys: AppKeys
    pair: TokenPair


def take(deps: Deps, tx: Tx, row: AccountRow) -> Revocable | None:
    """Delete the tokens and logins of an account; return what `revoke` ends at the system, after the transaction."""

    def ring() -> Keyring:
        return keys.ring(deps.settings)

    logins.forget(tx, row.id)
    stored = tokens.take(tx, ring, row.id)
    if stored is None:
        return None
    try:
        _, client = _client(deps, row, timeout_s=_REVOKED_WITHIN_S)
        return Revocable(row.name, client, AppKeys.read(service.open_credentials(row, ring)), TokenPair.read(stored))
    except FleetError:  # tokens in a form of the adapter's own, or keys that are lost
        return None


def revoke(deps: Deps, found: Revocable | None) -> None:
    """End tokens at the system, whose account is removed here already. An event tells if that fails."""
    if found is None:
        return
    why = ""
    try:
        if not found.client.revoke(found.keys, found.pair):
            why = "the system has no way to revoke them"
    except base.AdapterError as error:
        why = str(error)
    with deps.db.transaction() as tx:
        if why:
            events.emit(tx, "account.not_revoked", account=found.account, why=why[:300])
        else:
            events.emit(tx, "account.revoked", account=found.account)


def _client(deps: Deps, row: AccountRow, *, timeout_s: float | None = None) -> tuple[OAuth, OAuthClient]:
    oauth = adapters.get(row.adapter).oauth
    if row.id == SETTINGS_ACCOUNT:
        raise Conflict(f"The account {row.name} is that of the settings.", fix="Set its token there.")
    if oauth is None:
        raise InvalidInput(
            f"{row.adapter} has no login by OAuth 2.",
            fix=f"`fleet accounts set-token {row.name}` sets its credentials.",
        )
    limit_s = deps.settings.http_timeout_s if timeout_s is None else timeout_s
    return oauth, OAuthClient(oauth, row.address, timeout_s=limit_s)


def _require_host(deps: Deps, row: AccountRow, written: str) -> None:
    """Raise NotAllowed for a host that the owner of the fleet has not named; none for an endpoint that is not there."""
    if not written:
        return
    parts = urlsplit(written.replace("{address}", row.address.rstrip("/")))
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
    host = _Host(row.adapter, parts.scheme, parts.hostname or "", port)
    Gateway(cast("Adapter", host), policy(deps.settings), lambda: None).require_host()


def _with_app(stored: str, app: AppKeys) -> str:
    """Return an account's credentials with the app of a login. Other fields stay, such as the id of a page."""
    try:
        found = json.loads(stored)
    except ValueError:
        found = None
    own = {name: value for name, value in found.items() if name != "access_token"} if isinstance(found, dict) else {}
    return json.dumps({**own, **json.loads(app.write())})


def _bound_to(who: Principal) -> str:
    """Return the session, token or terminal that a login belongs to."""
    return f"{who.via}:{who.user_id}:{who.key_id}"
