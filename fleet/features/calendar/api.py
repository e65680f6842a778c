"""The calendar for programs: /api/v1/calendar."""

from __future__ import annotations

import uuid
from datetime import date, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from fleet.access import Permission, Principal
from fleet.accounts import service as accounts
from fleet.accounts.models import key_of
from fleet.core import wall_time
from fleet.core.errors import InvalidInput
from fleet.engine.agents import lookup
from fleet.engine.deps import Deps
from fleet.engine.points.calendar_source import CalendarFilter, CalendarLayer, EntryVerb
from fleet.features.calendar import ical, queries, rules, service
from fleet.features.calendar.ical import IcalEvent
from fleet.features.calendar.queries import Place, SourcedEntry
from fleet.features.calendar.rules import DragTarget
from fleet.web.auth import TheDeps, address_of_ours, needs
from fleet.web.requests.cursors import Page, Paging
from fleet.web.requests.fields import AgentFilter, Body, Moment, Said, line, taken

router = APIRouter(prefix="/calendar", tags=["calendar"])
Viewer = Annotated[Principal, needs(Permission.FLEET_VIEW)]
Planner = Annotated[Principal, needs(Permission.JOBS_CONTROL)]
Origin = Annotated[str, Path(max_length=40, description="the entry's source", examples=["jobs"])]
Zone = Annotated[str, line(60), Field(description="IANA name", examples=["Europe/Berlin"])]
_DAYS_AHEAD = timedelta(days=31)
_FEED_BEFORE, _FEED_AFTER, _MOST_OF_FEED = timedelta(days=30), timedelta(days=180), 1000


class EntryOut(BaseModel):
    """One entry: something that happened, is planned, or waits for a decision."""

    source: str = Field(description="where it comes from; with `id` it names the entry", examples=["jobs"])
    id: uuid.UUID
    at: datetime
    layer: CalendarLayer
    kind: str = Field(examples=["post"])
    state: str
    title: Said = Field(description="its text, or what it is about")
    surface: str
    account: str | None = Field(description="the account's name")
    agent: str | None = Field(description="the agent's username")
    page: str = Field(description="path of its page on the dashboard")
    note: Said = Field(description="why it waits or failed")
    verbs: list[EntryVerb] = Field(description="what the caller can do with it now")


class EntryPage(Page[EntryOut]):
    """A page of entries, in the order of their times."""


class CalendarQuery(Paging):
    """Which entries."""

    start: Annotated[Moment, Field(description="at that time or later; now by default")] | None = None
    end: (
        Annotated[Moment, Field(description="before that time; 31 days after `start` by default, 400 at most")] | None
    ) = None
    layer: Annotated[list[CalendarLayer], Field(max_length=3)] = []
    surface: Annotated[str, line(40)] = ""
    account: Annotated[str, line(60), Field(description="name or id")] = ""
    agent: AgentFilter | None = None
    all_kinds: Annotated[bool, Field(description="also comments, likes and other public actions; else posts alone")] = (
        False
    )


class DaysQuery(Body):
    """Which days."""

    day: Annotated[date, Field(description="a day of the month; today by default")] | None = None
    zone: Zone = "UTC"
    layer: Annotated[list[CalendarLayer], Field(max_length=3)] = []
    surface: Annotated[str, line(40)] = ""
    account: Annotated[str, line(60), Field(description="name or id")] = ""
    agent: AgentFilter | None = None
    all_kinds: bool = False


class FeedQuery(Body):
    """Which entries a calendar of somebody shows."""

    layer: Annotated[list[CalendarLayer], Field(max_length=3)] = []
    surface: Annotated[str, line(40)] = ""
    account: Annotated[str, line(60), Field(description="name or id")] = ""
    agent: AgentFilter | None = None
    all_kinds: bool = False


class DayOut(BaseModel):
    """One day: its first entries, and how many there are."""

    day: date
    total: int
    entries: list[EntryOut]


class MonthOut(BaseModel):
    """The days of the weeks that a month touches."""

    zone: str
    days: list[DayOut]


class EntryMoveIn(Body):
    """To when: a moment, or a day on which it keeps its wall time in a zone."""

    at: Annotated[Moment, Field(description="a moment; without it `day`")] | None = None
    day: Annotated[date, Field(description="a day on which it keeps its wall time")] | None = None
    hour: (
        Annotated[int, Field(ge=0, le=23, description="an hour of that day, in which it keeps its minutes")] | None
    ) = None
    zone: Zone = "UTC"


class MovedEntryOut(BaseModel):
    """The entry at its new time, and a sentence where the clocks skip that time or show it twice."""

    entry: EntryOut
    note: str


class EntryDuplicateIn(Body):
    """When the copy happens."""

    at: Moment


@router.get("")
def list_entries(deps: TheDeps, who: Viewer, *, which: Annotated[CalendarQuery, Query()]) -> EntryPage:
    """Return a page of entries, in the order of their times."""
    start = which.start or deps.now()
    filtered = service.filter_of(
        deps, start, which.end or start + _DAYS_AHEAD, layers=frozenset(which.layer), surface=which.surface,
        account=which.account, agent=which.agent or "", all_kinds=which.all_kinds,
    )  # fmt: skip
    found, following = entry_page(deps, who, which, filtered)
    return EntryPage(items=views(deps, who, found), next=following)


