"""The job `reconcile_store`: read a store anew, page by page, and store what differs.

Each page is stored with the run's cursor in the transaction that proves the lease, so a kill at any line goes on with
the page that is not stored. What may be fixed by itself is fixed in that transaction, while what was compared is
locked.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, cast

import sqlalchemy as sa

from fleet.adapters import base, shops
from fleet.adapters.base import Vanished
from fleet.adapters.shops import ShopAdapter, StockLevel
from fleet.core import events, ids
from fleet.core.db import Tx
from fleet.core.failpoints import Point, reach
from fleet.engine import publish
from fleet.engine.attempts.work import Work
from fleet.engine.jobs.ledger import NewJob
from fleet.engine.jobs.outcomes import Done, Skipped
from fleet.features.notices import service as notices
from fleet.features.reconciliation.compare import findings, missing
from fleet.features.reconciliation.compare.findings import ComparedAccount, FoundDiscrepancy, Thing
from fleet.features.reconciliation.compare.products import ShopReading, compare_page
from fleet.features.reconciliation.fixes import decide
from fleet.features.reconciliation.models import ReconciliationRow
from fleet.features.reconciliation.rules import FixPolicy
from fleet.features.reconciliation.settings import ReconciliationSettings
from fleet.features.stores.models import StoreRow
from fleet.features.stores.rules import FailureKind, RetryStep, retry_policy
from fleet.features.stores.settings import StoresSettings
from fleet.features.stores.state.context import StoreContext, context_for
from fleet.features.stores.sync.run import failure_of

RECONCILE = "reconcile_store"
_LEAST_LEFT_S = 30.0
_FIRST = uuid.UUID(int=0)
STEPS = ("products", "gone", "here", "never")
"""Compare products; read those by their ids that were missed; then what the catalogue lacks, and what the store."""
COUNTS = ("read", "compared", "found", "new", "settled", "fixed", "proposed", "waiting")


@dataclass(slots=True)
class _Run:
    id: uuid.UUID
    part: int
    step: str
    page: str | None
    counts: dict[str, int]
    tallies: dict[str, int]
    started_at: datetime
    is_over: bool = False


@dataclass(frozen=True, slots=True)
class _Page:
    """A page that was read: `store` compares it in a transaction; `following` is the next step and cursor."""

    store: Callable[[Tx], _Compared]
    following: tuple[str, str | None] | None


@dataclass(slots=True)
class _Compared:
    found: Sequence[FoundDiscrepancy] = ()
    compared: set[Thing] = field(default_factory=set)
    read: int = 0
    waiting: int = 0
    page: str | None = None
    """The cursor of the same step, where only the transaction knows it."""


class _Over(Exception):
    """The run was ended by somebody else."""


def part_id(run_id: uuid.UUID, part: int) -> uuid.UUID:
    """Return the id of a job of a run: the first one's is that of the run."""
    return run_id if part == 0 else ids.derived("reconciliation part", run_id, part)


def prepare(work: Work) -> Done | Skipped:
    """Go on with the run of a job until it is over or the lease ends. Raises an AdapterError that waits."""
    run_id, part = uuid.UUID(str(work.claim.payload["run"])), int(work.claim.payload["part"])
    with work.deps.db.transaction() as tx:
        row = tx.session.get(ReconciliationRow, run_id)
        store = None if row is None else tx.session.get(StoreRow, row.account_id)
        if row is None or store is None or row.state != "running" or row.part != part:
            return Skipped("this part of the comparison is over")
        context = context_for(work.deps, tx, store, run_id=run_id, requested_by=row.requested_by)
        at: dict[str, Any] = json.loads(row.cursor) if row.cursor else {}
        run = _Run(row.id, row.part, row.step or STEPS[0], at.get("page"), dict(row.counts), dict(row.tallies),
                   row.started_at)  # fmt: skip
    settings = work.settings.of(ReconciliationSettings)
    policy = settings.policy(context.direction, context.settings.rule_of("title"))
    steps = _Steps(context, policy, shops.shop(work.gateway.adapter), run)
    try:
        while not run.is_over:
            if work.lease.left_s() < min(_LEAST_LEFT_S, work.deps.settings.lease_s / 3):
                return go_on_later(work, run.id, run.part, run.counts)
            _store(work, steps, settings.reconcile_most_fixes, steps.read())
    except base.AdapterError as error:
        decision = retry_policy(failure_of(error), work.claim.attempts + 1)
        if decision.step is not RetryStep.STOP and failure_of(error) is not FailureKind.BUSINESS:
            raise
        return _fail(work, context, run, str(error))
    except _Over:
        return Skipped("the comparison was cancelled")
    return Done(result={"store": context.name, **run.counts})


