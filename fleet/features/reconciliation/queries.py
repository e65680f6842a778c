"""What pages, the API and commands show: discrepancies with both values, runs, and trends."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from fleet.accounts.models import AccountRow
from fleet.core.db import Tx
from fleet.core.errors import NotFound
from fleet.engine.deps import Deps
from fleet.features.reconciliation.models import DiscrepancyRow, ReconciliationRow
from fleet.features.reconciliation.rules import DiscrepancySeverity, DiscrepancyType, PostDifference
from fleet.features.stores.queries import words_of

_SEVERITY = sa.case({name.value: name.rank for name in DiscrepancySeverity}, value=DiscrepancyRow.severity)
_TO_DO = ("open", "proposed")
_MOST_TREND = 30
_GONE = "The row at which the page above ended is gone."
MOST = 1000
TYPES: Sequence[DiscrepancyType | PostDifference] = (*DiscrepancyType, *PostDifference)
"""All types, those of stores first."""
_NAMES = {
    "missing_local": "not in the catalogue", "missing_remote": "not at the store", "deleted_there": "deleted there",
    "foreign_post": "not of Fleet", "outcome_found": "there, outcome unknown here",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class DiscrepancyView:
    """A discrepancy with both values."""

    id: uuid.UUID
    store: str
    type: str
    thing: str
    key: str
    field: str
    about: str
    product_id: uuid.UUID | None
    external_id: str
    local: Any
    remote: Any
    base: Any
    peers: Mapping[str, Any]
    severity: str
    moved: str
    context: str
    confidence: float
    action: str
    state: str
    problem: str
    job_id: uuid.UUID | None
    versions: Mapping[str, Any]
    undo: Mapping[str, Any]
    request_id: uuid.UUID | None
    run_id: uuid.UUID | None
    changed_by: str
    found_at: datetime
    seen_at: datetime
    changed_at: datetime

    @property
    def name(self) -> str:
        """The field, as people call it."""
        if not self.field:
            return _NAMES.get(self.type, "")
        if self.is_post:
            return "text"
        return "stock" if self.type == "inventory_drift" else self.field.removeprefix("variant.")

    @property
    def is_post(self) -> bool:
        """Whether it is about a post: the ledger against a network, and not the catalogue against a store."""
        return self.thing == "post"

    @property
    def job_key(self) -> uuid.UUID | None:
        """The job that published the post; None for a foreign one, and for things of stores."""
        return uuid.UUID(self.key) if self.is_post and self.type != PostDifference.FOREIGN_POST else None

    def words(self, value: Any) -> str:
        """Return a value as text for people."""
        return words_of(value)


@dataclass(frozen=True, slots=True)
class ReconciliationView:
    """One comparison."""

    id: uuid.UUID
    store: str
    reason: str
    requested_by: str | None
    state: str
    step: str
    counts: Mapping[str, int]
    tallies: Mapping[str, int]
    problem: str
    started_at: datetime
    moved_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class FixOutcome:
    """What became of fixes of a type: a fix that people undo was none."""

    type: str
    fixed: int
    undone: int
    dismissed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscrepancyFilter:
    """Which discrepancies. `state` "todo": those that wait for somebody; empty: all."""

    store: str = ""
    type: str = ""
    severity: str = ""
    state: str = "todo"
    run: uuid.UUID | None = None


def discrepancies(
    deps: Deps, which: DiscrepancyFilter, *, limit: int = 50, below: uuid.UUID | None = None
) -> list[DiscrepancyView]:  # fmt: skip
    """Return discrepancies, most severe first, then newest; `below` is the id of the last one of the page above."""
    row = DiscrepancyRow
    with deps.db.transaction() as tx:
        query = _chosen(which)
        if below is not None:
            place = tx.execute(sa.select(_SEVERITY, row.found_at).where(row.id == below)).tuples().one_or_none()
            if place is None:
                raise NotFound(_GONE, fix="Begin at the first page.")
            query = query.where(sa.tuple_(_SEVERITY, row.found_at, row.id) < sa.tuple_(
                sa.literal(place[0]), sa.literal(place[1]), sa.literal(below)))  # fmt: skip
        found = tx.execute(query.order_by(_SEVERITY.desc(), row.found_at.desc(), row.id.desc()).limit(limit)).tuples()
        return [_view(*one) for one in found]


def ids_of(deps: Deps, which: DiscrepancyFilter) -> list[uuid.UUID]:
    """Return the ids of all discrepancies that a filter names, at most `MOST`."""
    with deps.db.transaction() as tx:
        query = _chosen(which).with_only_columns(DiscrepancyRow.id)
        return list(tx.session.scalars(query.order_by(DiscrepancyRow.id).limit(MOST)))


def count(deps: Deps, which: DiscrepancyFilter) -> int:
    """Return how many discrepancies a filter names."""
    with deps.db.transaction() as tx:
        found: int | None = tx.scalar(_chosen(which).with_only_columns(sa.func.count()))
        return found or 0


def _chosen(which: DiscrepancyFilter) -> sa.Select[DiscrepancyRow, str]:
    row = DiscrepancyRow
    query = sa.select(row, AccountRow.name).join(AccountRow, AccountRow.id == row.account_id)
    if which.store:
        query = query.where(AccountRow.name == which.store)
    if which.type:
        query = query.where(row.type == which.type)
    if which.severity:
        query = query.where(row.severity == which.severity)
    if which.state:
        query = query.where(row.state.in_(_TO_DO) if which.state == "todo" else row.state == which.state)
    if which.run is not None:
        query = query.where(row.run_id == which.run)
    return query


def discrepancy(deps: Deps, discrepancy_id: uuid.UUID) -> DiscrepancyView:
    """Return one discrepancy. Raises NotFound."""
    found = find(deps, discrepancy_id)
    if found is None:
        raise NotFound("There is no such discrepancy.", fix="`fleet reconcile list` lists them.")
    return found


def find(deps: Deps, discrepancy_id: uuid.UUID) -> DiscrepancyView | None:
    """Return one discrepancy; None if it is not there."""
    with deps.db.transaction() as tx:
        found = tx.execute(
            _chosen(DiscrepancyFilter(state="")).where(DiscrepancyRow.id == discrepancy_id)
        ).one_or_none()
        return None if found is None else _view(found[0], found[1])


def tallies(deps: Deps) -> Mapping[str, int]:
    """Return how many discrepancies wait for somebody, by severity."""
    row = DiscrepancyRow
    with deps.db.transaction() as tx:
        query = sa.select(row.severity, sa.func.count()).where(row.state.in_(_TO_DO)).group_by(row.severity)
        found = dict(tx.execute(query).tuples().all())
    return {name.value: found.get(name.value, 0) for name in reversed(DiscrepancySeverity)}


def runs(
    deps: Deps, *, store: str = "", limit: int = 50, below: uuid.UUID | None = None
) -> list[ReconciliationView]:  # fmt: skip
    """Return comparisons, newest first."""
    row = ReconciliationRow
    query = sa.select(row, AccountRow.name).join(AccountRow, AccountRow.id == row.account_id)
    if store:
        query = query.where(AccountRow.name == store)
    with deps.db.transaction() as tx:
        if below is not None:
            place = tx.scalar(sa.select(row.started_at).where(row.id == below))
            if place is None:
                raise NotFound(_GONE, fix="Begin at the first page.")
            query = query.where(sa.tuple_(row.started_at, row.id) < sa.tuple_(sa.literal(place), sa.literal(below)))
        query = query.order_by(row.started_at.desc(), row.id.desc()).limit(limit)
        return [_run(*one) for one in tx.execute(query).tuples()]


def run(deps: Deps, run_id: uuid.UUID) -> ReconciliationView:
    """Return one comparison. Raises NotFound."""
    row = ReconciliationRow
    query = sa.select(row, AccountRow.name).join(AccountRow, AccountRow.id == row.account_id).where(row.id == run_id)
    with deps.db.transaction() as tx:
        found = tx.execute(query).tuples().one_or_none()
    if found is None:
        raise NotFound("There is no such comparison.", fix="`fleet reconcile runs` lists them.")
    return _run(*found)


def trend(deps: Deps, *, store: str = "") -> list[ReconciliationView]:
    """Return the newest comparisons that ended well, oldest first."""
    return [one for one in reversed(runs(deps, store=store, limit=_MOST_TREND)) if one.state == "done"]


def outcomes(deps: Deps, *, store: str = "") -> list[FixOutcome]:
    """Return what became of fixes, by type."""
    row = DiscrepancyRow
    query = sa.select(row.type, row.state, sa.func.count()).join(AccountRow, AccountRow.id == row.account_id)
    if store:
        query = query.where(AccountRow.name == store)
    with deps.db.transaction() as tx:
        found = Counter({(kind, state): number for kind, state, number in
                         tx.execute(query.group_by(row.type, row.state)).tuples()})  # fmt: skip
    return [
        FixOutcome(kind.value, found[kind, "fixed"], found[kind, "undone"], found[kind, "dismissed"])
        for kind in TYPES
    ]  # fmt: skip


def tally(tx: Tx) -> int:
    """Return how many severe discrepancies wait for somebody."""
    row = DiscrepancyRow
    found = tx.scalar(sa.select(sa.func.count()).where(row.state.in_(_TO_DO), row.severity.in_(("high", "critical"))))
    return int(found or 0)


def names(deps: Deps) -> Sequence[str]:
    """Return the accounts that were compared, by name."""
    with deps.db.transaction() as tx:
        some = sa.select(AccountRow.name).where(AccountRow.id.in_(sa.select(ReconciliationRow.account_id)))
        return list(tx.session.scalars(some.order_by(AccountRow.name)))


def _view(row: DiscrepancyRow, store: str) -> DiscrepancyView:
    return DiscrepancyView(store=store, **{name: getattr(row, name) for name in DiscrepancyView.__slots__
                                           if name != "store"})  # fmt: skip


def _run(row: ReconciliationRow, store: str) -> ReconciliationView:
    return ReconciliationView(store=store, **{name: getattr(row, name) for name in ReconciliationView.__slots__
                                              if name != "store"})  # fmt: skip
