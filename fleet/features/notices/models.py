"""Tables of notices to users: their addresses and choices, and the lines of notices."""

from __future__ import annotations

import uuid
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from fleet.core.db import Base
from fleet.core.db.visibility import Rows, seen

_TIME = sa.DateTime(timezone=True)
_NOW = sa.text("clock_timestamp()")


class UserAddressRow(Base):
    """Where a user is notified, sealed. `shown` is the address as people may see it."""

    __tablename__ = "user_addresses"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    user_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"))
    ciphertext: Mapped[bytes] = mapped_column(sa.LargeBinary)
    key_id: Mapped[str] = mapped_column(sa.String(12))
    shown: Mapped[str] = mapped_column(sa.String(100))
    created_at: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)
    last_sent_at: Mapped[datetime | None] = mapped_column(_TIME)

    __table_args__ = (
        sa.Index("ix_user_addresses_user", "user_id"),
        Rows(seen("users", "seen.id = user_addresses.user_id")).args,
    )


class UserNoticesRow(Base):
    """What a user chose to be told and when; no topics means the defaults. Hours are of the user's zone."""

    __tablename__ = "user_notices"

    user_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    topics: Mapped[list[str] | None] = mapped_column(ARRAY(sa.Text))
    zone: Mapped[str] = mapped_column(sa.String(60), server_default="UTC")
    quiet_from: Mapped[int | None] = mapped_column(sa.SmallInteger)
    quiet_until: Mapped[int | None] = mapped_column(sa.SmallInteger)
    digest_hour: Mapped[int] = mapped_column(sa.SmallInteger, server_default=sa.text("8"))
    sent_at: Mapped[datetime | None] = mapped_column(_TIME)
    digest_on: Mapped[date | None]

    __table_args__ = (
        sa.CheckConstraint(
            "(quiet_from IS NULL) = (quiet_until IS NULL) AND coalesce(quiet_from, 0) BETWEEN 0 AND 23"
            " AND coalesce(quiet_until, 0) BETWEEN 0 AND 23 AND digest_hour BETWEEN 0 AND 23",
            name="hours",
        ),
        Rows(seen("users", "seen.id = user_notices.user_id")).args,
    )


class NoticeLineRow(Base):
    """One matter that one user is told of, once. `message_id` names the message that holds it; none while it waits."""

    __tablename__ = "notice_lines"

    id: Mapped[int] = mapped_column(sa.BigInteger, sa.Identity(), primary_key=True)
    user_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"))
    topic: Mapped[str] = mapped_column(sa.String(20))
    matter: Mapped[str] = mapped_column(sa.String(200))
    words: Mapped[str] = mapped_column(sa.String(1000))
    path: Mapped[str] = mapped_column(sa.String(300))
    created_at: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)
    message_id: Mapped[uuid.UUID | None]

    __table_args__ = (
        sa.Index("uq_notice_lines_matter", "user_id", "matter", unique=True),
        sa.Index("ix_notice_lines_created_at", "created_at"),
        sa.Index("ix_notice_lines_unsent", "user_id", "id", postgresql_where=sa.text("message_id IS NULL")),
        sa.Index("ix_notice_lines_message", "message_id", "id", postgresql_where=sa.text("message_id IS NOT NULL")),
        Rows(seen("users", "seen.id = notice_lines.user_id")).args,
    )
