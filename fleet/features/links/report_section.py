"""The section of reports about short links: clicks, conversions and their value."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from fleet.core.db import Tx
from fleet.engine.points.report_sections import ReportFigure, ReportSection, ReportTable
from fleet.features.links.models import LinkHourRow, ShortLinkRow

_TOP = 10


def section(tx: Tx, since: datetime, until: datetime) -> ReportSection:
    """Return the counts of short links in a period."""
    link, hour = ShortLinkRow, LinkHourRow
    sums = [sa.func.coalesce(sa.func.sum(one), 0) for one in (hour.clicks, hour.conversions, hour.value_micro)]
    within = (hour.hour >= since, hour.hour < until)
    clicks, conversions, micro = tx.execute(sa.select(*sums).where(*within)).one()
    query = sa.select(link.code, link.campaign, *sums).join(link, link.id == hour.link_id).where(*within)
    query = query.group_by(link.code, link.campaign).order_by(sums[1].desc(), sums[0].desc(), link.code).limit(_TOP)
    rows = [(code, name, int(one), int(two), int(three) / 1e6) for code, name, one, two, three in tx.execute(query)]
    return ReportSection(
        name="links",
        title="Short links",
        figures=(
            ReportFigure(name="link_clicks", title="Clicks on short links", value=int(clicks)),
            ReportFigure(name="conversions", title="Conversions", value=int(conversions)),
            ReportFigure(name="conversion_value", title="Value of conversions", value=int(micro) / 1e6),
        ),
        tables=(
            ReportTable(
                title="Links with most conversions and clicks",
                columns=("Link", "Campaign", "Clicks", "Conversions", "Value"),
                rows=tuple(rows),
            ),
        ),
    )
