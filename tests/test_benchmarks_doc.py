"""The benchmarks' page says what the committed results say, and nothing else."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

from bench import report
from bench.results import FOLDER, Goal, Plot, Result, Table

PAGE = report.DOCS / "benchmarks.md"
RESULT = Result(
    name="digging",
    title="Digging",
    order=3,
    method="Two spades.",
    command="python -m bench.bench_digging",
    tables=[Table("Holes", ["spade", "holes/s", "note"], [["old", 1234, ""], ["a|b", 5.5, "9"]], note="Deep ones.")],
    goals=[Goal("Holes/s", "1,000", "1,234", True), Goal("Blisters", "0", "2", False)],
    plots=[Plot("digging", "Holes by spade", "spade", "holes/s", ["old", "new"], {"holes": [1234, 5.5]})],
    notes=["Earth is heavy."],
    machine={"cores": "2", "memory": "8 GiB", "system": "Linux", "python": "3.11.7"},
)


def test_the_page_is_what_the_report_makes_of_the_committed_results() -> None:
    assert PAGE.read_text(encoding="utf-8") == report.render(report.load(FOLDER)), "run `python -m bench.report`"


def test_every_picture_of_the_page_is_there_and_no_other() -> None:
    wanted = {f"{plot.name}.svg" for result in report.load(FOLDER) for plot in result.plots}
    assert {path.name for path in (report.DOCS / report.PLOTS).glob("*")} == wanted


def test_results_are_read_back_as_they_were_written_in_the_reports_order(tmp_path: Path) -> None:
    first = replace(RESULT, name="zoo", order=1)
    for result in (RESULT, first):
        (tmp_path / f"{result.name}.json").write_text(json.dumps(asdict(result)), encoding="utf-8")
    assert report.load(tmp_path) == [first, RESULT]


def test_goals_that_were_missed_are_said_to_be_missed() -> None:
    page = report.render([RESULT])
    assert "1 of 2 met." in page
    assert "| Digging | Holes/s | 1,000 | 1,234 | met |" in page
    assert "| Digging | Blisters | 0 | 2 | **not met** |" in page


def test_a_section_holds_method_command_picture_tables_and_notes() -> None:
    page = report.render([RESULT])
    parts = ["Two spades.", "`python -m bench.bench_digging`", "![Holes by spade](images/bench/digging.svg)",
             "| old | 1,234 |  |", "| a\\|b | 5.5 | 9 |", "| --- | --: | --: |", "Deep ones.",
             "- Earth is heavy."]  # fmt: skip
    assert [part for part in parts if part not in page] == []


def test_results_of_several_machines_are_kept_apart() -> None:
    elsewhere = replace(RESULT, title="Filling", machine={**RESULT.machine, "cores": "64"})
    assert "Measured on 2 cores, 8 GiB of memory, Linux, Python 3.11.7." in report.render([RESULT])
    page = report.render([RESULT, elsewhere])
    assert "- Measured on 64 cores, 8 GiB of memory, Linux, Python 3.11.7: Filling" in page
