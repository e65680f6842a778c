"""The section of reports about competitors: their figures beside own ones, by network."""

from __future__ import annotations

from datetime import datetime

from fleet.core.db import Tx
from fleet.engine.points.report_sections import ReportSection, ReportTable
from fleet.features.competitors import service

_MOST = 100


def section(tx: Tx, since: datetime, until: datetime) -> ReportSection:
    """Return the figures of competitors in a period; empty where none were imported."""
    return ReportSection(
        name="competitors",
        title="Competitors",
        tables=(
            ReportTable(
                title="Own figures and those of competitors",
                columns=("Network", "Name", "Followers", "Gained", "Growth %", "Posts", "Interactions", "A post"),
                rows=tuple(
                    (one.network, one.name, one.followers, one.gained, one.growth, one.posts, one.interactions,
                     one.per_post)
                    for one in service.compare(tx, since, until)[:_MOST]
                ),
            ),
        ),
    )  # fmt: skip
