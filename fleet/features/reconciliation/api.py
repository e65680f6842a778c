"""Comparisons and discrepancies for programs: /api/v1/reconciliations, /api/v1/discrepancies."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from fleet.access import Permission, Principal
from fleet.core.errors import Conflict, InvalidInput
from fleet.engine.deps import Deps
from fleet.features.reconciliation import queries, service
from fleet.features.reconciliation.queries import DiscrepancyFilter, DiscrepancyView, FixOutcome, ReconciliationView
from fleet.features.reconciliation.rules import Remedy
from fleet.features.reconciliation.service import ChangedDiscrepancies
from fleet.web.auth import TheDeps, needs
from fleet.web.requests.cursors import Page, Paging
from fleet.web.requests.fields import Body, MovedOut, line, taken

router = APIRouter(tags=["reconciliation"])
VIEW = needs(Permission.FLEET_VIEW)
Crew = Annotated[Principal, needs(Permission.AGENTS_CONTROL)]
Decider = Annotated[Principal, needs(Permission.PRODUCTS_EDIT)]
Type = Literal["", "missing_local", "missing_remote", "data_mismatch", "inventory_drift", "price_drift",
               "deleted_there", "changed_text", "foreign_post", "outcome_found"]  # fmt: skip
SeverityName = Literal["", "low", "medium", "high", "critical"]
State = Literal["", "todo", "open", "proposed", "fixing", "fixed", "undoing", "undone", "dismissed", "settled"]


class ReconciliationOut(BaseModel):
    """One comparison of a store with the catalogue, or of an account's posts with the ledger."""

    id: uuid.UUID
    store: str
    reason: str
    requested_by: str | None
    state: str = Field(description="running, done, failed or cancelled")
    step: str
    counts: dict[str, int] = Field(
        description="read, compared, found, new, settled, fixed, proposed, waiting; of posts matched, missed, unread"
    )
    tallies: dict[str, int] = Field(description="what it found, by TYPE:SEVERITY")
    problem: str
    started_at: datetime
    moved_at: datetime = Field(description="when a page was last stored")
    ended_at: datetime | None


class ReconciliationPage(Page[ReconciliationOut]):
    """A page of comparisons, newest first."""


class ReconciliationQuery(Paging):
    """Which comparisons."""

    store: Annotated[str, line(60)] = ""


class ReconciliationIn(Body):
    """A comparison to begin."""

    store: Annotated[str, line(60, least=1), Field(description="name of the account")]


class OutcomeOut(BaseModel):
    """What became of the discrepancies of a type. A fix that people undo was none."""

    type: str
    fixed: int
    undone: int
    dismissed: int


class HistoryOut(BaseModel):
    """The newest comparisons, oldest first, and what became of fixes."""

    items: list[ReconciliationOut]
    outcomes: list[OutcomeOut]


class HistoryQuery(BaseModel):
    """Of which store."""

    store: Annotated[str, line(60)] = ""


class DiscrepancyOut(BaseModel):
    """A discrepancy with both values."""

    id: uuid.UUID
    store: str
    type: str
    thing: str = Field(description="product, variant or post")
    key: str = Field(description="id of the thing here (of a post its job), or there if Fleet does not know it")
    field: str
    about: str
    product_id: uuid.UUID | None
    external_id: str
    local: Any
    remote: Any
    base: Any = Field(description="the value on which both sides last agreed")
    peers: dict[str, Any] = Field(description="what other stores have, by their names")
    severity: str
    moved: str = Field(description="the side that changed: local, remote, both or unknown")
    context: str
    confidence: float = Field(description="how likely the suggested action is right, 0 to 1")
    action: str = Field(description="push, pull, import, publish, relink, accept or none")
    state: str
    problem: str
    job_id: uuid.UUID | None
    request_id: uuid.UUID | None
    run_id: uuid.UUID | None
    changed_by: str
    found_at: datetime
    seen_at: datetime
    changed_at: datetime


class DiscrepancyPage(Page[DiscrepancyOut]):
    """A page of discrepancies, most severe first."""


class DiscrepancyQuery(Paging):
    """Which discrepancies."""

    store: Annotated[str, line(60)] = ""
    type: Type = ""
    severity: SeverityName = ""
    state: Annotated[State, Field(description="todo: open and proposed; empty for all")] = "todo"
    run: uuid.UUID | None = None

    @property
    def chosen(self) -> DiscrepancyFilter:
        """The filter of the query."""
        return DiscrepancyFilter(store=self.store, type=self.type, severity=self.severity, state=self.state,
                                 run=self.run)  # fmt: skip


class ChosenDiscrepanciesIn(Body):
    """Some discrepancies by their ids, or with `all` those of a filter."""

    ids: Annotated[list[uuid.UUID], Field(max_length=service.MOST)] = []
    all: bool = Field(False, description="all that the filter names")
    store: Annotated[str, line(60)] = ""
    type: Type = ""
    severity: SeverityName = ""
    state: State = "todo"
    counted: Annotated[int | None, Field(description="with `all`: how many there are; others are refused")] = None


class FixIn(ChosenDiscrepanciesIn):
    """Discrepancies to fix."""

    action: Annotated[
        Literal["push", "pull", "accept"] | None,
        Field(description="whose value they get, or that a post is accepted; null for the suggested action"),
    ] = None


class ChangedDiscrepanciesOut(BaseModel):
    """How many were changed, and why others were not."""

    changed: int
    problems: list[str]


def run_out(one: ReconciliationView) -> ReconciliationOut:
    """Return a comparison as the API shows it."""
    return taken(ReconciliationOut, one)


