"""Tables of the ledger: ticks (the decision log), jobs, and every attempt at them. Knows no other room's rows."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from fleet.core.db import Base, one_of
from fleet.core.db.visibility import Rows, of_agent, seen
from fleet.engine.jobs.states import DeadReason, JobState
from fleet.engine.policy import Priority

_TIME = sa.DateTime(timezone=True)
_NOW = sa.text("clock_timestamp()")
_SENT = sa.text("sending_at IS NOT NULL")
UNDONE = (JobState.SKIPPED, JobState.CANCELLED)
# With its own parentheses: `text` adds none, and an OR beside another condition would cancel that one.
PRUNABLE = sa.text("(state IN ('skipped', 'cancelled') OR (state = 'done' AND NOT once))")
"""Jobs that are done once per target stay as long as their agent: they prevent a second one."""

RARE_PRIORITIES = (Priority.CRITICAL, Priority.HIGH)
"""Priorities of requests by people and of few kinds; most jobs have one of the others."""


class TickRow(Base):
    """One tick of an agent: what it saw, what it decided and how long that took."""

    __tablename__ = "ticks"

    agent_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("agents.id", ondelete="CASCADE"), primary_key=True)
    tick_no: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True)
    state: Mapped[str] = mapped_column(sa.String(10), server_default="due")
    due_at: Mapped[datetime] = mapped_column(_TIME)
    asked_for: Mapped[str | None] = mapped_column(sa.String(20))  # a person requests exactly this action
    requested_by: Mapped[str | None] = mapped_column(sa.String(100))
    published_at: Mapped[datetime | None] = mapped_column(_TIME)
    publishes: Mapped[int] = mapped_column(sa.SmallInteger, server_default=sa.text("0"))  # since the last claim
    lease_token: Mapped[int] = mapped_column(sa.BigInteger, server_default=sa.text("0"))
    lease_until: Mapped[datetime | None] = mapped_column(_TIME)
    decided_at: Mapped[datetime | None] = mapped_column(_TIME)
    inputs: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    outcome: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    duration_ms: Mapped[int | None]
    error: Mapped[str | None] = mapped_column(sa.Text)

    __table_args__ = (
        sa.CheckConstraint("state IN ('due', 'deciding', 'decided', 'skipped')", name="state"),
        sa.CheckConstraint("(state IN ('due', 'deciding')) = (decided_at IS NULL)", name="undecided"),
        # At most one undecided tick of an agent: two decisions at once, or a pile of late ones, cannot exist.
        # No index may name `state` or the lease: a claim changes both, and it is a HOT update.
        sa.Index("uq_ticks_undecided", "agent_id", unique=True, postgresql_where=sa.text("decided_at IS NULL")),
        sa.Index("ix_ticks_undecided_due_at", "due_at", postgresql_where=sa.text("decided_at IS NULL")),
        sa.Index("ix_ticks_decided_at", "decided_at", postgresql_where=sa.text("decided_at IS NOT NULL")),
        sa.Index("ix_ticks_failed", "decided_at", postgresql_where=sa.text("error IS NOT NULL")),
        {"postgresql_with": {"fillfactor": 80, "autovacuum_vacuum_scale_factor": 0.05}, **of_agent("ticks").args},
    )


class JobRow(Base):
    """One job, from its creation to its end."""

    __tablename__ = "jobs"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    agent_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("agents.id", ondelete="CASCADE"))
    tick_no: Mapped[int | None] = mapped_column(sa.BigInteger)
    kind: Mapped[str] = mapped_column(sa.String(20))
    priority: Mapped[str] = mapped_column(sa.String(10))
    surface: Mapped[str] = mapped_column(sa.String(40), server_default="floimg")
    # NULL is the account of the settings. No foreign key: its check would lock the account's row for every job.
    account_id: Mapped[uuid.UUID | None]
    target: Mapped[str | None] = mapped_column(sa.String(200))  # the target of a like or comment
    payload: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=sa.text("'{}'::jsonb"))
    state: Mapped[str] = mapped_column(sa.String(10), server_default=JobState.READY)
    attempts: Mapped[int] = mapped_column(server_default=sa.text("0"))  # tries that the surface or we failed
    max_attempts: Mapped[int]
    claims: Mapped[int] = mapped_column(server_default=sa.text("0"))  # starts, with or without a finish
    next_attempt_at: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)
    published_at: Mapped[datetime | None] = mapped_column(_TIME)
    publishes: Mapped[int] = mapped_column(sa.SmallInteger, server_default=sa.text("0"))  # since the last claim
    lease_token: Mapped[int] = mapped_column(sa.BigInteger, server_default=sa.text("0"))
    lease_until: Mapped[datetime | None] = mapped_column(_TIME)
    checkpoint: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=sa.text("'{}'::jsonb"))
    sending_at: Mapped[datetime | None] = mapped_column(_TIME)
    held: Mapped[str | None] = mapped_column(sa.String(300))  # what it waits for: a pause, a cap, a budget
    remote_id: Mapped[str | None] = mapped_column(sa.String(200))
    result: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    dead_reason: Mapped[str | None] = mapped_column(sa.String(20))
    error: Mapped[str | None] = mapped_column(sa.Text)
    requested_by: Mapped[str | None] = mapped_column(sa.String(100))
    created_at: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)
    expires_at: Mapped[datetime] = mapped_column(_TIME)
    finished_at: Mapped[datetime | None] = mapped_column(_TIME)
    # Properties of the kind that the indexes need, copied from its JobHandler when the job is added.
    once: Mapped[bool]  # at most one of its agent on its target
    rare: Mapped[bool]  # of a kind that is not `is_frequent`
    lane: Mapped[str | None] = mapped_column(sa.String(200))  # only of jobs that wait until `pacing` publishes them

    __table_args__ = (
        sa.CheckConstraint(one_of("state", JobState), name="state"),
        sa.CheckConstraint(one_of("priority", Priority), name="priority"),
        sa.CheckConstraint(f"dead_reason IS NULL OR {one_of('dead_reason', DeadReason)}", name="dead_reason"),
        sa.CheckConstraint("(state = 'dead') <= (dead_reason IS NOT NULL)", name="dead_has_reason"),
        sa.CheckConstraint("(state IN ('running', 'sending')) <= (lease_until IS NOT NULL)", name="leased"),
        sa.CheckConstraint(
            "(state IN ('done', 'dead', 'skipped', 'cancelled')) = (finished_at IS NOT NULL)", name="finished"
        ),
        # One like of an agent on a post, whatever decides, retries or races. The surface forgets a like that is taken
        # back; this index does not. The target comes first, so that all jobs of a kind on one target are found as well.
        sa.Index(
            "uq_jobs_once",
            "target",
            "kind",
            "agent_id",
            unique=True,
            postgresql_where=sa.text("once AND state NOT IN ('skipped', 'cancelled')"),
        ),
        # The sweep: due jobs, expired leases, and jobs that wait for a pause or a cap.
        sa.Index("ix_jobs_live", "next_attempt_at", postgresql_where=sa.text("state IN ('ready', 'unknown')")),
        sa.Index("ix_jobs_leases", "lease_until", postgresql_where=sa.text("lease_until IS NOT NULL")),
        sa.Index("ix_jobs_held", "surface", postgresql_where=sa.text("held IS NOT NULL")),
        # The caps: recent writes of an agent, and of the fleet on one surface.
        sa.Index("ix_jobs_agent_sent", "agent_id", "sending_at", "kind", postgresql_where=_SENT),
        sa.Index("ix_jobs_surface_writes", "surface", "sending_at", postgresql_where=_SENT),
        # Paced jobs by lane: those waiting to be published, and those published (`fleet.engine.jobs.pacing`).
        sa.Index(
            "ix_jobs_lane_waiting",
            "kind",
            "lane",
            "next_attempt_at",
            postgresql_where=sa.text("lane IS NOT NULL AND state = 'ready' AND published_at IS NULL"),
        ),
        sa.Index(
            "ix_jobs_lane_published",
            "kind",
            "lane",
            postgresql_where=sa.text("lane IS NOT NULL AND state IN ('ready', 'running') AND published_at IS NOT NULL"),
        ),
        # Lists, newest first. Rare jobs have small indexes of their own; common ones are found soon on the way down.
        sa.Index("ix_jobs_created_at", "created_at"),
        sa.Index("ix_jobs_agent", "agent_id", "kind", "created_at"),
        sa.Index("ix_jobs_finished_at", "finished_at", postgresql_where=sa.text("finished_at IS NOT NULL")),
        sa.Index(
            "ix_jobs_undone",
            "state",
            "kind",
            "created_at",
            postgresql_where=sa.text("state IN ('skipped', 'cancelled')"),
        ),
        sa.Index("ix_jobs_rare", "kind", "created_at", postgresql_where=sa.text("rare")),
        sa.Index(
            "ix_jobs_urgent", "priority", "created_at", postgresql_where=sa.text("priority IN ('critical', 'high')")
        ),
        # Dead letters are listed, filtered and counted from this index alone.
        sa.Index(
            "ix_jobs_dead_letters",
            "finished_at",
            "id",
            postgresql_where=sa.text("state = 'dead'"),
            postgresql_include=["dead_reason", "kind", "agent_id"],
        ),
        # Exactly the rows that prune may delete: jobs that are done once per target are kept forever and would slow it
        # down.
        sa.Index("ix_jobs_prunable", "finished_at", postgresql_where=PRUNABLE),
        {"postgresql_with": {"fillfactor": 80, "autovacuum_vacuum_scale_factor": 0.05}, **of_agent("jobs").args},
    )


STANDING = (JobRow.once, JobRow.state.not_in(UNDONE))
"""The jobs in uq_jobs_once, for queries by target."""


class AttemptRow(Base):
    """One claim of a job: worker, times, and how it ended. Only its end is ever updated."""

    __tablename__ = "job_attempts"

    job_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    lease_token: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True)
    worker: Mapped[str] = mapped_column(sa.String(100))
    started_at: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)
    ended_at: Mapped[datetime | None] = mapped_column(_TIME)
    outcome: Mapped[str | None] = mapped_column(sa.String(20))
    error: Mapped[str | None] = mapped_column(sa.Text)
    failed_account: Mapped[uuid.UUID | None]  # the account whose outside system failed it; NULL: something else

    __table_args__ = (
        # No index may name the end of every attempt: recording it is a HOT update.
        sa.Index("ix_job_attempts_started_at", "started_at"),
        sa.Index("ix_job_attempts_failed", "ended_at", postgresql_where=sa.text("failed_account IS NOT NULL")),
        {
            "postgresql_with": {"autovacuum_vacuum_scale_factor": 0.05},
            **Rows(seen("jobs", "seen.id = job_attempts.job_id")).args,
        },
    )
