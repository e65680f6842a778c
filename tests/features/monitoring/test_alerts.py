"""The rule file of alerts: its structure is Prometheus's, its metrics are ours, and the docs tell what to do."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from fleet.engine import registry
from fleet.features.monitoring import metrics as registered
from tests import ROOT
from tests.test_docs import IN_WORDS, _unknown_command

FOLDER = ROOT / "deploy/prometheus"
PAGE = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
GROUPS = yaml.safe_load((FOLDER / "alerts.yml").read_text(encoding="utf-8"))["groups"]
FAMILIES = registered.families()
RULES: list[dict[str, Any]] = [rule for group in GROUPS for rule in group["rules"]]
DURATION = re.compile(r"(\d+(ms|[smhdwy]))+")
SELECTOR = re.compile(r"\b([a-z_]+)\s*\{([^}]*)\}")


@pytest.fixture(params=RULES, ids=lambda rule: str(rule["alert"]))
def rule(request: pytest.FixtureRequest) -> dict[str, Any]:
    return dict(request.param)


def test_groups_and_alerts_have_names_of_their_own() -> None:
    names = [group["name"] for group in GROUPS]
    assert len(set(names)) == len(names)
    assert all(set(group) == {"name", "rules"} for group in GROUPS)
    alerts = [rule["alert"] for rule in RULES]
    assert len(set(alerts)) == len(alerts) >= 12


def test_a_rule_has_what_prometheus_reads_and_says_what_to_do(rule: dict[str, Any]) -> None:
    assert set(rule) - {"for"} == {"alert", "expr", "labels", "annotations"}
    assert re.fullmatch(r"[A-Z][A-Za-z]+", rule["alert"])
    # An increase over a time has its patience inside.
    assert DURATION.fullmatch(rule["for"]) if "for" in rule else "increase(" in rule["expr"]
    assert rule["labels"] in ({"severity": "page"}, {"severity": "ticket"})
    assert set(rule["annotations"]) == {"summary", "action"}
    assert all(isinstance(text, str) and text.strip().endswith(".") for text in rule["annotations"].values())


def test_an_expression_is_complete_and_uses_exported_metrics(rule: dict[str, Any]) -> None:
    expr = rule["expr"]
    for opening, closing in ("()", "{}", "[]"):
        assert expr.count(opening) == expr.count(closing)
    assert expr.count('"') % 2 == 0
    bare = re.sub(r'"[^"]*"', "", expr)
    metrics = set(re.findall(r"\bfleet_\w+", bare))
    assert metrics or re.search(r"\bup\b", bare)
    assert metrics <= set(FAMILIES)
    for name, matchers in SELECTOR.findall(expr):
        labels = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers))
        assert labels <= ({"job"} if name == "up" else set(FAMILIES[name].labels))
    for labels in re.findall(r"\bby\s*\(([^)]*)\)", bare):
        assert set(re.findall(r"\w+", labels)) <= {label for name in metrics for label in FAMILIES[name].labels}
    for function in re.findall(r"\b(?:rate|increase|deriv)\((\w+)", bare):
        assert FAMILIES[function].is_counter != ("deriv(" in bare)


def test_an_annotation_names_labels_commands_and_settings_that_exist(rule: dict[str, Any]) -> None:
    text = " ".join(rule["annotations"].values())
    asked = {label for name in re.findall(r"\bfleet_\w+", rule["expr"]) for label in FAMILIES[name].labels}
    assert set(re.findall(r"\$labels\.(\w+)", text)) <= asked
    assert not re.findall(r"\{\{(?! (?:\$value(?: \| humanize(?:Duration)?)?|\$labels\.\w+) \}\})", text)
    assert not [span for span in IN_WORDS.findall(text) if _unknown_command(span.split())]
    settings = {name.upper() for name in registry.current().settings_model.model_fields}
    assert set(re.findall(r"FLEET_(\w+)", text)) <= settings


def test_the_docs_tell_every_metric_and_every_alert() -> None:
    assert [name for name in FAMILIES if f"`{name}`" not in PAGE] == []
    assert [rule["alert"] for rule in RULES if f"`{rule['alert']}`" not in PAGE] == []
    told = set(re.findall(r"`(fleet_\w+)`", PAGE))
    assert told <= set(FAMILIES)
    assert set(re.findall(r"`(Fleet[A-Z]\w+)`", PAGE)) <= {rule["alert"] for rule in RULES}


def test_a_counter_is_called_total_and_nothing_else_is() -> None:
    assert [name for name, family in FAMILIES.items() if family.is_counter != name.endswith("_total")] == []


def test_prometheus_reads_the_rules_and_asks_more_slowly_than_a_scrape_takes() -> None:
    config = yaml.safe_load((FOLDER / "prometheus.yml").read_text(encoding="utf-8"))
    assert set(config) == {"global", "rule_files", "scrape_configs"}
    assert config["rule_files"] == ["alerts.yml"]
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
    jobs = {job["job_name"]: job["static_configs"][0]["targets"][0] for job in config["scrape_configs"]}
    for name, target in jobs.items():
        service, _, port = target.partition(":")
        assert any(published.endswith(f":{port}") for published in compose[service]["ports"]), name
    assert {f'job="{name}"' for name in jobs} >= set(re.findall(r'job="\w+"', " ".join(r["expr"] for r in RULES)))
    times = config["global"]
    assert int(times["scrape_timeout"].rstrip("s")) <= int(times["scrape_interval"].rstrip("s"))
