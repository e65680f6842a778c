"""Budgets of stores: calls, money and writes by day, week or month. A store whose budget is spent is frozen.

A frozen store begins no publication, delisting or roll back: their jobs wait and cost no attempt. It asks people once
in a period to extend the budget (`budget_override`); a publication that has begun is finished and verified.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from fleet.access import audit
from fleet.accounts.models import AccountRow, AccountUsageRow
from fleet.core import events
from fleet.core.db import Tx
from fleet.core.errors import InvalidInput, NotFound
from fleet.engine.deps import Deps
from fleet.engine.jobs import snooze
from fleet.engine.jobs.models import JobRow
from fleet.engine.jobs.outcomes import Held
from fleet.engine.jobs.states import LIVE, JobState
from fleet.features.approvals import service as approvals
from fleet.features.approvals.effects.effect import Effect
from fleet.features.approvals.request import Proposal, Request
from fleet.features.approvals.states import RequestState
from fleet.features.listings import rules
from fleet.features.listings.models import StoreBudgetRow
from fleet.features.listings.rules import BudgetKind, BudgetPeriod
from fleet.features.listings.settings import ListingsSettings
from fleet.features.stores import service as stores
from fleet.features.stores.kinds import WRITES
from fleet.features.stores.models import StoreRow
from fleet.features.stores.state.context import StoreContext

RESOURCE, ACTION = "store", "budget_override"
BEGINNINGS = ("publish_listing", "delist_listing", "revert_listing")
_ASKED_FOR = timedelta(hours=24)
_LOOK_EVERY = timedelta(minutes=5)
_LONGEST_WRITE = timedelta(days=2)
"""Writes to stores expire after a day; none that was created before is open."""
MOST = 10**15
_UNITS = {BudgetKind.API_CALLS: "calls", BudgetKind.SPEND: "millionths of a dollar", BudgetKind.ACTIONS: "writes"}


@dataclass(frozen=True, slots=True)
class StoreBudget:
    """A budget with what is used of it in its current period. Amounts of `spend` are millionths of a dollar."""

    store: str
    account_id: uuid.UUID
    kind: BudgetKind
    period: BudgetPeriod
    most: int
    extension: int
    """What was added in the current period."""
    used: int
    begin: date
    ends_at: datetime
    request_id: uuid.UUID | None

    @property
    def is_frozen(self) -> bool:
        """Whether nothing is left of it."""
        return rules.is_spent(self.used, self.most, self.extension)

    @property
    def words(self) -> str:
        """The budget for people."""
        name = str(self.kind).replace("_", " ")
        return f"{self.used:,} of {self.most + self.extension:,} {_UNITS[self.kind]} ({name} by {self.period})"


def put(deps: Deps, store: str, kind: BudgetKind, period: BudgetPeriod, most: int, *, by: str) -> StoreBudget:
    """Set a budget of a store. Raises NotFound, InvalidInput."""
    if not 0 <= most <= MOST:
        raise InvalidInput(f"most: a number from 0 to {MOST:,}.")
    row = StoreBudgetRow
    with deps.db.transaction() as tx:
        found, account = stores.named(tx, store)
        new = {"most": most, "set_by": by[:100], "set_at": tx.now()}
        values = {"account_id": found.account_id, "organisation_id": found.organisation_id, "kind": kind,
                  "period": period, **new}  # fmt: skip
        tx.execute(insert(row).values(values).on_conflict_do_update(
            index_elements=[row.account_id, row.kind, row.period], set_={**new, "frozen_from": None}
        ))  # fmt: skip
        audit.note(tx, "store_budget.set", f"store:{account.name}", after={"kind": kind, "period": period,
                                                                           "most": most})  # fmt: skip
        snooze.free_held(tx, BEGINNINGS)
        return next(one for one in of_store(tx, found.account_id, account.name) if (one.kind, one.period)
                    == (kind, period))  # fmt: skip


def remove(deps: Deps, store: str, kind: BudgetKind, period: BudgetPeriod) -> None:
    """Remove a budget of a store. Raises NotFound."""
    row = StoreBudgetRow
    with deps.db.transaction() as tx:
        found, account = stores.named(tx, store)
        own = (row.account_id == found.account_id, row.kind == kind, row.period == period)
        if not tx.execute(sa.delete(row).where(*own)).rowcount:
            raise NotFound(
                f"{account.name} has no budget of {kind} by {period}.", fix="`fleet listings budgets` shows them."
            )
        audit.note(tx, "store_budget.removed", f"store:{account.name}", after={"kind": kind, "period": period})
        snooze.free_held(tx, BEGINNINGS)


def listed(deps: Deps, store: str = "") -> list[StoreBudget]:
    """Return the budgets of all stores that the caller sees, or of one. Raises NotFound."""
    with deps.db.transaction() as tx:
        if store:
            found, account = stores.named(tx, store)
            return of_store(tx, found.account_id, account.name)
        names = sa.select(AccountRow.id, AccountRow.name).where(AccountRow.id.in_(sa.select(StoreBudgetRow.account_id)))
        return [one for row in tx.execute(names.order_by(AccountRow.name)) for one in of_store(tx, row.id, row.name)]


def of_store(tx: Tx, account_id: uuid.UUID, name: str) -> list[StoreBudget]:
    """Return the budgets of a store with what is used of them."""
    row, now = StoreBudgetRow, tx.now()
    query = sa.select(row).where(row.account_id == account_id).order_by(row.kind, row.period)
    found = tx.session.scalars(query, execution_options={"populate_existing": True})
    return [_budget(tx, one, name, now) for one in found]


def _budget(tx: Tx, row: StoreBudgetRow, name: str, now: datetime) -> StoreBudget:
    kind, period = BudgetKind(row.kind), BudgetPeriod(row.period)
    begin = rules.begin_of(now, period)
    return StoreBudget(
        name, row.account_id, kind, period, row.most, row.extension if row.extended_from == begin else 0,
        _used(tx, row.account_id, kind, begin), begin, rules.end_of(begin, period),
        row.request_id if row.frozen_from == begin else None,
    )  # fmt: skip


def _used(tx: Tx, account_id: uuid.UUID, kind: BudgetKind, begin: date) -> int:
    if kind is BudgetKind.ACTIONS:
        job, since = JobRow, datetime.combine(begin, time(), UTC)
        agents = sa.select(StoreRow.agent_id).where(StoreRow.account_id == account_id)
        # Writes that wait count as well: several publications that begin at once do not all see the same rest.
        is_counted = sa.or_(sa.and_(job.state == JobState.DONE, job.finished_at >= since), job.state.in_(LIVE))
        done = (job.agent_id.in_(agents), job.kind.in_(WRITES), job.account_id == account_id, is_counted,
                job.created_at > since - _LONGEST_WRITE)  # fmt: skip
        return int(tx.scalar(sa.select(sa.func.count()).select_from(job).where(*done)) or 0)
    usage = AccountUsageRow
    column = usage.calls if kind is BudgetKind.API_CALLS else usage.microusd
    own = (usage.account_id == account_id, usage.day >= begin)
    return int(tx.scalar(sa.select(sa.func.coalesce(sa.func.sum(column), 0)).where(*own)) or 0)


def gate(deps: Deps, tx: Tx, context: StoreContext) -> Held | None:
    """Return why a store is to begin nothing now, if a budget of it is spent; ask people to extend it, once."""
    spent = [one for one in of_store(tx, context.account_id, context.name) if one.is_frozen]
    for one in spent:
        _freeze(deps, tx, context, one)
    if not spent:
        return None
    still = [one for one in of_store(tx, context.account_id, context.name) if one.is_frozen]  # a rule may have approved
    if not still:
        return None
    until = min(max(one.ends_at for one in still), tx.now() + _LOOK_EVERY)
    return Held(f"the budget of {context.name} is spent: {still[0].words}", until, is_quiet=True)


def _freeze(deps: Deps, tx: Tx, context: StoreContext, budget: StoreBudget) -> None:
    """Freeze a store and ask, once in a period."""
    row = StoreBudgetRow
    own = (row.account_id == budget.account_id, row.kind == budget.kind, row.period == budget.period)
    first = sa.update(row).where(*own, row.frozen_from.is_distinct_from(budget.begin)).values(
        frozen_from=budget.begin, request_id=None
    )  # fmt: skip
    if not tx.execute(first.execution_options(synchronize_session=False)).rowcount:
        return
    settings = deps.settings_of(None, context.account_id, None, context.organisation_id).of(ListingsSettings)
    extra = max(1, round(budget.most * settings.listing_extension_percent / 100))
    events.emit(tx, "store.frozen", agent_id=context.agent_id, store=context.name, words=budget.words,
                organisation=str(context.organisation_id), page="/listings/budgets")  # fmt: skip
    request = approvals.propose(deps, tx, Proposal(
        RESOURCE, f"{budget.account_id}:{budget.kind}:{budget.period}:{budget.begin}", ACTION,
        {"store": context.name, "kind": str(budget.kind), "period": str(budget.period), "begin": str(budget.begin),
         "extra": extra}, "fleet", f"Extend the budget of {context.name}: {budget.words}"[:300],
        before={"most": budget.most, "used": budget.used}, agent_id=context.agent_id, expiration=_ASKED_FOR,
        facts={"store": context.name, "kind": str(budget.kind), "period": str(budget.period), "extra": extra},
    ))  # fmt: skip
    tx.execute(sa.update(row).where(*own).values(request_id=request.id)
               .execution_options(synchronize_session=False))  # fmt: skip


def settled(deps: Deps, tx: Tx, request: Request) -> None:  # noqa: ARG001 - the shape of all effects
    """Extend the budget for its period, if it was approved in it; what waits goes on."""
    if request.state is not RequestState.APPROVED:
        return
    row, payload = StoreBudgetRow, request.payload
    account_id, kind, period, begin = request.resource_id.split(":")
    if rules.begin_of(tx.now(), BudgetPeriod(period)) != date.fromisoformat(begin):
        return  # the period is over, and the budget is full again
    snooze.free_held(tx, BEGINNINGS)
    own = (row.account_id == uuid.UUID(account_id), row.kind == kind, row.period == period)
    tx.execute(sa.update(row).where(*own).values(
        extension=_extra(payload), extended_from=date.fromisoformat(begin)
    ).execution_options(synchronize_session=False))  # fmt: skip
    events.emit(tx, "store.extended", agent_id=request.agent_id, store=payload["store"], extra=payload["extra"],
                by=request.settled_by or "fleet", page="/listings/budgets")  # fmt: skip


def checked(request: Request, payload: Mapping[str, Any]) -> dict[str, Any]:
    """Return an edited extension. Raises InvalidInput for anything else than another amount."""
    if {**request.payload, "extra": None} != {**payload, "extra": None}:
        raise InvalidInput("Only the amount (`extra`) can be edited.")
    return {**request.payload, "extra": _extra(payload)}


def _extra(payload: Mapping[str, Any]) -> int:
    extra = payload.get("extra")
    if isinstance(extra, bool) or not isinstance(extra, int) or not 0 < extra <= MOST:
        raise InvalidInput(f"extra: a whole number from 1 to {MOST:,}.")
    return extra


EFFECTS = {(RESOURCE, ACTION): Effect(settled, checked=checked)}
