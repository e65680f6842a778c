"""`fleet --server`: commands carried out by a fleet elsewhere, over a real socket, with a token."""

from __future__ import annotations

import gzip
import json
import re
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner, Result

from fleet.access import Permission, Role
from fleet.cli.app import cli as root
from fleet.engine.agents import lookup
from fleet.engine.agents.commands import NewAgent
from fleet.features.agents import commands as agent_commands
from fleet.features.controls import commands as fleetwide
from fleet.features.costs import commands as money
from fleet.features.users import service as accounts
from fleet.spending.budgets import Period, Scope
from fleet.web import server
from tests.factories import Fleet
from tests.features.agents.test_commands import dead_letter
from tests.features.approvals.test_approvals import decide, opened
from tests.web_client import PASSWORD

WEIGHTS = {"post": 1.0, "comment": 1.0, "like": 1.0, "browse": 1.0}
Call = Callable[..., Result]


@pytest.fixture
def call(fleet: Fleet) -> Iterator[Call]:
    """Call the command line against the fleet's server, as an owner's token unless another role is named."""
    with server.running(fleet.deps) as url:

        def run(*arguments: str, role: str = "owner", scopes: tuple[str, ...] = tuple(Permission)) -> Result:
            name = f"{role}-{len(accounts.list_users(fleet.deps))}"
            accounts.create_user(fleet.deps, name, Role(role), PASSWORD)
            token = accounts.issue_token(fleet.deps, name, "cli", scopes, None)
            env = {"FLEET_SERVER": url, "FLEET_TOKEN": token, "FLEET_DATABASE_URL": "", "FLEET_HOME": "/nowhere"}
            result = CliRunner().invoke(root, list(arguments), env=env, prog_name="fleet")
            assert token not in result.output
            return result

        yield run


def test_agents_are_listed_paused_and_shown_from_afar(fleet: Fleet, call: Call) -> None:
    agent_commands.create(fleet.deps, NewAgent("Ada", "ada_1", WEIGHTS, kind="gallery"))
    agent_commands.create(fleet.deps, NewAgent("Bob", "bob_1", WEIGHTS, kind="gallery"))
    assert "ada_1" in call("agents", "list").output
    started = call("agents", "start", "ada_1", "bob_1")
    assert started.exit_code == 0, started.output
    assert lookup.agent(fleet.deps.db, "bob_1").status == "running"
    assert "ada_1 is paused." in call("agents", "pause", "ada_1", "--reason", "for tea").output
    assert "ada_1 was not running." in call("agents", "pause", "ada_1").output
    assert lookup.agent(fleet.deps.db, "ada_1").pause_reason == "for tea"
    shown = json.loads(call("agents", "show", "ada_1", "--json").output)
    assert (shown["status"], shown["pause_reason"]) == ("paused", "for tea")
    paused = json.loads(call("agents", "list", "--status", "paused", "--json").output)["items"]
    assert [one["username"] for one in paused] == ["ada_1"]


def test_times_and_amounts_of_a_remote_fleet_are_readable(fleet: Fleet, call: Call) -> None:
    agent_commands.create(fleet.deps, NewAgent("Ada", "ada_1", WEIGHTS, kind="gallery"))
    money.set_budget(fleet.deps, Scope.FLEET, None, Period.DAY, 5_000_000, by="a test")
    call("agents", "start", "ada_1")
    iso = re.compile(r"\d{4}-\d\d-\d\dT")
    for words in (("agents", "list"), ("agents", "show", "ada_1"), ("activity",), ("budgets", "list"), ("status",)):
        told = call(*words).stdout
        assert told and not iso.search(told), told
    assert re.search(r"(now|in \d+ s|\d+ s ago)", call("agents", "list").stdout)
    shown = call("agents", "show", "ada_1").stdout
    assert re.search(r"^Wakes next +(now|in \d+ s|\d+ s ago) *$", shown, re.M)
    assert re.search(r"^Pause between +about 1 to 5 min *$", shown, re.M), shown
    assert "$5.00" in call("budgets", "list").stdout and "5000000" not in call("budgets", "list").stdout
    assert iso.search(call("agents", "list", "--json").stdout) and "5000000" in call("budgets", "list", "--json").stdout


