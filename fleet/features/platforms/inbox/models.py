"""Tables of this feature: what accounts were told by their platforms, and the people who want to be left alone."""

from __future__ import annotations

import uuid
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from fleet.adapters.base import LONGEST_ID
from fleet.core.db import Base, one_of
from fleet.core.db.visibility import Rows, of_agent, own, seen
from fleet.features.platforms.inbox.states import InboxState

_TIME = sa.DateTime(timezone=True)
_NOW = sa.text("clock_timestamp()")


class InboxItemRow(Base):
    """One notification of an account, as its platform gave it, and what the agent made of it.

    `job_id` is the job that answers it. The text is somebody's: data, never instructions.
    """

    __tablename__ = "inbox_items"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    account_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("accounts.id", ondelete="CASCADE"))
    agent_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("agents.id", ondelete="CASCADE"))
    remote_id: Mapped[str] = mapped_column(sa.String(LONGEST_ID))
    kind: Mapped[str] = mapped_column(sa.String(10))
    author: Mapped[str] = mapped_column(sa.String(LONGEST_ID))
    author_id: Mapped[str] = mapped_column(sa.String(LONGEST_ID))
    author_name: Mapped[str] = mapped_column(sa.String(100), server_default="")
    by_agent: Mapped[bool] = mapped_column(server_default=sa.false())
    item_id: Mapped[str | None] = mapped_column(sa.String(LONGEST_ID))
    about: Mapped[str | None] = mapped_column(sa.String(LONGEST_ID))
    text: Mapped[str] = mapped_column(sa.Text, server_default="")
    said_at: Mapped[datetime] = mapped_column(_TIME)
    seen_at: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)
    state: Mapped[str] = mapped_column(sa.String(12))
    reason: Mapped[str] = mapped_column(sa.String(200), server_default="")
    job_id: Mapped[uuid.UUID | None]

    __table_args__ = (
        sa.CheckConstraint(one_of("state", InboxState), name="state"),
        sa.Index("uq_inbox_items_remote", "account_id", "remote_id", unique=True),
        sa.Index("ix_inbox_items_open", "account_id", "said_at", postgresql_where=sa.text("state = 'open'")),
        sa.Index("ix_inbox_items_author", "account_id", "author_id", "seen_at"),
        sa.Index("ix_inbox_items_agent", "agent_id", "seen_at"),
        sa.Index("ix_inbox_items_seen_at", "seen_at", "id"),
        of_agent("inbox_items").args,
    )


class InboxPositionRow(Base):
    """How far the notifications of an account have been read: the platform's cursor."""

    __tablename__ = "inbox_positions"

    account_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True)
    cursor: Mapped[str] = mapped_column(sa.Text)
    read_at: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)

    __table_args__ = (Rows(seen("accounts", "seen.id = inbox_positions.account_id")).args,)


class OptOutRow(Base):
    """Somebody on a platform who wants to be left alone by the whole fleet. `inbox_item_id` is where they said so."""

    __tablename__ = "opt_outs"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    surface: Mapped[str] = mapped_column(sa.String(40))
    username: Mapped[str] = mapped_column(sa.String(LONGEST_ID))
    remote_id: Mapped[str | None] = mapped_column(sa.String(LONGEST_ID))
    organisation_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("organisations.id"))
    since: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)
    added_by: Mapped[str] = mapped_column(sa.String(100))
    reason: Mapped[str] = mapped_column(sa.String(300), server_default="")

    __table_args__ = (
        sa.Index("uq_opt_outs_username", "surface", sa.text("lower(username)"), unique=True),
        sa.Index("ix_opt_outs_remote_id", "surface", "remote_id"),
        Rows(f"organisation_id IS NULL OR {own()}", own()).args,
    )
