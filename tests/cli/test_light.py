"""`fleet --help` answers at once, and the table of commands tells the truth."""

from __future__ import annotations

import json
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from fleet.cli.app import SECTIONS, cli, commands
from fleet.cli.frame.command import Root
from tests import ROOT

_LOCAL = ("metrics", "secrets")
"""Commands of features that work on the fleet's own machine alone, and load what they need."""
COMMANDS = [command.name for command in commands()]


def every_command() -> list[tuple[str, click.Command]]:
    """Return every command and subcommand with its words."""
    assert isinstance(cli, Root)
    found, ctx = [], click.Context(cli)
    for name in cli.list_commands(ctx):
        command = cli.get_command(ctx, name)
        assert command is not None
        found.append((name, command))
        if isinstance(command, click.Group):
            found += [(f"{name} {sub}", inner) for sub, inner in command.commands.items()]
    return found


def test_help_imports_neither_database_nor_celery() -> None:
    script = (
        "import sys\n"
        "from click.testing import CliRunner\n"
        "from fleet.cli.app import cli\n"
        "assert CliRunner().invoke(cli, ['--help']).exit_code == 0\n"
        "heavy = {'sqlalchemy', 'celery', 'kombu', 'pydantic', 'httpx', 'rich', 'importlib.metadata'}\n"
        "heavy &= set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_completion_of_a_command_name_imports_no_command() -> None:
    script = (
        "import os, sys\n"
        "os.environ.update(_FLEET_COMPLETE='bash_complete', COMP_WORDS='fleet ag', COMP_CWORD='1')\n"
        "from fleet.cli.app import cli\n"
        "try:\n"
        "    cli(prog_name='fleet')\n"
        "except SystemExit:\n"
        "    pass\n"
        "assert 'sqlalchemy' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "plain,agents" in done.stdout


def test_commands_that_call_the_api_import_neither_database_nor_web() -> None:
    """Their start is most of what they cost: each of these libraries takes longer than a whole command may."""
    script = (
        "import sys\n"
        "import fleet.app, fleet.cli.frame.api, fleet.cli.frame.render\n"
        "from fleet.engine import registry\n"
        "known = fleet.app.load(())\n"
        f"for command in known.commands.values():\n"
        f"    if command.name not in {_LOCAL}:\n"
        "        registry.load(command.run)\n"
        "heavy = {'sqlalchemy', 'psycopg', 'celery', 'kombu', 'pydantic', 'fastapi', 'PIL'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_help_lists_every_command_with_its_section() -> None:
    shown = CliRunner().invoke(cli, ["--help"]).output
    for section in SECTIONS:
        assert f"{section}:" in shown
    for name in COMMANDS:
        assert f"  {name} " in shown


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_of_the_table_exists_and_helps(name: str) -> None:
    result = CliRunner().invoke(cli, [name, "--help"])
    assert result.exit_code == 0
    assert result.output.startswith(f"Usage: fleet {name}") or result.output.startswith(f"Usage: cli {name}")


def test_every_command_says_what_it_does() -> None:
    for words, command in every_command():
        assert command.help, words
        assert command.help.strip().split("\n")[0].endswith("."), words


def test_every_option_but_self_explaining_ones_has_help() -> None:
    for words, command in every_command():
        for param in command.params:
            if isinstance(param, click.Option) and param.name not in ("port", "json"):
                assert param.help, f"{words} --{param.name}"


def test_every_option_is_set_by_the_variable_that_its_name_promises(monkeypatch: pytest.MonkeyPatch) -> None:
    def look(command: click.Command, ctx: click.Context) -> None:
        if isinstance(command, click.Group):
            for name in command.list_commands(ctx):
                found = command.get_command(ctx, name)
                assert found is not None
                look(found, click.Context(found, parent=ctx, info_name=name, resilient_parsing=True))
            return
        command.parse_args(ctx, [])
        for param in command.params:
            for option in (one for one in param.opts if one.startswith("--")):
                variable = f"{ctx.auto_envvar_prefix}_{option[2:].replace('-', '_').upper()}"
                with monkeypatch.context() as patch:
                    patch.setenv(variable, "x")
                    assert param.resolve_envvar_value(ctx) == "x", variable
                looked.append(variable)

    looked: list[str] = []
    look(cli, click.Context(cli, info_name="fleet", auto_envvar_prefix="FLEET", resilient_parsing=True))
    assert {"FLEET_UP_SEED", "FLEET_JOBS_LIST_STATE", "FLEET_HOOKS_SOURCES_ADD_TOLERANCE"} <= set(looked)


def test_the_environment_sets_an_option_whose_name_the_code_changes() -> None:
    result = CliRunner().invoke(cli, ["persona", "list"], env={"FLEET_PERSONA_LIST_JSON": "1"}, prog_name="fleet")
    assert json.loads(result.stdout)["items"]


def test_the_manual_names_every_command() -> None:
    manual = (ROOT / "docs" / "cli.md").read_text()
    for words, _ in every_command():
        assert all(f"{word}" in manual for word in words.split()), words


def test_version() -> None:
    from fleet import __version__

    assert CliRunner().invoke(cli, ["--version"]).output.strip().endswith(__version__)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "powershell"])
def test_completion_scripts_call_fleet(shell: str) -> None:
    result = CliRunner().invoke(cli, ["completion", shell])
    assert result.exit_code == 0
    assert "_FLEET_COMPLETE" in result.stdout
