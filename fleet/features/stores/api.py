"""Stores, syncs and conflicts for programs: /api/v1/stores, /api/v1/sync-runs, /api/v1/sync-conflicts."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from fleet.access import Permission, Principal
from fleet.engine.deps import Deps
from fleet.features.stores import decisions, queries, service
from fleet.features.stores.queries import ConflictView, RunView, StoreView
from fleet.features.stores.rules import Direction, Strategy
from fleet.web.auth import TheDeps, needs
from fleet.web.requests.cursors import Page, Paging
from fleet.web.requests.fields import Body, MovedOut, line, prose, taken

router = APIRouter(tags=["stores"])
VIEW = needs(Permission.FLEET_VIEW)
Crew = Annotated[Principal, needs(Permission.AGENTS_CONTROL)]
Editor = Annotated[Principal, needs(Permission.AGENTS_EDIT)]
Decider = Annotated[Principal, needs(Permission.PRODUCTS_EDIT)]
StoreName = Annotated[str, Path(max_length=60, description="name or id of the account", examples=["shop"])]


class SyncCountsOut(BaseModel):
    """What a sync did."""

    read: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    failed: int = 0
    conflicts: int = 0
    gone: int = 0
    orders: int = 0
    stock: int = 0
    sent: int = Field(0, description="values that jobs are to write to the store")


class SyncRunOut(BaseModel):
    """One sync of a store."""

    id: uuid.UUID
    store: str
    strategy: Strategy
    direction: Direction
    priority: int = Field(description="0 to 10")
    reason: str
    requested_by: str | None
    state: str = Field(description="running, done, failed or cancelled")
    step: str
    counts: SyncCountsOut
    expected: int | None = Field(description="how many products the shop says it has")
    progress: float | None = Field(description="0 to 1; null where it is unknown")
    problem: str
    started_at: datetime
    moved_at: datetime = Field(description="when a page was last stored")
    ended_at: datetime | None


class SyncRunPage(Page[SyncRunOut]):
    """A page of syncs, newest first."""


class SyncRunQuery(Paging):
    """Which syncs."""

    store: Annotated[str, line(60)] = ""
    state: Annotated[str, line(20)] = ""


class StoreOut(BaseModel):
    """A store with its health."""

    account_id: uuid.UUID
    name: str
    title: str = Field(description="the shop's own name")
    adapter: str
    organisation: str
    currency: str
    agent: str
    status: str
    why: str
    health: str = Field(description="good, late, failing, paused or new")
    interval: str
    direction: Direction
    synced_at: datetime | None
    next_at: datetime | None
    failed_syncs: int
    problem: str
    products: int
    conflicts: int
    waiting: int = Field(description="writes that are not carried out yet")
    events: int = Field(description="events of the shop that are not read yet")
    run: SyncRunOut | None


class StreamOut(BaseModel):
    """How far a stream of a store is read."""

    stream: str
    value: datetime | None = Field(description="the newest change that was seen")
    swept_at: datetime | None
    read_at: datetime


class StoreErrorOut(BaseModel):
    """A write, or a sync, that did not happen."""

    job_id: uuid.UUID
    kind: str
    state: str
    why: str
    at: datetime | None


class StoreDetail(StoreOut):
    """A store with its streams and its last errors."""

    streams: list[StreamOut]
    errors: list[StoreErrorOut]


class StoreList(BaseModel):
    """Every store, by name."""

    items: list[StoreOut]


class StoreIn(Body):
    """A new store."""

    account: Annotated[str, line(60, least=1), Field(description="name of an account at a shop")]


class SyncIn(Body):
    """A sync to begin; without values the store's agent and its settings choose."""

    strategy: Strategy | None = None
    direction: Direction | None = None


class StorePauseIn(Body):
    """Why a store is paused."""

    reason: Annotated[str, prose(200)] = ""


class CandidateOut(BaseModel):
    """A product that an object of a store may be."""

    id: str
    title: str


class SyncConflictOut(BaseModel):
    """A field that both sides changed, or an object that matching could not decide."""

    id: uuid.UUID
    store: str
    kind: str = Field(description="field, match (several candidates) or sku (taken by another product)")
    field: str
    about: str
    base: Any = Field(description="the value on which both sides last agreed")
    local: Any
    remote: Any
    candidates: list[CandidateOut]
    product_id: uuid.UUID | None
    external_id: str
    state: str
    decision: str
    decided_by: str | None
    created_at: datetime
    decided_at: datetime | None


class SyncConflictPage(Page[SyncConflictOut]):
    """A page of conflicts, newest first."""


class SyncConflictQuery(Paging):
    """Which conflicts."""

    store: Annotated[str, line(60)] = ""
    field: Annotated[str, line(40)] = ""
    state: Annotated[str, line(20), Field(description="open or settled; empty for all")] = "open"


class ConflictDecisionIn(Body):
    """A decision for some conflicts, or for all open ones of a store or field."""

    ids: Annotated[list[uuid.UUID], Field(max_length=decisions.MOST)] = []
    store: Annotated[str, line(60), Field(description="decides all open conflicts of fields of this store")] = ""
    field: Annotated[str, line(40), Field(description="only those of this field")] = ""
    all: bool = Field(False, description="decide all open conflicts of fields that `store` and `field` name")
    decision: Annotated[str, line(40, least=1), Field(description="push, pull, ignore, or the id of a candidate")]


class ConflictDecisionOut(BaseModel):
    """What came of a decision."""

    decided: int
    problems: list[str]


