"""Tables of engagement: the counts of posts, their sums by hour, accounts by day, and how reading them went.

Posts are rows of their own, since jobs are pruned earlier. Every value has its time and the job that read it.
"""

from __future__ import annotations

import uuid
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from fleet.core.db import Base
from fleet.core.db.visibility import Rows, of_agent, seen

_TIME = sa.DateTime(timezone=True)
_ZERO = sa.text("0")


def _of_account(table: str) -> Rows:
    return Rows(seen("accounts", f"seen.id = {table}.account_id"))


class PostMetricsRow(Base):
    """One published post: its newest counts and the ones before.

    `history` has a list [unix time, stage, {count: value}] for each reading. `interactions` and `audience` are those of
    the newest reading. `next_at` NULL: it is measured no more.
    """

    __tablename__ = "post_metrics"

    post_job: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    agent_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("agents.id", ondelete="CASCADE"))
    account_id: Mapped[uuid.UUID]  # no foreign key: its check would lock the account's row for every post
    surface: Mapped[str] = mapped_column(sa.String(40))
    remote_id: Mapped[str] = mapped_column(sa.String(200))
    posted_at: Mapped[datetime] = mapped_column(_TIME)
    stage: Mapped[int] = mapped_column(sa.SmallInteger, server_default=_ZERO)
    next_at: Mapped[datetime | None] = mapped_column(_TIME)
    measured_at: Mapped[datetime | None] = mapped_column(_TIME)
    measured_by: Mapped[uuid.UUID | None]
    """The job that read the counts."""
    likes: Mapped[int | None]
    comments: Mapped[int | None]
    reposts: Mapped[int | None]
    quotes: Mapped[int | None]
    saves: Mapped[int | None]
    clicks: Mapped[int | None]
    views: Mapped[int | None]
    reach: Mapped[int | None]
    interactions: Mapped[int | None] = mapped_column(sa.BigInteger)
    audience: Mapped[int | None]
    history: Mapped[list[Any]] = mapped_column(JSONB, server_default=sa.text("'[]'::jsonb"))
    gone_seen_at: Mapped[datetime | None] = mapped_column(_TIME)
    gone_at: Mapped[datetime | None] = mapped_column(_TIME)
    gone_reason: Mapped[str] = mapped_column(sa.String(200), server_default="")
    failures: Mapped[int] = mapped_column(sa.SmallInteger, server_default=_ZERO)
    problem: Mapped[str] = mapped_column(sa.String(300), server_default="")

    __table_args__ = (
        sa.Index("ix_post_metrics_due", "account_id", "next_at", postgresql_where=sa.text("next_at IS NOT NULL")),
        sa.Index("ix_post_metrics_posted_at", "posted_at"),
        sa.Index("ix_post_metrics_agent", "agent_id", "posted_at"),
        sa.Index("ix_post_metrics_account", "account_id", "posted_at"),
        sa.Index("ix_post_metrics_top", "interactions", "posted_at"),
        {"postgresql_with": {"autovacuum_vacuum_scale_factor": 0.05}, **of_agent("post_metrics").args},
    )


class EngagementHourRow(Base):
    """The sums of the posts that an agent published through an account within an hour, by their newest counts.

    `rated` are interactions of posts whose audience is known. `day_...` sum log(1 + interactions) at the age of a day:
    hours are compared by it.
    """

    __tablename__ = "engagement_hours"

    agent_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("agents.id", ondelete="CASCADE"), primary_key=True)
    account_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    hour: Mapped[datetime] = mapped_column(_TIME, primary_key=True)
    surface: Mapped[str] = mapped_column(sa.String(40))
    posts: Mapped[int] = mapped_column(server_default=_ZERO)
    measured: Mapped[int] = mapped_column(server_default=_ZERO)
    gone: Mapped[int] = mapped_column(server_default=_ZERO)
    likes: Mapped[int] = mapped_column(sa.BigInteger, server_default=_ZERO)
    comments: Mapped[int] = mapped_column(sa.BigInteger, server_default=_ZERO)
    reposts: Mapped[int] = mapped_column(sa.BigInteger, server_default=_ZERO)
    quotes: Mapped[int] = mapped_column(sa.BigInteger, server_default=_ZERO)
    saves: Mapped[int] = mapped_column(sa.BigInteger, server_default=_ZERO)
    clicks: Mapped[int] = mapped_column(sa.BigInteger, server_default=_ZERO)
    views: Mapped[int] = mapped_column(sa.BigInteger, server_default=_ZERO)
    reach: Mapped[int] = mapped_column(sa.BigInteger, server_default=_ZERO)
    interactions: Mapped[int] = mapped_column(sa.BigInteger, server_default=_ZERO)
    rated: Mapped[int] = mapped_column(sa.BigInteger, server_default=_ZERO)
    audience: Mapped[int] = mapped_column(sa.BigInteger, server_default=_ZERO)
    day_posts: Mapped[int] = mapped_column(server_default=_ZERO)
    day_log: Mapped[float] = mapped_column(sa.Double, server_default=_ZERO)
    day_log_squares: Mapped[float] = mapped_column(sa.Double, server_default=_ZERO)

    __table_args__ = (
        sa.Index("ix_engagement_hours_account", "account_id", "hour"),
        sa.Index("ix_engagement_hours_hour", "hour"),
        {"postgresql_with": {"fillfactor": 80}, **of_agent("engagement_hours").args},
    )


class AccountDayRow(Base):
    """The followers of an account as they were counted last on a day (UTC)."""

    __tablename__ = "account_days"

    account_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    surface: Mapped[str] = mapped_column(sa.String(40))
    followers: Mapped[int | None]
    following: Mapped[int | None]
    posts: Mapped[int | None]
    measured_at: Mapped[datetime] = mapped_column(_TIME)
    measured_by: Mapped[uuid.UUID | None]

    __table_args__ = (sa.Index("ix_account_days_day", "day"), _of_account("account_days").args)


class MeasuredAccountRow(Base):
    """How measuring an account goes: when its followers were counted, and why the last reading failed, if it did."""

    __tablename__ = "measured_accounts"

    account_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True)
    since: Mapped[datetime] = mapped_column(_TIME)
    followers: Mapped[int | None]
    followers_at: Mapped[datetime | None] = mapped_column(_TIME)
    measured_at: Mapped[datetime | None] = mapped_column(_TIME)
    failures: Mapped[int] = mapped_column(sa.SmallInteger, server_default=_ZERO)
    failed_at: Mapped[datetime | None] = mapped_column(_TIME)
    retry_at: Mapped[datetime | None] = mapped_column(_TIME)
    problem: Mapped[str] = mapped_column(sa.String(300), server_default="")

    __table_args__ = (_of_account("measured_accounts").args,)
