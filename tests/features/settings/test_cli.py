"""`fleet settings`: the life of a value, an agent's own hours, sealed channels, and wrong input."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.features.agents.test_cli import Cli

PASSWORD = "hunter2-and-more"


@pytest.fixture
def cli(database_url: str, broker_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    monkeypatch.setenv("FLEET_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FLEET_PINNED", "retention_days")
    made = Cli(database_url, broker_url)
    made("secrets", "init")
    return made


def test_a_value_from_its_setting_to_its_end(cli: Cli) -> None:
    (username,) = cli("seed", "-n", "1").stdout.split()
    said = cli("settings", "set", "FLEET_CAPS post.per_day", "3", "--agent", username, "--why", "a try").output
    assert f"caps.post.per_day is 3 for {username}." in said
    assert cli.json("settings", "get", "caps.post.per_day")["value"] == 48
    shown = cli("settings", "get", "caps.post.per_day", "--agent", username, columns=140).output
    assert "a try" in shown
    assert f"agent {username}" in shown
    listed = cli.json("settings", "list", "--agent", username, "--search", "caps.post.per_day")["items"]
    assert [(one["name"], one["value"], one["source"]) for one in listed] == [("caps.post.per_day", 3, "agent")]
    assert "Own caps.post.per_day" in cli("agents", "show", username, columns=140).output
    said = cli("settings", "unset", "caps.post.per_day", "--agent", username).output
    assert f"caps.post.per_day is 48 for {username}, from the layer default." in said


def test_an_agent_sleeps_outside_of_its_own_hours(cli: Cli) -> None:
    (username,) = cli("seed", "-n", "1").stdout.split()
    said = cli(
        "agents", "edit", username, "--hours", "9-17", "--timezone", "Asia/Tokyo", "--max-interval", "900"
    ).output
    assert "changed hours, max, timezone" in said
    own = {one["name"]: one["value"] for one in cli.json("agents", "show", username)["settings"]["items"]}
    assert own == {"agent_hours": ["9-17"], "agent_timezone": "Asia/Tokyo"}
    for wrong, why in (("9-9", "no hours"), ("9-25", "agent_hours"), ("nine", "9-17 or 22-2")):
        assert why in cli("agents", "edit", username, "--hours", wrong, code=None).output
    assert "Did you mean" in cli("agents", "edit", username, "--timezone", "Asia/Tokio", code=None).output
    cli("agents", "edit", username, "--hours", "", "--timezone", "")
    assert cli.json("agents", "show", username)["settings"]["items"] == []


def test_channels_are_sealed_and_never_shown(cli: Cli) -> None:
    said = cli("settings", "set", "notify", stdin=f"jsons://me:{PASSWORD}@example.org:9\n").output
    assert "notify is ***" in said
    shown = cli("settings", "get", "notify", columns=140).output + cli("audit", "list", "--json", code=None).output
    assert PASSWORD not in shown + cli("activity", "--last", "50", "--json", code=None).output
    assert "***" in shown
    assert "not understood" in cli("settings", "set", "notify", "nothing://x", code=None).output
    assert "plain text" in cli("settings", "set", "notify", "json://169.254.169.254/", code=None).output
    rotated = cli("secrets", "new-key").output + cli("secrets", "rotate").output
    assert "setting notify" in rotated
    assert cli.json("settings", "get", "notify")["source"] == "fleet"


WRONG = [
    (("set", "nothing_like_it", "1"), "no setting"),
    (("set", "tempo", "2"), "FLEET_TEMPO"),
    (("set", "retention_days", "2"), "FLEET_PINNED"),
    (("set", "caps", "{}"), "caps.post.gap_s"),
    (("set", "ai_comment_lead", "--", "-1"), "greater than or equal to 0"),
    (("set", "dry_run", "true", "--agent", "nobody_here"), "nobody_here"),
    (("set", "recent_texts", "5", "--account", "gallery"), "Scopes: fleet"),
    (("set", "dry_run"), "no value"),
    (("get", "caps.pots.per_day"), "no setting"),
]  # fmt: skip


def test_wrong_input_is_refused_with_the_reason(cli: Cli) -> None:
    for arguments, said in WRONG:
        result = cli("settings", *arguments, code=None)
        assert result.exit_code != 0
        assert said in " ".join(result.output.split()), arguments
