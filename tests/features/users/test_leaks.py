"""What is secret stays so: no password, session key, token or invitation in logs, events, the audit log or on pages."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
import pytest
import sqlalchemy as sa
from fastapi import APIRouter
from starlette.testclient import TestClient

from fleet.access import Permission, Role
from fleet.access.audit import AuditFilter
from fleet.core import logs, masking
from fleet.core.db import Base
from fleet.engine.agents import lookup
from fleet.features.users import invite
from fleet.features.users import service as accounts
from fleet.web.auth import Open
from tests.web_client import PASSWORD, Web

COOKIE = "fleet_session"
OTHER = "another horse battery"
WRONG = "a guess that is wrong"


@contextmanager
def logged() -> Iterator[io.StringIO]:
    """Gather whatever is logged, down to debugging, as production writes it."""
    root, told = logging.getLogger(), io.StringIO()
    before, level = root.handlers[:], root.level
    try:
        logs.configure("DEBUG", json=True)
        for handler in root.handlers:
            assert isinstance(handler, logging.StreamHandler)
            handler.setStream(told)
        yield told
    finally:
        root.handlers[:] = before
        root.setLevel(level)


def everything_in(web: Web) -> str:
    """Return every row of every table as text."""
    with web.deps.db.transaction() as tx:
        return "\n".join(
            str(row)
            for table in Base.metadata.sorted_tables
            for row in tx.execute(sa.text(f"SELECT t::text FROM {table.name} t"))
        )


def test_nothing_secret_is_logged_kept_or_shown_again(web: Web) -> None:
    router = APIRouter()

    @router.post("/breaks/{key}", dependencies=[Open])
    def breaks(key: str) -> None:
        raise RuntimeError(f"broken with {key}")

    web.app.include_router(router)
    said: list[str] = []
    secrets: set[str] = {PASSWORD, OTHER, WRONG}

    def noted(answer: httpx2.Response) -> httpx2.Response:
        said.append(answer.text + str(answer.headers.get("location")) + str(answer.headers.get("x-request-id")))
        return answer

    with logged() as told:
        owner = web.browser("owner", "ana")
        secrets.add(str(owner.client.cookies[COOKIE]))
        noted(web.anonymous().post("/login", data={"name": "ana", "password": WRONG}))
        noted(web.anonymous().post("/login", data={"name": "ana"}))
        noted(web.anonymous().post("/login", data={"name": WRONG * 100, "password": WRONG}))
        shown = owner.post("/account/tokens", name="ci", scopes="agents.view").text
        token = shown.partition('<pre class="mono">')[2].partition("<")[0]
        link = owner.post("/users/invite", role="viewer").text.partition('<pre class="mono">')[2].partition("<")[0]
        key = link.rpartition("/")[2]
        assert token.startswith("flt_") and key.startswith("fli_")
        secrets |= {token, key}
        noted(owner.post("/account/password", old=WRONG, new=OTHER, again=OTHER))
        noted(owner.post("/account/password", old=PASSWORD, new=OTHER, again=OTHER))
        secrets.add(str(owner.client.cookies[COOKIE]))
        for path in ("/account", "/users", "/audit", "/", "/nowhere"):
            noted(owner.get(path))
        noted(web.anonymous().get("/api/v1/me", headers={"authorization": f"Bearer {token}x"}))
        noted(web.anonymous().get(f"/nowhere/{token}"))
        noted(web.anonymous().post(f"/join/{key}", data={"name": "b", "password": OTHER, "again": WRONG}))
        quiet = TestClient(web.app, base_url="http://127.0.0.1", raise_server_exceptions=False)
        for secret in (token, key, str(owner.client.cookies[COOKIE])):
            noted(quiet.post(f"/breaks/{secret}", cookies={COOKIE: secret}, headers={"authorization": secret}))
    log, kept, pages = told.getvalue(), everything_in(web), "\n".join(said)
    assert "web_request_failed" in log and "broken with" in log
    assert "session.refused" in kept and "user.invited" in kept and len(pages) > 1000
    for secret in secrets:
        assert secret not in log, f"{secret[:8]} is in the log"
        assert secret not in kept, f"{secret[:8]} is in the database"
        assert secret not in pages, f"{secret[:8]} is on a page"


@pytest.mark.parametrize("kind", ["session", "token", "invitation"])
def test_keys_are_redacted_in_all_messages(web: Web, kind: str) -> None:
    web.user("owner", "ana")
    key = {
        "session": lambda: accounts.log_in(web.deps, "ana", PASSWORD, accounts.Visit())[0],
        "token": lambda: accounts.issue_token(web.deps, "ana", "t", [Permission.AGENTS_VIEW], None),
        "invitation": lambda: invite.invite(web.deps, Role.VIEWER)[0],
    }[kind]()
    for text in (key, f"/join/{key}", f"cookie: fleet_session={key}; x=1", json.dumps({"a": key}), f"Bearer {key}"):
        masked = masking.mask(text)
        assert key not in masked and key[4:] not in masked and "***" in masked
    assert masking.mask("flt_short, fly_me_to_the_moon_and_back, fl") == "flt_short, fly_me_to_the_moon_and_back, fl"


def test_a_reason_with_a_key_in_it_is_kept_without_the_key(web: Web) -> None:
    owner = web.browser("owner", "ana")
    web.fleet.agent(username="ada_1", running=True)
    token = accounts.issue_token(web.deps, "ana", "t", [Permission.AGENTS_VIEW], None)
    owner.post("/agents/ada_1/pause", reason=f"see {token}")
    assert lookup.agent(web.deps.db, "ada_1").status == "paused"
    (line,) = accounts.audit_page(web.deps, AuditFilter(action="agent.paused"))
    assert line.after == {"reason": "see flt_***"}
