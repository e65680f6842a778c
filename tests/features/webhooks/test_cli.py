"""Webhooks and subscribers from the command line."""

from __future__ import annotations

import hmac
import re
from dataclasses import replace

import pytest

from fleet.accounts.sealing import new_key
from fleet.core import events
from fleet.core.events import Position
from fleet.engine.events import positions
from fleet.engine.system_agents import staff
from fleet.features.webhooks.inbound import service as receiving
from fleet.features.webhooks.outbound import positions as webhook_positions
from tests.factories import Fleet
from tests.features.agents.test_cli import Cli

SECRET = re.compile(r"whsec_[\w-]{43}")


@pytest.fixture
def cli(database_url: str, broker_url: str, fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> Cli:
    monkeypatch.setenv("FLEET_HOOKS_ALLOW", "127.0.0.1:9")
    monkeypatch.setenv("FLEET_SECRET_KEYS", new_key())
    staff(fleet.deps.db)
    return Cli(database_url, broker_url)


def test_a_webhook_from_its_making_to_its_end(cli: Cli) -> None:
    assert "There are no webhooks" in cli("hooks", "list").stdout
    made = cli("hooks", "create", "http://127.0.0.1:9/t0ken", "job.*", "agent.created", "--description", "Ledger")
    assert SECRET.fullmatch(made.stdout.strip())
    (listed,) = cli.json("hooks", "list")["items"]
    hook = listed["id"][:8]
    assert (listed["host"], listed["subjects"], listed["active"]) == ("127.0.0.1:9", ["job.*", "agent.created"], True)
    assert "Ledger" in cli("hooks", "list").stdout
    assert "tells Ledger" in cli("hooks", "test", hook).stdout
    shown = cli.json("hooks", "show", hook)
    assert [one["subject"] for one in shown["deliveries"]] == ["hook.test"]
    assert "hook.test" in cli("hooks", "show", hook).stdout
    assert "--yes" in cli("hooks", "rotate", hook, code=2).stderr
    assert SECRET.fullmatch(cli("hooks", "rotate", hook, "-y").stdout.strip()) != made.stdout.strip()
    assert "within the last day" in cli("hooks", "rotate", hook, "-y", code=4).stderr
    assert "is off" in cli("hooks", "off", hook).stdout
    assert "was off already" in cli("hooks", "off", hook).stdout
    assert "is on" in cli("hooks", "on", hook).stdout
    assert "Nothing has failed" in cli("hooks", "replay", hook).stdout
    assert "is an alarm" in cli("hooks", "alarm", hook, "on").stdout
    assert cli.json("hooks", "show", hook)["alarm"] is True
    assert "no alarm any more" in cli("hooks", "alarm", hook, "off").stdout
    (same,) = cli.json("hooks", "list")["items"]
    kept = ("url", "subjects", "description")
    assert ({name: same[name] for name in kept}, same["alarm"]) == ({name: listed[name] for name in kept}, False)
    assert "removed" in cli("hooks", "remove", hook, "-y").stdout
    assert cli("hooks", "show", hook, code=3).stderr
    assert cli.json("hooks", "list") == {"items": []}


@pytest.mark.parametrize("words", [
    ("http://10.0.0.1/", "job.*"), ("https://localhost/", "job.*"), ("http://127.0.0.1:9/", "Job"), ("x", "*"),
    ("http://127.0.0.1:9/",),
])  # fmt: skip
def test_wrong_input_is_refused_with_the_code_for_it(cli: Cli, words: tuple[str, ...]) -> None:
    cli("hooks", "create", *words, code=2)
    assert cli.json("hooks", "list") == {"items": []}


def test_one_webhook_too_many_is_refused_with_the_setting_that_says_so(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLEET_HOOKS_LIMIT", "1")
    cli("hooks", "create", "http://127.0.0.1:9/a", "job.*")
    refused = cli("hooks", "create", "http://127.0.0.1:9/b", "job.*", code=4).stderr
    assert "at most 1" in refused
    assert "FLEET_HOOKS_LIMIT" in refused


def test_a_subject_that_no_event_has_is_refused_with_those_near_to_it(cli: Cli, fleet: Fleet) -> None:
    url = "http://127.0.0.1:9/"
    assert "job.done" in cli("hooks", "create", url, "job.*", "job.dome", code=2).stderr
    assert "agent.*" in cli("hooks", "create", url, "nosuch.subject", code=2).stderr
    assert cli.json("hooks", "list") == {"items": []}
    with fleet.deps.db.transaction() as tx:
        events.emit(tx, "nosuch.subject")
    cli("hooks", "create", url, "nosuch.subject", "nosuch.*", "agent.draft.post.created")


def test_a_source_from_its_making_to_its_end(cli: Cli, fleet: Fleet) -> None:
    assert "There are no sources" in cli("hooks", "sources", "list").stdout
    made = cli("hooks", "sources", "add", "shop", "--header", "X-Signature", "--id-path", "data.id").stdout.strip()
    assert SECRET.fullmatch(made)
    (listed,) = cli.json("hooks", "sources", "list")["items"]
    assert (listed["name"], listed["header"], listed["id_path"], listed["active"]) == (
        "shop", "X-Signature", "data.id", True,
    )  # fmt: skip
    assert "shop" in cli("hooks", "sources", "list").stdout
    say(fleet, made, b'{"data": {"id": "order-7"}}')
    assert "order-7" in cli("hooks", "sources", "show", "shop", columns=160).stdout
    assert [one["external_id"] for one in cli.json("hooks", "sources", "show", "shop")["received"]] == ["order-7"]
    assert "--yes" in cli("hooks", "sources", "rotate", "shop", code=2).stderr
    theirs = "0123456789abcdef"
    rotated = cli("hooks", "sources", "rotate", "shop", "-y", "--secret-stdin", stdin=f"{theirs}\n")
    assert theirs not in rotated.stdout + rotated.stderr, "they know it, and nobody else has to"
    with pytest.raises(receiving.NotGenuine):
        say(fleet, made, b'{"data": {"id": "order-8"}}')
    say(fleet, theirs, b'{"data": {"id": "order-8"}}')
    assert "is off" in cli("hooks", "sources", "off", "shop").stdout
    assert "was off already" in cli("hooks", "sources", "off", "shop").stdout
    assert "is on" in cli("hooks", "sources", "on", "shop").stdout
    assert "removed" in cli("hooks", "sources", "remove", "shop", "-y").stdout
    assert cli("hooks", "sources", "show", "shop", code=3).stderr


@pytest.mark.parametrize("words", [
    ("Shop",), ("shop", "--header", "X Signature"), ("shop", "--form", "stamped", "--prefix", "sha256="),
    ("shop", "--id-header", "X-Id", "--id-path", "id"), ("shop", "--tolerance", "0"), ("shop", "--secret-stdin"),
])  # fmt: skip
def test_a_source_that_cannot_work_is_not_made(cli: Cli, words: tuple[str, ...]) -> None:
    cli("hooks", "sources", "add", *words, code=2, stdin="")
    assert cli.json("hooks", "sources", "list") == {"items": []}


def say(fleet: Fleet, secret: str, body: bytes) -> None:
    """Let the shop say something, signed with a secret."""
    deps = replace(fleet.deps, given=type(fleet.deps.settings)(database_url=fleet.deps.settings.database_url))
    signature = hmac.new(secret.encode(), body, "sha256").hexdigest()
    receiving.receive(deps, "shop", {"x-signature": signature}, body)


def test_subscribers_are_listed_and_can_hear_again(cli: Cli, fleet: Fleet) -> None:
    assert "There are no subscribers" in cli("events", "subscribers").stdout
    with fleet.deps.db.transaction() as tx:
        stood = positions.standing(tx, webhook_positions.of_code("ledger"))
    (listed,) = cli.json("events", "subscribers")["items"]
    assert (listed["name"], listed["subjects"], listed["position"]) == ("ledger", None, positions.written(stood))
    assert "not installed here" in cli("events", "subscribers", columns=160).stdout
    assert "--yes" in cli("events", "replay", "--subscriber", "ledger", "--from", "7-8", code=2).stderr
    assert "begins again after 7-8" in cli("events", "replay", "--subscriber", "ledger", "--from", "7-8", "-y").stdout
    with fleet.deps.db.transaction() as tx:
        assert positions.standing(tx, webhook_positions.of_code("ledger")) == Position(7, 8)
    assert "nobody" in cli("events", "replay", "--subscriber", "nobody", "--from", "0-0", "-y", code=3).stderr
    cli("events", "replay", "--subscriber", "ledger", "--from", "yesterday", "-y", code=2)