def test_the_kill_switch_and_dead_letters_from_afar(fleet: Fleet, call: Call) -> None:
    job = dead_letter(fleet)
    listed = json.loads(call("dead", "list", "--json").output)["items"]
    assert [one["id"] for one in listed] == [str(job)]
    assert "Would replay 1 of 1 dead letter." in call("dead", "replay", "--dry-run").output
    assert json.loads(call("dead", "show", str(job)[:8], "--json").output)["id"] == str(job)
    replayed = call("dead", "replay", "--reason", "permanent", "--yes")
    assert "Replayed 1" in replayed.output
    assert call("kill-switch", "on", "--reason", "fire").exit_code == 0
    assert any(hold.hold == "kill" and hold.reason == "fire" for hold in fleetwide.holds(fleet.deps))
    assert "fire" in call("kill-switch", "status").output
    assert call("kill-switch", "off", "--yes").exit_code == 0
    assert fleetwide.holds(fleet.deps) == []
    assert "was not on" in call("kill-switch", "off", "--yes").output
    assert "The kill switch is off" in call("kill-switch", "status").output


def test_lists_of_what_waits_leave_out_the_rest_from_afar_too(fleet: Fleet, call: Call) -> None:
    settled, waits = opened(fleet), opened(fleet)
    decide(fleet, settled, "reject", reason="no")
    assert [one["id"] for one in json.loads(call("approvals", "list", "--json").output)["items"]] == [str(waits.id)]
    rejected = json.loads(call("approvals", "list", "--state", "rejected", "--json").output)["items"]
    assert [one["id"] for one in rejected] == [str(settled.id)]
    assert len(json.loads(call("approvals", "list", "--all", "--json").output)["items"]) == 2
    approved = call("approvals", "approve", str(waits.id)[:8], "--as", "ben")
    assert approved.exit_code == 1 and "cannot decide as ben" in approved.stderr
    assert "Approved" in call("approvals", "approve", str(waits.id)[:8]).stdout


