"""Users, invitations and tokens from the command line, and that what is done there stands in the audit log."""

from __future__ import annotations

import getpass

import pytest
from click.testing import CliRunner

from fleet.access import audit, sessions
from fleet.access.audit import AuditFilter
from fleet.cli.app import cli as root
from fleet.features.users import invite
from fleet.features.users import service as accounts
from tests.factories import Fleet
from tests.features.agents.test_cli import Cli
from tests.web_client import by_token

PASSWORD = "correct horse battery"


@pytest.fixture
def cli(database_url: str, broker_url: str) -> Cli:
    return Cli(database_url, broker_url)


def typed(cli: Cli, *arguments: str, password: str = PASSWORD) -> str:
    """Run a command that reads a password from standard input; return what it said."""
    env = {"FLEET_DATABASE_URL": cli.database_url, "FLEET_BROKER_URL": cli.broker_url}
    done = CliRunner().invoke(root, [*arguments, "--password-stdin"], input=f"{password}\n", env=env, prog_name="fleet")
    return str(done.output)


def test_users_are_made_changed_and_removed(cli: Cli, fleet: Fleet) -> None:
    assert "ann may log in as owner" in typed(cli, "users", "create", "Ann", "--role", "owner")
    assert "12 characters" in typed(cli, "users", "create", "ben", password="short")
    typed(cli, "users", "create", "ben")
    assert "ben is admin now" in cli("users", "role", "ben", "admin").stdout
    assert "only owner" in cli("users", "remove", "ann", "-y", code=4).stderr
    assert "Add --yes" in cli("users", "remove", "ben", code=2).stderr
    key, _ = accounts.log_in(fleet.deps, "ben", PASSWORD, accounts.Visit())
    assert "1 session of ben ended" in cli("users", "logout", "ben").stdout
    with fleet.deps.db.transaction() as tx:
        assert sessions.find(tx, key) is None
    assert "has a new password" in typed(cli, "users", "password", "ben", password="another horse battery")
    accounts.log_in(fleet.deps, "ben", "another horse battery", accounts.Visit())
    cli("users", "remove", "ben", "-y")
    assert [one["name"] for one in cli.json("users", "list")["items"]] == ["ann"]
    lines = accounts.audit_page(fleet.deps, AuditFilter(action="user.*"))
    assert {(line.actor, line.via) for line in lines} == {(getpass.getuser(), "cli")}
    assert {line.action for line in lines} == {
        "user.created", "user.role_changed", "user.logged_out", "user.password_changed", "user.removed"
    }  # fmt: skip


def test_an_invitation_is_a_link_that_makes_one_user(cli: Cli, fleet: Fleet) -> None:
    link = cli("users", "invite", "--role", "operator", FLEET_WEB_URL="https://fleet.example").stdout.strip()
    assert link.startswith("https://fleet.example/join/fli_")
    assert invite.join(fleet.deps, link.rpartition("/")[2], "bo", PASSWORD).role == "operator"
    assert "1 hour to 7 days" in cli("users", "invite", "--expires", "8d", code=2).stderr


def test_a_token_is_printed_once_and_revoked(cli: Cli, fleet: Fleet) -> None:
    typed(cli, "users", "create", "ann", "--role", "owner")
    token = cli("tokens", "create", "ci", "--user", "ann", "--scope", "agents.view").stdout.strip()
    assert by_token(fleet.deps, token) is not None
    (listed,) = cli.json("tokens", "list", "--user", "ann")["items"]
    assert listed["scopes"] == ["agents.view"] and token not in str(listed)
    assert token not in cli("tokens", "list").stdout
    assert "no scope 'agents.all'" in cli(
        "tokens", "create", "x", "--user", "ann", "--scope", "agents.all", code=2
    ).stderr  # fmt: skip
    cli("tokens", "revoke", listed["id"][:13], "-y")
    assert by_token(fleet.deps, token) is None
    assert "--user NAME" in cli("tokens", "create", "x", code=2).stderr
    assert "read-only" in cli("tokens", "create", "x", "--user", "ann", "--preset", "none", code=2).stderr


def test_what_is_done_at_the_terminal_stands_in_the_log_and_ends_with_the_command(cli: Cli, fleet: Fleet) -> None:
    cli("kill-switch", "on", "--reason", "fire")
    (line,) = accounts.audit_page(fleet.deps, AuditFilter())
    assert (line.action, line.actor, line.via, line.after) == (
        "kill_switch.thrown", getpass.getuser(), "cli", {"reason": "fire"}
    )  # fmt: skip
    assert audit.actor().name == "fleet"
