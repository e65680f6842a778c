"""Import and remove figures of competitors, and compare them with own ones."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from fleet.access import audit, organisations
from fleet.core import events, ids
from fleet.core.db import Tx, visibility
from fleet.core.errors import InvalidInput, NotFound
from fleet.engine import registry
from fleet.engine.deps import Deps
from fleet.features.competitors import rules
from fleet.features.competitors.models import CompetitorDayRow
from fleet.features.competitors.rules import CompetitorDay, CompetitorFigures, LineProblem
from fleet.features.engagement import queries as engagement
from fleet.features.engagement.queries import GroupedBy, Slice

KEPT_DAYS = 800
"""As long as sums of own posts and reports are kept."""
_FARTHEST_ZONE = timedelta(hours=14)
_NOON = time(12, tzinfo=UTC)
_BATCH = 1_000
_ROW = CompetitorDayRow


@dataclass(frozen=True, slots=True)
class ImportResult:
    """What an import changes: lines that are new, that replace others, and that are stored already as they are."""

    days: tuple[CompetitorDay, ...]
    new: int
    replaced: int
    unchanged: int
    problems: tuple[LineProblem, ...]


@dataclass(frozen=True, slots=True)
class StoredCompetitor:
    """What is stored of a competitor on a network."""

    competitor: str
    network: str
    days: int
    first: date
    last: date


@contextmanager
def _of(deps: Deps, organisation: str, *, is_change: bool) -> Iterator[tuple[Tx, uuid.UUID]]:
    """Open a transaction that sees the rows of one organisation alone; yield it with the organisation's id.

    A member of several organisations who names none reads the first one. Raises NotFound, and InvalidInput for such a
    change.
    """
    with deps.db.transaction() as tx:
        are_several = organisations.are_several(tx)
        if organisation:
            owner = organisations.named(tx, organisation).id
        elif is_change or len(tx.organisations or ()) < 2:
            owner = organisations.of_new(tx)
        else:
            owner = organisations.listed(tx)[0].id
    own = frozenset({owner}) if are_several else visibility.current()
    with visibility.restricted(own), deps.db.transaction() as tx:
        yield tx, owner


def import_csv(deps: Deps, text: str, *, organisation: str = "", by: str, is_preview: bool = False) -> ImportResult:
    """Store the lines of a CSV, all or none; a line replaces that of the same competitor, network and day.

    With `is_preview` nothing is stored, and the result names the problems; else InvalidInput names the first ones.
    """
    with _of(deps, organisation, is_change=True) as (tx, owner):
        now = tx.now()
        found = rules.parse(text, today=(now + _FARTHEST_ZONE).date())
        known = _known(tx, owner, found.days)
        new = [one for one in found.days if one.key not in known]
        changed = [one for one in found.days if known.get(one.key, one) != one]
        result = ImportResult(
            found.days, len(new), len(changed), len(found.days) - len(new) - len(changed), found.problems
        )
        if is_preview:
            return result
        if found.problems:
            raise InvalidInput(
                f"Nothing was imported: {rules.words(found.problems)}.", fix="Correct the lines, then import again."
            )
        _store(tx, owner, [*new, *changed], by=by, now=now)
        if audit.noted(
            tx, bool(new or changed), "competitors.imported", str(owner), new=len(new), replaced=len(changed)
        ):
            events.emit(
                tx, "competitors.imported", agent_id=None, job_id=None, organisation=str(owner), new=len(new),
                replaced=len(changed), by=by, page="/competitors",
            )  # fmt: skip
        return result


def _known(tx: Tx, owner: uuid.UUID, days: tuple[CompetitorDay, ...]) -> dict[tuple[str, str, date], CompetitorDay]:
    """Return the stored days of the same competitors, networks and days."""
    if not days:
        return {}
    first, last = min(one.day for one in days), max(one.day for one in days)
    names = {one.competitor for one in days}
    query = _columns().where(_ROW.organisation_id == owner, _ROW.competitor.in_(names), _ROW.day.between(first, last))
    return {one.key: one for one in _days(tx, query)}


def _store(tx: Tx, owner: uuid.UUID, days: list[CompetitorDay], *, by: str, now: datetime) -> None:
    for start in range(0, len(days), _BATCH):
        rows = [
            asdict(one) | {"id": ids.new(), "organisation_id": owner, "imported_by": by[:100], "imported_at": now}
            for one in sorted(days[start : start + _BATCH], key=lambda one: one.key)
        ]
        new = insert(_ROW).values(rows)
        names = (*rules.COUNTS, "imported_by", "imported_at")
        tx.execute(
            new.on_conflict_do_update(
                index_elements=["organisation_id", "competitor", "network", "day"],
                set_={name: new.excluded[name] for name in names},
            )
        )


def remove(
    deps: Deps, competitor: str, *, network: str = "", day: date | None = None, organisation: str = ""
) -> int:  # fmt: skip
    """Delete the figures of a competitor, perhaps of one network or day alone; return the number of days.

    Raises NotFound.
    """
    with _of(deps, organisation, is_change=True) as (tx, owner):
        gone = sa.delete(_ROW).where(_ROW.organisation_id == owner, _ROW.competitor == competitor)
        if network:
            gone = gone.where(_ROW.network == network)
        if day is not None:
            gone = gone.where(_ROW.day == day)
        removed: int = tx.execute(gone).rowcount
        if not removed:
            raise NotFound(f"No figures of {competitor[:60]!r} match.", fix="`fleet competitors list` shows them.")
        audit.noted(tx, removed, "competitors.removed", str(owner), competitor=competitor, network=network, day=day)
        return removed


def compared(deps: Deps, *, days: int, network: str = "", organisation: str = "") -> list[CompetitorFigures]:
    """Return own figures and those of competitors of the last `days` (UTC), today's included: see `compare`."""
    with _of(deps, organisation, is_change=False) as (tx, _):
        until = datetime.combine(tx.now().date() + timedelta(days=1), time(), tzinfo=UTC)
        return compare(tx, until - timedelta(days=days), until, network=network)


