"""The verbs of reconciliation: begin and cancel comparisons; fix, undo and dismiss discrepancies."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from fleet.access import audit
from fleet.core import ids
from fleet.core.db import Tx
from fleet.core.errors import Conflict, FleetError, InvalidInput, NotFound
from fleet.engine import publish, registry
from fleet.engine.agents.models import AgentRow
from fleet.engine.agents.status import AgentStatus
from fleet.engine.deps import Deps
from fleet.engine.jobs.ledger import NewJob
from fleet.features.reconciliation.compare import findings, missing
from fleet.features.reconciliation.compare.run import RECONCILE
from fleet.features.reconciliation.fixes import apply
from fleet.features.reconciliation.models import OPEN, DiscrepancyRow, ReconciliationRow
from fleet.features.reconciliation.posts import begin as posts
from fleet.features.reconciliation.posts import decide
from fleet.features.reconciliation.posts.run import THING
from fleet.features.reconciliation.rules import Remedy
from fleet.features.stores import service as stores
from fleet.features.stores.models import StoreRow
from fleet.features.stores.state.context import StoreContext, context_for

MOST = 1000
"""Discrepancies that one request changes, at most."""


@dataclass(frozen=True, slots=True)
class ChangedDiscrepancies:
    """What came of a request about several: how many were changed, and why others were not."""

    changed: int
    problems: Sequence[str]


def request(deps: Deps, name: str, *, by: str) -> uuid.UUID:
    """Compare a store, or the posts of an account, as soon as possible; return the run.

    Raises NotFound, Conflict while one is running or the store is paused.
    """
    if not _is_store(deps, name):
        return posts.request(deps, name, by=by)
    with deps.db.transaction() as tx:
        row, account = stores.named(tx, name)
        agent = tx.session.get_one(AgentRow, row.agent_id)
        if agent.status != AgentStatus.RUNNING:
            raise Conflict(f"The store {account.name} is {agent.status}.",
                           fix=f"`fleet stores resume {account.name}` lets it go on.")  # fmt: skip
        run_id = begin(deps, tx, row, account.name, account.adapter, reason=f"{by} asked for it", by=by)
        if run_id is None:
            raise Conflict(
                f"{account.name} is being compared already.", fix="`fleet reconcile runs` shows how far it is."
            )
        audit.note(tx, "reconciliation.requested", f"store:{account.name}")
        return run_id


def _is_store(deps: Deps, name: str) -> bool:
    if "stores" not in registry.current():
        return False
    with deps.db.transaction() as tx:
        try:
            stores.named(tx, name)
        except NotFound:
            return False
        return True


def begin(
    deps: Deps, tx: Tx, store: StoreRow, name: str, adapter: str, *, reason: str, by: str | None = None
) -> uuid.UUID | None:  # fmt: skip
    """Begin the comparison of a store with a job of its agent; None while another one is running."""
    run_id, row = ids.new(), ReconciliationRow
    new = insert(row).values(
        id=run_id, account_id=store.account_id, organisation_id=store.organisation_id,
        reason=reason[:200], requested_by=by and by[:100],
    ).on_conflict_do_nothing().returning(row.id)  # fmt: skip
    if tx.scalar(new) is None:
        return None
    publish.add_jobs(tx, deps.publisher, [NewJob(
        run_id, store.agent_id, RECONCILE, adapter, payload={"run": str(run_id), "part": 0, "store": name},
        requested_by=by, account_id=store.account_id,
    )])  # fmt: skip
    return run_id


def cancel(deps: Deps, run_id: uuid.UUID, *, by: str) -> bool:
    """End a comparison after the page that it reads; its findings stay. False if it has ended."""
    row = ReconciliationRow
    with deps.db.transaction() as tx:
        ended = sa.update(row).where(row.id == run_id, row.state == "running").values(
            state="cancelled", ended_at=tx.sql_now, problem=f"cancelled by {by}"[:500])  # fmt: skip
        done = tx.execute(ended.execution_options(synchronize_session=False)).rowcount > 0
        if done:
            missing.forget_seen(tx, run_id)
        return bool(audit.noted(tx, done, "reconciliation.cancelled", f"reconciliation:{run_id}"))


def fix(deps: Deps, which: Sequence[uuid.UUID], *, by: str, action: Remedy | None = None) -> ChangedDiscrepancies:
    """Fix discrepancies, each by its suggested action or by `action`; those that cannot be are told."""

    def one(tx: Tx, row: DiscrepancyRow) -> None:
        if row.state == "proposed":
            findings.reopen(deps, tx, row, f"{by} fixed it")
        _refuse_second(tx, row)
        if row.thing == THING:
            decide.accept(tx, row, by=by, action=action)
            return
        apply.fix(tx, _context(deps, tx, row, by), row, by=by, action=action)

    return _each(deps, which, one)


def undo(deps: Deps, which: Sequence[uuid.UUID], *, by: str) -> ChangedDiscrepancies:
    """Undo fixes, if their values are still there; a job writes the old value back to the store."""

    def one(tx: Tx, row: DiscrepancyRow) -> None:
        if row.thing == THING:
            _refuse_second(tx, row)
            decide.undo(tx, row, by=by)
            return
        apply.undo(tx, _context(deps, tx, row, by), row, by=by)

    return _each(deps, which, one)


def dismiss(deps: Deps, which: Sequence[uuid.UUID], *, by: str) -> ChangedDiscrepancies:
    """Leave discrepancies as they are: they come back when a value changes."""

    def one(tx: Tx, row: DiscrepancyRow) -> None:
        if row.state not in ("open", "proposed", "undone"):
            raise Conflict(f"The discrepancy of {row.about} is {row.state}.")
        findings.close(deps, tx, row, "dismissed", f"{by} dismissed it", by=by)
        store = tx.session.get(StoreRow, row.account_id)
        if row.thing == THING:
            decide.tell(tx, row, "discrepancy.dismissed", by)
            store = None
        audit.note(tx, "discrepancy.dismissed", f"discrepancy:{row.id}", after={"about": row.about, "field": row.field})
        if store is not None:
            apply.tell(tx, _context(deps, tx, row, by), row, "discrepancy.dismissed", by)

    return _each(deps, which, one)


def _each(
    deps: Deps, which: Sequence[uuid.UUID], change: Callable[[Tx, DiscrepancyRow], None]
) -> ChangedDiscrepancies:  # fmt: skip
    if not 0 < len(which) <= MOST:
        raise InvalidInput(f"Name 1 to {MOST:,} discrepancies.")
    done, problems = 0, []
    for one in dict.fromkeys(which):
        try:
            with deps.db.transaction() as tx:
                query = sa.select(DiscrepancyRow).where(DiscrepancyRow.id == one).with_for_update()
                row = tx.session.scalars(query).one_or_none()
                if row is None:
                    raise NotFound("There is no such discrepancy.", fix="`fleet reconcile list` lists them.")
                change(tx, row)
            done += 1
        except FleetError as error:
            problems.append(error.plain)
    return ChangedDiscrepancies(done, problems)


def _refuse_second(tx: Tx, row: DiscrepancyRow) -> None:
    """Refuse to fix an old difference while a newer one of the same thing and field is open."""
    other = DiscrepancyRow
    query = sa.select(other.id).where(
        other.account_id == row.account_id, other.thing == row.thing, other.key == row.key, other.field == row.field,
        other.state.in_(OPEN), other.id != row.id)  # fmt: skip
    if tx.scalar(query) is not None:
        raise Conflict(f"{row.about} has a newer discrepancy.", fix="Fix that one.")


def _context(deps: Deps, tx: Tx, row: DiscrepancyRow, by: str) -> StoreContext:
    store = tx.session.get(StoreRow, row.account_id)
    if store is None or store.removed_at is not None:
        raise Conflict(f"{row.about} is at no store: Fleet writes nothing there.")
    return context_for(deps, tx, store, requested_by=by)
