"""Writes docs/benchmarks.md and its plots from bench/results/*.json; run `python -m bench.report` after the benchmarks.

The page is a pure function of the results, so that a test can say whether it is out of date. Plots need matplotlib,
the page does not. With `--quick` it reads and writes in bench/results/quick, and the committed page stays.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from bench import results
from bench.results import ADDITIONS, Goal, Plot, Result, Table

DOCS = Path(__file__).resolve().parents[1] / "docs"
PLOTS = "images/bench"

_HEAD = """\
# Benchmarks

The speed and cost of Fleet, compared with other schedulers in the same run on the same machine. `make bench` writes
this page from `bench/results/*.json`; do not edit them by hand. Absolute figures depend on the machine, ratios less so.
"""
_TAIL = """\
## Run it yourself

`make bench` runs everything, one after another, on embedded servers in a temporary folder, and writes this page.
`make bench ARGS=--quick` makes short runs and does not change this page: its figures go to `bench/results/quick`.
Each section names the command for it alone. Run nothing else on the machine meanwhile.
The benchmark of the dashboard needs 10 GB; with `--quick` a fiftieth. `--scale 0.1` takes a tenth of the rows, and its
figures replace the page's.
"""


def load(folder: Path) -> list[Result]:
    """Read every result of a folder, in the report's order."""
    found = [_result(json.loads(path.read_text(encoding="utf-8"))) for path in folder.glob("*.json")]
    return sorted(found, key=lambda result: (result.order, result.name))


def _result(fields: dict[str, Any]) -> Result:
    shapes = {"tables": Table, "goals": Goal, "plots": Plot}
    built = {name: [shape(**one) for one in fields[name]] for name, shape in shapes.items()}
    return Result(**{**fields, **built})


def render(found: Sequence[Result]) -> str:
    """Return the page."""
    parts = [_HEAD, _machines(found), _goals(found), *map(_section, found), _TAIL]
    return "\n".join(part for part in parts if part)


def _machines(found: Sequence[Result]) -> str:
    machines: dict[str, list[str]] = {}
    for result in found:
        machines.setdefault(_spoken(result.machine), []).append(result.title)
    if len(machines) == 1:
        return f"Measured on {next(iter(machines))}.\n"
    return "\n".join(f"- Measured on {machine}: {'; '.join(titles)}" for machine, titles in machines.items()) + "\n"


def _spoken(machine: dict[str, str]) -> str:
    return f"{machine['cores']} cores, {machine['memory']} of memory, {machine['system']}, Python {machine['python']}"


def _goals(found: Sequence[Result]) -> str:
    rows = [[result.title, goal.what, goal.goal, goal.measured, "met" if goal.met else "**not met**"]
            for result in found for goal in result.goals]  # fmt: skip
    if not rows:
        return ""
    met = sum(goal.met for result in found for goal in result.goals)
    head = f"## Goals\n\n{met} of {len(rows)} met.\n\n"
    return head + _grid(["benchmark", "what", "goal", "measured", "result"], rows)


def _section(result: Result) -> str:
    parts = [f"## {result.title}\n", f"{result.method}\n", f"Run it alone: `{result.command}`\n"]
    parts += [f"{_when(result.moment)}\n"] if result.moment else []
    parts += [f"![{plot.title}]({PLOTS}/{plot.name}.svg)\n" for plot in result.plots]
    for table in result.tables:
        parts += [f"### {table.title}\n", _grid(table.columns, table.rows)]
        parts += [f"{table.note}\n"] if table.note else []
    parts += ["\n".join(f"- {note}" for note in result.notes) + "\n"] if result.notes else []
    return "\n".join(parts)


def _when(moment: dict[str, str]) -> str:
    at = f" at {moment['commit']}" if moment["commit"] else ""
    return f"Measured on {moment['date']}{at}, when {ADDITIONS:,} additions in Python took {moment['additions_s']} s."


def _grid(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a Markdown table; a column of figures stands to the right."""
    right = [any(_is_figure(row[i]) for row in rows) and all(_is_figure(row[i]) or row[i] == "" for row in rows)
             for i in range(len(columns))]  # fmt: skip
    lines = [_line(columns), _line("--:" if figures else "---" for figures in right)]
    return "\n".join([*lines, *(_line(map(_cell, row)) for row in rows)]) + "\n"


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _is_figure(value: object) -> bool:
    return not isinstance(value, str) or value.replace(",", "").replace(".", "", 1).isdecimal()


def _cell(value: object) -> str:
    return value if isinstance(value, str) else f"{value:,}"


def main() -> None:
    """Write the page, and the plots if matplotlib is there."""
    quick = "--quick" in sys.argv
    found, out = load(results.folder()), results.QUICK if quick else DOCS
    if not found:
        sys.exit("There are no results yet. Run `make bench`.")
    (out / "benchmarks.md").write_text(render(found), encoding="utf-8")
    from bench import plots

    folder = out / PLOTS
    folder.mkdir(parents=True, exist_ok=True)
    wanted = {f"{plot.name}.svg": plot for result in found for plot in result.plots}
    for old in folder.glob("*.svg"):
        if old.name not in wanted:
            old.unlink()
    for name, plot in wanted.items():
        plots.draw(plot, folder / name)
    print(out / "benchmarks.md")


if __name__ == "__main__":
    main()
