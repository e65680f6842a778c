"""A new password, and a log-out by an admin, offer to revoke tokens and invitations: page, API and command line."""

from __future__ import annotations

import html

import pytest
from click.testing import CliRunner, Result

from fleet.access.audit import AuditFilter
from fleet.cli.app import cli
from fleet.features.users import invite
from fleet.features.users import service as accounts
from tests.web_client import PASSWORD, Web, by_token

OTHER = "another horse battery"


def stands(web: Web, token: str) -> bool:
    return by_token(web.deps, token) is not None


def with_token_and_invitation(web: Web, name: str, role: str = "admin") -> str:
    browser = web.browser(role, name)
    browser.post("/users/invite", role="viewer", hours="24")
    assert [one.invited_by for one in invite.list_invitations(web.deps)] == [f"web:{name}"]
    return accounts.issue_token(web.deps, name, "ci", ["agents.view"], None)


@pytest.mark.parametrize("revoke", [True, False])
def test_a_new_password_revokes_ones_tokens_if_asked_to(web: Web, revoke: bool) -> None:
    token = with_token_and_invitation(web, "ana")
    others = accounts.issue_token(web.deps, web.user("viewer", "bo"), "ci", ["agents.view"], None)
    ana = web.anonymous()
    ana.post("/login", data={"name": "ana", "password": PASSWORD})
    csrf = html.unescape(ana.get("/account").text).partition('name="csrf" value="')[2].partition('"')[0]
    box = {"revoke_tokens": "true"} if revoke else {}
    ana.post("/account/password", data={"old": PASSWORD, "new": OTHER, "again": OTHER, "csrf": csrf, **box})
    said = ana.get("/account").text
    assert ("Tokens revoked: 1." in said, "Your tokens stay valid." in said) == (revoke, not revoke)
    assert (stands(web, token), stands(web, others)) == (not revoke, True)
    assert bool(invite.list_invitations(web.deps)) != revoke
    (line,) = accounts.audit_page(web.deps, AuditFilter(action="user.password_changed"))
    assert line.after == ({"tokens_revoked": 1} if revoke else None)


def terminal(web: Web, *words: str, password: str = "") -> Result:
    env = {"FLEET_DATABASE_URL": web.deps.settings.database_url, "FLEET_BROKER_URL": "memory://"}
    return CliRunner().invoke(cli, list(words), input=f"{password}\n", env=env)


@pytest.mark.parametrize("command", [("password", "ana", "--password-stdin"), ("logout", "ana")])
def test_the_command_line_revokes_tokens_if_asked_to_and_says_that_they_stand(web: Web, command: tuple[str]) -> None:
    token = with_token_and_invitation(web, "ana")
    plain = terminal(web, "users", *command, password=OTHER)
    assert plain.exit_code == 0 and "--revoke-tokens revokes them" in plain.output
    assert stands(web, token) and invite.list_invitations(web.deps)
    assert "Tokens revoked: 1." in terminal(web, "users", *command, "--revoke-tokens", password=OTHER).output
    assert not stands(web, token) and not invite.list_invitations(web.deps)


def test_an_admin_logs_a_user_out_and_revokes_their_tokens_in_one_act(web: Web) -> None:
    token = with_token_and_invitation(web, "ana")
    owner = web.browser("owner", "olga")
    assert "Log out and revoke tokens" in owner.get("/users").text
    owner.post("/users/ana/logout")
    assert stands(web, token)
    owner.post("/users/ana/logout", revoke_tokens="true")
    assert "tokens revoked: 1" in owner.get("/users").text
    assert not stands(web, token) and not invite.list_invitations(web.deps)


def test_the_api_logs_a_user_out_and_revokes_their_tokens_in_one_call(web: Web) -> None:
    token = with_token_and_invitation(web, "ana")
    api = web.program("owner")
    kept = api.post("/api/v1/users/ana/logout")
    assert (kept.status_code, kept.json()["tokens_revoked"], stands(web, token)) == (200, 0, True)
    assert api.post("/api/v1/users/ana/logout", json={"revoke_tokens": "yes"}).status_code == 422
    ended = api.post("/api/v1/users/ana/logout", json={"revoke_tokens": True})
    assert (ended.status_code, ended.json()["tokens_revoked"], stands(web, token)) == (200, 1, False)


def test_tokens_of_users_with_a_higher_role_cannot_be_revoked(web: Web) -> None:
    token = accounts.issue_token(web.deps, web.user("owner", "olga"), "ci", ["agents.view"], None)
    refused = web.program("admin").post("/api/v1/users/olga/logout", json={"revoke_tokens": True})
    assert refused.status_code == 403 and stands(web, token)
