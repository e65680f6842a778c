"""Tokens of accounts: renewed by one process at a time, and no refresh token is sent twice."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from fleet.accounts import tokens
from fleet.accounts.sealing import Keyring, new_key
from fleet.accounts.tokens import AccountTokens
from fleet.adapters import base
from fleet.adapters.manifest import AccountAccess, OAuth
from fleet.adapters.oauth import AppKeys, Bearer, TokenPair
from fleet.core.db import Database
from tests.factories import Fleet, Surface, make_fleet

KEY = new_key()
OAUTH = OAuth(authorize_url="{address}/a", token_url="{address}/token", scopes=("read",), rotates=True)
NOW = datetime.now(UTC)


def keyring() -> Keyring:
    return Keyring.of([KEY], where="the test")


class Issuer:
    """A token endpoint whose refresh tokens are good for one use: one that comes back ends the family."""

    def __init__(self) -> None:
        self.current, self.used, self.is_dead = "refresh-0", list[str](), False
        self.delay_s, self.lose = 0.0, 0
        self._lock = threading.Lock()

    def answer(self, form: dict[str, list[str]]) -> tuple[int, dict[str, Any]] | None:
        given = form["refresh_token"][0]
        with self._lock:
            if given in self.used:
                self.is_dead = True
            if self.is_dead or given != self.current:
                return 400, {"error": "invalid_grant", "error_description": given}
            self.used.append(given)
            self.current = f"refresh-{len(self.used)}"
            body = {"access_token": f"access-{len(self.used)}", "refresh_token": self.current, "expires_in": 1}
            lost = self.lose > 0
            self.lose -= lost
        time.sleep(self.delay_s)
        return None if lost else (200, body)


@pytest.fixture
def issuer() -> Iterator[tuple[str, Issuer]]:
    state = Issuer()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args: Any) -> None:
            return

        def do_POST(self) -> None:
            found = state.answer(parse_qs(self.rfile.read(int(self.headers["content-length"])).decode()))
            if found is None:
                self.close_connection = True
                return
            text = json.dumps(found[1]).encode()
            self.send_response(found[0])
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}", state
    server.shutdown()
    server.server_close()


@pytest.fixture
def fleet(database_url: str) -> Iterator[Fleet]:
    made = make_fleet(database_url, systems={"brand": Surface(), "second": Surface()})
    yield made
    made.deps.close()


@pytest.fixture
def account(fleet: Fleet) -> uuid.UUID:
    found = fleet.account("brand")
    pair = TokenPair("access-0", "refresh-0", NOW)
    with fleet.deps.db.transaction() as tx:
        tokens.put(tx, keyring(), found, pair.write(), by="test:ada")
    return found


def store(db: Database, account_id: uuid.UUID, **more: Any) -> AccountTokens:
    return AccountTokens(db, keyring, account_id, **{"is_single_use": True, "lease_s": 5.0, **more})


def bearer(url: str, tokens_: AccountTokens) -> Bearer:
    keys = SecretStr(AppKeys("app", "a_secret_of_the_app").write())
    return Bearer(AccountAccess(url, keys, 10.0, tokens_), OAUTH)


def _renew_often(database_url: str, url: str, account_id: uuid.UUID, times: int, ready: Any, out: Any) -> None:
    db = Database(database_url, pool_size=2)
    mine = store(db, account_id, lease_s=3.0)
    one = bearer(url, mine)
    ready.wait()
    seen: list[str] = []
    for _ in range(times):
        try:
            stored = mine.load()
            assert stored is not None
            seen.append(one.after_refusal(TokenPair.read(stored).access_token))
        except base.AdapterError as error:
            seen.append(f"{type(error).__name__}: {error}")
            if isinstance(error, base.TokenRefused):
                break
    out.put(seen)
    db.close()


def _processes(count: int, target: Callable[..., None], *args: Any) -> tuple[list[Any], Any]:
    context = multiprocessing.get_context("fork")
    ready, out = context.Event(), context.Queue()
    made = [context.Process(target=target, args=(*args, ready, out)) for _ in range(count)]
    for one in made:
        one.start()
    ready.set()
    return made, out


def test_eight_processes_use_each_refresh_token_once(
    fleet: Fleet, database_url: str, issuer: tuple[str, Issuer], account: uuid.UUID
) -> None:
    url, state = issuer
    made, out = _processes(8, _renew_often, database_url, url, account, 10)
    seen = [out.get(timeout=60) for _ in made]
    for one in made:
        one.join(timeout=60)
    assert not state.is_dead and len(set(state.used)) == len(state.used)
    assert all(word.startswith("access-") for words in seen for word in words), seen
    stored = TokenPair.read(store(fleet.deps.db, account).load() or "")
    assert (stored.refresh_token, stored.access_token) == (state.current, f"access-{len(state.used)}")


def test_a_killed_renewal_sends_no_token_twice_and_needs_a_person(
    fleet: Fleet, database_url: str, issuer: tuple[str, Issuer], account: uuid.UUID
) -> None:
    url, state = issuer
    state.delay_s = 2.0
    made, _ = _processes(1, _renew_often, database_url, url, account, 1)
    while not state.used:
        time.sleep(0.02)
    os.kill(made[0].pid, signal.SIGKILL)  # between the use of the token and the storing of its successor
    made[0].join(timeout=60)
    state.delay_s = 0.0
    with pytest.raises(base.TokenRefused, match="connect the account again"):
        bearer(url, store(fleet.deps.db, account)).after_refusal("access-0")
    assert state.used == ["refresh-0"] and not state.is_dead
    with fleet.deps.db.transaction() as tx:
        assert tokens.states(tx)[account].is_lost
        tokens.put(tx, keyring(), account, TokenPair("access-0", state.current, NOW).write(), by="test:ada")
    assert bearer(url, store(fleet.deps.db, account)).after_refusal("access-0") == "access-2"


def test_an_answer_that_is_lost_is_not_asked_for_again(
    fleet: Fleet, issuer: tuple[str, Issuer], account: uuid.UUID
) -> None:
    url, state = issuer
    state.lose = 1
    one = bearer(url, store(fleet.deps.db, account))
    with pytest.raises(base.Uncertain):
        one.after_refusal("access-0")
    for _ in range(2):
        with pytest.raises(base.TokenRefused, match="was lost"):
            one.after_refusal("access-0")
    assert state.used == ["refresh-0"] and not state.is_dead


def test_a_renewal_that_did_not_reach_the_system_is_made_again(fleet: Fleet, account: uuid.UUID) -> None:
    mine, calls = store(fleet.deps.db, account), list[str | None]()

    def fail(stored: str | None) -> str:
        calls.append(stored)
        raise base.Unreachable("no connection")

    known = mine.load()
    with pytest.raises(base.Unreachable):
        mine.renew(known, fail)
    assert mine.renew(known, lambda stored: "new") == "new"
    assert calls == [known]
    assert mine.renew(known, fail) == "new", "another process has renewed them"


def test_tokens_that_can_be_used_twice_are_renewed_after_a_kill(fleet: Fleet, account: uuid.UUID) -> None:
    mine = store(fleet.deps.db, account, is_single_use=False, lease_s=0.5)
    known = mine.load()
    mine._take(known, uuid.uuid4())  # a process that dies with the lease
    assert mine.renew(known, lambda stored: "new") == "new"


def test_the_first_tokens_of_an_account_are_fetched_once(fleet: Fleet) -> None:
    mine = store(fleet.deps.db, fleet.account("second"))
    assert mine.load() is None
    made = []

    def make(stored: str | None) -> str:
        made.append(stored)
        return "first"

    assert [mine.renew(None, make), mine.renew(None, make)] == ["first", "first"]
    assert made == [None]


def test_tokens_are_renewed_before_their_end_and_used_until_then(
    fleet: Fleet, issuer: tuple[str, Issuer], account: uuid.UUID
) -> None:
    url, state = issuer
    one = bearer(url, store(fleet.deps.db, account))
    with fleet.deps.db.transaction() as tx:
        soon = TokenPair("access-0", "refresh-0", datetime.now(UTC) + timedelta(minutes=5))
        tokens.put(tx, keyring(), account, soon.write(), by="test:ada")
    state.is_dead = True
    assert one.token() == "access-0", "a refusal to renew does not end it earlier"
    state.is_dead = False
    fresh = bearer(url, store(fleet.deps.db, account))
    assert fresh.token() == "access-1"


def test_tokens_at_rest_are_sealed_and_resealed(fleet: Fleet, account: uuid.UUID) -> None:
    with fleet.deps.db.transaction() as tx:
        row = tx.execute(sa.text("SELECT * FROM account_tokens")).one()
        assert b"access-0" not in bytes(row.ciphertext) and row.expires_at == NOW
        newer = Keyring.of([new_key(), KEY], where="the test")
        assert tokens.reseal(tx, newer) == [f"tokens {account}"]
        assert tokens.reseal(tx, newer) == []
        assert TokenPair.read(tokens.take(tx, lambda: newer, account) or "").refresh_token == "refresh-0"
        assert tokens.take(tx, lambda: newer, account) is None
