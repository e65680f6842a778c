"""How the command line fails: exit codes, one readable line, no traceback unless asked for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from fleet.cli.app import cli
from fleet.cli.frame.command import Root
from fleet.cli.frame.context import Door, pass_door
from fleet.cli.frame.failures import printable
from fleet.core import errors


def fail_with(error: BaseException, *arguments: str) -> Result:
    """Run a command that ends with an error."""

    @click.group(cls=Root, load=list)
    def root() -> None:
        pass

    @root.command(cls=click.Command)
    def boom() -> None:
        raise error

    return CliRunner().invoke(root, [*arguments, "boom"], prog_name="fleet")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.FleetError("Something is off.", fix="Mend it."), 1),
        (errors.InvalidInput("Something is off.", fix="Mend it."), 2),
        (errors.NotFound("Something is off.", fix="Mend it."), 3),
        (errors.Conflict("Something is off.", fix="Mend it."), 4),
        (errors.Unavailable("Something is off.", fix="Mend it."), 5),
    ],
)
def test_an_error_is_a_line_and_its_fix_on_standard_error(error: errors.FleetError, code: int) -> None:
    result = fail_with(error)
    assert result.exit_code == code
    assert result.stderr == "Error: Something is off.\n  Fix: Mend it.\n"
    assert result.stdout == ""


def test_an_unexpected_error_is_one_line_without_secrets() -> None:
    result = fail_with(RuntimeError("postgresql://u:hush@host/db\nbroke"))
    assert result.exit_code == 1
    assert "Unexpected RuntimeError: postgresql://u:***@host/db broke" in result.stderr
    assert "Traceback" not in result.stderr


def test_verbose_adds_the_traceback() -> None:
    assert "Traceback" in fail_with(errors.FleetError("Off."), "-v").stderr


def test_ctrl_c_exits_with_130_and_no_words_but_a_new_line() -> None:
    result = fail_with(KeyboardInterrupt())
    assert result.exit_code == 130
    assert result.stderr.strip() == ""


def test_control_characters_of_an_error_do_not_reach_the_terminal() -> None:
    result = fail_with(errors.FleetError("a\x1b]0;title\x07b\x1b[2Jc\u202ed\n  kept  lines"))
    assert result.stderr == "Error: abcd\n  kept lines\n"


def test_printable_keeps_lines_and_their_indent() -> None:
    assert printable("one\n   two\x1b[31m\n") == "one\n   two"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["agent"], "Did you mean 'agents'?"),
        (["agents", "lst"], "Did you mean 'list'?"),
        (["agents", "list", "--limit", "0"], "--limit"),
        (["agents", "list", "--limit", "few"], "'few' is not a valid integer."),
        (["agents", "list", "--status", "asleep"], "asleep"),
        (["pause", "planet"], "planet"),
        (["pause", "fleet", "--for", "2"], "90s, 15m, 2h"),
        (["trigger", "anna", "--action", "dance"], "dance"),
        (["jobs", "list", "--state", "lost"], "lost"),
        (["dead", "list", "--older-than", "soon"], "soon"),
        (["replay", "anna", "zero"], "zero"),
        (["up", "--tempo", "0"], "--tempo"),
        (["up", "--port", "70000"], "--port"),
        (["completion", "tcsh"], "tcsh"),
        (["agents", "edit", "anna"], "at least one thing"),
    ],
)
def test_wrong_words_exit_with_2_and_say_which(arguments: list[str], words: str) -> None:
    from fleet.cli.app import cli

    result = CliRunner().invoke(cli, arguments, prog_name="fleet")
    assert result.exit_code == 2
    assert words in result.stderr
    assert "--help` explains" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(("variable", "command"), [("FLEET_UP_AGENTS", ["up"]), ("FLEET_TEMPO", ["up"]),
                                                   ("FLEET_JOBS_LIST_STATE", ["jobs", "list"])])  # fmt: skip
def test_the_error_of_a_wrong_value_names_its_environment_variable(variable: str, command: list[str]) -> None:
    from fleet.cli.app import cli

    result = CliRunner().invoke(cli, command, env={variable: "nonsense"}, prog_name="fleet")
    assert result.exit_code == 2 and f"It was set by {variable}." in result.stderr
    typed = CliRunner().invoke(cli, ["up", "--agents", "many"], env={variable: "7"}, prog_name="fleet")
    assert typed.exit_code == 2 and "It was set by" not in typed.stderr


def test_without_any_fleet_the_error_says_how_to_get_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from fleet.cli.app import cli

    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(cli, ["status"])
    assert result.exit_code == 2
    assert "`fleet up`" in result.stderr
    assert "FLEET_DATABASE_URL" in result.stderr


def test_a_home_whose_log_cannot_be_written_is_named_and_no_bug_of_ours(tmp_path: Path) -> None:
    from fleet.cli.app import cli

    (tmp_path / "logs" / "fleet.log").mkdir(parents=True)  # stands for a disk that has become read-only
    result = CliRunner().invoke(cli, ["up", "--home", str(tmp_path)])
    assert result.exit_code == 1
    assert str(tmp_path / "logs") in result.stderr
    assert "FLEET_HOME" in result.stderr


@pytest.mark.parametrize("line", ["--help", "--version", "agents --help", "nonsense 2>&1", "agents 2>&1"])
def test_nothing_is_said_to_a_reader_that_has_left(line: str) -> None:
    """The pipe is closed before the first word, also for what click answers while it reads the line."""
    script = f'exec 3> >(true); wait $!; "$0" -m fleet.cli {line.replace("2>&1", "2>&3")} >&3; echo $?'
    done = subprocess.run(
        ["bash", "-c", script, sys.executable], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.stdout, done.stderr) == ("141\n", "")


def test_a_reader_that_leaves_is_no_error(tmp_path: Path) -> None:
    script = (
        "from fleet.cli.app import cli\n"
        "import click\n"
        "from fleet.cli.frame.context import pass_door\n"
        "@click.command()\n"
        "@pass_door\n"
        "def flood(door):\n"
        "    for number in range(200_000):\n"
        "        door.show(f'line {number}')\n"
        "cli.add_command(flood)\n"
        "cli(['flood'], prog_name='fleet')\n"
    )
    done = subprocess.run(
        ["bash", "-c", '"$0" -c "$1" | head -1; echo "${PIPESTATUS[0]}"', sys.executable, script],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.stdout == "line 0\n141\n"
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("output", "code", "said"),
    [(">/dev/full", 1, "There is no space left on what"), (">&-", 0, "")],
)
def test_a_full_or_closed_output_is_explained(output: str, code: int, said: str) -> None:
    done = subprocess.run(
        ["bash", "-c", f'"$0" -m fleet.cli persona list {output}', sys.executable],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == code
    assert said in done.stderr and "Unexpected" not in done.stderr and "Exception" not in done.stderr


class TestConfirm:
    """Destructive commands ask, and never wait for an answer that cannot come."""

    def test_yes_needs_no_person(self) -> None:
        Door().confirm("Sure?", yes=True)

    def test_without_a_terminal_it_refuses(self) -> None:
        @click.command()
        @pass_door
        def risky(door: Door) -> None:
            door.confirm("Delete all?", yes=False)

        result = CliRunner().invoke(risky, [])
        assert isinstance(result.exception, errors.InvalidInput)
        assert result.exception.fix is not None
        assert "--yes" in result.exception.fix


def test_a_missing_choice_is_named_in_one_line() -> None:
    result = CliRunner().invoke(cli, ["pause"], prog_name="fleet")
    assert result.exit_code == 2
    error, fix = result.stderr.splitlines()
    assert (
        error.startswith("Error: Missing argument")
        and "fleet, surface, account, organisation, persona, agent, kind" in error
    )
    assert fix == "  Fix: `fleet pause --help` explains."
