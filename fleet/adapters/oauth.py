"""OAuth 2 of adapters and of the commands that connect accounts: the protocol by Authlib, every call by our own client.

The only file that imports Authlib. An account's credentials are its app (`AppKeys`), or a plain access token where a
person made one; what a refresh changes (`TokenPair`) is in the account's `TokenStore`. Nothing is sent twice here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from fleet.adapters import base
from fleet.adapters.answers import body_of, bounded_s, count_of, dict_of, dicts_of, moment_of, text_of
from fleet.adapters.http import HttpClient, Response
from fleet.adapters.manifest import AccountAccess, OAuth, TokenExchange
from fleet.core import clock, masking
from fleet.core.errors import InvalidInput

APP_NAME = "Fleet"
_MOST_CHARS = 8_192
_LONGEST_S = 400 * 86_400.0
_STATE_CHARS, _VERIFIER_CHARS = 43, 64


@dataclass(frozen=True, slots=True)
class AppKeys:
    """The app that a system knows Fleet by."""

    client_id: str
    client_secret: str = field(default="", repr=False)

    @classmethod
    def read(cls, credentials: str) -> AppKeys:
        """Return the app in an account's credentials. Raises InvalidInput for others."""
        found = _json_of(credentials)
        client_id, secret = (
            text_of(found.get("client_id"), _MOST_CHARS),
            text_of(found.get("client_secret"), _MOST_CHARS),
        )
        if not client_id:
            raise InvalidInput(
                "The credentials name no app.",
                fix='Give {"client_id": "...", "client_secret": "..."} of the app that you registered.',
            )
        return cls(client_id, secret)

    def write(self) -> str:
        """Return it as credentials of an account."""
        return json.dumps({"client_id": self.client_id, "client_secret": self.client_secret})


@dataclass(frozen=True, slots=True)
class TokenPair:
    """An access token and, where the system gives one, the refresh token that follows it."""

    access_token: str = field(repr=False)
    refresh_token: str = field(default="", repr=False)
    expires_at: datetime | None = None
    refresh_expires_at: datetime | None = None
    scope: str = ""

    @classmethod
    def read(cls, stored: str) -> TokenPair:
        """Return stored tokens. Raises TokenRefused for a text that holds none."""
        found = _json_of(stored)
        token = text_of(found.get("access_token"), _MOST_CHARS)
        if not token:
            raise base.TokenRefused("the stored tokens are none; connect the account again")
        return cls(
            token, text_of(found.get("refresh_token"), _MOST_CHARS), moment_of(found.get("expires_at")),
            moment_of(found.get("refresh_expires_at")), text_of(found.get("scope"), 2_000),
        )  # fmt: skip

    @classmethod
    def of_answer(cls, body: Mapping[str, Any], now: datetime) -> TokenPair:
        """Return the tokens in the answer of a token endpoint. Raises Uncertain if it has none."""
        token, scope = text_of(body.get("access_token"), _MOST_CHARS), body.get("scope")
        if not token:
            raise base.Uncertain("the answer of the token endpoint has no token")
        scopes = scope if isinstance(scope, str) else " ".join(map(str, scope)) if isinstance(scope, list) else ""
        return cls(
            token, text_of(body.get("refresh_token"), _MOST_CHARS), _end(body.get("expires_in"), now),
            _end(body.get("refresh_expires_in", body.get("refresh_token_expires_in")), now), scopes[:2_000],
        )  # fmt: skip

    def write(self) -> str:
        """Return it as it is stored."""
        ends = {"expires_at": self.expires_at, "refresh_expires_at": self.refresh_expires_at}
        return json.dumps(
            {
                "access_token": self.access_token, "refresh_token": self.refresh_token, "scope": self.scope,
                **{name: None if at is None else at.isoformat() for name, at in ends.items()},
            }
        )  # fmt: skip