def entry_page(
    deps: Deps, who: Principal, which: Paging, filtered: CalendarFilter
) -> tuple[list[SourcedEntry], str | None]:
    """Return the entries of a page, and the cursor of the next one."""
    found, end = queries.page(deps, who, filtered, limit=which.limit, after=which.place(Place.read))
    return found, None if end is None else which.cursor_at(end)


@router.get("/days")
def list_days(deps: TheDeps, who: Viewer, *, which: Annotated[DaysQuery, Query()]) -> MonthOut:
    """Return the days of a month, each with its first entries and how many there are."""
    zone = wall_time.check_zone(which.zone)
    day = rules.clamped(which.day or wall_time.local(deps.now(), zone).date())
    days = rules.month_days(day)
    bounds = rules.starts(days, zone)
    filtered = service.filter_of(
        deps, bounds[0], bounds[-1], layers=frozenset(which.layer), surface=which.surface, account=which.account,
        agent=which.agent or "", all_kinds=which.all_kinds,
    )  # fmt: skip
    cells = queries.cells(deps, who, filtered, bounds, most=3)
    shown = iter(views(deps, who, [one for cell in cells for one in cell.entries]))
    return MonthOut(zone=zone, days=[
        DayOut(day=one, total=cell.total, entries=[next(shown) for _ in cell.entries])
        for one, cell in zip(days, cells, strict=True)
    ])  # fmt: skip


@router.get(
    "/feed.ics", response_class=Response,
    responses={200: {"description": "an iCalendar file", "content": {ical.MEDIA_TYPE: {"schema": {"type": "string"}}}}},
)  # fmt: skip
def show_feed(request: Request, deps: TheDeps, who: Viewer, *, which: Annotated[FeedQuery, Query()]) -> Response:
    """Return the entries from 30 days ago until 180 days ahead as iCalendar, 1,000 at most.

    Calendars send a token as the password of HTTP Basic, with any name.
    """
    now = deps.now()
    filtered = service.filter_of(
        deps, now - _FEED_BEFORE, now + _FEED_AFTER, layers=frozenset(which.layer), surface=which.surface,
        account=which.account, agent=which.agent or "", all_kinds=which.all_kinds,
    )  # fmt: skip
    found, _ = queries.page(deps, who, filtered, limit=_MOST_OF_FEED)
    base = address_of_ours(request)
    events = [_event(one, base) for one in views(deps, who, found)]
    return Response(ical.document(events, stamp=now), media_type=ical.MEDIA_TYPE)


def _event(one: EntryOut, base: str) -> IcalEvent:
    facts = [f"{one.kind}, {one.state}", f"Agent: {one.agent}" if one.agent else "", one.note, one.title]
    return IcalEvent(
        uid=f"{one.source}-{one.id}@fleet", at=one.at, summary=f"{one.surface}: {one.title or one.kind}",
        description="\n".join(fact for fact in facts if fact), category=one.layer,
        url=f"{base}/calendar/entries/{one.source}/{one.id}", is_certain=one.layer is not CalendarLayer.PROPOSED,
    )  # fmt: skip


@router.get("/entries/{origin}/{entry_id}")
def show_entry(deps: TheDeps, who: Viewer, origin: Origin, entry_id: uuid.UUID) -> EntryOut:
    """Return one entry."""
    return views(deps, who, [service.get(deps, who, origin, entry_id)])[0]


@router.post("/entries/{origin}/{entry_id}/move")
def move_entry(deps: TheDeps, who: Planner, origin: Origin, entry_id: uuid.UUID, *, body: EntryMoveIn) -> MovedEntryOut:
    """Have an entry happen at another time."""
    note = ""
    if body.at is not None:
        service.move(deps, who, origin, entry_id, body.at)
    elif body.day is not None:
        note = service.drag(deps, who, origin, entry_id, DragTarget(body.day, body.hour, body.zone)).note
    else:
        raise InvalidInput("To when?", fix="Give `at`, or `day` and `zone`.")
    return MovedEntryOut(entry=show_entry(deps, who, origin, entry_id), note=note)


@router.post("/entries/{origin}/{entry_id}/cancel")
def cancel_entry(deps: TheDeps, who: Planner, origin: Origin, entry_id: uuid.UUID) -> EntryOut:
    """Have an entry not happen."""
    before = show_entry(deps, who, origin, entry_id)
    service.cancel(deps, who, origin, entry_id)
    return before.model_copy(update={"state": "cancelled", "verbs": []})


@router.post("/entries/{origin}/{entry_id}/duplicate", status_code=201)
def duplicate_entry(
    deps: TheDeps, who: Planner, origin: Origin, entry_id: uuid.UUID, *, body: EntryDuplicateIn
) -> EntryOut:
    """Make another entry with the same content."""
    return views(deps, who, [service.duplicate(deps, who, origin, entry_id, body.at)])[0]


def views(deps: Deps, who: Principal, found: list[SourcedEntry]) -> list[EntryOut]:
    """Return entries as programs see them."""
    agents = lookup.names(deps.db, [one.entry.agent_id for one in found])
    names = account_names(deps) if found else {}
    return [
        taken(
            EntryOut, one.entry, source=one.source.name, agent=lookup.username(agents, one.entry.agent_id),
            account=names.get(key_of(one.entry.account_id)), verbs=sorted(service.allowed(who, one)),
        )
        for one in found
    ]  # fmt: skip


def account_names(deps: Deps) -> dict[uuid.UUID, str]:
    """Return the names of the accounts that the caller sees."""
    with deps.db.transaction() as tx:
        return {row.id: row.name for row in accounts.listed(tx)}