def discrepancy_out(one: DiscrepancyView) -> DiscrepancyOut:
    """Return a discrepancy as the API shows it."""
    return taken(DiscrepancyOut, one)


def discrepancy_page(deps: Deps, which: DiscrepancyQuery) -> tuple[list[DiscrepancyView], str | None]:
    """Return the discrepancies of a page, and the cursor of the next one."""
    with which.continued():
        found = queries.discrepancies(deps, which.chosen, limit=which.one_more, below=which.place(uuid.UUID))
    items, following = which.page(found, lambda one: one.id)
    return list(items), following


def run_page(deps: Deps, which: ReconciliationQuery) -> tuple[list[ReconciliationView], str | None]:
    """Return the comparisons of a page, and the cursor of the next one."""
    with which.continued():
        found = queries.runs(deps, store=which.store, limit=which.one_more, below=which.place(uuid.UUID))
    items, following = which.page(found, lambda one: one.id)
    return list(items), following


def chosen_ids(deps: Deps, body: ChosenDiscrepanciesIn) -> list[uuid.UUID]:
    """Return the ids that a body names. Raises InvalidInput for none, Conflict if `counted` is another number."""
    if body.ids or not body.all:
        if not body.ids:
            raise InvalidInput("No discrepancy is chosen.", fix="Name some, or choose all of a filter.")
        return list(body.ids)
    which = DiscrepancyFilter(store=body.store, type=body.type, severity=body.severity, state=body.state)
    found = queries.ids_of(deps, which)
    if body.counted is not None and body.counted != len(found):
        raise Conflict(f"There are {len(found)} by now, not {body.counted}.", fix="Look at them again.")
    if not found:
        raise InvalidInput("No discrepancy matches.")
    return found


@router.get("/reconciliations", dependencies=[VIEW])
def list_reconciliations(deps: TheDeps, *, which: Annotated[ReconciliationQuery, Query()]) -> ReconciliationPage:
    """Return a page of comparisons, newest first."""
    found, following = run_page(deps, which)
    return ReconciliationPage(items=[run_out(one) for one in found], next=following)


@router.post("/reconciliations", status_code=202)
def begin_reconciliation(deps: TheDeps, *, body: ReconciliationIn, who: Crew) -> ReconciliationOut:
    """Compare a store with the catalogue, or an account's posts with the ledger, as soon as possible."""
    return run_out(queries.run(deps, service.request(deps, body.store, by=who.by)))


@router.get("/reconciliations/history", dependencies=[VIEW])
def show_history(deps: TheDeps, *, which: Annotated[HistoryQuery, Query()]) -> HistoryOut:
    """Return what the newest comparisons found, and what became of fixes."""
    return HistoryOut(
        items=[run_out(one) for one in queries.trend(deps, store=which.store)],
        outcomes=[outcome_out(one) for one in queries.outcomes(deps, store=which.store)],
    )


def outcome_out(one: FixOutcome) -> OutcomeOut:
    """Return an outcome as the API shows it."""
    return taken(OutcomeOut, one)


@router.get("/reconciliations/{run_id}", dependencies=[VIEW])
def show_reconciliation(deps: TheDeps, run_id: uuid.UUID) -> ReconciliationOut:
    """Return one comparison with its progress."""
    return run_out(queries.run(deps, run_id))


@router.post("/reconciliations/{run_id}/cancel")
def cancel_reconciliation(deps: TheDeps, run_id: uuid.UUID, *, who: Crew) -> MovedOut:
    """End a comparison; its findings stay."""
    queries.run(deps, run_id)
    return MovedOut(changed=service.cancel(deps, run_id, by=who.by))


@router.get("/discrepancies", dependencies=[VIEW])
def list_discrepancies(deps: TheDeps, *, which: Annotated[DiscrepancyQuery, Query()]) -> DiscrepancyPage:
    """Return a page of discrepancies with both values, most severe first."""
    found, following = discrepancy_page(deps, which)
    return DiscrepancyPage(items=[discrepancy_out(one) for one in found], next=following)


@router.post("/discrepancies/fix")
def fix_discrepancies(deps: TheDeps, *, body: FixIn, who: Decider) -> ChangedDiscrepanciesOut:
    """Fix discrepancies, if both sides still have the values compared; accept those of posts."""
    action = None if body.action is None else Remedy(body.action)
    return _changed(deps, body, lambda ids: service.fix(deps, ids, by=who.by, action=action))


@router.post("/discrepancies/undo")
def undo_fixes(deps: TheDeps, *, body: ChosenDiscrepanciesIn, who: Decider) -> ChangedDiscrepanciesOut:
    """Undo fixes, if their values are still there."""
    return _changed(deps, body, lambda ids: service.undo(deps, ids, by=who.by))


@router.post("/discrepancies/dismiss")
def dismiss_discrepancies(deps: TheDeps, *, body: ChosenDiscrepanciesIn, who: Decider) -> ChangedDiscrepanciesOut:
    """Leave discrepancies as they are, until a value changes."""
    return _changed(deps, body, lambda ids: service.dismiss(deps, ids, by=who.by))


def _changed(
    deps: Deps, body: ChosenDiscrepanciesIn, change: Callable[[list[uuid.UUID]], ChangedDiscrepancies]
) -> ChangedDiscrepanciesOut:  # fmt: skip
    return taken(ChangedDiscrepanciesOut, change(chosen_ids(deps, body)))


@router.get("/discrepancies/{discrepancy_id}", dependencies=[VIEW])
def show_discrepancy(deps: TheDeps, discrepancy_id: uuid.UUID) -> DiscrepancyOut:
    """Return one discrepancy with both values."""
    return discrepancy_out(queries.discrepancy(deps, discrepancy_id))