class OAuthClient:
    """The OAuth 2 endpoints of one account's system. Every call ends within `timeout_s`."""

    def __init__(self, oauth: OAuth, address: str, *, timeout_s: float) -> None:
        self.oauth = oauth
        self._address = address.rstrip("/")
        self._timeout_s = timeout_s

    def register(self, redirect_uri: str) -> AppKeys:
        """Register Fleet as an app of this server. Raises an AdapterError, InvalidInput where apps are made by hand."""
        if not self.oauth.register_url:
            raise InvalidInput("This system has no registration of apps.", fix="Register an app at the system's site.")
        body = self._post(
            self.oauth.register_url,
            {"client_name": APP_NAME, "redirect_uris": redirect_uri, "scopes": self._scopes},
        )
        keys = AppKeys(text_of(body.get("client_id"), _MOST_CHARS), text_of(body.get("client_secret"), _MOST_CHARS))
        if not keys.client_id:
            raise base.Uncertain("the answer to the registration names no app")
        masking.conceal(keys.client_secret)
        return keys

    def authorize_url(self, keys: AppKeys, *, state: str, verifier: str, redirect_uri: str) -> str:
        """Return the address that a person opens to let Fleet in."""
        from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
        from authlib.oauth2.rfc7636 import create_s256_code_challenge

        more = dict(self.oauth.params)
        if self.oauth.has_pkce:
            more |= {"code_challenge": create_s256_code_challenge(verifier), "code_challenge_method": "S256"}
        if self.oauth.client_id_name != "client_id":
            more[self.oauth.client_id_name] = keys.client_id
        url: str = prepare_grant_uri(
            self._url(self.oauth.authorize_url), client_id=keys.client_id, response_type="code",
            redirect_uri=redirect_uri, scope=self._scopes, state=state, **more,
        )  # fmt: skip
        return url

    def exchange(self, keys: AppKeys, *, code: str, verifier: str, redirect_uri: str) -> TokenPair:
        """Return the tokens for a code. Raises TokenRefused, Uncertain (the code may be used up)."""
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri}
        if self.oauth.has_pkce:
            form["code_verifier"] = verifier
        pair = self._tokens(keys, form)
        return pair if self.oauth.long_lived is None else self._exchanged(keys, self.oauth.long_lived, pair)

    def refresh(self, keys: AppKeys, pair: TokenPair) -> TokenPair:
        """Return the tokens that follow a pair. Raises TokenRefused, and Uncertain if the answer is lost."""
        if not pair.refresh_token and self.oauth.renewal is not None:
            return self._exchanged(keys, self.oauth.renewal, pair)
        if not pair.refresh_token:
            raise base.TokenRefused("the access token has ended; connect the account again")
        form = {"grant_type": "refresh_token", "refresh_token": pair.refresh_token}
        found = self._tokens(keys, form)
        if not found.refresh_token:  # systems without rotation do not repeat it
            ends = found.refresh_expires_at or pair.refresh_expires_at
            found = replace(found, refresh_token=pair.refresh_token, refresh_expires_at=ends)
        return replace(found, scope=found.scope or pair.scope)

    def revoke(self, keys: AppKeys, pair: TokenPair) -> bool:
        """End both tokens at the system; False where it has no endpoint for that. Raises an AdapterError."""
        if not self.oauth.revoke_url:
            return False
        tokens = {"refresh_token": pair.refresh_token, "access_token": pair.access_token}
        for kind, token in tokens.items():
            if token:
                form = {self.oauth.client_id_name: keys.client_id, "client_secret": keys.client_secret}
                self._post(self.oauth.revoke_url, {**form, "token": token, "token_type_hint": kind})
        return True

    @property
    def _scopes(self) -> str:
        return self.oauth.scope_separator.join(self.oauth.scopes)

    def _tokens(self, keys: AppKeys, form: dict[str, str]) -> TokenPair:
        app = {self.oauth.client_id_name: keys.client_id}
        if keys.client_secret:
            app["client_secret"] = keys.client_secret
        body = self._post(self.oauth.token_url, app | form)
        nested = dicts_of(body.get("data"))  # Instagram's form of the answer since 2024
        return TokenPair.of_answer(nested[0] if nested and "access_token" not in body else body, clock.now())

    def _exchanged(self, keys: AppKeys, by: TokenExchange, pair: TokenPair) -> TokenPair:
        """Return the tokens that a system gives for an access token.

        The system leaves the given one valid, so a lost answer costs nothing.
        """
        masking.conceal(pair.access_token)
        query = {"grant_type": by.grant_type, by.token_name: pair.access_token}
        if by.has_app:
            query |= {self.oauth.client_id_name: keys.client_id, "client_secret": keys.client_secret}
        found = TokenPair.of_answer(self._call("GET", by.url, params=query), clock.now())
        return replace(found, scope=found.scope or pair.scope)

    def _url(self, written: str) -> str:
        return written.replace("{address}", self._address)

    def _post(self, written: str, form: dict[str, str]) -> dict[str, Any]:
        return self._call("POST", written, form=form)

    def _call(self, method: str, written: str, **options: Any) -> dict[str, Any]:
        parts = urlsplit(self._url(written))
        http = HttpClient(f"{parts.scheme}://{parts.netloc}", timeout_s=self._timeout_s)
        try:
            response = http.request(method, parts.path or "/", **options)
        finally:
            http.close()
        if response.is_success:
            return body_of(response)
        raise _error_of(response)


