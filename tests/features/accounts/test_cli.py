"""`fleet accounts`: the life of an account, wrong input, and the pause that refused credentials leave."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleet.adapters import base
from fleet.core import ids
from fleet.engine.attempts.perform import perform
from fleet.engine.jobs import ledger
from fleet.engine.jobs.ledger import NewJob
from fleet.features.publishing.kinds import LIKE
from tests.factories import Fleet, raises
from tests.features.agents.test_cli import Cli

SECRET = "fst_a_token_that_nobody_may_read_again"
ADD = ("accounts", "add", "second", "--address", "http://127.0.0.1:8641")


@pytest.fixture
def cli(database_url: str, broker_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    monkeypatch.setenv("FLEET_HOME", str(tmp_path / "home"))
    made = Cli(database_url, broker_url)
    made("secrets", "init")
    return made


def test_an_account_from_its_making_to_its_end(cli: Cli) -> None:
    (username,) = cli("seed", "-n", "1").stdout.split()
    assert SECRET not in cli(*ADD, "--writes-per-minute", "9", stdin=SECRET).output
    assert "acts through second" in cli("accounts", "assign", "second", username).output
    assert "already" in cli("accounts", "assign", "second", username).output
    shown = cli.json("accounts", "show", "second")
    assert (shown["usernames"], shown["limits"], shown["state"]) == ([username], {"writes_per_minute": 9}, "active")
    assert [one["name"] for one in cli.json("accounts", "list")["items"]] == ["gallery", "second"]
    assert "is stopped" in cli("accounts", "stop", "second", "--reason", "audit").output
    assert "stopped: audit" in cli("accounts", "show", "second", columns=120).output
    assert "resumed" in cli("accounts", "resume", "second").output
    assert "Agents act through second" in cli("accounts", "remove", "second", "--yes", code=None).output
    assert "no more" in cli("accounts", "unassign", "second", username).output
    assert "is removed" in cli("accounts", "remove", "second", "--yes").output
    assert SECRET not in cli("activity", "--last", "50", code=None).output


@pytest.mark.parametrize(("arguments", "stdin", "said"), [
    (("accounts", "add", "A B", "--address", "http://127.0.0.1:1"), SECRET, "no name of an account"),
    (("accounts", "add", "second", "--address", "nowhere"), SECRET, "not a URL"),
    (("accounts", "add", "second", "--adapter", "nowhere", "--address", "http://127.0.0.1"), SECRET, "no surface"),
    (ADD, " ", "credentials are empty"),
    (("accounts", "show", "nobody"), "", "no account"),
    (("accounts", "assign", "gallery", "nobody"), "", "nobody"),
    (("accounts", "set-token", "gallery"), SECRET, "fleet secrets set service_token"),
    (("accounts", "remove", "gallery", "--yes"), "", "that of the settings"),
    (("accounts", "change", "gallery", "--no-limits", "--writes-per-minute", "3"), "", "exclude each other"),
])  # fmt: skip
def test_wrong_input_is_refused_with_the_reason(cli: Cli, arguments: tuple[str, ...], stdin: str, said: str) -> None:
    result = cli(*arguments, stdin=stdin, code=None)
    assert result.exit_code != 0
    assert said in " ".join(result.output.split())
    assert SECRET not in result.output


def test_a_host_that_is_not_allowed_is_said(cli: Cli) -> None:
    said = cli("accounts", "add", "second", "--address", "https://gallery.example", stdin=SECRET).output
    assert "FLEET_ALLOWED_HOSTS" in said


def test_a_new_token_lets_the_settings_account_go_on(cli: Cli, fleet: Fleet) -> None:
    job = NewJob(ids.new(), fleet.agent(), LIKE, "floimg", target="p1")
    with fleet.deps.db.transaction() as tx:
        ledger.add(tx, [job])
    fleet.surface.faults = [raises(base.TokenRefused("401"))]
    perform(fleet.deps, job.id)
    assert cli.json("accounts", "show", "gallery")["state"] == "stopped"
    cli("secrets", "set", "service_token", stdin=SECRET)
    assert cli.json("accounts", "show", "gallery")["state"] == "active"
    perform(fleet.deps, job.id)
    assert fleet.job(job.id).state == "done"
