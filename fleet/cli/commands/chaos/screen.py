"""What `fleet chaos` shows: one line for each act once its consequences are known, and the table at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from fleet.cli.commands.screen import TerminalScreen
from fleet.cli.frame import render

if TYPE_CHECKING:
    from fleet.chaos.nemesis import FaultResult
    from fleet.chaos.report import Report
    from fleet.cli.frame.context import Door


class ChaosScreen:
    """One terminal during one run."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._screen = TerminalScreen(door)

    def step(self, words: str) -> None:
        """Say what is being done now."""
        self._screen.step(words)

    def deed(self, deed: FaultResult) -> None:
        """Say what was done to whom, and how long it took the fleet to recover."""
        line = Text(f"{deed.act.at.astimezone():%H:%M:%S} ", "bright_black").append(f"#{deed.act.seq:<4}")
        line.append(f"{deed.act.kind:<22}", "bold" if deed.hit else "bright_black")
        line.append(f"{render.clip(deed.act.target, 44):<46}").append(*_outcome(deed))
        self._screen.line(line)

    def report(self, report: Report) -> None:
        """Show what came out."""
        self._door.show(_faults(report), _numbers(report))
        for one in report.verdict.violations[:50]:
            self._screen.notice(f"VIOLATED, invariant {one.invariant}: {one.what}", "bold red")
        if report.left:
            self._screen.notice(f"{report.left} jobs and ticks never ended.", "bold red")
        if report.clean:
            self._screen.notice("Nothing lost, nothing doubled.", "bold green")
        else:
            self._screen.notice(f"Again: {report.wanted.command()}", "bold red")


def _outcome(deed: FaultResult) -> tuple[str, str]:
    if deed.failed:
        return f"could not be done: {render.clip(deed.failed, 70)}", "yellow"
    if not deed.hit:
        return "struck nobody", "bright_black"
    if deed.stuck:
        return f"not well yet: {render.clip(', '.join(deed.stuck), 70)}", "bold yellow"
    if deed.recovered_s is None:
        return "the next one came first", "bright_black"
    return f"well after {deed.recovered_s:.1f} s", "green"


def _faults(report: Report) -> Table:
    table = Table("fault", "acts", "missed", "recovered", "median", "p99", "stuck", box=None, pad_edge=False)
    for row in report.rows():
        table.add_row(
            row.kind, str(row.acts), str(row.missed), str(row.recovered), _seconds(row.median_s), _seconds(row.p99_s),
            str(row.stuck or ""),
        )  # fmt: skip
    return table


def _numbers(report: Report) -> Table:
    told = report.numbers
    return render.facts([
        ("Jobs", f"{sum(told.jobs.values())}: {_counts(told.jobs)}"),
        ("Effects", _counts(told.effects)),
        ("Dead letters", _counts(told.dead) or "none"),
        ("Attempts", f"{told.attempts}, {told.workers_lost} of them lost with their worker,"
                     f" {told.outcomes_unknown} of unknown outcome; {told.adopted} effects were found by a probe"),
        ("Told", f"{report.verdict.answers} decisions to a person; {report.verdict.heard} events to a webhook,"
                 f" in {report.verdict.deliveries} deliveries"),
        ("Duplicates", str(report.verdict.duplicates)),
        ("Losses", str(report.verdict.losses)),
    ])  # fmt: skip


def _counts(counts: object) -> str:
    assert isinstance(counts, dict)
    return ", ".join(f"{number} {name}" for name, number in counts.items())


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.1f} s"