def run_out(one: RunView) -> SyncRunOut:
    """Return a sync as the API shows it."""
    return taken(SyncRunOut, one, counts=SyncCountsOut(**one.counts))


def store_out(one: StoreView) -> StoreOut:
    """Return a store as the API shows it."""
    return taken(StoreOut, one, run=None if one.run is None else run_out(one.run))


def conflict_out(one: ConflictView) -> SyncConflictOut:
    """Return a conflict as the API shows it."""
    return taken(SyncConflictOut, one, candidates=[CandidateOut(id=key, title=title) for key, title in one.candidates])


def run_page(deps: Deps, which: SyncRunQuery) -> tuple[list[RunView], str | None]:
    """Return the syncs of a page, and the cursor of the next one."""
    with which.continued():
        found = queries.runs(deps, store=which.store, state=which.state, limit=which.one_more,
                             below=which.place(uuid.UUID))  # fmt: skip
    items, following = which.page(found, lambda one: one.id)
    return list(items), following


def conflict_page(deps: Deps, which: SyncConflictQuery) -> tuple[list[ConflictView], str | None]:
    """Return the conflicts of a page, and the cursor of the next one."""
    with which.continued():
        found = queries.conflicts(deps, store=which.store, field=which.field, state=which.state, limit=which.one_more,
                                  below=which.place(uuid.UUID))  # fmt: skip
    items, following = which.page(found, lambda one: one.id)
    return list(items), following


@router.get("/stores", dependencies=[VIEW])
def list_stores(deps: TheDeps) -> StoreList:
    """Return every store with its health."""
    return StoreList(items=[store_out(one) for one in queries.stores(deps)])


@router.post("/stores", status_code=201)
def add_store(deps: TheDeps, *, body: StoreIn, who: Editor) -> StoreOut:
    """Make a store of an account at a shop. Its first sync reads everything."""
    row = service.add(deps, body.account, by=who.by)
    return store_out(queries.store(deps, str(row.account_id)))


@router.get("/stores/{store}", dependencies=[VIEW])
def show_store(deps: TheDeps, store: StoreName) -> StoreDetail:
    """Return one store with its streams and its last errors."""
    found = queries.store(deps, store)
    return StoreDetail(
        **store_out(found).model_dump(),
        streams=[taken(StreamOut, one) for one in queries.streams(deps, found.account_id)],
        errors=[taken(StoreErrorOut, one) for one in queries.errors(deps, found.account_id)],
    )


@router.delete("/stores/{store}", status_code=204)
def remove_store(deps: TheDeps, store: StoreName, *, who: Editor) -> None:
    """Forget a store; its account and the catalogue stay."""
    service.remove(deps, store, by=who.by)


@router.post("/stores/{store}/sync", status_code=202)
def sync_store(deps: TheDeps, store: StoreName, *, body: SyncIn, who: Crew) -> StoreOut:
    """Ask for a sync as soon as possible."""
    row = service.request_sync(deps, store, by=who.by, strategy=body.strategy, direction=body.direction)
    return store_out(queries.store(deps, str(row.account_id)))


@router.post("/stores/{store}/cancel")
def cancel_sync(deps: TheDeps, store: StoreName, *, who: Crew) -> MovedOut:
    """End the running sync of a store; what it stored stays."""
    return MovedOut(changed=service.cancel_sync(deps, store, by=who.by))


@router.post("/stores/{store}/pause")
def pause_store(deps: TheDeps, store: StoreName, *, body: StorePauseIn, who: Crew) -> MovedOut:
    """Pause a store: nothing is read or written until it is resumed."""
    return MovedOut(changed=service.pause(deps, store, by=who.by, reason=body.reason))


@router.post("/stores/{store}/resume")
def resume_store(deps: TheDeps, store: StoreName, *, who: Crew) -> MovedOut:
    """Let a store go on."""
    del who
    return MovedOut(changed=service.resume(deps, store))


@router.get("/sync-runs", dependencies=[VIEW])
def list_sync_runs(deps: TheDeps, *, which: Annotated[SyncRunQuery, Query()]) -> SyncRunPage:
    """Return a page of syncs, newest first."""
    found, following = run_page(deps, which)
    return SyncRunPage(items=[run_out(one) for one in found], next=following)


@router.get("/sync-runs/{run_id}", dependencies=[VIEW])
def show_sync_run(deps: TheDeps, run_id: uuid.UUID) -> SyncRunOut:
    """Return one sync with its progress."""
    return run_out(queries.run(deps, run_id))


@router.get("/sync-conflicts", dependencies=[VIEW])
def list_sync_conflicts(deps: TheDeps, *, which: Annotated[SyncConflictQuery, Query()]) -> SyncConflictPage:
    """Return a page of conflicts with both values, newest first."""
    found, following = conflict_page(deps, which)
    return SyncConflictPage(items=[conflict_out(one) for one in found], next=following)


@router.post("/sync-conflicts/decide")
def decide_sync_conflicts(deps: TheDeps, *, body: ConflictDecisionIn, who: Decider) -> ConflictDecisionOut:
    """Decide conflicts: each by its id, or all alike."""
    ids = list(body.ids) or (decisions.of_filter(deps, store=body.store, field=body.field) if body.all else [])
    return taken(ConflictDecisionOut, decisions.decide(deps, ids, body.decision, by=who.by))


@router.get("/sync-conflicts/{conflict_id}", dependencies=[VIEW])
def show_sync_conflict(deps: TheDeps, conflict_id: uuid.UUID) -> SyncConflictOut:
    """Return one conflict with both values."""
    return conflict_out(queries.conflict(deps, conflict_id))
