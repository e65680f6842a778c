"""The table of competitors: one row for a competitor, a network and a day."""

from __future__ import annotations

import uuid
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from fleet.core.db import Base
from fleet.core.db.visibility import Rows, own

_TIME = sa.DateTime(timezone=True)


class CompetitorDayRow(Base):
    """The figures of a competitor on a network that belong to a day. What the file does not say is NULL.

    `followers` is the count on that day; `posts` and `interactions` are those since the line before.
    """

    __tablename__ = "competitor_days"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    organisation_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("organisations.id"))
    competitor: Mapped[str] = mapped_column(sa.String(100))
    network: Mapped[str] = mapped_column(sa.String(40))
    day: Mapped[date]
    followers: Mapped[int | None] = mapped_column(sa.BigInteger)
    posts: Mapped[int | None]
    interactions: Mapped[int | None] = mapped_column(sa.BigInteger)
    imported_by: Mapped[str] = mapped_column(sa.String(100))
    imported_at: Mapped[datetime] = mapped_column(_TIME, server_default=sa.text("clock_timestamp()"))

    __table_args__ = (
        sa.UniqueConstraint(
            "organisation_id", "competitor", "network", "day", name="uq_competitor_days_organisation_id"
        ),
        sa.Index("ix_competitor_days_day", "day"),
        Rows(own()).args,
    )
