"""The section of reports about engagement: sums, growth, days, best hours and the posts with most interactions."""

from __future__ import annotations

from datetime import datetime

from fleet.core.db import Tx
from fleet.engine.points.report_sections import ReportFigure, ReportSection, ReportSeries, ReportTable
from fleet.features.engagement import best_hours, queries
from fleet.features.engagement.queries import GroupedBy, Slice

_TOP = 10


def section(tx: Tx, since: datetime, until: datetime) -> ReportSection:
    """Return the engagement of the posts of a period."""
    which = Slice(since=since, until=until)
    sums, tried, grown = queries.sums(tx, which), queries.success(tx, which), queries.growth(tx, which)
    figures = (
        ReportFigure(name="posts", title="Posts", value=sums.posts),
        ReportFigure(name="interactions", title="Interactions", value=sums.interactions),
        ReportFigure(name="views", title="Views", value=sums.views),
        ReportFigure(name="clicks", title="Clicks", value=sums.clicks),
        ReportFigure(name="engagement_rate", title="Engagement", value=sums.rate, unit="%"),
        ReportFigure(name="interactions_per_post", title="Interactions a measured post", value=sums.per_post),
        ReportFigure(name="success_rate", title="Posts published", value=tried.share, unit="%"),
        ReportFigure(name="followers", title="Followers", value=sum(one.last for one in grown) if grown else None),
        ReportFigure(
            name="followers_gained", title="Followers gained", value=sum(one.gained for one in grown) if grown else None
        ),
    )
    days = queries.by_day(tx, which)
    networks = queries.grouped(tx, which, GroupedBy.NETWORK)
    top = queries.top_posts(tx, which, limit=_TOP)
    return ReportSection(
        name="engagement",
        title="Engagement",
        figures=figures,
        series=(
            ReportSeries(
                title="Interactions by day of the post (UTC)",
                points=tuple((one.day.isoformat(), float(one.sums.interactions)) for one in days),
            ),
        ),
        tables=(
            ReportTable(
                title="Networks",
                columns=("Network", "Posts", "Interactions", "Engagement %"),
                rows=tuple((one.name, one.sums.posts, one.sums.interactions, one.sums.rate) for one in networks),
            ),
            _hours(tx, until),
            ReportTable(
                title="Posts with most interactions",
                columns=("Agent", "Account", "Network", "Interactions", "Text"),
                rows=tuple(
                    (one.agent, one.account, one.surface, one.interactions, (one.text or "")[:200]) for one in top
                ),
            ),
        ),
    )


def _hours(tx: Tx, until: datetime) -> ReportTable:
    return ReportTable(
        title=f"Best hours of a day (UTC), by the posts of the last {best_hours.LOOKS_BACK.days} days",
        columns=("Account", "Network", "Measured posts", "Hour", "Expected interactions", "Range"),
        rows=tuple(
            (
                one.account,
                one.surface,
                one.posts,
                f"{at:02}:00",
                round(estimate.interactions, 1),
                "{:.1f} to {:.1f}".format(*estimate.interactions_range),
            )
            for one in best_hours.of_accounts(tx, until=until, limit=_TOP)
            for at, estimate in one.hours
        ),
    )
