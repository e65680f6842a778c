"""`fleet costs`, `fleet budgets` and what `fleet check` says of models, from the command line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fleet.core import events
from fleet.llm.base import CallOutcome, Usage
from fleet.spending import ledger
from fleet.spending.budgets import Spender
from tests.factories import Fleet
from tests.features.agents.test_cli import Cli
from tests.model_server import ModelServer, Reply

KEY = "sk-ant-api03-thisIsTheSecretOfThisTest0123456789"
BUDGET_KEYS = {
    "scope", "key", "period", "limit_microusd", "allowance_microusd", "spent_microusd", "reserved_microusd",
    "spent_at", "left_microusd", "name",
}  # fmt: skip


@pytest.fixture
def cli(database_url: str, broker_url: str) -> Cli:
    return Cli(database_url, broker_url)


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer().running() as running:
        yield running


def spend(fleet: Fleet) -> None:
    agent = fleet.agent(username="ann_1", name="Ann")
    who = Spender(agent, "ai_artist", None, "post")
    with fleet.deps.db.transaction() as tx:
        ledger.record(tx, who, [
            Usage("anthropic", "claude-haiku-5-5", 100, 900, 0, 50, 1_500_000, 800),
            Usage("openai", "gpt-6-luna", outcome=CallOutcome.OVERLOADED, latency_ms=200),
        ])  # fmt: skip


def test_costs_are_summed_shown_and_forecast(cli: Cli, fleet: Fleet) -> None:
    assert "$0.00" in cli("costs").output
    spend(fleet)
    found = cli.json("costs", "--by", "provider")
    assert [(one["key"], one["calls"], one["failed"], one["microusd"]) for one in found["sums"]] == [
        ("anthropic", 1, 0, 1_500_000), ("openai", 1, 1, 0)
    ]  # fmt: skip
    assert found["total_microusd"] == found["today_microusd"] == 1_500_000 <= found["forecast_today_microusd"]
    assert [one["name"] for one in cli.json("costs", "--by", "agent")["sums"]] == ["ann_1"]
    shown = cli("costs", "--by", "model", columns=140)
    assert "claude-haiku-5-5" in shown.stdout
    assert "█" in shown.stdout
    assert "90%" in shown.stdout  # of the input was cached
    assert "by midnight UTC" in shown.output


def test_a_budget_is_set_listed_raised_and_lifted(cli: Cli, fleet: Fleet) -> None:
    fleet.agent(username="ann_1", name="Ann")
    assert "not limited" in cli("budgets", "list").output
    assert "The fleet may spend $5.00 a day" in cli("budgets", "set", "5").stdout
    cli("budgets", "set", "0.50", "--agent", "ann_1")
    cli("budgets", "set", "2", "--persona", "ai_artist", "--period", "month")
    cli("budgets", "set", "9", "--provider", "anthropic")
    items = cli.json("budgets", "list")["items"]
    assert all(set(one) == BUDGET_KEYS for one in items)
    assert [(one["scope"], one["name"]) for one in items] == [
        ("agent", "ann_1"), ("fleet", None), ("persona", None), ("provider", None)
    ]  # fmt: skip
    assert "$9.00" in cli("costs", columns=120).stdout
    assert "--yes" in cli("budgets", "allow", "1", code=2).stderr  # a person's act
    assert "$6.00 left" in cli("budgets", "allow", "1", "--reason", "launch", "-y").stdout
    cli("budgets", "remove")
    assert [one["scope"] for one in cli.json("budgets", "list")["items"]] == ["agent", "persona", "provider"]
    with fleet.deps.db.transaction() as tx:
        assert {event.subject for event in events.latest(tx)} >= {"budget.set", "budget.allowed", "budget.removed"}
    told = cli("activity", columns=200).stdout
    assert "the fleet may spend $1.00 more today, by" in told


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["set", "five"], 2),
        (["set", "-1"], 2),
        (["set", "1", "--agent", "a", "--provider", "b"], 2),
        (["set", "1", "--agent", "nobody_1"], 3),
        (["set", "1", "--persona", "nobody"], 3),
        (["set", "1", "--provider", "antropic"], 3),
        (["set", "1", "--provider", ""], 2),
        (["remove"], 3),
        (["allow", "1", "-y"], 3),
    ],
)
def test_a_budget_without_an_owner_or_an_amount_is_refused(
    cli: Cli, fleet: Fleet, arguments: list[str], code: int
) -> None:
    cli("budgets", *arguments, code=code)


def test_a_negative_amount_is_refused_as_an_amount_and_not_as_an_option(cli: Cli) -> None:
    for words in (["set", "-5"], ["allow", "-0.50", "-y"], ["set", "--", "-5"]):
        assert "The amount must be positive" in cli("budgets", *words, code=2).stderr
    assert "raises nothing" in cli("budgets", "allow", "0", "-y", code=2).stderr
    assert "No such option" in cli("budgets", "set", "5", "-x", code=2).stderr


def words(cli: Cli, *, about: str = "words", **env: str) -> list[dict[str, Any]]:
    found = json.loads(cli("check", "--json", code=1, **env).stdout)["checks"]
    return [item for item in found if item["check"] == about]


def test_check_says_who_writes_what_it_costs_and_whether_it_answers(cli: Cli, server: ModelServer) -> None:
    assert "no model is set" in words(cli)[0]["message"]
    both = {
        "FLEET_ANTHROPIC_API_KEY": KEY, "FLEET_ANTHROPIC_BASE_URL": server.url,
        "FLEET_OPENAI_BASE_URL": f"{server.url}/v1",
    }  # fmt: skip
    first, second = words(cli, **both)
    assert (first["level"], second["level"]) == ("ok", "ok")
    assert "anthropic claude-haiku-5-5, $0.1/$0.5 for a million tokens in/out; it answers" in first["message"]
    assert all(body == {} for _, _, body in server.asked), "a look costs nothing"
    server.always = Reply(401)
    assert [one["level"] for one in words(cli, **both)] == ["fail", "fail"]
    server.always = Reply(529)
    assert [one["level"] for one in words(cli, **both)] == ["warn", "warn"]
    server.always = None
    server.models = []
    assert [one["level"] for one in words(cli, **both)] == ["fail", "fail"]


def test_check_warns_when_a_model_writes_and_only_the_local_rules_look(cli: Cli, server: ModelServer) -> None:
    assert [one["level"] for one in words(cli, about="moderation")] == ["ok"]
    model = {"FLEET_ANTHROPIC_API_KEY": KEY, "FLEET_ANTHROPIC_BASE_URL": server.url}
    (local,) = words(cli, about="moderation", **model)
    assert (local["level"], "FLEET_MODERATION=model" in local["fix"]) == ("warn", True)
    (judged,) = words(cli, about="moderation", FLEET_MODERATION="model", **model)
    assert (judged["level"], "anthropic" in judged["message"]) == ("ok", True)
    (nobody,) = words(cli, about="moderation", FLEET_MODERATION="model")
    assert (nobody["level"], "No model is set" in nobody["message"]) == ("fail", True)
    assert all(body == {} for _, _, body in server.asked), "a look costs nothing"


def test_check_names_models_without_a_price_and_recordings_that_are_none(cli: Cli, tmp_path: Path) -> None:
    (unpriced,) = words(cli, FLEET_OPENAI_BASE_URL="http://127.0.0.1:1/v1", FLEET_OPENAI_MODEL="llama3.2")
    assert (unpriced["level"], "FLEET_LLM_PRICES" in unpriced["fix"]) == ("fail", True)
    (missing,) = words(cli, FLEET_LLM_REPLAY=str(tmp_path / "none.jsonl"))
    assert missing["level"] == "fail"


def test_no_command_repeats_a_key(cli: Cli, server: ModelServer) -> None:
    said = json.dumps({"type": "error", "error": {"type": "authentication_error", "message": f"bad key {KEY}"}})
    server.always = Reply(401, body=said.encode())
    env = {"FLEET_ANTHROPIC_API_KEY": KEY, "FLEET_ANTHROPIC_BASE_URL": server.url}
    for arguments in (["check"], ["check", "--json"], ["-vv", "check"], ["-vv", "status"], ["-vv", "costs", "--json"]):
        code = 1 if "check" in arguments else 0
        assert KEY[7:] not in cli(*arguments, code=code, **env).output
