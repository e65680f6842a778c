"""The page of engagement: own figures, growth of accounts, hours with their uncertainty, and the best posts."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from markupsafe import Markup
from pydantic import ConfigDict

from fleet.access import Permission, Principal
from fleet.adapters import registry as adapters
from fleet.core import wall_time
from fleet.core.errors import InvalidInput, NotFound
from fleet.features.engagement import api, best_hours
from fleet.features.engagement.api import AccountHoursOut, BestPostsQuery, EngagementQuery, GroupedQuery, HoursQuery
from fleet.features.engagement.queries import GroupedBy
from fleet.web.auth import TheDeps, needs
from fleet.web.rendering import render

router = APIRouter()
Viewer = Annotated[Principal, needs(Permission.FLEET_VIEW)]
PERIODS = {7: "7 days", 28: "28 days", 90: "90 days", 365: "a year"}
_POSTS = 8
_CELL_W, _CELL_H, _TOP = 24, 30, 18
_FAINTEST, _STRONGEST = 0.08, 0.75


class EngagementPageQuery(GroupedQuery):
    """What the page shows."""

    model_config = ConfigDict(extra="ignore")

    zone: str = "UTC"


@router.get("/engagement")
def engagement(
    request: Request, deps: TheDeps, who: Viewer, which: Annotated[EngagementPageQuery, Query()]
) -> Response:
    """Show what came of posts, how accounts grow, and when posts do best."""
    problem, given = "", which.model_dump(include=set(EngagementQuery.model_fields))
    with deps.db.transaction() as tx:
        try:
            which.slice(tx)
        except NotFound as error:
            problem, given = error.plain, {"days": which.days}
        zone = which.zone[:60]
        try:
            hours = api.hours(tx, HoursQuery(**given, zone=zone))
        except InvalidInput as error:
            problem, hours = error.plain, api.hours(tx, HoursQuery(**given))
        found = api.summary(tx, GroupedQuery(**given, by=which.by))
        growth, measured = api.growth(tx, EngagementQuery(**given)), api.measured_accounts(tx)
    posts = api.best_posts(deps, BestPostsQuery(**given, limit=_POSTS)) if who.may(Permission.JOBS_VIEW) else None
    return render(
        request, "engagement/engagement.html", which=which, problem=problem, found=found, growth=growth.items,
        hours=hours, posts=posts and posts.items, failing=[one for one in measured.items if one.problem],
        accounts=[one.account for one in measured.items], networks=list(adapters.names()),
        periods=PERIODS, bys=GroupedBy, zones=wall_time.zone_names(), strip=strip,
        looks_back=best_hours.LOOKS_BACK.days,
    )  # fmt: skip


def strip(one: AccountHoursOut, zone: str) -> Markup:
    """Return the hours of a day as a heat strip in SVG: the stronger a colour, the more interactions are expected.

    The line in a cell is the range of one standard error. Both scales go from the least to the most of the day.
    """
    least, most = min(hour.low for hour in one.hours), max(hour.high for hour in one.hours)
    worst, best = (bound(hour.interactions for hour in one.hours) for bound in (min, max))
    cells = []
    for hour in one.hours:
        x, share = hour.hour * _CELL_W, _share(hour.interactions, worst, best)
        top, bottom = (
            _TOP + _CELL_H - 2 - _share(value, least, most) * (_CELL_H - 4) for value in (hour.high, hour.low)
        )
        cells.append(
            Markup(
                '<g><title>{at:02}:00: {mean:.1f} expected, {low:.1f} to {high:.1f}; {posts} posts</title>'
                '<rect class="cell" x="{x}" y="{y}" width="{w}" height="{h}" rx="3" fill-opacity="{strength:.2f}"/>'
                '<path class="range" d="M{mid} {top:.1f}V{bottom:.1f}"/>{mark}</g>'
            ).format(
                at=hour.hour, mean=hour.interactions, low=hour.low, high=hour.high, posts=hour.posts, x=x, y=_TOP,
                w=_CELL_W - 2, h=_CELL_H, strength=_FAINTEST + (_STRONGEST - _FAINTEST) * share,
                mid=x + _CELL_W / 2 - 1, top=top, bottom=bottom, mark=_mark(x) if hour.hour in one.best else "",
            )
        )  # fmt: skip
    ticks = [
        Markup('<text x="{x}" y="{y}">{at:02}</text>').format(x=at * _CELL_W, y=_TOP - 6, at=at)
        for at in range(0, 24, 3)
    ]
    said = ", ".join(f"{at:02}:00" for at in one.best)
    return Markup(
        '<svg class="strip hours" viewBox="0 0 {w} {h}" role="img" aria-label="{label}">{parts}</svg>'
    ).format(
        w=24 * _CELL_W, h=_TOP + _CELL_H + 2, parts=Markup("").join([*ticks, *cells]),
        label=f"Hours of {one.account} in {zone}; the best are {said}",
    )  # fmt: skip


def _share(value: float, least: float, most: float) -> float:
    """Return where a value lies between two others, 0 to 1; the middle if they are equal."""
    return (value - least) / (most - least) if most > least else 0.5


def _mark(x: int) -> Markup:
    return Markup('<rect class="now" x="{x}" y="{y}" width="{w}" height="{h}" rx="4"/>').format(
        x=x - 0.5, y=_TOP - 0.5, w=_CELL_W - 1, h=_CELL_H + 1
    )
