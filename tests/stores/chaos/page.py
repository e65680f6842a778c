"""Write the figures of a report into docs/reliability-stores.md: `python -m tests.stores.chaos.page report.json`.

The text beside the figures is written by hand; they stand between two comments.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from fleet.chaos.kinds import BY_NAME
from tests import ROOT
from tests.stores.chaos.acts import KINDS

_BEGIN, _END = "<!-- figures -->\n", "<!-- end of figures -->\n"
_PAGE = ROOT / "docs" / "reliability-stores.md"
_JOBS = ("create_product", "update_product", "update_variants", "set_stock", "sync_store")


def figures(report: Mapping[str, Any]) -> str:
    """Return the figures of a report, as Markdown."""
    kept = "**Every promise was kept.**" if report["clean"] else "**A promise was broken.**"
    faults, counts = report["faults"], report["counts"]
    acts = sum(one["count"] for one in faults.values())
    calls = sum(one["calls"] for one in faults.values())
    minutes = {name: value / 60 for name, value in report["took_s"].items()}
    edits = sum(number for name, number in counts.items() if name.startswith("edits by hand:"))
    orders = counts["orders at vendure"] + counts["orders at oscar"]
    lines = [
        f"{kept} {acts:,} faults in {minutes['faults']:.0f} minutes; the proxies struck {calls:,} calls. Meanwhile"
        f" people made {edits:,} edits and {orders:,} orders. After that it took {minutes['quiet']:.1f} minutes until"
        " there was nothing to do.",
        "",
    ]
    for name, found in report["findings"].items():
        lines += [f"- *{name}*: {len(found)}. The first: {found[0]}"]
    lines += [
        "",
        "## Faults",
        "",
        "| fault | description | count | calls | recovery, median | p99 |",
        "|---|---|---|---|---|---|",
    ]
    about = {kind.name: kind.about for kind in (*BY_NAME.values(), *KINDS)}
    for kind, one in faults.items():
        times = " | ".join("" if one[name] is None else f"{one[name]} s" for name in ("median_s", "p99_s"))
        lines.append(f"| `{kind}` | {about[kind]} | {one['count']} | {one['calls'] or ''} | {times} |")
    lines += ["", "Killed or suspended at failpoints: "
              + ", ".join(f"`{point}` {number}" for point, number in report["strikes"].items()) + ".", ""]  # fmt: skip
    lines += ["## Work during the run", "", *_table(_work(report))]
    lines += ["", "## Stock", "", *_table(report["stock"].items())]
    return "\n".join(lines) + "\n"


def _work(report: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    counts = report["counts"]
    for name, value in counts.items():
        if name.startswith(("products", "orders", "edits", "attempts", "effects", "dead")):
            yield name, value
    for kind in _JOBS:
        states = [
            (name.rpartition(" ")[2], value) for name, value in counts.items() if name.startswith(f"jobs {kind} ")
        ]
        yield f"jobs `{kind}`", ", ".join(f"{value:,} {state}" for state, value in states)
    for shop, relay in report["webhooks"].items():
        yield f"webhooks of {shop}", ", ".join(f"{value:,} {name}" for name, value in relay.items())
    for shop, calls in report["calls"].items():
        yield f"calls of {shop} through the proxy", ", ".join(f"{value:,} {name}" for name, value in calls.items())
    yield "customers", ", ".join(f"{name} {value:,}" for name, value in report["customers"].items())


def _table(rows: Iterable[tuple[str, Any]]) -> Iterator[str]:
    yield from ("|  |  |", "|---|---|")
    for name, value in rows:
        yield f"| {name} | {value:,} |" if isinstance(value, int) else f"| {name} | {value} |"


def main() -> None:
    """Replace the figures on the page."""
    report = json.loads(Path(sys.argv[1]).read_text())
    before, _, rest = _PAGE.read_text().partition(_BEGIN)
    _, _, after = rest.partition(_END)
    _PAGE.write_text(f"{before}{_BEGIN}\n{figures(report)}\n{_END}{after}")


if __name__ == "__main__":
    main()
