"""The reconciler: one system agent that has stores compared when they are due, and ends fixes whose jobs ended.

The comparison itself is a job of the store's agent, through the store's account: pausing either holds it.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from fleet.accounts.models import AccountRow
from fleet.core.db import Tx
from fleet.engine.agent_type import Acts, ClaimedAgent
from fleet.engine.agents.models import AgentRow
from fleet.engine.agents.status import AgentStatus
from fleet.engine.deps import Deps
from fleet.engine.jobs.models import JobRow
from fleet.engine.jobs.states import FINAL
from fleet.features.reconciliation import rules, service
from fleet.features.reconciliation.compare.run import fail, part_id
from fleet.features.reconciliation.fixes.jobs import settle_ended
from fleet.features.reconciliation.models import ReconciliationRow
from fleet.features.reconciliation.settings import ReconciliationSettings
from fleet.features.stores.models import StoreRow, SyncRunRow

_MOST_STORES = 500


@dataclass(frozen=True, slots=True)
class ObservedStore:
    """What is known of a store. `every_s` None: it is compared only when people ask."""

    account_id: str
    name: str
    adapter: str
    every_s: float | None
    last_at: datetime | None
    is_busy: bool
    """Whether a comparison, or a sync, is running."""
    lost_run: str | None = None
    """A run whose job ended before it did, and why."""
    lost_why: str = ""


@dataclass(frozen=True, slots=True)
class ReconcilerObservation:
    """The stores at a moment."""

    now: datetime
    stores: tuple[ObservedStore, ...]


@dataclass(frozen=True, slots=True)
class ReconcilerDecision:
    """The stores to compare, and the runs that were lost."""

    due: tuple[ObservedStore, ...]
    lost: tuple[ObservedStore, ...] = ()
    action: str | None = None

    @property
    def thought(self) -> str:
        """Which stores are compared; nothing where none is."""
        return f"compare {', '.join(one.name for one in self.due)} with the catalogue" if self.due else ""

    def outcome(self) -> dict[str, Any]:
        """Return the decision as data."""
        return {"due": [one.name for one in self.due], "lost": [one.lost_run for one in self.lost]}


def gather(deps: Deps, claimed: ClaimedAgent) -> ReconcilerObservation:
    """Read when each running store was compared last, and what runs."""
    with deps.db.transaction() as tx:
        query = sa.select(StoreRow, AccountRow.name, AccountRow.adapter).join(
            AccountRow, AccountRow.id == StoreRow.account_id,
        ).join(AgentRow, AgentRow.id == StoreRow.agent_id)  # fmt: skip
        query = query.where(StoreRow.removed_at.is_(None), AgentRow.status == AgentStatus.RUNNING,
                            StoreRow.synced_at.is_not(None)).order_by(AccountRow.name).limit(_MOST_STORES)  # fmt: skip
        found = tuple(_store(deps, tx, *one) for one in tx.execute(query).tuples())
    return ReconcilerObservation(claimed.now, found)


def _store(deps: Deps, tx: Tx, row: StoreRow, name: str, adapter: str) -> ObservedStore:
    run, sync = ReconciliationRow, SyncRunRow
    last = tx.scalar(sa.select(sa.func.max(run.started_at)).where(run.account_id == row.account_id))
    running = tx.session.scalars(
        sa.select(run).where(run.account_id == row.account_id, run.state == "running")).one_or_none()  # fmt: skip
    syncs = tx.scalar(sa.select(sa.exists().where(sync.account_id == row.account_id, sync.state == "running")))
    lost_run, lost_why = None, ""
    if running is not None:
        job = tx.session.get(JobRow, part_id(running.id, running.part))
        if job is None or job.state in FINAL:
            lost_run, lost_why = str(running.id), (job and job.error) or "its job ended"
    every = deps.settings_of(None, row.account_id, None, row.organisation_id).of(ReconciliationSettings).every
    return ObservedStore(
        str(row.account_id), name, adapter,
        None if every is None else every.total_seconds() / deps.settings.tempo, last,
        bool(syncs) or (running is not None and lost_run is None), lost_run, lost_why,
    )  # fmt: skip


def decide(moment: ReconcilerObservation, rng: random.Random) -> ReconcilerDecision:  # noqa: ARG001 - as all decisions
    """Choose the stores to compare."""
    due = tuple(
        one for one in moment.stores
        if rules.is_due(now=moment.now, last_at=one.last_at, is_running=one.is_busy,
                        every=None if one.every_s is None else timedelta(seconds=one.every_s))
    )  # fmt: skip
    return ReconcilerDecision(due, tuple(one for one in moment.stores if one.lost_run is not None))


def act(deps: Deps, claimed: ClaimedAgent, decision: ReconcilerDecision) -> Acts:
    """Begin the comparisons, and end what was lost, in the transaction that records the decision."""
    del claimed

    def also(tx: Tx) -> None:
        settle_ended(tx)
        for one in decision.lost:
            fail(tx, one.name, None, uuid.UUID(one.lost_run), one.lost_why)
        for one in decision.due:
            row = tx.session.get(StoreRow, uuid.UUID(one.account_id))
            if row is not None and row.removed_at is None:
                service.begin(deps, tx, row, one.name, one.adapter, reason="its interval is over")

    return Acts([], also)


def to_data(moment: ReconcilerObservation) -> dict[str, Any]:
    """Return an observation as data."""
    return {"now": moment.now.isoformat(), "stores": [
        {**{name: getattr(one, name) for name in ObservedStore.__slots__},
         "last_at": one.last_at and one.last_at.isoformat()} for one in moment.stores
    ]}  # fmt: skip


def from_data(data: Mapping[str, Any]) -> ReconcilerObservation:
    """Return the observation that `to_data` wrote down."""
    return ReconcilerObservation(datetime.fromisoformat(data["now"]), tuple(
        ObservedStore(**{**one, "last_at": one["last_at"] and datetime.fromisoformat(one["last_at"])})
        for one in data["stores"]
    ))  # fmt: skip
