"""Arguments as people write them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from fleet.cli.app import cli
from fleet.cli.frame.options import DurationType, OutputPathType, TextType

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


@given(st.lists(st.tuples(st.integers(1, 9_999), st.sampled_from(sorted(UNITS))), min_size=1, max_size=4))
def test_a_span_is_the_sum_of_its_parts(parts: list[tuple[int, str]]) -> None:
    seconds = sum(number * UNITS[unit] for number, unit in parts)
    written = "".join(f"{number}{unit}" for number, unit in parts)
    if seconds <= 3660 * 86_400:
        assert DurationType().convert(written, None, None) == timedelta(seconds=seconds)
    else:
        with pytest.raises(click.BadParameter, match="10 years"):
            DurationType().convert(written, None, None)


@given(st.text())
def test_a_span_is_positive_or_refused(written: str) -> None:
    try:
        assert DurationType().convert(written, None, None) > timedelta()
    except click.BadParameter as error:
        assert "write 90s" in error.message or "10 years" in error.message


@pytest.mark.parametrize("written", ["", "2", "h", "2 h 3", "-2h", "1.5h", "0s", "99999999w", "٣h"])
def test_what_is_no_span_is_refused(written: str) -> None:
    with pytest.raises(click.BadParameter):
        DurationType().convert(written, None, None)


@given(st.text())
def test_a_line_holds_no_control_characters(written: str) -> None:
    line = TextType(10_000).convert(written, None, None)
    assert "\n" not in line
    assert "\x1b" not in line


def test_a_line_that_is_too_long_is_refused_and_not_cut() -> None:
    with pytest.raises(click.BadParameter, match="5 characters; 4 is the most"):
        TextType(4).convert("hello", None, None)


@pytest.mark.parametrize(
    "words", [["agents", "list", "--find"], ["trigger"], ["hooks", "show"], ["dead", "list", "--id"]]
)
def test_bytes_that_are_no_text_are_refused_everywhere(words: list[str]) -> None:
    result = CliRunner().invoke(cli, [*words, "caf\udce9"], prog_name="fleet")
    assert result.exit_code == 2
    assert "not valid text" in result.stderr


@pytest.mark.parametrize("words", [
    ["dead", "discard", "--yes", "--agent"], ["drafts", "bulk", "approve", "--yes", "--agent"],
    ["agents", "stop-all", "--yes", "--persona"], ["agents", "activity"], ["--home"], ["persona", "check"],
])  # fmt: skip
def test_an_unset_variable_means_neither_everybody_nor_this_host(words: list[str]) -> None:
    result = CliRunner().invoke(cli, [*words, ""], prog_name="fleet")
    assert result.exit_code == 2
    assert "It is empty" in result.stderr


def test_an_id_beyond_every_row_is_refused_before_the_database_is() -> None:
    ended = CliRunner().invoke(cli, ["drafts", "unlearn", str(2**63)])
    assert ended.exit_code == 2, ended.output
    assert "is not in the range" in ended.output


def test_what_is_no_amount_is_said_once() -> None:
    ended = CliRunner().invoke(cli, ["budgets", "set", "much"])
    assert ended.exit_code == 2
    assert ended.output.count("Write dollars") == 1


def test_what_cannot_be_written_in_the_end_is_refused_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    option = OutputPathType(dir_okay=False, path_type=Path)
    for path in (tmp_path / "file", tmp_path / "new"):
        assert option.convert(str(path), None, None) == path
    for path in (tmp_path / "no folder" / "new", tmp_path / "file" / "new", tmp_path):
        with pytest.raises(click.UsageError):
            option.convert(str(path), None, None)


def test_chaos_that_could_not_write_its_report_does_not_begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def begun(*_: object, **__: object) -> None:
        pytest.fail("it has begun")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("fleet.chaos.run.Chaos", begun)
    for option in (["--json", "no/report.json"], ["--write-docs"]):
        result = CliRunner().invoke(cli, ["chaos", *option], prog_name="fleet")
        assert result.exit_code == 2
        assert "cannot be written" in result.stderr or "There is no folder docs here" in result.stderr


@pytest.mark.parametrize(("option", "said"), [("--replay", "no.jsonl"), ("--record", "cannot be written")])
def test_a_fleet_whose_recording_cannot_be_used_does_not_begin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, option: str, said: str
) -> None:
    def begun(*_: object, **__: object) -> None:
        pytest.fail("it has begun")

    monkeypatch.setattr("fleet.cli.commands.up.run.Services", begun)
    (tmp_path / "file").touch()
    arguments = ["up", "--home", str(tmp_path / "home"), option, str(tmp_path / "file" / "no.jsonl")]
    result = CliRunner().invoke(cli, arguments, prog_name="fleet")
    assert result.exit_code == 2 and said in result.stderr, result.output
    assert not (tmp_path / "home").exists()
