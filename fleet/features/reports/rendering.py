"""A report as HTML with SVG plots, or as CSV, from its document alone: nothing is computed again. Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup, escape

from fleet.features.reports import kpis

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color-scheme:light dark}"
    "table{border-collapse:collapse;margin:1rem 0}th,td{padding:.2rem .8rem .2rem 0;text-align:left;"
    "border-bottom:1px solid #8888}svg{max-width:100%;height:auto}"
)
_WIDTH, _HEIGHT = 640, 120
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def shown(value: float | str | None, unit: str = "") -> str:
    """Return a value as people read it."""
    if value is None:
        return "unknown"
    if isinstance(value, str):
        return value
    words = f"{value:,.0f}" if float(value).is_integer() else f"{value:,.2f}"
    return f"{words} {unit}".strip()


def summary(document: dict[str, Any]) -> str:
    """Return a report in a line: missed goals, then known figures, without sections that not everybody may see."""
    figures = [one for section in document["sections"] if not section["permission"] for one in section["figures"]]
    known = [f"{one['title']} {shown(one['value'], one['unit'])}" for one in figures if one["value"] is not None]
    goals = kpis.missed(document)
    lead = f"Goals not reached: {', '.join(goals)}. " if goals else ""
    return f"{lead}{'; '.join(known)}"[:300]


def html(title: str, document: dict[str, Any]) -> str:
    """Return a whole HTML page without scripts and without anything to load."""
    parts = [
        Markup('<!doctype html><html lang="en"><head><meta charset="utf-8">'),
        Markup('<meta name="viewport" content="width=device-width"><title>{0}</title><style>{1}</style></head>').format(
            title,
            Markup(_STYLE),  # noqa: S704 - our own constant
        ),
        Markup("<body><h1>{}</h1><p>{} to {} (UTC)</p>").format(title, document["since"], document["until"]),
    ]
    for section in document["sections"]:
        parts.append(Markup("<h2>{}</h2>").format(section["title"]))
        figures = [(one["title"], shown(one["value"], one["unit"])) for one in section["figures"]]
        parts.append(_table("Figures", ("Figure", "Value"), figures))
        parts += [plot(one["title"], one["points"]) for one in section["series"]]
        parts += [_table(one["title"], one["columns"], one["rows"]) for one in section["tables"]]
    return str(Markup("").join([*parts, Markup("</body></html>\n")]))


def _table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Markup:
    head = Markup("").join(Markup('<th scope="col">{}</th>').format(one) for one in columns)
    body = Markup("").join(
        Markup("<tr>{}</tr>").format(Markup("").join(Markup("<td>{}</td>").format(shown(cell)) for cell in row))
        for row in rows
    )
    return Markup("<table><caption>{}</caption><thead><tr>{}</tr></thead><tbody>{}</tbody></table>").format(
        title, head, body
    )


def plot(title: str, points: Sequence[Sequence[Any]]) -> Markup:
    """Return columns from 0 up, each with its label and value on hover; values below 0 are drawn as 0."""
    most = max((value for _, value in points), default=0) or 1
    step = _WIDTH / max(len(points), 1)
    bars = []
    for place, (label, value) in enumerate(points):
        height = _HEIGHT * max(value, 0) / most
        bars.append(
            Markup(
                '<rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" fill="#2f6fdb"><title>{}: {}</title></rect>'
            ).format(place * step, _HEIGHT - height, step * 0.8, height, label, shown(value))
        )
    return Markup('<h3>{0}</h3><svg role="img" aria-label="{0}" viewBox="0 0 {1} {2}" width="{1}">{3}</svg>').format(
        escape(title), _WIDTH, _HEIGHT, Markup("").join(bars)
    )


def as_csv(document: dict[str, Any]) -> str:
    """Return the figures, series and tables as CSV. Text that a spreadsheet would run as a formula gets a leading
    apostrophe (OWASP, CSV injection)."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(("section", "part", "name", "value", "unit"))
    for section in document["sections"]:
        for one in section["figures"]:
            _write(writer, (section["name"], "figure", one["name"], one["value"], one["unit"]))
        for series in section["series"]:
            for label, value in series["points"]:
                _write(writer, (section["name"], series["title"], label, value, ""))
        for table in section["tables"]:
            _write(writer, (section["name"], table["title"], *table["columns"]))
            for row in table["rows"]:
                _write(writer, (section["name"], table["title"], *row))
    return out.getvalue()


def _write(writer: Any, cells: Sequence[Any]) -> None:
    writer.writerow(["" if one is None else _guarded(one) if isinstance(one, str) else one for one in cells])


def _guarded(words: str) -> str:
    return f"'{words}" if words.lstrip(" ").startswith(_FORMULA) or words.startswith(_FORMULA) else words