def test_rules_are_those_of_the_server_or_of_the_file_that_is_named(call: Call, tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text("[[rule]]\nname='mine'\nresource='page'\naction='publish'\napprovers=['role:owner']\n")
    theirs = json.loads(call("approvals", "rules", "list", "--json").stdout)
    assert theirs["file"] == "shipped" and "drafts" in [one["name"] for one in theirs["items"]]
    assert "mine" in call("approvals", "rules", "check", "--file", str(mine)).stdout


@pytest.mark.parametrize(("words", "code"), [
    (("agents", "list", "--persona", "nope"), 3), (("jobs", "list", "--agent", "nobody"), 3),
    (("drafts", "list", "--agent", "nobody"), 3), (("approvals", "list", "--resource", "nope"), 3),
    (("activity", "--subject", "job.don"), 2), (("activity", "--agent", "nobody"), 3),
])  # fmt: skip
def test_a_filter_that_names_nothing_is_refused_from_afar_as_it_is_here(
    fleet: Fleet, call: Call, words: tuple[str, ...], code: int
) -> None:
    result = call(*words)
    assert result.exit_code == code and "Error: " in result.stderr and "Fix: " in result.stderr


def test_refusals_of_the_server_have_their_exit_codes(fleet: Fleet, call: Call) -> None:
    assert call("agents", "show", "nobody").exit_code == 3
    refused = call("kill-switch", "on", role="viewer")
    assert refused.exit_code == 1
    assert "controls.kill" in refused.output
    assert call("jobs", "show", "not-an-id").exit_code == 2
    assert call("budgets", "remove").exit_code == 3


@pytest.mark.parametrize(("words", "said"), [
    (("pause", "persona"), "Which persona?"), (("resume", "fleet", "ada"), "takes no KEY"),
    (("metrics", "--once"), "`fleet metrics` does not work with --server"),
    (("up",), "`fleet up` does not work with --server"), (("check",), "`fleet check` does not work with --server"),
])  # fmt: skip
def test_invalid_arguments_are_errors_before_the_server_is_called(words: tuple[str, ...], said: str) -> None:
    result = CliRunner().invoke(root, list(words), env=_env("http://127.0.0.1:9"))
    assert result.exit_code == 2 and said in result.stderr


def test_an_invalid_token_is_reported_as_invalid(fleet: Fleet) -> None:
    with server.running(fleet.deps) as url:
        result = CliRunner().invoke(root, ["status"], env=_env(url))
    assert result.exit_code == 1 and "does not accept this token" in result.stderr and "FLEET_TOKEN" in result.stderr


class Stranger(BaseHTTPRequestHandler):
    """A server that is no Fleet: whatever it is asked, it gives the same."""

    told, packed = b"", ""

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers["content-length"] or 0))
        self.send_response(200)
        self.send_header("content-length", str(len(self.told)))
        if self.packed:
            self.send_header("content-encoding", self.packed)
        self.end_headers()
        self.wfile.write(self.told)

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.mark.parametrize(("told", "packed"), [
    (b"<html>Log in</html>", ""), (b"[1]", ""), (b'"x"', ""), (b'{"a": 1}', ""), (b'{"items": 3}', ""),
    (b'{"items": [1]}', ""),
    (b"[" * 100_000, ""), (b"no gzip", "gzip"), (gzip.compress(b'{"items": [], "changed": true}', mtime=0), "gzip"),
    (b'{"items": [], "changed": true, "x": "' + b"x" * 17_000_000 + b'"}', ""),
])  # fmt: skip
@pytest.mark.parametrize("command", [("agents", "list"), ("agents", "start", "ana")])
def test_a_server_that_is_no_fleet_is_reported_in_words(
    monkeypatch: pytest.MonkeyPatch, told: bytes, packed: str, command: tuple[str, ...]
) -> None:
    monkeypatch.setattr(Stranger, "told", told)
    monkeypatch.setattr(Stranger, "packed", packed)
    with HTTPServer(("127.0.0.1", 0), Stranger) as stranger:
        threading.Thread(target=stranger.serve_forever, daemon=True).start()
        result = CliRunner().invoke(root, list(command), env=_env(f"http://127.0.0.1:{stranger.server_port}"))
        stranger.shutdown()
    assert "not as Fleet would" in result.output and "Unexpected" not in result.output


@pytest.mark.parametrize(("url", "token"), [("http://[::1", "flt_x"), ("http://127.0.0.1:9", "flt_é"),
                                            ("http://127.0.0.1:9", "flt_x\nflt_y")])  # fmt: skip
def test_an_invalid_address_or_token_is_explained(url: str, token: str) -> None:
    result = CliRunner().invoke(root, ["agents", "list"], env=_env(url) | {"FLEET_TOKEN": token})
    assert result.exit_code == 2 and "Unexpected" not in result.output


@pytest.mark.parametrize("url", ["http://fleet.example.org", "http://10.0.0.7:8630", "http://localhost.example.org",
                                 "http://127.0.0.1@fleet.example.org", "http://[2001:db8::1]:8630"])  # fmt: skip
def test_the_token_is_sent_in_clear_text_to_no_other_machine(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setattr(httpx.Client, "request", lambda *_, **__: pytest.fail("the token was sent"))
    result = CliRunner().invoke(root, ["agents", "list"], env=_env(url))
    assert result.exit_code == 2 and "clear text" in result.output and "https://" in result.output


def test_a_token_for_this_machine_goes_to_no_proxy(fleet: Fleet, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    assert call("agents", "list", "--json").exit_code == 0


def _env(url: str) -> dict[str, str]:
    return {"FLEET_SERVER": url, "FLEET_TOKEN": "flt_x", "FLEET_DATABASE_URL": "", "FLEET_HOME": "/nowhere"}
