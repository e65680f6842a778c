"""The table of changes of strategies."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from fleet.core.db import Base, one_of
from fleet.core.db.visibility import Rows, own
from fleet.features.leader.strategies.rules import StrategyKind, StrategyState

_TIME = sa.DateTime(timezone=True)
_NOW = sa.text("clock_timestamp()")


class TeamStrategyRow(Base):
    """One change of a platform agent's strategy. The strategy itself is the agent's configuration.

    `before` and `after` are values of the setting `setting`; `evidence` has figures, window and sample sizes; the
    message `job_id` carries the change to its agent.
    """

    __tablename__ = "team_strategies"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    organisation_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("organisations.id"))
    agent_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("agents.id", ondelete="CASCADE"))
    version: Mapped[int]
    kind: Mapped[str] = mapped_column(sa.String(10))
    setting: Mapped[str] = mapped_column(sa.String(40))
    before: Mapped[str] = mapped_column(sa.String(500))
    after: Mapped[str] = mapped_column(sa.String(500))
    words: Mapped[str] = mapped_column(sa.String(500))
    evidence: Mapped[dict[str, Any]] = mapped_column(JSONB)
    state: Mapped[str] = mapped_column(sa.String(10), server_default=sa.text("'proposed'"))
    job_id: Mapped[uuid.UUID]
    decided_at: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)
    ended_at: Mapped[datetime | None] = mapped_column(_TIME)  # applied, overtaken or undone
    undone_by: Mapped[str | None] = mapped_column(sa.String(100))

    __table_args__ = (
        sa.CheckConstraint(one_of("kind", StrategyKind), name="kind"),
        sa.CheckConstraint(one_of("state", StrategyState), name="state"),
        sa.Index("uq_team_strategies_version", "agent_id", "version", unique=True),
        sa.Index("ix_team_strategies_decided_at", "organisation_id", "decided_at"),
        Rows(own()).args,
    )
