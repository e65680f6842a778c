"""A fleet with load of hours ago: jobs with their attempts, and syncs of a store, as rows."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from fleet.access.models import DEFAULT_ORGANISATION
from fleet.core import ids
from fleet.engine import system_agents
from fleet.engine.agents.models import AgentRow
from fleet.engine.attempts.perform import perform
from fleet.engine.jobs.models import AttemptRow, JobRow
from fleet.engine.jobs.ticks import TickKey
from fleet.engine.tick import tick
from fleet.features.stores.models import StoreRow, SyncRunRow
from fleet.features.tuning import agent, queries
from fleet.features.tuning.models import TuningProposalRow
from tests.factories import Fleet

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


class LoadedFleet:
    """Adds rows of work that was done, wakes the tuning agent, and lets time pass."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        system_agents.staff(fleet.deps.db)
        self.worker = fleet.agent()
        with fleet.deps.db.transaction() as tx:
            self.now = tx.now()
            self.tuner: uuid.UUID = tx.scalar(sa.select(AgentRow.id).where(AgentRow.kind == "tuning"))

    def jobs(
        self, number: int, *, since: datetime | None = None, every: timedelta = timedelta(minutes=1),
        wait: timedelta = timedelta(), run: timedelta = timedelta(seconds=1), held: int = 0, why: str = "429 too many",
        workers: int = 1, kind: str = "comment",
    ) -> None:  # fmt: skip
        """Add jobs that are done, one each `every`; the first `held` ones were held back once before."""
        since = since or self.now - 20 * HOUR
        with self.fleet.deps.db.transaction() as tx:
            for place in range(number):
                due, job_id = since + place * every, ids.new()
                began = due + wait
                tx.execute(sa.insert(JobRow).values(
                    id=job_id, agent_id=self.worker, kind=kind, priority="normal", state="done", max_attempts=10,
                    next_attempt_at=due, created_at=due, expires_at=due + DAY, finished_at=began + run, lease_token=9,
                    sending_at=began, once=False, rare=False, target=str(job_id),
                ))  # fmt: skip
                attempts = [(9, began, began + run, "done", None)]
                if place < held:
                    attempts.append((8, due - timedelta(seconds=30), due - timedelta(seconds=29), "held", why))
                for token, start, end, outcome, error in attempts:
                    tx.execute(sa.insert(AttemptRow).values(
                        job_id=job_id, lease_token=token, worker=f"host:{place % workers}", started_at=start,
                        ended_at=end, outcome=outcome, error=error,
                    ))  # fmt: skip

    def store(self, name: str = "shop", adapter: str = "sandbox_shop") -> uuid.UUID:
        """Add a store; return its account."""
        account = self.fleet.account(name, adapter=adapter)
        with self.fleet.deps.db.transaction() as tx:
            tx.session.add(StoreRow(
                account_id=account, organisation_id=DEFAULT_ORGANISATION, agent_id=self.fleet.agent(), title="Shop",
                currency="EUR", created_by="ann",
            ))  # fmt: skip
        return account

    def syncs(
        self, account: uuid.UUID, number: int, *, since: datetime | None = None,
        every: timedelta = timedelta(minutes=15), took: timedelta = timedelta(seconds=10), changed: int = 0,
        each: int = 1, read: int = 0, batch: int | None = None, failed: int = 0,
    ) -> None:  # fmt: skip
        """Add syncs by the schedule; the first `changed` ones found `each` changes, the last `failed` ones failed."""
        since = since or self.now - 20 * HOUR
        with self.fleet.deps.db.transaction() as tx:
            for place in range(number):
                began = since + place * every
                has_failed = place >= number - failed
                counts = {"read": read, "updated": each if place < changed else 0}
                tx.session.add(SyncRunRow(
                    id=ids.new(), account_id=account, organisation_id=DEFAULT_ORGANISATION, strategy="incremental",
                    direction="pull", priority=1, reason="its interval is over", batch=batch, counts=counts,
                    state="failed" if has_failed else "done", started_at=began,
                    ended_at=began + took * (1 + 0.1 * (place % 3)),
                ))  # fmt: skip

    def wakes(self) -> str:
        """Wake the tuning agent, and carry out the job that it adds; return the job's state, "" without a job."""
        fleet, tuner = self.fleet, self.tuner
        fleet.sql("UPDATE agents SET tick_no = tick_no + 1 WHERE id = :id", id=tuner)
        key = TickKey(tuner, fleet.row(tuner).tick_no)
        fleet.sql("INSERT INTO ticks (agent_id, tick_no, due_at) VALUES (:id, :no, clock_timestamp())",
                  id=tuner, no=key.tick_no)  # fmt: skip
        tick(fleet.deps, key)
        row = fleet.sql("SELECT inputs, error FROM ticks WHERE agent_id = :id AND tick_no = :no",
                        id=tuner, no=key.tick_no).one()  # fmt: skip
        assert row.error is None
        assert agent.to_data(agent.from_data(row.inputs)) == row.inputs
        return self.works() if fleet.jobs(kind="tuning_run", state="ready") else ""

    def works(self) -> str:
        """Carry out the waiting job of the tuning agent; return its state."""
        (job,) = self.fleet.jobs(kind="tuning_run", state="ready")
        perform(self.fleet.deps, job.id)
        done = self.fleet.job(job.id)
        assert done.error is None or done.state != "dead", done.error
        self.fleet.deps.live.refresh(wait=True)
        return str(done.state)

    def passes(self, span: timedelta) -> None:
        """Let time pass: everything that was recorded is older."""
        for table, columns in {
            "jobs": ("next_attempt_at", "created_at", "finished_at", "sending_at"), "settings": ("set_at",),
            "job_attempts": ("started_at", "ended_at"), "sync_runs": ("started_at", "ended_at"),
            "tuning_proposals": ("made_at", "decided_at", "applied_at", "undone_at", "measured_at"),
            "tuning_runs": ("made_at", "since"),
        }.items():  # fmt: skip
            moved = ", ".join(f"{one} = {one} - :span" for one in columns)
            self.fleet.sql(f"UPDATE {table} SET {moved}", span=span)

    def proposals(self, **where: Any) -> list[TuningProposalRow]:
        """Return all proposals, newest first."""
        with self.fleet.deps.db.transaction() as tx:
            found = [one for one in queries.listed(tx, limit=100)
                     if all(getattr(one, name) == value for name, value in where.items())]  # fmt: skip
            tx.session.expunge_all()
            return found
