"""The job `sync_store`: one run of a store, page by page, in as many jobs as it takes leases.

Each page is stored with the run's cursor in the transaction that proves the lease, so two workers never store the same
page, and a kill at any line goes on with the page that is not stored. The job writes nothing outside.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from fleet.adapters import base, shops
from fleet.core import events, ids
from fleet.core.db import Tx
from fleet.core.failpoints import Point, reach
from fleet.engine import publish
from fleet.engine.agents import loop
from fleet.engine.attempts.work import Work
from fleet.engine.jobs.ledger import NewJob
from fleet.engine.jobs.outcomes import Done, Skipped
from fleet.features.stores import rules
from fleet.features.stores.models import ShopEventRow, StoreRow, SyncRunRow
from fleet.features.stores.rules import Direction, FailureKind, RetryStep, Strategy
from fleet.features.stores.state.context import StoreContext, context_for
from fleet.features.stores.sync.steps import STEPS, PageToStore, RunPosition, Steps, page_after

SYNC = "sync_store"
_LEAST_LEFT_S = 30.0
"""Of the lease, before another page is begun; a third of a short lease."""
_TELL_EVERY_S = 2.0


@dataclass(slots=True)
class _Run:
    """The run as this attempt knows it: what the table says, and what it stored since."""

    id: uuid.UUID
    account_id: uuid.UUID
    part: int
    at: RunPosition
    counts: dict[str, int]
    expected: int | None
    is_over: bool = False
    told_s: float = -1e9
    """When its progress was last told."""


def part_id(run_id: uuid.UUID, part: int) -> uuid.UUID:
    """Return the id of a job of a run: the first one's is that of the run."""
    return run_id if part == 0 else ids.derived("sync part", run_id, part)


def prepare(work: Work) -> Done | Skipped:
    """Go on with the run of a job until it is over or the lease ends. Raises an AdapterError that waits."""
    run_id, part = uuid.UUID(str(work.claim.payload["run"])), int(work.claim.payload["part"])
    with work.deps.db.transaction() as tx:
        row = tx.session.get(SyncRunRow, run_id)
        store = None if row is None else tx.session.get(StoreRow, row.account_id)
        if row is None or store is None or row.state != "running" or row.part != part:
            return Skipped("this part of the sync is over")
        context = context_for(
            work.deps, tx, store, run_id=run_id, direction=Direction(row.direction), urgency=row.priority,
            requested_by=row.requested_by,
        )  # fmt: skip
        steps = Steps(context, shops.shop(work.gateway.adapter), Strategy(row.strategy), tuple(map(str, row.only)),
                      row.started_at, store.created_at)  # fmt: skip
        run = _Run(row.id, row.account_id, row.part, _position(row), dict(row.counts), row.expected)
        if work.claim.claims > 1:  # the page was perhaps too much for one lease
            run.at = replace(run.at, size=max(1, steps.size(run.at) >> min(work.claim.claims - 1, 8)))
        until = row.started_at + timedelta(minutes=context.settings.store_timeout_min) / work.deps.settings.tempo
    try:
        while not run.is_over:
            if work.deps.now() >= until:
                return _fail(work, context, run, f"it took more than {context.settings.store_timeout_min:g} minutes")
            most_s = min(_LEAST_LEFT_S, work.deps.settings.lease_s / 3)
            if work.lease.left_s() < most_s:
                return _go_on_later(work, run)
            _carry(work, context, steps, run, most_s)
    except base.AdapterError as error:
        decision = rules.retry_policy(failure_of(error), work.claim.attempts + 1)
        if decision.step is not RetryStep.STOP:
            raise
        return _fail(work, context, run, str(error))
    except _Over:
        return Skipped("the sync was cancelled")
    return Done(result={"store": context.name, **run.counts})


def failure_of(error: base.AdapterError) -> FailureKind:
    """Return the kind of a failed call."""
    match error:
        case base.Throttled() | base.SurfaceBudgetSpent() | base.SurfacePaused():
            return FailureKind.THROTTLED
        case base.TokenRefused():
            return FailureKind.AUTH
        case base.Refused() | base.Vanished():
            return FailureKind.BUSINESS
        case base.Uncertain():
            return FailureKind.UNKNOWN
        case _:
            return FailureKind.TRANSIENT


class _Over(Exception):
    """The run was ended by somebody else."""


def _position(row: SyncRunRow) -> RunPosition:
    found: dict[str, Any] = json.loads(row.cursor) if row.cursor else {}
    return RunPosition(row.step or STEPS[Strategy(row.strategy)][0], found.get("page"), found.get("memory") or {},
                       found.get("size") or 0)  # fmt: skip


def _carry(work: Work, context: StoreContext, steps: Steps, run: _Run, most_s: float) -> None:
    """Read a page, store it, and move the run behind it, in the transaction that proves the lease.

    `most_s`: the time that it may take. Raises an AdapterError, Fenced, _Over.
    """
    began_s = context.deps.clock.monotonic_s()
    page = steps.read(run.at)
    size = rules.next_size(steps.size(run.at), context.deps.clock.monotonic_s() - began_s, most_s)
    moved: list[tuple[RunPosition | None, dict[str, int]]] = []

    def also(tx: Tx) -> None:
        is_there = sa.select(SyncRunRow.id).where(SyncRunRow.id == run.id, SyncRunRow.state == "running")
        if tx.scalar(is_there.with_for_update()) is None:
            raise _Over
        done = page.store(tx)
        counts = done.plus(run.counts)
        following = _following(steps, run.at, page, size)
        moved.append((following, counts))
        expected = page.expected if page.expected is not None else run.expected
        values: dict[str, Any] = {
            "counts": counts, "moved_at": tx.sql_now, "expected": expected, "batch": steps.limit,
        }  # fmt: skip
        if following is None:
            _finish(tx, context, run, counts, is_whole=steps.strategy is not Strategy.SELECTIVE)
        else:
            _tell(tx, context, run, counts)
            cursor = json.dumps({"page": following.page, "memory": dict(following.memory), "size": following.size})
            values |= {"step": following.step, "cursor": cursor}
        tx.execute(sa.update(SyncRunRow).where(SyncRunRow.id == run.id).values(**values)
                   .execution_options(synchronize_session=False))  # fmt: skip

    reach(Point.JOB_STEP_PAID)
    work.save("page", {"step": run.at.step}, also=also)
    reach(Point.JOB_STEP_SAVED)
    following, run.counts = moved[-1]
    run.expected = page.expected if page.expected is not None else run.expected
    if following is None:
        run.is_over = True
    else:
        run.at = following


