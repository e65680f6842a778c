"""The page of the calendar: month, week and list, and one entry with what can be done with it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import Response
from pydantic import ConfigDict, Field

from fleet.access import Principal
from fleet.accounts.models import key_of
from fleet.adapters import registry as adapters
from fleet.core import wall_time
from fleet.core.errors import FleetError, InvalidInput, NotFound
from fleet.engine.agents import lookup
from fleet.engine.deps import Deps
from fleet.engine.points.calendar_source import CalendarFilter, CalendarLayer, EntryVerb
from fleet.features.calendar import queries, rules, service
from fleet.features.calendar.api import Planner, Viewer, account_names, entry_page
from fleet.features.calendar.queries import Cell, SourcedEntry
from fleet.features.calendar.rules import CalendarView, DragTarget
from fleet.web.auth import TheDeps
from fleet.web.rendering import back, go, render
from fleet.web.requests.cursors import Paging
from fleet.web.requests.fields import line
from fleet.web.requests.form_types import Maybe

router = APIRouter()
_HERE = "/calendar"
_OF_A_DAY, _OF_AN_HOUR = 4, 3
_LISTED = timedelta(days=31)
_MORNING = 9


class CalendarPageQuery(Paging):
    """What the page shows. Days and hours are those of the zone."""

    model_config = ConfigDict(extra="ignore")

    view: CalendarView = CalendarView.MONTH
    day: Maybe[date] = None
    until: Maybe[date] = None
    hour: Maybe[Annotated[int, Field(ge=0, le=23)]] = None
    zone: Annotated[str, line(60)] = ""
    layer: Maybe[CalendarLayer] = None
    surface: Annotated[str, line(40)] = ""
    account: Annotated[str, line(60)] = ""
    agent: Annotated[str, line(100)] = ""
    kinds: Annotated[str, line(10)] = ""

    @property
    def is_narrow(self) -> bool:
        """Whether it leaves entries out."""
        return bool(self.layer or self.surface or self.account or self.agent)

    def link(self, **changes: object) -> str:
        """Return the address of the page with some parameters changed; hours and places of lists are left out."""
        given = self.model_dump(mode="json", exclude={"cursor", "limit", "hour", "until"}) | changes
        if given["view"] == CalendarView.MONTH:
            del given["view"]
        query = urlencode({name: str(value) for name, value in given.items() if value not in (None, "")})
        return f"{_HERE}?{query}" if query else _HERE


@dataclass(frozen=True, slots=True)
class ChosenFilter:
    """The zone of a page, and the ids of the account and the agent that its filter names."""

    zone: str
    account_id: uuid.UUID | None
    agent_id: uuid.UUID | None


@dataclass(frozen=True, slots=True)
class GridCell:
    """A day of a month or an hour of a week. `is_skipped`: clocks skip this hour."""

    day: date
    cell: Cell
    link: str
    hour: int | None = None
    is_outside: bool = False
    is_skipped: bool = False


@router.get(_HERE)
def calendar(request: Request, deps: TheDeps, who: Viewer, which: Annotated[CalendarPageQuery, Query()]) -> Response:
    """Show the calendar. A filter that names nothing is kept, and the page says what is wrong with it."""
    chosen, wrong = _chosen(deps, which)
    zone = chosen.zone
    today = wall_time.local(deps.now(), zone).date()
    day = rules.clamped(which.day or today)
    lay_out = {CalendarView.MONTH: _month, CalendarView.WEEK: _week, CalendarView.LIST: _list}[which.view]
    facts = lay_out(deps, who, which, day, chosen)
    found: list[SourcedEntry] = facts["found"]
    return render(
        request, f"calendar/{which.view}.html", which=which, zone=zone, today=today, day=day,
        zones=wall_time.zone_names(),
        local=lambda at: wall_time.local(at, zone), allowed=lambda one: service.allowed(who, one),
        accounts=account_names(deps), surfaces=adapters.names(), layers=CalendarLayer, views=CalendarView,
        agents=lookup.names(deps.db, [one.entry.agent_id for one in found]), key_of=key_of, verbs=EntryVerb,
        suggested=lookup.suggestions(deps.db), live=service.live(), compose=_compose(who, which, day, zone),
        wrong=wrong, code=422 if wrong else 200, **facts,
    )  # fmt: skip


def _zone(said: str) -> tuple[str, dict[str, FleetError]]:
    """Return the zone of the page, UTC in place of an unknown one, and what is wrong by field."""
    try:
        return wall_time.check_zone(said or "UTC"), {}
    except InvalidInput as error:
        return "UTC", {"zone": error}


def _chosen(deps: Deps, which: CalendarPageQuery) -> tuple[ChosenFilter, dict[str, FleetError]]:
    """Return the zone, account and agent of the filter, and what is wrong by field. Nothing is of an unknown one."""
    found: dict[str, uuid.UUID | None] = {}
    zone, wrong = _zone(which.zone)
    for field, said, known in (
        ("account", which.account, service.account_of), ("agent", which.agent.strip(), service.agent_of),
    ):  # fmt: skip
        try:
            found[field] = known(deps, said)
        except (NotFound, InvalidInput) as error:
            found[field], wrong[field] = service.NOBODY, error
    return ChosenFilter(zone, found["account"], found["agent"]), wrong


def _compose(who: Principal, which: CalendarPageQuery, day: date, zone: str) -> str:
    """Return the address of the form of a new entry, at the day or hour of a list; empty if there is none."""
    page = service.compose_page(who)
    query = {"zone": zone}
    if which.view == CalendarView.LIST and which.day is not None:
        query["at"] = f"{day}T{which.hour if which.hour is not None else _MORNING:02d}:00"
    return f"{page}?{urlencode(query)}" if page else ""


def _month(deps: Deps, who: Principal, which: CalendarPageQuery, day: date, chosen: ChosenFilter) -> Mapping[str, Any]:
    days = rules.month_days(day)
    bounds = rules.starts(days, chosen.zone)
    cells = queries.cells(deps, who, _filter(which, chosen, bounds[0], bounds[-1]), bounds, most=_OF_A_DAY)
    grid = [
        GridCell(one, cell, which.link(view="list", day=one), is_outside=one.month != day.month)
        for one, cell in zip(days, cells, strict=True)
    ]
    return {
        "weeks": [grid[at : at + 7] for at in range(0, len(grid), 7)], "found": _found(cells),
        "before": which.link(day=rules.months_away(day, -1)), "after": which.link(day=rules.months_away(day, 1)),
        "title": f"{day:%B %Y}",
    }  # fmt: skip


def _week(deps: Deps, who: Principal, which: CalendarPageQuery, day: date, chosen: ChosenFilter) -> Mapping[str, Any]:
    days = rules.week_days(day)
    bounds = rules.hour_starts(days, chosen.zone)
    cells = queries.cells(deps, who, _filter(which, chosen, bounds[0], bounds[-1]), bounds, most=_OF_AN_HOUR)
    grid = [
        GridCell(
            one, cells[at], which.link(view="list", day=one, hour=hour), hour, is_skipped=bounds[at] == bounds[at + 1]
        )
        for at, (one, hour) in enumerate((one, hour) for one in days for hour in range(rules.HOURS))
    ]
    return {
        "days": days, "hours": [grid[hour :: rules.HOURS] for hour in range(rules.HOURS)], "found": _found(cells),
        "columns": [grid[at : at + rules.HOURS] for at in range(0, len(grid), rules.HOURS)],
        "before": which.link(day=rules.clamped(days[0] - timedelta(days=7))),
        "after": which.link(day=rules.clamped(days[0] + timedelta(days=7))),
        "title": f"{days[0]:%-d %B} to {days[-1]:%-d %B %Y}",
    }  # fmt: skip


def _list(deps: Deps, who: Principal, which: CalendarPageQuery, day: date, chosen: ChosenFilter) -> Mapping[str, Any]:
    start, end, title = _span(which, day, chosen.zone)
    found, following = entry_page(deps, who, which, _filter(which, chosen, start, end))
    step = timedelta(days=1) if which.until is None else _LISTED
    return {
        "found": found, "next": following, "title": title,
        "before": which.link(day=rules.clamped(day - step)), "after": which.link(day=rules.clamped(day + step)),
    }  # fmt: skip


def _span(which: CalendarPageQuery, day: date, zone: str) -> tuple[datetime, datetime, str]:
    """Return the span of a list and its title: an hour, a day, or the days until one."""
    if which.hour is not None:
        bounds = rules.hour_starts([day], zone)
        start, end = bounds[which.hour], bounds[which.hour + 1]
        return start, max(end, start + timedelta(minutes=1)), f"{day:%-d %B %Y}, {which.hour:02d}:00"
    if which.until is None:
        start, end = rules.starts([day], zone)
        return start, max(end, start + timedelta(minutes=1)), f"{day:%A, %-d %B %Y}"
    last = min(max(rules.clamped(which.until), day), day + service.LONGEST - timedelta(days=1))
    return rules.starts([day], zone)[0], rules.starts([last], zone)[1], f"{day:%-d %B %Y} to {last:%-d %B %Y}"


def _filter(which: CalendarPageQuery, chosen: ChosenFilter, start: datetime, end: datetime) -> CalendarFilter:
    return CalendarFilter(
        start=start,
        end=end,
        layers=frozenset({which.layer} if which.layer else CalendarLayer),
        surface=which.surface,
        account_id=chosen.account_id,
        agent_id=chosen.agent_id,
        all_kinds=which.kinds == "all",
    )


def _found(cells: Sequence[Cell]) -> list[SourcedEntry]:
    return [one for cell in cells for one in cell.entries]


@router.get("/calendar/entries/{origin}/{entry_id}")
def entry(
    request: Request, deps: TheDeps, who: Viewer, origin: str, entry_id: uuid.UUID, *,
    zone: Annotated[str, Query(max_length=60)] = "",
) -> Response:  # fmt: skip
    """Show one entry, and the forms of what can be done with it."""
    found = service.get(deps, who, origin, entry_id)
    zone, _ = _zone(zone)
    names = lookup.names(deps.db, [found.entry.agent_id])
    return render(
        request, "calendar/entry.html", found=found, zone=zone, zones=wall_time.zone_names(), verbs=EntryVerb,
        may=service.allowed(who, found), here=wall_time.local(found.entry.at, zone), key_of=key_of,
        agent=lookup.username(names, found.entry.agent_id), accounts=account_names(deps),
        way_back=back(request, _HERE) if "/calendar?" in back(request, _HERE) else _HERE,
    )  # fmt: skip


@router.post("/calendar/entries/{origin}/{entry_id}/move")
def move(
    request: Request, deps: TheDeps, who: Planner, origin: str, entry_id: uuid.UUID, *,
    day: Annotated[Maybe[date], Form()] = None, hour: Annotated[Maybe[int], Form(ge=0, le=23)] = None,
    at: Annotated[Maybe[datetime], Form()] = None, zone: Annotated[str, Form(max_length=60)] = "UTC",
    way_back: Annotated[str, Form(max_length=2000)] = "",
) -> Response:  # fmt: skip
    """Move an entry: to a day and perhaps an hour, as it is dragged, or to a wall time that was typed."""
    where = _way_back(request, way_back)
    try:
        if at is not None:
            landing = service.landing(at.date(), at.time(), zone)
            service.move(deps, who, origin, entry_id, landing.at)
        else:
            landing = service.drag(deps, who, origin, entry_id, DragTarget(day or rules.FIRST_DAY, hour, zone))
    except FleetError as error:
        return go(request, where, str(error), wrong=True)
    here = wall_time.local(landing.at, zone)
    return go(request, where, f"Moved to {here:%A, %-d %B, %H:%M} ({zone}). {landing.note}".rstrip())


@router.post("/calendar/entries/{origin}/{entry_id}/cancel")
def cancel(
    request: Request, deps: TheDeps, who: Planner, origin: str, entry_id: uuid.UUID, *,
    way_back: Annotated[str, Form(max_length=2000)] = "",
) -> Response:  # fmt: skip
    """Cancel an entry."""
    try:
        service.cancel(deps, who, origin, entry_id)
    except FleetError as error:
        return go(request, f"{_HERE}/entries/{origin}/{entry_id}", str(error), wrong=True)
    return go(request, _way_back(request, way_back), "It is cancelled.")


@router.post("/calendar/entries/{origin}/{entry_id}/duplicate")
def duplicate(
    request: Request, deps: TheDeps, who: Planner, origin: str, entry_id: uuid.UUID, *,
    at: Annotated[datetime, Form()], zone: Annotated[str, Form(max_length=60)] = "UTC",
) -> Response:  # fmt: skip
    """Make another entry with the same content."""
    try:
        landing = service.landing(at.date(), at.time(), zone)
        made = service.duplicate(deps, who, origin, entry_id, landing.at)
    except FleetError as error:
        return go(request, f"{_HERE}/entries/{origin}/{entry_id}", str(error), wrong=True)
    query = urlencode({"zone": zone})
    return go(
        request, f"{_HERE}/entries/{origin}/{made.entry.id}?{query}", f"This is the copy. {landing.note}".rstrip()
    )


def _way_back(request: Request, given: str) -> str:
    """Return the view of the calendar from which a form was sent."""
    if given == _HERE or given.startswith(f"{_HERE}?"):
        return given
    return back(request, _HERE)
