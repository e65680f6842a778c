"""Every `--json` prints JSON, and the answer that exists to hand over a secret holds it in full."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator

import click
import pytest

from fleet.accounts.sealing import new_key
from fleet.cli.app import cli as root
from fleet.cli.frame.json_output import to_json
from fleet.core import masking
from fleet.features.approvals import rule_file
from fleet.features.users import invite
from tests.factories import Fleet
from tests.features.agents.test_cli import Cli, cli
from tests.features.drafts.test_drafts import proposed
from tests.features.drafts.test_scan import COMMENT, LOVE, POST
from tests.features.users.test_cli import PASSWORD, typed
from tests.web_client import by_token

__all__ = ["cli"]

WRITES_A_FILE = {"chaos"}


def commands_with_json(command: click.Command = root, path: tuple[str, ...] = ()) -> Iterator[str]:
    """Return the names of all commands that take `--json`, such as `jobs list`."""
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from commands_with_json(found, (*path, name))
    elif any("--json" in parameter.opts for parameter in command.params):
        yield " ".join(path)


def test_every_command_prints_json_in_which_nothing_is_masked(
    cli: Cli, fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLEET_SECRET_KEYS", new_key())
    drafts = [str(draft.id) for draft in proposed(fleet, COMMENT, POST, LOVE)]
    typed(cli, "users", "create", "ann", "--role", "owner")
    cli("hooks", "create", "https://example.org/in", "job.*")
    cli("hooks", "sources", "add", "shop")
    cli("budgets", "set", "5")
    agent = cli.json("agents", "list")["items"][0]["username"]
    cli("scan", agent)
    requests = [one["id"] for one in cli.json("approvals", "list")["items"]]
    hook = cli.json("hooks", "list")["items"][0]["id"]
    arguments = {
        "approvals approve": [requests[0]], "approvals show": [requests[0]], "approvals withdraw": [requests[0], "-y"],
        "approvals reject": [requests[1], "--reason", "no"], "drafts approve": [drafts[0]], "drafts show": [drafts[0]],
        "drafts reject": [drafts[1], "--reason", "no"], "drafts bulk": ["approve", "-y"],
        "drafts withdraw": [drafts[2], "--reason", "no", "-y"], "drafts learned": [agent],
        "agents activity": [agent], "agents decisions": [agent], "agents show": [agent], "replay": [agent, "1"],
        "accounts show": ["gallery"], "accounts usage": ["gallery"], "adapters show": ["floimg"],
        "adapters configuration": ["floimg"],
        "adapters test": ["floimg", "--address", "http://127.0.0.1:9"],
        "hooks show": [hook], "hooks sources show": ["shop"],
        "users invite": ["--role", "viewer"],
        "notify list": ["--user", "ann"],
        "tokens create": ["ci", "--user", "ann", "--scope", "agents.view"],
        "persona check": ["personas"], "persona show": ["ai_artist"], "persona schedule": ["ai_artist"],
        "persona set": ["personas/ai_artist.yaml"], "persona reset": ["ai_artist"], "persona history": ["ai_artist"],
        "experiments show": ["none"], "jobs show": [str(uuid.uuid4())], "dead show": [str(uuid.uuid4())],
        "search": ["ada"], "approvals try": ["agent", "delete"], "settings get": ["dry_run"],
        "approvals rules set": [str(rule_file.SHIPPED)], "organisations create": ["Two"],
        "organisations show": ["default"], "inbox show": [str(uuid.uuid4())], "team message": [str(uuid.uuid4())],
        "products show": ["none"], "products create": ["Desk lamp", "--sku", "LAMP-1"],
        "products edit": ["LAMP-1", "--title", "Lamp"], "products stock": ["LAMP-1"],
        "products import": ["tests/data/products.csv"],
        **{f"orders {verb}": ["none"] for verb in ("show", "release")}, "orders erase": ["none", "--yes"],
        "orders act": ["none", "ship"],
        "links create": ["https://example.com/lamp"], "links show": ["nolink"], "links convert": ["nolink", "order-1"],
        "engagement post": [str(uuid.uuid4())],
        "competitors import": ["tests/data/competitors.csv"], "competitors remove": ["Acme Lamps"],
        "stores add": ["gallery"], "stores show": ["nostore"], "stores sync": ["nostore"],
        "reconcile run": ["nostore"], "reconcile show": [str(uuid.uuid4())], "reconcile fix": [str(uuid.uuid4())],
        "reconcile undo": [str(uuid.uuid4())], "reconcile dismiss": [str(uuid.uuid4())],
        "stores run": [str(uuid.uuid4())], "stores decide": ["push", str(uuid.uuid4())],
        **{f"listings {verb}": [str(uuid.uuid4())] for verb in
           ("show", "preview", "publish", "delist", "rollback")},
        "listings stage": ["--product", str(uuid.uuid4()), "--store", "nostore"],
        "listings schedule": [str(uuid.uuid4()), "--at", "2030-01-01T09:00:00Z"],
        "listings budget": ["nostore", "actions", "day", "5"],
        **{f"forecast {verb}": [str(uuid.uuid4())] for verb in ("show", "accept", "dismiss")},
        **{f"pricing {verb}": [str(uuid.uuid4())] for verb in ("accept", "dismiss", "undo")},
        "pricing import-competitors": ["tests/data/competitor_prices.csv"],
        **{f"tuning {verb}": [str(uuid.uuid4())] for verb in ("show", "accept", "dismiss", "undo")},
        "tuning workers": ["--per-hour", "3600", "--seconds", "4"],
        "reports build": ["daily"], "forecast demand": ["tests/data/sales.csv"],
        "forecast reorder": ["tests/data/sales.csv", "tests/data/stock.csv"], "fraud score": ["tests/data/orders.csv"],
        "fraud check": ["none"],
        "product-content list": ["nostore"], "product-content write": ["nostore", str(uuid.uuid4())],
        "product-content check": [str(uuid.uuid4()), "A lamp."],
        **{f"reports {verb}": [str(uuid.uuid4())] for verb in ("show", "export", "compare")},
        "campaigns show": [str(uuid.uuid4())], "campaigns item": [str(uuid.uuid4())],
        "campaigns preview": [str(uuid.uuid4())], "campaigns arms": [str(uuid.uuid4())],
        "campaigns brief": ["Lamps", "--agent", agent, "--goal", "lamps"],
        "campaigns create": ["Lamps", "--agent", agent, "--topic", "lamps"],
        **{f"calendar {verb}": ["jobs", str(uuid.uuid4())] for verb in ("show", "move")},
        "calendar duplicate": ["jobs", str(uuid.uuid4()), "--at", "2030-01-01T09:00:00Z"],
        "approvals ask": ["agent", "delete", "--set", f"agent={agent}"],
    }  # fmt: skip
    refused = {
        "experiments show",
        "jobs show",
        "dead show",
        "inbox show",
        "team message",
        "engagement post",
        "products show",
        "orders show",
        "fraud check",
        "product-content list",
        "product-content write",
        "product-content check",
        "orders release",
        "orders erase",
        "orders act",
        "links show",
        "links convert",
        "stores add",
        "stores show",
        "stores sync",
        "stores run",
        "reconcile run",
        "reconcile show",
        "listings show",
        "listings preview",
        "listings publish",
        "listings delist",
        "listings rollback",
        "listings stage",
        "listings schedule",
        "listings budget",
        "forecast run",
        "forecast show",
        "forecast accept",
        "forecast dismiss",
        "pricing propose",
        "pricing accept",
        "pricing dismiss",
        "pricing undo",
        "pricing import-competitors",
        "tuning run",
        "tuning last",
        "tuning show",
        "tuning accept",
        "tuning dismiss",
        "tuning undo",
        "reports show",
        "reports export",
        "reports compare",
        "campaigns show",
        "campaigns item",
        "campaigns preview",
        "campaigns arms",
        "calendar show",
        "calendar move",
        "calendar duplicate",
        "replay",
        "approvals withdraw",
        "drafts withdraw",
        "approvals approve",
        "check",
        "adapters test",
    }
    for command in sorted(set(commands_with_json()) - WRITES_A_FILE):
        code = None if command in refused else 0
        printed = cli(*command.split(), *arguments.get(command, []), "--json", code=code).stdout
        assert json.loads(printed or "{}") is not None, command
        assert command in ("check", "settings list") or "***" not in printed, (command, printed)


def test_the_secret_that_is_shown_once_works(cli: Cli, fleet: Fleet) -> None:
    typed(cli, "users", "create", "ann", "--role", "owner")
    token = cli.json("tokens", "create", "ci", "--user", "ann", "--scope", "agents.view")["token"]
    assert by_token(fleet.deps, token) is not None
    link = cli.json("users", "invite", "--role", "operator")["link"]
    assert invite.join(fleet.deps, link.rpartition("/")[2], "bo", PASSWORD).role == "operator"


def test_a_secret_that_another_value_quotes_stays_masked() -> None:
    masking.conceal("swordfish-of-the-model")
    said = json.loads(to_json({"error": "401 for swordfish-of-the-model", "token": "flt_" + "x" * 20}))
    assert said == {"error": "401 for ***", "token": "flt_***"}
