"""Tables of read items, of drafts with their revisions, and of lessons. Refers to no other package's rows."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from fleet.core.db import Base, one_of
from fleet.core.db.visibility import Rows, of_agent, seen
from fleet.features.drafts.states import DraftKind, DraftStatus, OwnerAnswer

_TIME = sa.DateTime(timezone=True)
_NOW = sa.text("clock_timestamp()")
_EMPTY = sa.text("'{}'::jsonb")


class SeenRow(Base):
    """An item that an agent has read; `last_at` is when it was last in the feed."""

    __tablename__ = "seen_items"

    agent_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("agents.id", ondelete="CASCADE"), primary_key=True)
    item_id: Mapped[str] = mapped_column(sa.String(200), primary_key=True)
    scan_id: Mapped[uuid.UUID]
    last_at: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)

    __table_args__ = (sa.Index("ix_seen_items_last_at", "last_at"), of_agent("seen_items").args)


class DraftRow(Base):
    """One proposal of an agent.

    `content` is what would be published, `about` the post that it answers, as it was then.
    """

    __tablename__ = "drafts"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    agent_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("agents.id", ondelete="CASCADE"))
    scan_id: Mapped[uuid.UUID]
    kind: Mapped[str] = mapped_column(sa.String(12))
    surface: Mapped[str] = mapped_column(sa.String(40))
    account_id: Mapped[uuid.UUID | None]  # as of a job
    target: Mapped[str | None] = mapped_column(sa.String(200))  # the post or the person
    content: Mapped[dict[str, Any]] = mapped_column(JSONB)
    about: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=_EMPTY)
    suggested_by: Mapped[str] = mapped_column(sa.String(20), server_default="activity_worker")  # or manual
    confidence: Mapped[float | None]
    context: Mapped[str] = mapped_column(sa.String(200), server_default="")
    topic: Mapped[str] = mapped_column(sa.String(60), server_default="")
    revision: Mapped[int] = mapped_column(server_default=sa.text("1"))
    status: Mapped[str] = mapped_column(sa.String(10), server_default=DraftStatus.PENDING)
    request_id: Mapped[uuid.UUID | None]
    job_id: Mapped[uuid.UUID | None]
    created_at: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)
    expires_at: Mapped[datetime] = mapped_column(_TIME)
    decided_at: Mapped[datetime | None] = mapped_column(_TIME)
    decided_by: Mapped[str | None] = mapped_column(sa.String(100))
    reason: Mapped[str | None] = mapped_column(sa.String(1000))

    __table_args__ = (
        sa.CheckConstraint(one_of("kind", DraftKind), name="kind"),
        sa.CheckConstraint(one_of("status", DraftStatus), name="status"),
        sa.CheckConstraint("(kind = 'post') = (target IS NULL)", name="target"),
        sa.CheckConstraint("(status = 'pending') = (decided_at IS NULL)", name="decided"),
        sa.CheckConstraint("(status = 'approved') = (job_id IS NOT NULL)", name="job"),
        # One open comment, reaction or request of an agent per target, whatever scans, retries or races.
        sa.Index(
            "uq_drafts_one_open", "agent_id", "kind", "target",
            unique=True, postgresql_where=sa.text("status = 'pending' AND target IS NOT NULL"),
        ),
        # How many comments wait for a decision on a post, whosever they are.
        sa.Index(
            "ix_drafts_open_comments", "surface", "target",
            postgresql_where=sa.text("status = 'pending' AND kind = 'comment'"),
        ),
        sa.Index("ix_drafts_created_at", "created_at", "id"),
        sa.Index("ix_drafts_agent", "agent_id", "created_at", "id"),
        sa.Index("ix_drafts_status", "status", "created_at", "id"),
        sa.Index("ix_drafts_decided_at", "decided_at", postgresql_where=sa.text("decided_at IS NOT NULL")),
        of_agent("drafts").args,
    )  # fmt: skip


class RevisionRow(Base):
    """One version of a draft: the agent's first text, a person's edit, the agent's second try."""

    __tablename__ = "draft_revisions"

    draft_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("drafts.id", ondelete="CASCADE"), primary_key=True)
    revision: Mapped[int] = mapped_column(primary_key=True)
    content: Mapped[dict[str, Any]] = mapped_column(JSONB)
    made_by: Mapped[str] = mapped_column(sa.String(100))
    instructions: Mapped[str | None] = mapped_column(sa.String(1000))  # the instructions, if it was sent back
    made_at: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)

    __table_args__ = Rows(seen("drafts", "seen.id = draft_revisions.draft_id")).args


class LessonRow(Base):
    """What one decision taught, and why; undone ones no longer count."""

    __tablename__ = "draft_lessons"

    id: Mapped[int] = mapped_column(sa.BigInteger, sa.Identity(), primary_key=True)
    agent_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("agents.id", ondelete="CASCADE"))
    draft_id: Mapped[uuid.UUID] = mapped_column(unique=True)  # a draft is pruned, its lesson stays
    kind: Mapped[str] = mapped_column(sa.String(12))
    topic: Mapped[str] = mapped_column(sa.String(60))
    decision: Mapped[str] = mapped_column(sa.String(10))
    reward: Mapped[float]
    weight_before: Mapped[float]
    weight_after: Mapped[float]
    text: Mapped[str] = mapped_column(sa.Text, server_default="")
    about: Mapped[str] = mapped_column(sa.Text, server_default="")
    why: Mapped[str] = mapped_column(sa.String(1000))
    learned_at: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)
    undone_at: Mapped[datetime | None] = mapped_column(_TIME)
    undone_by: Mapped[str | None] = mapped_column(sa.String(100))

    __table_args__ = (
        sa.CheckConstraint(one_of("decision", OwnerAnswer), name="decision"),
        sa.CheckConstraint("greatest(abs(weight_before), abs(weight_after)) <= 1", name="weights"),
        sa.CheckConstraint("(undone_at IS NULL) = (undone_by IS NULL)", name="undone"),
        sa.Index("ix_draft_lessons_agent", "agent_id", "id"),
        of_agent("draft_lessons").args,
    )
