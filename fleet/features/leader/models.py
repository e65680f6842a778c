"""Tables of this feature: the coordinations of each organisation's team, and the scores of networks."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from fleet.core.db import Base, one_of
from fleet.core.db.visibility import Rows, own, seen
from fleet.features.leader.scores import Band

_TIME = sa.DateTime(timezone=True)
_NOW = sa.text("clock_timestamp()")


class TeamRoundRow(Base):
    """One coordination of the agents of an organisation: when the leader asked them, and when it scored."""

    __tablename__ = "team_rounds"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    organisation_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("organisations.id"))
    number: Mapped[int]
    asked_at: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)
    requested_by: Mapped[str | None] = mapped_column(sa.String(100))
    asked: Mapped[int]  # agents
    answered: Mapped[int] = mapped_column(server_default=sa.text("0"))
    since: Mapped[datetime | None] = mapped_column(_TIME)  # the period of the scores: from here until `scored_at`
    scored_at: Mapped[datetime | None] = mapped_column(_TIME)

    __table_args__ = (
        sa.Index("uq_team_rounds_number", "organisation_id", "number", unique=True),
        # At most one coordination of a team is under way.
        sa.Index("uq_team_rounds_open", "organisation_id", unique=True, postgresql_where=sa.text("scored_at IS NULL")),
        sa.Index("ix_team_rounds_asked_at", "asked_at"),
        Rows(own()).args,
    )


class TeamScoreRow(Base):
    """The score of a network in one coordination, with its figures and parts (`scores.NetworkScore`)."""

    __tablename__ = "team_scores"

    round_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("team_rounds.id", ondelete="CASCADE"), primary_key=True)
    network: Mapped[str] = mapped_column(sa.String(40), primary_key=True)
    points: Mapped[float | None]
    covered: Mapped[int]
    band: Mapped[str | None] = mapped_column(sa.String(10))
    parts: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    figures: Mapped[dict[str, Any]] = mapped_column(JSONB)

    __table_args__ = (
        sa.CheckConstraint(f"band IS NULL OR {one_of('band', Band)}", name="band"),
        Rows(seen("team_rounds", "seen.id = team_scores.round_id")).args,
    )


class TeamFindingRow(Base):
    """Something about a team that people have to know. `subject` is what it is about; one finding of it is open."""

    __tablename__ = "team_findings"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    organisation_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("organisations.id"))
    kind: Mapped[str] = mapped_column(sa.String(20))
    subject: Mapped[str] = mapped_column(sa.String(100))
    words: Mapped[str] = mapped_column(sa.String(500))
    agent_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("agents.id", ondelete="CASCADE"))
    job_id: Mapped[uuid.UUID | None]
    since: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)
    ended_at: Mapped[datetime | None] = mapped_column(_TIME)

    __table_args__ = (
        sa.Index("uq_team_findings_open", "organisation_id", "kind", "subject", unique=True,
                 postgresql_where=sa.text("ended_at IS NULL")),
        sa.Index("ix_team_findings_agent", "agent_id"),
        sa.Index("ix_team_findings_ended_at", "ended_at", postgresql_where=sa.text("ended_at IS NOT NULL")),
        Rows(own()).args,
    )  # fmt: skip
