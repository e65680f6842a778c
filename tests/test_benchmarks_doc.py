"""The benchmarks' page says what the committed results say, and nothing else."""

from __future__ import annotations

import json
import subprocess
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from bench import report, results
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


def test_every_picture_of_the_page_is_drawn_from_these_results_and_there_is_no_other() -> None:
    wanted = {f"{plot.name}.svg": plot for result in report.load(FOLDER) for plot in result.plots}
    pictures = {path.name: path.read_text(encoding="utf-8") for path in (report.DOCS / report.PLOTS).glob("*")}
    assert pictures.keys() == wanted.keys()
    stale = [name for name, plot in wanted.items() if plot.fingerprint() not in pictures[name]]
    assert not stale, "run `python -m bench.report`"


def test_the_same_plot_gives_the_same_picture_and_another_gives_another(tmp_path: Path) -> None:
    plots = pytest.importorskip("bench.plots", exc_type=ImportError)
    lines = replace(RESULT.plots[0], x=[1, 10], series={"old": [3, None], "new": [4.5, 9]}, log_x=True, log_y=True)
    for plot in (RESULT.plots[0], lines):
        drawn = [_drawn(plots, plot, tmp_path / f"{number}.svg") for number in range(2)]
        assert drawn[0] == drawn[1]
        assert plot.fingerprint() in drawn[0]
    assert RESULT.plots[0].fingerprint() != lines.fingerprint()


def _drawn(plots: Any, plot: Plot, path: Path) -> str:
    plots.draw(plot, path)
    return path.read_text(encoding="utf-8")


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


def test_a_result_is_written_with_commit_day_and_the_machines_speed_and_the_section_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "folder", lambda: tmp_path)
    monkeypatch.setattr(results, "_COMMIT", "abc1234 + changes")
    monkeypatch.setattr(results, "_additions_s", lambda: 0.214)
    results.write(RESULT)
    (written,) = report.load(tmp_path)
    assert written == replace(RESULT, moment=written.moment)
    date = written.moment["date"]
    assert f"Measured on {date} at abc1234 + changes, when 5,000,000 additions in Python took 0.21 s." in report.render(
        [written]
    )
    assert "additions" not in report.render([RESULT]), "one from before that was noted says nothing"


def test_the_machines_speed_is_the_time_of_a_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([1.0, 4.0, 10.0, 12.5, 20.0, 29.0])
    monkeypatch.setattr(results.time, "perf_counter", lambda: next(times))
    monkeypatch.setattr(results, "ADDITIONS", 10)
    assert results.moment()["additions_s"] == "2.50"


def test_a_commit_is_named_with_whether_code_differs_from_it(tmp_path: Path) -> None:
    def git(*words: str) -> str:
        who = ["-c", "user.name=ann", "-c", "user.email=ann@example.org"]
        return subprocess.run(
            ["git", *who, *words], cwd=tmp_path, check=True, capture_output=True, text=True
        ).stdout.strip()

    assert results.commit(tmp_path) == "", "no checkout"
    for name in ("code.py", "docs/page.md", "bench/results/digging.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("1\n", encoding="utf-8")
    git("init")
    git("add", ".")
    git("commit", "-m", "a commit")
    head = git("rev-parse", "--short", "HEAD")
    assert results.commit(tmp_path) == head
    for name in ("docs/page.md", "bench/results/digging.json"):
        (tmp_path / name).write_text("2\n", encoding="utf-8")
    assert results.commit(tmp_path) == head, "what benchmarks write is no change of theirs"
    (tmp_path / "code.py").write_text("2\n", encoding="utf-8")
    assert results.commit(tmp_path) == f"{head} + changes"
