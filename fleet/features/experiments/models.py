"""Tables of experiments: assignments to variants, and the counts of posts by age.

Jobs and agents are deleted earlier than results, so their ids are no foreign keys.
"""

from __future__ import annotations

import uuid
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from fleet.core.db import Base
from fleet.core.db.visibility import of_agent

_TIME = sa.DateTime(timezone=True)
_NOW = sa.text("clock_timestamp()")


class AssignmentRow(Base):
    """The variant of one experiment for one post, whether or not it was ever published."""

    __tablename__ = "assignments"

    experiment: Mapped[str] = mapped_column(sa.String(40), primary_key=True)
    post_job: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    variant: Mapped[str] = mapped_column(sa.String(40))
    agent_id: Mapped[uuid.UUID]
    unit: Mapped[str] = mapped_column(sa.String(40))  # posts with the same unit share a draw: a tick, or an agent's day
    assigned_at: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)

    __table_args__ = (sa.Index("ix_assignments_assigned_at", "assigned_at"), of_agent("assignments").args)


class EngagementRow(Base):
    """The counts of a post at one age. Without `..._by_agents` the surface does not mark agents."""

    __tablename__ = "engagement"

    post_job: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    age_h: Mapped[int] = mapped_column(sa.SmallInteger, primary_key=True)
    agent_id: Mapped[uuid.UUID]
    surface: Mapped[str] = mapped_column(sa.String(40))
    remote_id: Mapped[str] = mapped_column(sa.String(200))
    posted_at: Mapped[datetime] = mapped_column(_TIME)
    measured_at: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)
    likes: Mapped[int]
    comments: Mapped[int]
    likes_by_agents: Mapped[int | None]
    comments_by_agents: Mapped[int | None]

    __table_args__ = (
        sa.CheckConstraint("likes >= 0 AND comments >= 0", name="counts"),
        sa.CheckConstraint(
            "likes_by_agents BETWEEN 0 AND likes AND comments_by_agents BETWEEN 0 AND comments",
            name="by_agents",
        ),
        sa.Index("ix_engagement_measured_at", "measured_at"),
        of_agent("engagement").args,
    )
