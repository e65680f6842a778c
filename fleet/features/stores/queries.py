"""What pages, the API and commands show of stores: health, runs with their progress, conflicts."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from fleet.access import organisations
from fleet.accounts.models import AccountRow
from fleet.adapters import registry as adapters
from fleet.adapters.shops import decimals_of
from fleet.core.db import Tx
from fleet.core.errors import NotFound
from fleet.engine import controls
from fleet.engine.agents.models import AgentRow
from fleet.engine.agents.status import AgentStatus
from fleet.engine.deps import Deps
from fleet.engine.jobs.models import JobRow
from fleet.features.products.models import ProductRow, VariantRow
from fleet.features.stores import service, values
from fleet.features.stores.models import (
    ExternalRefRow,
    ShopEventRow,
    StoreRow,
    SyncConflictRow,
    SyncCursorRow,
    SyncRunRow,
)
from fleet.features.stores.settings import StoresSettings
from fleet.features.stores.state.refs import WRITES

_MOST_STORES = 500
_MOST_ERRORS = 10
_OVERDUE = 3
SETTINGS = tuple(StoresSettings.model_fields)


@dataclass(frozen=True, slots=True)
class RunView:
    """One sync of a store. `progress` is the share of products that it has read; None: unknown."""

    id: uuid.UUID
    store: str
    strategy: str
    direction: str
    priority: int
    reason: str
    requested_by: str | None
    state: str
    step: str
    counts: Mapping[str, int]
    expected: int | None
    problem: str
    started_at: datetime
    moved_at: datetime
    ended_at: datetime | None

    @property
    def progress(self) -> float | None:
        """The share of the products that were read, 0 to 1; None where the shop does not say how many it has."""
        if self.state == "done":
            return 1.0
        return min(1.0, self.counts.get("read", 0) / self.expected) if self.expected else None


@dataclass(frozen=True, slots=True)
class StoreView:
    """One store with its health."""

    account_id: uuid.UUID
    name: str
    title: str
    adapter: str
    organisation: str
    currency: str
    agent: str
    status: str
    """of its agent, or paused by a control."""
    why: str
    health: str
    """good, late, failing, paused or new."""
    interval: str
    direction: str
    synced_at: datetime | None
    next_at: datetime | None
    failed_syncs: int
    problem: str
    products: int
    conflicts: int
    waiting: int
    """Writes that are not carried out yet."""
    events: int
    run: RunView | None
    """The newest one."""


@dataclass(frozen=True, slots=True)
class WriteError:
    """A write that did not happen."""

    job_id: uuid.UUID
    kind: str
    state: str
    why: str
    at: datetime | None


@dataclass(frozen=True, slots=True)
class StreamView:
    """How far a stream is read."""

    stream: str
    value: datetime | None
    swept_at: datetime | None
    read_at: datetime


@dataclass(frozen=True, slots=True)
class ConflictView:
    """Both values of a field, or the candidates of an object, side by side."""

    id: uuid.UUID
    store: str
    kind: str
    field: str
    about: str
    base: Any
    local: Any
    remote: Any
    candidates: Sequence[tuple[str, str]]
    """Ids and titles."""
    product_id: uuid.UUID | None
    external_id: str
    state: str
    decision: str
    decided_by: str | None
    created_at: datetime
    decided_at: datetime | None

    def words(self, value: Any) -> str:
        """Return a value as text for people."""
        return words_of(value)


def words_of(value: Any) -> str:
    """Return a value of a field as text for people."""
    if value is None:
        return "none"
    if isinstance(value, dict) and set(value) == {"minor", "currency"}:
        places = decimals_of(str(value["currency"]))
        return f"{int(value['minor']) / 10**places:.{places}f} {value['currency']}"
    if isinstance(value, dict) and set(value) == {"here", "there"}:
        return words_of(value["here"])
    if isinstance(value, dict):
        return ", ".join(f"{name}: {one}" for name, one in value.items()) or "none"
    if isinstance(value, list):
        shown = [str(one.get("url", one)) if isinstance(one, dict) else str(one) for one in value]
        return ", ".join(shown) or "none"
    return str(value) or "empty"


def stores(deps: Deps) -> list[StoreView]:
    """Return the stores that the caller sees, by name."""
    with deps.db.transaction() as tx:
        query = _query().order_by(AccountRow.name).limit(_MOST_STORES)
        return [_view(deps, tx, *row) for row in tx.execute(query).tuples()]


def store(deps: Deps, name: str) -> StoreView:
    """Return one store, by its name or id. Raises NotFound."""
    with deps.db.transaction() as tx:
        row, _ = service.named(tx, name)
        found = tx.execute(_query().where(StoreRow.account_id == row.account_id)).tuples().one()
        return _view(deps, tx, *found)


def _query() -> Any:
    return (
        sa.select(StoreRow, AccountRow, AgentRow)
        .join(AccountRow, AccountRow.id == StoreRow.account_id)
        .join(AgentRow, AgentRow.id == StoreRow.agent_id)
        .where(StoreRow.removed_at.is_(None))
    )


def _view(deps: Deps, tx: Tx, row: StoreRow, account: AccountRow, agent: AgentRow) -> StoreView:
    own = row.account_id
    settings = deps.settings_of(None, own, None, row.organisation_id)
    rules = settings.of(StoresSettings)
    every = rules.interval / settings.tempo
    hold = next((one for one in controls.in_force(tx) if one.scope == "account" and one.key == str(own)), None)
    status, why = str(agent.status), agent.pause_reason or ""
    if hold is not None:
        status, why = "paused", hold.words()
    newest = tx.session.scalars(
        sa.select(SyncRunRow).where(SyncRunRow.account_id == own)
        .order_by(SyncRunRow.started_at.desc(), SyncRunRow.id.desc()).limit(1)
    ).one_or_none()  # fmt: skip
    counts = tx.execute(sa.select(
        _count(ExternalRefRow, own, ExternalRefRow.kind == "product", ExternalRefRow.state == "mapped"),
        _count(SyncConflictRow, own, SyncConflictRow.state == "open"),
        _count(JobRow, own, JobRow.kind.in_(WRITES), JobRow.finished_at.is_(None)),
        _count(ShopEventRow, own, ShopEventRow.handled_at.is_(None)),
    )).one()  # fmt: skip
    products, open_conflicts, waiting, pending = counts
    return StoreView(
        own, account.name, row.title, account.adapter,
        _organisation(tx, row.organisation_id), row.currency, agent.username, status, why,
        _health(row, status, every, tx.now()), rules.store_interval, rules.store_direction, row.synced_at,
        row.synced_at + every if row.synced_at else None, row.failed_syncs, row.problem,
        products, open_conflicts, waiting, pending, None if newest is None else _run(newest, account.name),
    )  # fmt: skip


def _count(row: Any, account_id: uuid.UUID, *where: sa.ColumnElement[bool]) -> Any:
    return sa.select(sa.func.count()).select_from(row).where(row.account_id == account_id, *where).scalar_subquery()


def _organisation(tx: Tx, organisation_id: uuid.UUID) -> str:
    return next((one.name for one in organisations.listed(tx) if one.id == organisation_id), "")


def _health(row: StoreRow, status: str, every: timedelta, now: datetime) -> str:
    if status != AgentStatus.RUNNING:
        return "paused"
    if row.failed_syncs:
        return "failing"
    if row.synced_at is None:
        return "new"
    return "late" if now > row.synced_at + _OVERDUE * every else "good"


def _run(row: SyncRunRow, name: str) -> RunView:
    return RunView(
        row.id, name, row.strategy, row.direction, row.priority, row.reason, row.requested_by, row.state, row.step,
        dict(row.counts), row.expected, row.problem, row.started_at, row.moved_at, row.ended_at,
    )  # fmt: skip


def runs(
    deps: Deps, *, store: str = "", state: str = "", limit: int = 50, below: uuid.UUID | None = None
) -> list[RunView]:  # fmt: skip
    """Return syncs newest first; `below` is the id of the last one of the page above. Raises NotFound."""
    row = SyncRunRow
    query = sa.select(row, AccountRow.name).join(AccountRow, AccountRow.id == row.account_id)
    with deps.db.transaction() as tx:
        if store:
            query = query.where(row.account_id == service.named(tx, store)[0].account_id)
        if state:
            query = query.where(row.state == state)
        if below is not None:
            query = query.where(sa.tuple_(row.started_at, row.id) < _place(tx, row, row.started_at, below))
        found = tx.session.execute(query.order_by(row.started_at.desc(), row.id.desc()).limit(limit)).tuples()
        return [_run(one, name) for one, name in found]


def run(deps: Deps, run_id: uuid.UUID) -> RunView:
    """Return one sync. Raises NotFound."""
    row = SyncRunRow
    query = sa.select(row, AccountRow.name).join(AccountRow, AccountRow.id == row.account_id).where(row.id == run_id)
    with deps.db.transaction() as tx:
        found = tx.session.execute(query).tuples().one_or_none()
    if found is None:
        raise NotFound(f"There is no sync {run_id}.", fix="`fleet stores runs` lists them.")
    return _run(*found)


def _place(tx: Tx, row: Any, column: Any, below: uuid.UUID) -> Any:
    place = tx.scalar(sa.select(column).where(row.id == below))
    if place is None:
        raise NotFound("The row at which the page above ended is gone.", fix="Begin at the first page.")
    return sa.tuple_(sa.literal(place), sa.literal(below))


def streams(deps: Deps, account_id: uuid.UUID) -> list[StreamView]:
    """Return how far the streams of a store are read."""
    with deps.db.transaction() as tx:
        query = sa.select(SyncCursorRow).where(SyncCursorRow.account_id == account_id).order_by(SyncCursorRow.stream)
        return [StreamView(one.stream, one.value, one.swept_at, one.read_at) for one in tx.session.scalars(query)]


def errors(deps: Deps, account_id: uuid.UUID) -> list[WriteError]:
    """Return the newest writes to a store that did not happen."""
    row = JobRow
    which = (row.account_id == account_id, row.kind.in_((*WRITES, "sync_store")), row.state.in_(("dead", "skipped")),
             row.error.is_not(None))  # fmt: skip
    query = sa.select(row.id, row.kind, row.state, row.error, row.finished_at).where(*which)
    with deps.db.transaction() as tx:
        found = tx.execute(query.order_by(row.finished_at.desc()).limit(_MOST_ERRORS))
        return [WriteError(*one) for one in found.tuples()]


def conflicts(
    deps: Deps, *, store: str = "", field: str = "", state: str = "open", limit: int = 50,
    below: uuid.UUID | None = None,
) -> list[ConflictView]:  # fmt: skip
    """Return conflicts newest first; state empty: all. Raises NotFound."""
    row = SyncConflictRow
    query = sa.select(row, AccountRow.name).join(AccountRow, AccountRow.id == row.account_id)
    with deps.db.transaction() as tx:
        if store:
            query = query.where(row.account_id == service.named(tx, store)[0].account_id)
        if field:
            query = query.where(row.field == field)
        if state:
            query = query.where(row.state == state)
        if below is not None:
            query = query.where(sa.tuple_(row.created_at, row.id) < _place(tx, row, row.created_at, below))
        found = tx.session.execute(query.order_by(row.created_at.desc(), row.id.desc()).limit(limit)).tuples().all()
        return _conflicts(tx, found)


def conflict(deps: Deps, conflict_id: uuid.UUID) -> ConflictView:
    """Return one conflict. Raises NotFound."""
    row = SyncConflictRow
    query = sa.select(row, AccountRow.name).join(AccountRow, AccountRow.id == row.account_id)
    with deps.db.transaction() as tx:
        found = tx.session.execute(query.where(row.id == conflict_id)).tuples().all()
        if not found:
            raise NotFound(f"There is no conflict {conflict_id}.", fix="`fleet stores conflicts` lists them.")
        return _conflicts(tx, found)[0]


def _conflicts(tx: Tx, found: Sequence[tuple[SyncConflictRow, str]]) -> list[ConflictView]:
    candidates = {uuid.UUID(one) for row, _ in found for one in row.candidates}
    titles = dict(tx.execute(sa.select(ProductRow.id, ProductRow.title).where(ProductRow.id.in_(candidates)))
                  .tuples().all())  # fmt: skip
    local_ids = {row.local_id for row, _ in found if row.local_id is not None}
    owners = dict(tx.execute(sa.select(VariantRow.id, VariantRow.product_id).where(VariantRow.id.in_(local_ids)))
                  .tuples().all())  # fmt: skip
    return [
        ConflictView(
            row.id, name, row.kind, values.STOCK if row.field.startswith("s:") else row.field, row.about, row.base,
            row.local, row.remote,
            [(one, titles.get(uuid.UUID(one), one)) for one in row.candidates],
            None if row.local_id is None else owners.get(row.local_id, row.local_id), row.external_id, row.state,
            row.decision, row.decided_by, row.created_at, row.decided_at,
        )
        for row, name in found
    ]  # fmt: skip


def tally(tx: Tx) -> int | None:
    """Return how many conflicts wait for a person."""
    row = SyncConflictRow
    return int(tx.scalar(sa.select(sa.func.count()).select_from(row).where(row.state == "open")) or 0)


def is_shown(tx: Tx) -> bool:
    """Say whether there is an account at a shop, so that a store can be."""
    shops = [name for name in adapters.names() if adapters.get(name).shop is not None]
    some = sa.select(AccountRow.id).where(AccountRow.adapter.in_(shops))
    return bool(tx.scalar(sa.select(sa.exists(some))))
