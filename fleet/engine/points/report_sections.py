"""The extension point `reports.sections`: a feature brings its figures to the reports of an organisation.

A feature registers `section(tx, since, until)`, which returns a `ReportSection` over the half-open period
`since` <= t < `until`; a report leaves one out that has no figures, points or rows. It is called in a transaction that
sees the rows of the report's organisation alone.
"""

from __future__ import annotations

from dataclasses import dataclass

POINT = "reports.sections"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportFigure:
    """A number of a report. `name` is stable: reports are compared by it. `value` None: unknown."""

    name: str
    title: str
    value: float | None
    unit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportSeries:
    """Values in order, such as one a day, for a plot."""

    title: str
    points: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportTable:
    """Rows of text and numbers below titles of columns."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str | float | None, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportSection:
    """A part of a report. Users without `permission` do not see it; empty: who sees the report sees it."""

    name: str
    title: str
    figures: tuple[ReportFigure, ...] = ()
    series: tuple[ReportSeries, ...] = ()
    tables: tuple[ReportTable, ...] = ()
    permission: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to show."""
        has_points, has_rows = any(one.points for one in self.series), any(one.rows for one in self.tables)
        return not self.figures and not has_points and not has_rows