@dataclass(frozen=True, slots=True)
class _Steps:
    context: StoreContext
    policy: FixPolicy
    adapter: ShopAdapter
    run: _Run

    def read(self) -> _Page:
        steps: Mapping[str, Callable[[], _Page]] = {
            "products": self._products, "gone": self._gone, "here": self._here, "never": self._never,
        }  # fmt: skip
        return steps[self.run.step]()

    def _products(self) -> _Page:
        context = self.context
        limit = max(1, min(context.traits.page, context.settings.store_batch))
        began = context.deps.now()
        page = self.adapter.products(cursor=self.run.page, limit=limit)
        if page.cursor is not None and page.cursor == self.run.page:
            raise base.Refused(f"the shop's pages do not end: {page.cursor[:60]!r} leads to itself")
        products = {one.id: one for one in page.items}
        stock: dict[str, list[StockLevel]] = {}
        variants = [one.id for product in products.values() for one in product.variants]
        for one in self.adapter.stock_of(variants) if variants else ():
            stock.setdefault(one.variant_id, []).append(one)
        settles = settles_of(context.settings) / context.deps.settings.tempo
        reading = ShopReading(began=began, products=list(products.values()), stock=stock, settles=settles)

        def store(tx: Tx) -> _Compared:
            done = compare_page(tx, context, self.policy, reading)
            missing.note_seen(tx, self.run.id, done.known, done.unknown)
            return _Compared(done.found, done.compared, len(products), done.waiting)

        return _Page(store, ("gone", None) if page.cursor is None else ("products", page.cursor))

    def _gone(self) -> _Page:
        context, run = self.context, self.run
        with context.deps.db.transaction() as tx:
            if run.page is None and not missing.is_believed(tx, context.account_id, run.id, run.started_at):
                events.emit(tx, "reconciliation.failed", agent_id=context.agent_id, store=context.name,
                            why="it shows so little of what is known that missing products are not believed",
                            page="/reconciliation/runs")  # fmt: skip
                return _Page(lambda _: _Compared(), None)
            found = missing.unseen(tx, context.account_id, run.id, run.started_at, run.page or "")
        gone = [one for one in found if self._is_gone(one[1])]

        def store(tx: Tx) -> _Compared:
            here = missing.missing_there(tx, context, run.id, gone, run.started_at)
            return _Compared(here, {("product", str(local_id), "") for local_id, _ in gone})

        return _Page(store, ("gone", found[-1][1]) if len(found) == missing.BATCH else ("here", None))

    def _is_gone(self, external_id: str) -> bool:
        try:
            self.adapter.product(external_id)
        except Vanished:
            return True
        return False

    def _here(self) -> _Page:
        def store(tx: Tx) -> _Compared:
            found, last = missing.missing_here(tx, self.context, self.run.id, self.run.page or "", self.run.started_at)
            return _Compared(found, {one.place for one in found}, page=last)

        return _Page(store, ("never", None))

    def _never(self) -> _Page:
        def store(tx: Tx) -> _Compared:
            after = uuid.UUID(self.run.page) if self.run.page else _FIRST
            found, last = missing.never_there(tx, self.context, after, self.run.started_at)
            return _Compared(found, {one.place for one in found}, page=None if last is None else str(last))

        return _Page(store, None)


