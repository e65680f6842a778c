"""Tables of reports: one row a version of a report, with its figures as they were when it was built."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from fleet.core.db import Base, one_of
from fleet.core.db.visibility import Rows, own
from fleet.features.reports.rules import Cadence

_TIME = sa.DateTime(timezone=True)


class ReportRow(Base):
    """One version of the report of an organisation about a period. `document` never changes."""

    __tablename__ = "reports"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    organisation_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("organisations.id"))
    cadence: Mapped[str] = mapped_column(sa.String(10))
    since: Mapped[datetime] = mapped_column(_TIME)
    until: Mapped[datetime] = mapped_column(_TIME)
    version: Mapped[int]
    built_at: Mapped[datetime] = mapped_column(_TIME, server_default=sa.text("clock_timestamp()"))
    built_by: Mapped[str] = mapped_column(sa.String(100))
    reason: Mapped[str] = mapped_column(sa.String(300), server_default="")
    document: Mapped[dict[str, Any]] = mapped_column(JSONB)

    __table_args__ = (
        sa.CheckConstraint(one_of("cadence", Cadence), name="cadence"),
        sa.Index("uq_reports_version", "organisation_id", "cadence", "since", "version", unique=True),
        sa.Index("ix_reports_built_at", "built_at"),
        Rows(own()).args,
    )
