"""Draws a result's plots as small SVGs that read on light and dark pages alike. Called by `bench.report`.

The same plot gives the same bytes: no date, no random ids, text as text. Needs matplotlib (the `bench` group).
"""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib import ticker

from bench.results import Plot

if TYPE_CHECKING:
    from matplotlib.axes import Axes

mpl.use("svg")
from matplotlib import pyplot as plt

# Told apart by the colour-blind too, and of middle lightness: 3:1 or better against white and against near-black.
COLOURS = ("#2f7ed8", "#d9602b", "#1f9e78", "#b0569d", "#a8850d", "#7a7f87")
MARKERS = ("o", "s", "^", "D", "v", "P")
INK = "#7d858f"

_STYLE: Any = {
    "svg.hashsalt": "fleet",
    "svg.fonttype": "none",
    "font.family": ["sans-serif"],
    "font.sans-serif": ["DejaVu Sans", "sans-serif"],
    "font.size": 10,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "axes.titlecolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "grid.color": INK,
    "grid.alpha": 0.25,
    "axes.grid": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
}


def draw(plot: Plot, path: Path) -> None:
    """Write a plot to an SVG file."""
    with plt.rc_context(_STYLE):
        figure, axes = plt.subplots(figsize=(7, 3.8), layout="constrained")
        axes.set_axisbelow(True)
        if all(isinstance(x, str) for x in plot.x):
            _bars(axes, plot)
        else:
            _lines(axes, plot)
        axes.set(title=plot.title, xlabel=plot.x_label, ylabel=plot.y_label)
        if plot.log_y:
            axes.set_yscale("log")
        else:
            axes.set_ylim(bottom=0)
        axes.yaxis.set_major_formatter(ticker.FuncFormatter(_spoken))
        if len(plot.series) > 1:
            axes.legend()
        drawn = io.StringIO()
        about = {"Date": None, "Creator": None, "Identifier": plot.fingerprint()}
        figure.savefig(drawn, format="svg", transparent=True, metadata=about)
        plt.close(figure)
    path.write_text(re.sub(r"[ \t]+$", "", drawn.getvalue(), flags=re.MULTILINE), encoding="utf-8")


def _lines(axes: Axes, plot: Plot) -> None:
    for index, (name, values) in enumerate(plot.series.items()):
        points = [(x, y) for x, y in zip(plot.x, values, strict=True) if y is not None]
        axes.plot(
            [x for x, _ in points], [y for _, y in points], label=name, linewidth=2,
            color=COLOURS[index % len(COLOURS)], marker=MARKERS[index % len(MARKERS)],
        )  # fmt: skip
    if plot.log_x:
        axes.set_xscale("log")
    axes.xaxis.set_major_formatter(ticker.FuncFormatter(_spoken))


def _bars(axes: Axes, plot: Plot) -> None:
    width = 0.8 / len(plot.series)
    for index, (name, values) in enumerate(plot.series.items()):
        places = [place - 0.4 + width * (index + 0.5) for place in range(len(plot.x))]
        axes.bar(places, [y or 0 for y in values], width, label=name, color=COLOURS[index % len(COLOURS)])
    axes.set_xticks(range(len(plot.x)), [str(x) for x in plot.x])
    axes.grid(axis="x", visible=False)


def _spoken(value: float, _: object) -> str:
    """Return 10k for 10,000: axes are read at a glance."""
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"
