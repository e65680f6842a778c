"""The sections of reports that every fleet has: actions from the ledger, cost of calls to models, cost of a result."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import sqlalchemy as sa

from fleet.access import Permission
from fleet.core.db import Tx
from fleet.engine.jobs.models import JobRow
from fleet.engine.jobs.states import JobState
from fleet.engine.points.report_sections import ReportFigure, ReportSection, ReportTable
from fleet.spending import queries as spending
from fleet.spending.groups import SpendingBy

_EVERY_AGENT = 10_000
_UNITS = {
    "posts": "post", "interactions": "interaction", "clicks": "click", "link_clicks": "link click",
    "conversions": "conversion",
}  # fmt: skip
"""Figures by which the cost is divided, wherever a feature brings them."""


def actions(tx: Tx, since: datetime, until: datetime) -> ReportSection:
    """Return the jobs that ended in a period, by kind."""
    done = sa.func.count().filter(JobRow.state == JobState.DONE)
    dead = sa.func.count().filter(JobRow.state == JobState.DEAD)
    query = sa.select(JobRow.kind, done, dead).where(JobRow.finished_at >= since, JobRow.finished_at < until)
    rows = [(kind, int(good), int(bad)) for kind, good, bad in tx.execute(query.group_by(JobRow.kind))]
    return ReportSection(
        name="actions",
        title="Actions",
        figures=(
            ReportFigure(name="jobs_done", title="Jobs done", value=sum(good for _, good, _ in rows)),
            ReportFigure(name="dead_letters", title="Dead letters", value=sum(bad for _, _, bad in rows)),
        ),
        tables=(ReportTable(title="By kind", columns=("Kind", "Done", "Dead letters"), rows=tuple(sorted(rows))),),
    )


def cost(tx: Tx, since: datetime, until: datetime) -> ReportSection:
    """Return the cost of calls to models in a period. Agents are summed: their rows are those of the organisation."""
    found = spending.sums(tx, SpendingBy.AGENT, since=since, until=until, limit=_EVERY_AGENT)
    return ReportSection(
        name="cost",
        title="Cost of calls to models",
        figures=(
            ReportFigure(name="cost", title="Cost", value=sum(one.microusd for one in found) / 1e6, unit="USD"),
            ReportFigure(name="calls", title="Calls", value=sum(one.calls for one in found)),
        ),
        permission=Permission.COSTS_VIEW.value,
    )


def unit_costs(figures: Mapping[str, float | None]) -> ReportSection | None:
    """Return the cost of a post, an interaction, a click and a conversion; None if no feature counts any of them.

    The whole cost of the period is divided, whatever the calls were for. Without a unit its cost is unknown.
    """
    cost, counted = figures.get("cost"), {name: word for name, word in _UNITS.items() if name in figures}
    if cost is None or not counted:
        return None
    return ReportSection(
        name="unit_costs",
        title="Cost of a result",
        figures=tuple(
            ReportFigure(
                name=f"cost_per_{word.replace(' ', '_')}",
                title=f"Cost per {word}",
                value=round(cost / number, 6) if (number := figures[name]) else None,
                unit="USD",
            )
            for name, word in counted.items()
        ),
        permission=Permission.COSTS_VIEW.value,
    )
