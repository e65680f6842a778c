"""Show and change entries of the calendar through their sources, with the permission that each verb takes."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import date, datetime, time, timedelta

from fleet.access import Principal
from fleet.accounts import service as accounts
from fleet.core import wall_time
from fleet.core.errors import Conflict, InvalidInput, NotFound
from fleet.core.wall_time import Landing
from fleet.engine.agents import lookup
from fleet.engine.deps import Deps
from fleet.engine.points.calendar_source import (
    CalendarFilter,
    CalendarLayer,
    CalendarSource,
    EntryVerb,
    source,
    sources,
)
from fleet.features.calendar import queries, rules
from fleet.features.calendar.queries import SourcedEntry
from fleet.features.calendar.rules import DragTarget
from fleet.web.auth import require

LONGEST = timedelta(days=400)
"""The longest span of a list: its keys are sorted."""
NOBODY = uuid.UUID(int=0)
"""The id of no account and no agent."""


def filter_of(
    deps: Deps, start: datetime, end: datetime, *, layers: frozenset[CalendarLayer] = frozenset(), surface: str = "",
    account: str = "", agent: str = "", all_kinds: bool = False,
) -> CalendarFilter:  # fmt: skip
    """Return a filter of names that people know. Raises NotFound, InvalidInput for a span that is none or too long."""
    if not timedelta(0) < end - start <= LONGEST:
        raise InvalidInput("end: the span ends after its start and has 400 days at most.", fix="Choose another end.")
    return CalendarFilter(
        start=start,
        end=end,
        layers=layers or frozenset(CalendarLayer),
        surface=surface,
        account_id=account_of(deps, account),
        agent_id=agent_of(deps, agent),
        all_kinds=all_kinds,
    )


def account_of(deps: Deps, named: str) -> uuid.UUID | None:
    """Return the id of an account by its name or id; None without a name. Raises NotFound."""
    if not named:
        return None
    with deps.db.transaction() as tx:
        return accounts.named(tx, named).id


def agent_of(deps: Deps, named: str) -> uuid.UUID | None:
    """Return the id of an agent by its username; None without a name. Raises NotFound."""
    return lookup.agent_id(deps.db, named or None)


def get(deps: Deps, who: Principal, source_name: str, entry_id: uuid.UUID) -> SourcedEntry:
    """Return one entry. Raises NotFound, Forbidden."""
    found = source(source_name)
    require(who, found.permission)
    entry = queries.entry(deps, found, entry_id)
    if entry is None:
        raise NotFound("There is no such entry in the calendar.", fix="`fleet calendar` lists the entries.")
    return SourcedEntry(found, entry)


def allowed(who: Principal, found: SourcedEntry) -> frozenset[EntryVerb]:
    """Return what a user can do with an entry now."""
    return frozenset(
        verb for verb in found.entry.verbs if verb in found.source.verbs and who.may(found.source.verbs[verb])
    )


def move(deps: Deps, who: Principal, source_name: str, entry_id: uuid.UUID, at: datetime) -> SourcedEntry:
    """Have an entry happen at another time, and return it. Raises NotFound, Forbidden, Conflict, InvalidInput."""
    used = _may(deps, who, source_name, entry_id, EntryVerb.MOVE)
    used.move(deps, entry_id, at, by=who)
    return get(deps, who, source_name, entry_id)


def drag(deps: Deps, who: Principal, source_name: str, entry_id: uuid.UUID, to: DragTarget) -> Landing:
    """Move an entry to a day, where it keeps its wall time, or to an hour of it, where it keeps its minutes.

    Raises NotFound, Forbidden, Conflict, InvalidInput.
    """
    entry = get(deps, who, source_name, entry_id).entry
    wall_time.check_zone(to.zone)
    landing = rules.moved(entry.at, replace(to, day=rules.clamped(to.day)))
    if landing.at != entry.at:
        move(deps, who, source_name, entry_id, landing.at)
    return landing


def landing(day: date, wall: time, zone: str) -> Landing:
    """Return the instant of a wall time that a person typed. Raises InvalidInput for an unknown zone."""
    return wall_time.land(rules.clamped(day), wall.replace(tzinfo=None, fold=0), wall_time.check_zone(zone))


def cancel(deps: Deps, who: Principal, source_name: str, entry_id: uuid.UUID) -> None:
    """Have an entry not happen. Raises NotFound, Forbidden, Conflict."""
    _may(deps, who, source_name, entry_id, EntryVerb.CANCEL).cancel(deps, entry_id, by=who)


def duplicate(deps: Deps, who: Principal, source_name: str, entry_id: uuid.UUID, at: datetime) -> SourcedEntry:
    """Make another entry with the same content at another time. Raises NotFound, Forbidden, Conflict, InvalidInput."""
    used = _may(deps, who, source_name, entry_id, EntryVerb.DUPLICATE)
    return get(deps, who, source_name, used.duplicate(deps, entry_id, at, by=who))


def _may(deps: Deps, who: Principal, source_name: str, entry_id: uuid.UUID, verb: EntryVerb) -> CalendarSource:
    """Return the source of an entry with which this can be done. The source decides again, with the row locked."""
    found = get(deps, who, source_name, entry_id)
    if verb in found.source.verbs:
        require(who, found.source.verbs[verb])
    if verb not in found.source.verbs or verb not in found.entry.verbs:
        raise Conflict(
            f"This {found.entry.kind} is {found.entry.state}: {verb} is not possible.",
            fix="Its page says what is." if found.entry.page else None,
        )
    return found.source


def compose_page(who: Principal) -> str:
    """Return the path of the page on which a user makes a new entry; empty if there is none for them."""
    found = (one.compose for one in sources() if one.compose and who.may(one.verbs[EntryVerb.DUPLICATE]))
    return next(found, "")


def live() -> str:
    """Return the subjects of the events after which the page is refreshed."""
    return ",".join(dict.fromkeys(one.live for one in sources() if one.live))
