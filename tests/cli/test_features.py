"""Commands come from the features that a fleet has: each one resolves, and leaves with its feature."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import fleet.app
from fleet.cli.app import OWN, SECTIONS, cli, commands
from fleet.engine import registry
from fleet.engine.registry import Command
from tests.optional_features import OPTIONAL, gone_with, without

FEATURES = list(fleet.app.load())
COMMANDS = [command for feature in FEATURES for command in feature.commands]
IN_ORDER = {
    "Run": "up check migrate roles settings accounts adapters tuning secrets seed worker beat flower web users notify"
    " tokens organisations metrics gallery dispatch sweep chaos",
    "Look": "status stats activity persona costs engagement pictures team calendar inbox competitors reports forecast"
    " fraud experiments replay search",
    "Act": "agents trigger jobs drafts links products orders stores listings scan reconcile product-content pricing"
    " opt-outs campaigns dead approvals hooks events budgets pause resume kill-switch",
    "Shell": "completion",
}


@pytest.fixture(autouse=True)
def _all_features_afterwards() -> Iterator[None]:
    yield
    fleet.app.load()


@pytest.mark.parametrize("command", [*OWN, *COMMANDS], ids=lambda command: command.name)
def test_every_command_resolves_and_has_help(command: Command) -> None:
    found = registry.load(command.run)
    assert isinstance(found, click.Command)
    assert found.name == command.name
    assert found.help and command.help.endswith(".") and command.section in SECTIONS
    shown = CliRunner().invoke(cli, [command.name, "--help"], prog_name="fleet")
    assert shown.exit_code == 0 and shown.output.startswith(f"Usage: fleet {command.name}")


def test_help_lists_commands_by_section_in_this_order() -> None:
    found = {title: " ".join(command.name for command in each) for title, each in groupby(commands(), _section)}
    assert found == IN_ORDER


def test_two_commands_of_a_section_never_share_a_place() -> None:
    places = [(command.section, command.order) for command in commands()]
    assert sorted(places) == sorted(set(places))


@pytest.mark.parametrize("name", OPTIONAL)
def test_a_fleet_without_a_feature_has_none_of_its_commands(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = [command for feature in gone_with(name) for command in feature.commands]
    monkeypatch.setenv("FLEET_FEATURES", ",".join(without(name)))
    left = _names()
    assert left == {command.name for command in [*OWN, *COMMANDS] if command not in gone}
    shown = CliRunner().invoke(cli, ["--help"], prog_name="fleet")
    assert shown.exit_code == 0
    for command in gone:
        assert f"  {command.name} " not in shown.output
        refused = CliRunner().invoke(cli, [command.name, "--help"], prog_name="fleet")
        assert refused.exit_code == 2 and f"There is no command '{command.name}'." in refused.stderr
    for command in left:
        assert CliRunner().invoke(cli, [command, "--help"], prog_name="fleet").exit_code == 0, command


def test_features_are_chosen_in_the_environment_before_dotenv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("FLEET_FEATURES=-experiments, -webhooks\n")
    assert not {"experiments", "hooks", "events"} & _names()
    monkeypatch.setenv("FLEET_FEATURES", "experiments")
    assert "experiments" in _names() and "hooks" not in _names()


def test_a_feature_that_is_not_there_or_needed_is_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    for wanted, said, fix in (
        ("-nothing", "names no feature: nothing", "Optional features"),
        ("-agents", "cannot leave out agents: A fleet is its agents", "Optional features"),
        ("-approvals", "The feature drafts needs approvals", "Leave out drafts too (-drafts)"),
    ):
        monkeypatch.setenv("FLEET_FEATURES", wanted)
        refused = CliRunner().invoke(cli, ["status"], prog_name="fleet")
        assert refused.exit_code == 2 and said in refused.stderr and f"Fix: {fix}" in refused.stderr


def _names() -> set[str]:
    return {command.name for command in commands()}


def _section(command: Command) -> str:
    return command.section