class Bearer:
    """The access token that an adapter sends: a person's own, or one that is refreshed before its end."""

    def __init__(self, access: AccountAccess, oauth: OAuth) -> None:
        self._access = access
        self._given = access.credentials.get_secret_value().strip()
        self._is_app = self._given.startswith("{")
        self._client = OAuthClient(oauth, access.address, timeout_s=access.timeout_s)

    def token(self) -> str:
        """Return the token to send. Raises TokenRefused for an account that is not connected, an AdapterError."""
        if self._given and not self._is_app:
            return self._given
        stored = self._access.tokens.load() if self._is_app else None
        if stored is None:
            raise base.TokenRefused("the account is not connected yet")
        pair, now = TokenPair.read(stored), clock.now()
        if pair.expires_at is None:  # others end before a list of them grows long
            masking.conceal(pair.access_token)
        if pair.expires_at is None or now < pair.expires_at - self._client.oauth.refresh_before:
            return pair.access_token
        try:
            return self._renewed(stored)
        except base.AdapterError:
            if now >= pair.expires_at:
                raise
            return pair.access_token  # it is good for minutes more, and the next call tries again

    def after_refusal(self, refused: str) -> str:
        """Return another token than the one that the system refused. Raises TokenRefused if there is none."""
        stored = self._access.tokens.load() if self._is_app else None
        if stored is None:
            raise base.TokenRefused("the access token is refused")
        pair = TokenPair.read(stored)
        if pair.access_token != refused:
            return pair.access_token
        return self._renewed(stored)

    def _renewed(self, known: str) -> str:
        keys = AppKeys.read(self._given)

        def make(stored: str | None) -> str:
            return self._client.refresh(keys, TokenPair.read(stored or known)).write()

        return TokenPair.read(self._access.tokens.renew(known, make)).access_token


def new_state() -> str:
    """Return a state that nobody can guess: it binds an answer to the request of one person."""
    return _random(_STATE_CHARS)


def new_verifier() -> str:
    """Return a PKCE verifier."""
    return _random(_VERIFIER_CHARS)


def _random(length: int) -> str:
    from authlib.common.security import generate_token

    made: str = generate_token(length)
    return made


def _json_of(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _end(seconds: object, now: datetime) -> datetime | None:
    if isinstance(seconds, bool) or not isinstance(seconds, int | float | str):
        return None
    try:
        given = float(seconds)
    except ValueError:
        return None
    return now + timedelta(seconds=min(given, _LONGEST_S)) if given > 0 else None


def _error_of(response: Response) -> base.AdapterError:
    """Translate the refusal of an endpoint by its code; its words may repeat a token."""
    found = body_of(response).get("error")
    code = text_of(found, 60) or str(count_of(dict_of(found).get("code")) or "")  # Meta's is an object with a number
    said = f"{response.status_code} {code if code.replace('_', '').isalnum() else ''}".strip()
    status = response.status_code
    if status == 429:
        return base.Throttled(said, retry_after_s=bounded_s(response.headers.get("retry-after", "")))
    if status in (400, 401, 403):
        return base.TokenRefused(f"the system refuses our authorisation: {said}")
    if 300 <= status < 500 and status != 408:
        return base.Refused(said)
    return base.Uncertain(said)
