"""One rule for all commands: what is named and is not there ends with 3 and says where to look, wrong words with 2.

Commands and options are taken from the command line itself, so that a new one is held to it without a word here.
"""

from __future__ import annotations

from collections.abc import Iterator

import click
from click.testing import CliRunner

from fleet.cli.app import cli as root
from fleet.cli.frame.options import NameType
from fleet.features.agents import commands as agent_commands
from tests.factories import Fleet
from tests.features.agents.test_cli import Cli, cli

__all__ = ["cli"]  # the fixture

MAKE_OR_SET = {
    "accounts add", "agents create", "hooks create", "hooks sources add", "tokens create", "users create",
    "secrets set", "budgets set", "budgets allow", "pause", "resume", "drafts bulk", "completion", "gallery",
    "persona check", "persona set", "experiments set",
    "approvals try", "search", "settings set", "agents assign", "approvals rules set", "organisations create",
    "opt-outs add", "team stop", "reports build", "links create", "products create", "stores decide",
    "campaigns create", "campaigns brief", "campaigns set-brand", "tuning workers",
}  # fmt: skip
"""Commands whose arguments name nothing that has to be there."""
CHANGES = {
    "agents edit": ["--vibe=calm"], "drafts edit": ["--text=fog"], "notify remove": ["--user=nobody_1"],
    "notify test": ["--user=nobody_1"], "calendar move": ["--at=2030-01-01T09:00:00Z"],
    "listings schedule": ["--at=2030-01-01T09:00:00Z"],
    "listings stage": ["--product=00000000-0000-4000-8000-000000000000", "--store=nostore"],
}  # fmt: skip
"""What has to stand beside the name."""
VALUES = {"uuid": "00000000-0000-4000-8000-000000000000", "position": "0-0", "moment": "2031-01-31T12:00:00Z"}


def _leaves(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    if not isinstance(command, click.Group):
        yield " ".join(path), command
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        found = command.get_command(context, name)
        assert found is not None
        yield from _leaves(found, (*path, name))


def _value(param: click.Parameter) -> str:
    """Return a value of the right form that names nothing."""
    if isinstance(param.type, click.Choice):
        return str(next(iter(param.type.choices)))
    if param.type.name.startswith("integer"):
        return "7"
    return VALUES.get(param.type.name) or VALUES.get(param.name or "", "0000dead")


def _required(command: click.Command, but: click.Parameter | None = None) -> list[str]:
    words, names = [], []
    for param in command.params:
        if param.required and param is not but:
            value = _value(param)
            words += [f"{param.opts[0]}={value}"] if isinstance(param, click.Option) else []
            names += [] if isinstance(param, click.Option) else [value]
    yes = ["--yes"] if any(param.name == "yes" for param in command.params) else []
    return [*yes, *words, *names]


LEAVES = dict(_leaves(root))
NAMING = [name for name, one in LEAVES.items() if _required(one) not in ([], ["--yes"]) and name not in MAKE_OR_SET]
OPTIONS = [
    (name, param.opts[-1])
    for name, one in LEAVES.items()
    for param in one.params
    if isinstance(param, click.Option) and isinstance(param.type, NameType)
]


def test_there_is_something_to_hold() -> None:
    assert len(NAMING) > 40
    assert len(OPTIONS) > 15
    assert set(LEAVES) >= MAKE_OR_SET


def test_what_is_not_there_ends_with_3_and_a_fix(cli: Cli, fleet: Fleet) -> None:
    wrong = {name: _said(cli, [*name.split(), *CHANGES.get(name, []), *_required(LEAVES[name])]) for name in NAMING}
    assert {name: said for name, said in wrong.items() if said} == {}


def test_options_without_a_match_exit_with_3_and_a_fix(cli: Cli, fleet: Fleet) -> None:
    wrong = {}
    for name, option in OPTIONS:
        command = LEAVES[name]
        (param,) = [one for one in command.params if option in one.opts]
        values = ["1.00"] if name in ("budgets set", "budgets allow") else []
        made = {"agents create": ["neon_1"], "settings set": ["dry_run", "true"]}.get(name, [])
        rest = [one for one in _required(command, param) if not (values or made) or one == "--yes"]
        wrong[f"{name} {option}"] = _said(cli, [*name.split(), f"{option}=nobody_1", *rest, *values, *made])
    assert {name: said for name, said in wrong.items() if said} == {}


def test_a_list_of_nothing_that_there_is_ends_with_3_and_a_fix(cli: Cli, fleet: Fleet) -> None:
    for words in (["approvals", "list", "--resource=drafts"], ["tokens", "list", "--user=nobody"]):
        assert _said(cli, words) == "", words
    for resource in ("draft", "job", "budget"):  # known, although nothing was ever asked about it
        assert "No requests." in cli("approvals", "list", "--resource", resource).output


def test_a_persona_whose_file_is_gone_can_be_asked_for_as_long_as_somebody_has_it(cli: Cli, fleet: Fleet) -> None:
    agent = fleet.agent(username="ann_1", name="Ann", persona_id="gone_persona", account=False)
    assert "ann_1" in cli("agents", "list", "--persona", "gone_persona").output
    assert "No agents." in cli("agents", "list", "--persona", "gone_persona", "--status", "error").output
    agent_commands.delete(fleet.deps, str(agent), by="a test")
    assert "No agents." in cli("agents", "list", "--persona", "gone_persona").output
    assert "No agents." in cli("agents", "list", "--persona", "ai_artist").output


def _said(cli: Cli, words: list[str]) -> str:
    """Return what is wrong with how a command fails; nothing when all is well."""
    env = {"FLEET_DATABASE_URL": cli.database_url, "FLEET_BROKER_URL": cli.broker_url}
    done = CliRunner().invoke(root, words, env=env, prog_name="fleet", input="")
    is_well = done.exit_code == 3 and done.stderr.startswith("Error: ") and "\n  Fix: " in done.stderr
    return "" if is_well else f"{done.exit_code}: {done.output}"