def _tell(tx: Tx, context: StoreContext, run: _Run, counts: dict[str, int]) -> None:
    """Emit the progress every few seconds, so that open pages show it."""
    now_s = context.deps.clock.monotonic_s()
    if now_s - run.told_s >= _TELL_EVERY_S:
        run.told_s = now_s
        events.emit(tx, "sync.moved", agent_id=context.agent_id, store=context.name, run=str(run.id),
                    read=counts["read"], step=run.at.step)  # fmt: skip


def _following(steps: Steps, at: RunPosition, page: PageToStore, size: int) -> RunPosition | None:
    cursor = page_after(page)
    if cursor is not None:
        return RunPosition(at.step, cursor, page.memory, size)
    step = steps.following(at.step)
    return None if step is None else RunPosition(step)


def _finish(tx: Tx, context: StoreContext, run: _Run, counts: dict[str, int], *, is_whole: bool) -> None:
    """End a run that succeeded. One that read named objects alone does not delay the next one by the schedule."""
    tx.execute(sa.update(SyncRunRow).where(SyncRunRow.id == run.id).values(state="done", ended_at=tx.sql_now)
               .execution_options(synchronize_session=False))  # fmt: skip
    row = StoreRow
    problem = sa.case((row.problem.startswith("Its currency is"), row.problem), else_="")
    tx.execute(sa.update(row).where(row.account_id == run.account_id)
               .values(synced_at=tx.sql_now if is_whole else row.synced_at, failed_syncs=0, problem=problem)
               .execution_options(synchronize_session=False))  # fmt: skip
    handled(tx, run.id)
    waits = sa.select(ShopEventRow.event_id).where(
        ShopEventRow.account_id == run.account_id, ShopEventRow.handled_at.is_(None)
    )
    if tx.scalar(sa.select(sa.exists(waits) | (sa.select(row.requested).where(row.account_id == run.account_id)
                                               .scalar_subquery() != sa.literal({}, JSONB)))):  # fmt: skip
        loop.wake(tx, context.agent_id)  # what came meanwhile need not wait for the agent's next look
    events.emit(
        tx, "sync.done", agent_id=context.agent_id, store=context.name, run=str(run.id),
        organisation=str(context.organisation_id), page=f"/stores/{context.name}",
        **cast(dict[str, Any], counts),
    )  # fmt: skip


def handled(tx: Tx, run_id: uuid.UUID) -> None:
    """Note that the events of the shop that a run was given are handled."""
    row = ShopEventRow
    tx.execute(sa.update(row).where(row.handled_by == run_id, row.handled_at.is_(None)).values(handled_at=tx.sql_now)
               .execution_options(synchronize_session=False))  # fmt: skip


def fail(tx: Tx, context_name: str, agent_id: uuid.UUID, run_id: uuid.UUID, why: str) -> bool:
    """End a run that failed; False if it had ended."""
    run, store = SyncRunRow, StoreRow
    ended = sa.update(run).where(run.id == run_id, run.state == "running")
    ended = ended.values(state="failed", ended_at=tx.sql_now, problem=why[:500]).returning(run.account_id)
    account_id = tx.scalar(ended.execution_options(synchronize_session=False))
    if account_id is None:
        return False
    tx.execute(sa.update(store).where(store.account_id == account_id)
               .values(failed_syncs=sa.func.least(store.failed_syncs + 1, 30_000), problem=why[:500])
               .execution_options(synchronize_session=False))  # fmt: skip
    events.emit(tx, "sync.failed", agent_id=agent_id, store=context_name, run=str(run_id), why=why[:300],
                page=f"/stores/{context_name}")  # fmt: skip
    return True


def _fail(work: Work, context: StoreContext, run: _Run, why: str) -> Skipped:
    def also(tx: Tx) -> None:
        fail(tx, context.name, context.agent_id, run.id, why)

    work.also = also
    return Skipped(f"the sync failed: {why}")


def _go_on_later(work: Work, run: _Run) -> Done:
    """End this part; the next one is added in the transaction that ends it."""
    claim, part = work.claim, run.part + 1

    def also(tx: Tx) -> None:
        row = SyncRunRow
        moved = sa.update(row).where(row.id == run.id, row.part == run.part, row.state == "running").values(part=part)
        if tx.execute(moved.execution_options(synchronize_session=False)).rowcount != 1:
            return
        publish.add_jobs(tx, work.deps.publisher, [NewJob(
            part_id(run.id, part), claim.agent_id, SYNC, claim.surface, target=claim.target,
            payload={"run": str(run.id), "part": part, "store": claim.payload.get("store", "")},
            requested_by=claim.requested_by, account_id=claim.account_id,
        )])  # fmt: skip

    work.also = also
    return Done(result={"part": run.part, **run.counts})