def compare(tx: Tx, since: datetime, until: datetime, *, network: str = "") -> list[CompetitorFigures]:
    """Return own figures and those of competitors in a period, by network, own ones first.

    A day belongs to the period in which its noon (UTC) lies, so that days of any zone fall into the period of that
    zone. Networks without a competitor are left out.
    """
    first = next(day for day in (since.date(), since.date() + timedelta(days=1)) if _noon(day) >= since)
    end = next(day for day in (until.date(), until.date() + timedelta(days=1)) if _noon(day) >= until)
    query = _columns().where(_ROW.day >= first - rules.LOOKS_BACK, _ROW.day < end)
    if network:
        query = query.where(_ROW.network == network)
    found = rules.summed(_days(tx, query), first=first, until=end)
    networks = {one.network for one in found}
    if not networks:
        return []
    if "engagement" in registry.current():
        found += _own(tx, Slice(since=since, until=until), networks)
    return sorted(found, key=lambda one: (one.network, not one.is_own, -(one.followers or 0), one.name))


def _noon(day: date) -> datetime:
    return datetime.combine(day, _NOON)


def _own(tx: Tx, which: Slice, networks: set[str]) -> list[CompetitorFigures]:
    sums = {one.surface: one.sums for one in engagement.grouped(tx, which, GroupedBy.NETWORK)}
    grown = engagement.growth(tx, which)
    own = []
    for network in networks:
        of_network = sums.get(network)
        accounts = [one for one in grown if one.surface == network]
        own.append(
            CompetitorFigures(
                name="this fleet", network=network, is_own=True,
                followers=sum(one.last for one in accounts) if accounts else None,
                gained=sum(one.gained for one in accounts) if accounts else None,
                posts=of_network.posts if of_network else 0,
                interactions=of_network.interactions if of_network else 0,
                rated=of_network.interactions if of_network else None,
                rated_posts=of_network.measured if of_network else None,
            )
        )  # fmt: skip
    return own


def stored(deps: Deps, *, organisation: str = "") -> list[StoredCompetitor]:
    """Return what is stored, by competitor and network."""
    columns = (_ROW.competitor, _ROW.network)
    query = sa.select(*columns, sa.func.count(), sa.func.min(_ROW.day), sa.func.max(_ROW.day)).group_by(*columns)
    with _of(deps, organisation, is_change=False) as (tx, owner):
        rows = tx.execute(query.where(_ROW.organisation_id == owner).order_by(*columns))
        return [StoredCompetitor(*one) for one in rows]


def listed(
    deps: Deps, *, competitor: str = "", network: str = "", organisation: str = "", limit: int,
    below: uuid.UUID | None = None,
) -> list[tuple[uuid.UUID, CompetitorDay]]:  # fmt: skip
    """Return stored days with their ids, newest first."""
    query = _columns()
    if competitor:
        query = query.where(_ROW.competitor == competitor)
    if network:
        query = query.where(_ROW.network == network)
    if below is not None:
        last = sa.select(_ROW.day, _ROW.id).where(_ROW.id == below).scalar_subquery()
        query = query.where(sa.tuple_(_ROW.day, _ROW.id) < last)
    query = query.add_columns(_ROW.id).order_by(_ROW.day.desc(), _ROW.id.desc()).limit(limit)
    with _of(deps, organisation, is_change=False) as (tx, owner):
        rows = tx.execute(query.where(_ROW.organisation_id == owner)).tuples()
        return [(one[-1], CompetitorDay(*one[:-1])) for one in rows]


def prune(tx: Tx, *, days: int, limit: int) -> int:
    """Delete days that are older than `days`, and than `KEPT_DAYS`."""
    age = timedelta(days=max(days, KEPT_DAYS))
    old = sa.select(_ROW.id).where(_ROW.day < (tx.now() - age).date()).limit(limit)
    return tx.execute(sa.delete(_ROW).where(_ROW.id.in_(old))).rowcount


def _columns() -> sa.Select[str, str, date, int | None, int | None, int | None]:
    return sa.select(_ROW.competitor, _ROW.network, _ROW.day, _ROW.followers, _ROW.posts, _ROW.interactions)


def _days(
    tx: Tx, query: sa.Select[str, str, date, int | None, int | None, int | None]
) -> list[CompetitorDay]:  # fmt: skip
    return [CompetitorDay(*one) for one in tx.execute(query).tuples()]