def _store(work: Work, steps: _Steps, most_fixes: int, page: _Page) -> None:
    """Store a page, and move the run behind it, in the transaction that proves the lease. Raises Fenced, _Over."""
    context, run = steps.context, steps.run
    moved: list[tuple[tuple[str, str | None] | None, dict[str, int], dict[str, int]]] = []

    def also(tx: Tx) -> None:
        row = ReconciliationRow
        is_there = sa.select(row.id).where(row.id == run.id, row.state == "running").with_for_update()
        if tx.scalar(is_there) is None:
            raise _Over
        done = page.store(tx)
        place = ComparedAccount(context.account_id, context.organisation_id, context.name, run.id)
        following = page.following if done.page is None else (run.step, done.page)
        compared = done.compared if following is not None else done.compared | _missed(tx, context, run)
        recorded = findings.record(work.deps, tx, place, done.found, compared)
        left = most_fixes - run.counts.get("fixed", 0)
        decided = decide.decide(tx, context, steps.policy, recorded.rows, left=left)
        more = {"read": done.read, "compared": len(done.compared), "found": len(done.found), "new": recorded.new,
                "settled": recorded.settled, "fixed": decided.fixed, "proposed": decided.proposed,
                "waiting": done.waiting}  # fmt: skip
        counts = {name: run.counts.get(name, 0) + more[name] for name in COUNTS}
        tallies = {name: run.tallies.get(name, 0) + recorded.tallies.get(name, 0)
                   for name in {*run.tallies, *recorded.tallies}}  # fmt: skip
        moved.append((following, counts, tallies))
        changes: dict[str, Any] = {"counts": counts, "tallies": tallies, "moved_at": tx.sql_now}
        if following is None:
            changes |= {"state": "done", "ended_at": tx.sql_now}
            finish(tx, context, run.id, counts, tallies)
        else:
            changes |= {"step": following[0], "cursor": json.dumps({"page": following[1]})}
            events.emit(tx, "reconciliation.moved", agent_id=context.agent_id, store=context.name, run=str(run.id),
                        read=counts["read"], step=run.step)  # fmt: skip
        tx.execute(sa.update(row).where(row.id == run.id).values(**changes)
                   .execution_options(synchronize_session=False))  # fmt: skip

    reach(Point.JOB_STEP_PAID)
    work.save("page", {"step": run.step}, also=also)
    reach(Point.JOB_STEP_SAVED)
    following, run.counts, run.tallies = moved[-1]
    if following is None:
        run.is_over = True
    else:
        run.step, run.page = following


def _missed(tx: Tx, context: StoreContext, run: _Run) -> set[Thing]:
    """Return the places of missing products that this run did not find again, if it read everything."""
    if run.step != STEPS[-1]:
        return set()
    return missing.places_not_seen(tx, context.account_id, run.id)


def finish(
    tx: Tx, context: StoreContext, run_id: uuid.UUID, counts: Mapping[str, int], tallies: Mapping[str, int]
) -> None:
    """Forget what a run has seen, and tell people."""
    missing.forget_seen(tx, run_id)
    events.emit(tx, "reconciliation.done", agent_id=context.agent_id, store=context.name, run=str(run_id),
                organisation=str(context.organisation_id), page="/reconciliation",
                **cast(dict[str, Any], counts))  # fmt: skip
    critical = sum(number for name, number in tallies.items() if name.endswith(":critical"))
    if critical and counts.get("new"):
        words = f"{critical} critical discrepancies at {context.name}" if critical > 1 \
            else f"A critical discrepancy at {context.name}"  # fmt: skip
        notices.add(context.deps, tx, "discrepancy.critical", words, "The page Reconciliation shows both values.")


def fail(tx: Tx, store: str, agent_id: uuid.UUID | None, run_id: uuid.UUID, why: str) -> None:
    """End a run that failed, if it has not ended."""
    row = ReconciliationRow
    ended = sa.update(row).where(row.id == run_id, row.state == "running")
    ended = ended.values(state="failed", ended_at=tx.sql_now, problem=why[:500])
    if tx.execute(ended.execution_options(synchronize_session=False)).rowcount:
        missing.forget_seen(tx, run_id)
        events.emit(tx, "reconciliation.failed", agent_id=agent_id, store=store, why=why[:300],
                    page="/reconciliation/runs")  # fmt: skip


def _fail(work: Work, context: StoreContext, run: _Run, why: str) -> Skipped:
    work.also = lambda tx: fail(tx, context.name, context.agent_id, run.id, why)
    return Skipped(f"the comparison failed: {why}")


def go_on_later(work: Work, run_id: uuid.UUID, part: int, counts: Mapping[str, int]) -> Done:
    """End this part of a run; the next one is added in the transaction that ends it."""
    claim, following = work.claim, part + 1

    def also(tx: Tx) -> None:
        row = ReconciliationRow
        moved = sa.update(row).where(row.id == run_id, row.part == part, row.state == "running")
        moved = moved.values(part=following).execution_options(synchronize_session=False)
        if tx.execute(moved).rowcount == 1:
            publish.add_jobs(tx, work.deps.publisher, [NewJob(
                part_id(run_id, following), claim.agent_id, claim.kind, claim.surface, target=claim.target,
                payload={**claim.payload, "part": following}, requested_by=claim.requested_by,
                account_id=claim.account_id,
            )])  # fmt: skip

    work.also = also
    return Done(result={"part": part, **counts})


def settles_of(settings: StoresSettings) -> timedelta:
    """Return the time in which a sync sees a change: two intervals."""
    return 2 * settings.interval
