"""Logins to Facebook and Instagram: long-lived tokens, their renewal, and the token of a page."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from fleet.adapters import base, registry, social
from fleet.adapters.base import Account
from fleet.adapters.facebook.adapter import OAUTH as FACEBOOK
from fleet.adapters.instagram.adapter import OAUTH as INSTAGRAM
from fleet.adapters.instagram.adapter import Instagram
from fleet.adapters.manifest import AccountAccess, MemoryTokens, OAuth, TokenExchange
from fleet.adapters.oauth import AppKeys, Bearer, OAuthClient, TokenPair
from fleet.core import clock
from fleet.features.accounts import connecting
from tests.adapters.networks import act
from tests.contracts.meta import IG, PAGE, TOKEN, FacebookContract, InstagramContract, V
from tests.contracts.server import Call, Reply, route

APP = AppKeys("app-1", "secret-of-the-app")
DAYS_60 = 5_184_000


class MetaLogin(InstagramContract, FacebookContract):
    """The endpoints of tokens, as Meta documents them, beside those of the API."""

    token = TOKEN

    def refuse(self, call: Call) -> Reply | None:
        is_open = call.path.endswith("access_token")
        is_person = call.token == "long-1" and call.path == f"{V}/{PAGE}"
        return None if is_open or is_person else super().refuse(call)

    def _is_app(self, given: dict[str, str]) -> bool:
        return (given.get("client_id"), given.get("client_secret")) == (APP.client_id, APP.client_secret)

    @route("POST", r"/oauth/access_token")
    def of_code(self, call: Call) -> Reply:
        if not self._is_app(call.form) or call.form["code"] != "code-1":
            return Reply(400, {"error": {"code": 100, "message": "Invalid verification code"}})
        return Reply(200, {"data": [{"access_token": "short", "user_id": IG, "permissions": "a,b"}]})

    @route("POST", rf"{V}/oauth/access_token")
    def of_code_for_page(self, call: Call) -> Reply:
        return Reply(200, {"access_token": "short", "expires_in": 5000} if self._is_app(call.form) else {})

    @route("GET", rf"{V}/oauth/access_token")
    def long_for_page(self, call: Call) -> Reply:
        is_right = self._is_app(call.query) and call.query["grant_type"] == "fb_exchange_token"
        is_right = is_right and call.query["fb_exchange_token"] == "short"
        return Reply(200, {"access_token": "long-1", "expires_in": DAYS_60}) if is_right else Reply(400, {})

    @route("GET", r"/access_token")
    def long(self, call: Call) -> Reply:
        is_right = call.query["client_secret"] == APP.client_secret and call.query["access_token"] == "short"
        is_right = is_right and call.query["grant_type"] == "ig_exchange_token"
        return Reply(200, {"access_token": TOKEN, "expires_in": DAYS_60}) if is_right else Reply(400, {})

    @route("GET", r"/refresh_access_token")
    def renew(self, call: Call) -> Reply:
        is_right = call.query == {"grant_type": "ig_refresh_token", "access_token": "long-1"}
        if not is_right:
            return Reply(400, {"error": {"code": 190, "message": "Session has expired"}})
        return Reply(200, {"access_token": TOKEN, "expires_in": DAYS_60})

    @route("GET", rf"{V}/{PAGE}")
    def page(self, call: Call) -> Reply:
        if call.query.get("fields") == "access_token":
            return Reply(200, {"id": PAGE, "access_token": TOKEN})
        return Reply(200, {"id": PAGE, "name": "Fleet"})


@pytest.fixture
def server() -> Iterator[Any]:
    with MetaLogin().serve() as contract:
        yield contract


def at(server: Any, oauth: OAuth) -> OAuth:
    """Return an OAuth whose endpoints are those of the contract server."""

    def moved(one: TokenExchange | None) -> TokenExchange | None:
        return None if one is None else replace(one, url=one.url.replace("https://graph.instagram.com", server.url))

    token_url = oauth.token_url.replace("https://api.instagram.com", server.url)
    return replace(oauth, token_url=token_url, long_lived=moved(oauth.long_lived), renewal=moved(oauth.renewal))


@pytest.mark.parametrize(("oauth", "token"), [(INSTAGRAM, TOKEN), (FACEBOOK, "long-1")], ids=["instagram", "facebook"])
def test_a_login_gives_a_token_of_sixty_days(server: Any, oauth: OAuth, token: str) -> None:
    client = OAuthClient(at(server, oauth), server.url, timeout_s=5)
    pair = client.exchange(APP, code="code-1", verifier="", redirect_uri="https://fleet.test/oauth/callback")
    assert pair.access_token == token and pair.expires_at is not None
    assert timedelta(days=59) < pair.expires_at - clock.now() <= timedelta(days=60)


def test_a_token_of_instagram_is_renewed_a_week_before_its_end_and_once(server: Any) -> None:
    ends = clock.now() + timedelta(days=6)
    tokens = MemoryTokens(TokenPair("long-1", expires_at=ends).write())
    credentials = SecretStr(json.dumps({**json.loads(APP.write()), "user_id": IG}))
    bearer = Bearer(AccountAccess(server.url, credentials, 5, tokens), at(server, INSTAGRAM))
    assert [bearer.token(), bearer.token()] == [TOKEN, TOKEN]
    assert server.count("GET", "/refresh_access_token") == 1
    kept = TokenPair.read(str(tokens.load()))
    assert kept.expires_at is not None and kept.expires_at > ends


def test_a_renewal_that_fails_leaves_the_token_in_use_until_it_ends(server: Any) -> None:
    tokens = MemoryTokens(TokenPair("other", expires_at=clock.now() + timedelta(days=1)).write())
    bearer = Bearer(AccountAccess(server.url, SecretStr(APP.write()), 5, tokens), at(server, INSTAGRAM))
    assert bearer.token() == "other"
    ended = MemoryTokens(TokenPair("other", expires_at=clock.now() - timedelta(days=1)).write())
    with pytest.raises(base.TokenRefused, match="190"):
        Bearer(AccountAccess(server.url, SecretStr(APP.write()), 5, ended), at(server, INSTAGRAM)).token()


def connected(server: Any, name: str, **own: str) -> Any:
    tokens = MemoryTokens(TokenPair("long-1", expires_at=clock.now() + timedelta(days=50)).write())
    credentials = SecretStr(json.dumps({**json.loads(APP.write()), **own}))
    return registry.get(name).connect(AccountAccess(server.url, credentials, 5, tokens))


def test_a_page_is_used_by_its_own_token_which_is_fetched_once(server: Any) -> None:
    page = connected(server, "facebook", page_id=PAGE)
    assert [page.check(timeout_s=5).id, page.check(timeout_s=5).id] == [PAGE, PAGE]
    assert [one.token for one in server.calls] == ["long-1", TOKEN, TOKEN]
    server.is_expired = True
    with pytest.raises(base.TokenRefused):
        page.check(timeout_s=5)
    server.is_expired = False
    assert page.check(timeout_s=5).id == PAGE
    assert sum(one.token == "long-1" for one in server.calls) == 2, "the next call fetches it anew"
    page.close()


def test_an_answer_about_the_pages_token_that_is_lost_is_no_unknown_write(server: Any) -> None:
    page = connected(server, "facebook", page_id=PAGE)
    comment = act(social.COMMENT, Account("a", "ada", "Ada", None), target=f"{PAGE}_1", text="Fine.")
    server.lose_reply("GET", f"{V}/{PAGE}")
    with pytest.raises(base.Unreachable):
        page.write(comment, timeout_s=5)
    page.close()


def test_an_account_of_instagram_can_be_connected(server: Any) -> None:
    account = connected(server, "instagram", user_id=IG)
    assert isinstance(account, Instagram)
    account.close()


def test_a_login_keeps_the_other_fields_of_the_credentials() -> None:
    stored = json.dumps({"client_id": "old", "access_token": "given", "page_id": PAGE, "label": "Made with AI."})
    kept = json.loads(connecting._with_app(stored, APP))
    assert kept == {**json.loads(APP.write()), "page_id": PAGE, "label": "Made with AI."}
    for other in ("", "a-token-alone", "[]"):
        assert json.loads(connecting._with_app(other, APP)) == json.loads(APP.write())
