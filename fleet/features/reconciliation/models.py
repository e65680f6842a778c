"""Tables of reconciliation: runs that compare a store with the catalogue, or posts with a network, and discrepancies.

A value of a field is JSON as in `fleet.features.stores.models`.
"""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from fleet.core.db import Base
from fleet.core.db.visibility import Rows, own, seen

_TIME = sa.DateTime(timezone=True)
_NOW = sa.text("clock_timestamp()")
_OBJECT = sa.text("'{}'::jsonb")
OPEN = ("open", "proposed", "fixing")
"""The states in which a thing and field has one discrepancy at most."""


class ReconciliationRow(Base):
    """One comparison of a store, or of an account's posts: it goes on where a kill ended it."""

    __tablename__ = "reconciliations"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    """The id of its first job."""
    account_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("accounts.id"))
    organisation_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("organisations.id"))
    reason: Mapped[str] = mapped_column(sa.String(200))
    requested_by: Mapped[str | None] = mapped_column(sa.String(100))
    state: Mapped[str] = mapped_column(sa.String(20), server_default="running")
    step: Mapped[str] = mapped_column(sa.String(20), server_default="")
    part: Mapped[int] = mapped_column(sa.SmallInteger, server_default=sa.text("0"))
    """The number of its newest job: a run that takes longer than a lease goes on in a following one."""
    cursor: Mapped[str | None] = mapped_column(sa.Text)
    counts: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=_OBJECT)
    """read, compared, found, new, settled, fixed, proposed, waiting (compared again later)."""
    tallies: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=_OBJECT)
    """What it found, by "TYPE:SEVERITY"."""
    problem: Mapped[str] = mapped_column(sa.String(500), server_default="")
    started_at: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)
    moved_at: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)
    """When a page of it was last stored."""
    ended_at: Mapped[datetime | None] = mapped_column(_TIME)

    __table_args__ = (
        sa.CheckConstraint("state IN ('running', 'done', 'failed', 'cancelled')", name="state"),
        sa.CheckConstraint("(state = 'running') = (ended_at IS NULL)", name="ended"),
        sa.Index("uq_reconciliations_running", "account_id", unique=True,
                 postgresql_where=sa.text("state = 'running'")),
        sa.Index("ix_reconciliations_account_id", "account_id", "started_at", "id"),
        sa.Index("ix_reconciliations_organisation_id", "organisation_id"),
        sa.Index("ix_reconciliations_ended_at", "ended_at", postgresql_where=sa.text("ended_at IS NOT NULL")),
        Rows(own()).args,
    )  # fmt: skip


class ReconciledObjectRow(Base):
    """An object of a store, or a post, that a running comparison has seen. Deleted when the run ends."""

    __tablename__ = "reconciled_objects"

    run_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("reconciliations.id", ondelete="CASCADE"), primary_key=True)
    external_id: Mapped[str] = mapped_column(sa.String(200), primary_key=True)
    skus: Mapped[list[Any]] = mapped_column(JSONB, server_default=sa.text("'[]'::jsonb"))
    """Those of an object that Fleet does not know: it may be a known one with another id."""
    about: Mapped[str] = mapped_column(sa.String(300), server_default="")
    is_known: Mapped[bool] = mapped_column(server_default=sa.text("true"))

    __table_args__ = (Rows(seen("reconciliations", "seen.id = reconciled_objects.run_id")).args,)


class MissedPostRow(Base):
    """A published post that its network did not have when it was read by its id: a second such reading is evidence."""

    __tablename__ = "missed_posts"

    account_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("accounts.id"), primary_key=True)
    job_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    """The job that published it. No foreign key: jobs are pruned."""
    organisation_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("organisations.id"))
    first_at: Mapped[datetime] = mapped_column(_TIME)

    __table_args__ = (sa.Index("ix_missed_posts_organisation_id", "organisation_id"), Rows(own()).args)


class DiscrepancyRow(Base):
    """A difference between the catalogue and a store, or the ledger and a network.

    A thing and field has one that is open at most.

    States: open, proposed (people are asked), fixing, fixed, undoing, undone, dismissed, settled (gone by itself).
    """

    __tablename__ = "discrepancies"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    account_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("accounts.id"))
    organisation_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("organisations.id"))
    run_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("reconciliations.id", ondelete="SET NULL"))
    """The newest run that saw it."""
    type: Mapped[str] = mapped_column(sa.String(20))
    thing: Mapped[str] = mapped_column(sa.String(10))
    """product, variant or post."""
    key: Mapped[str] = mapped_column(sa.String(200))
    """The id of the thing here, of a post its job; of one that Fleet does not know, its id there."""
    field: Mapped[str] = mapped_column(sa.String(60), server_default="")
    about: Mapped[str] = mapped_column(sa.String(300), server_default="")
    product_id: Mapped[uuid.UUID | None]
    external_id: Mapped[str] = mapped_column(sa.String(200), server_default="")
    local: Mapped[Any | None] = mapped_column(JSONB(none_as_null=True))
    remote: Mapped[Any | None] = mapped_column(JSONB(none_as_null=True))
    base: Mapped[Any | None] = mapped_column(JSONB(none_as_null=True))
    peers: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=_OBJECT)
    """What other stores have, by their names."""
    versions: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=_OBJECT)
    """{"product": its version here, "read_at": when the store was read}."""
    severity: Mapped[str] = mapped_column(sa.String(10))
    moved: Mapped[str] = mapped_column(sa.String(10))
    context: Mapped[str] = mapped_column(sa.String(20))
    confidence: Mapped[float]
    action: Mapped[str] = mapped_column(sa.String(10))
    state: Mapped[str] = mapped_column(sa.String(10), server_default="open")
    problem: Mapped[str] = mapped_column(sa.String(300), server_default="")
    """Why the last fix, or its undoing, did not happen."""
    job_id: Mapped[uuid.UUID | None]
    """The job that writes the fix, or undoes it, or publishes a post again."""
    undo: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=_OBJECT)
    """What a fix replaced, and what it wrote: {"action", "before", "after", "base"}."""
    request_id: Mapped[uuid.UUID | None]
    changed_by: Mapped[str] = mapped_column(sa.String(100), server_default="")
    found_at: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)
    seen_at: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)
    changed_at: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)

    __table_args__ = (
        sa.CheckConstraint("severity IN ('low', 'medium', 'high', 'critical')", name="severity"),
        sa.CheckConstraint("state IN ('open', 'proposed', 'fixing', 'fixed', 'undoing', 'undone', 'dismissed',"
                           " 'settled')", name="state"),
        sa.CheckConstraint("confidence BETWEEN 0 AND 1", name="confidence"),
        sa.Index("uq_discrepancies_open", "account_id", "thing", "key", "field", unique=True,
                 postgresql_where=sa.text("state IN ('open', 'proposed', 'fixing')")),
        sa.Index("ix_discrepancies_key", "account_id", "key", "field"),
        sa.Index("ix_discrepancies_organisation_id", "organisation_id", "found_at", "id"),
        sa.Index("ix_discrepancies_run_id", "run_id"),
        sa.Index("ix_discrepancies_job_id", "job_id", postgresql_where=sa.text("job_id IS NOT NULL")),
        sa.Index("ix_discrepancies_changed_at", "changed_at",
                 postgresql_where=sa.text("state IN ('fixed', 'undone', 'dismissed', 'settled')")),
        Rows(own()).args,
    )  # fmt: skip
