"""Tables of forecasts: a run, its series by variant and location, and the reorders that it proposed."""

from __future__ import annotations

import uuid
from datetime import date, datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from fleet.core.db import Base, one_of
from fleet.core.db.visibility import Rows, own, seen

_TIME = sa.DateTime(timezone=True)
_NOW = sa.text("clock_timestamp()")
_OBJECT = sa.text("'{}'::jsonb")


class ReorderState(StrEnum):
    """What became of a proposal. `outdated`: a newer forecast took its place."""

    OPEN = "open"
    ACCEPTED = "accepted"
    DISMISSED = "dismissed"
    OUTDATED = "outdated"


class ForecastRunRow(Base):
    """A forecast of all variants of an organisation: the `days` days after `until`, the last day whose sales it knew.

    `summary` has the scores of its backtest by the name of the forecast, means over series.
    """

    __tablename__ = "forecast_runs"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    organisation_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("organisations.id"))
    made_at: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)
    until: Mapped[date]
    days: Mapped[int]
    service: Mapped[float]
    series: Mapped[int]
    tested_days: Mapped[int | None]
    """The length of the periods of its backtest; None: the histories were too short for one."""
    summary: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=_OBJECT)
    requested_by: Mapped[str | None] = mapped_column(sa.String(100))

    __table_args__ = (
        sa.Index("ix_forecast_runs_organisation_id", "organisation_id", "made_at", "id"),
        sa.Index("ix_forecast_runs_made_at", "made_at"),
        Rows(own()).args,
    )


class ForecastSeriesRow(Base):
    """The forecast of a variant at a location: units a day, and their total with an interval of 80 %.

    `actual` are the units that were sold in these days, filled in after the last of them; `unknown_days` of them could
    sell nothing, and the total is not comparable with any.
    """

    __tablename__ = "forecast_series"

    run_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("forecast_runs.id", ondelete="CASCADE"), primary_key=True)
    variant_id: Mapped[uuid.UUID] = mapped_column(
        sa.ForeignKey("product_variants.id", ondelete="CASCADE"), primary_key=True
    )
    location_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("stock_locations.id"), primary_key=True)
    method: Mapped[str] = mapped_column(sa.String(20))
    daily: Mapped[list[float]] = mapped_column(JSONB)
    total: Mapped[float]
    low: Mapped[float | None]
    high: Mapped[float | None]
    known_days: Mapped[int]
    scores: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=_OBJECT)
    actual: Mapped[int | None]
    unknown_days: Mapped[int | None]

    __table_args__ = (
        sa.Index("ix_forecast_series_variant_id", "variant_id"),
        sa.Index("ix_forecast_series_location_id", "location_id"),
        Rows(seen("forecast_runs", "seen.id = forecast_series.run_id")).args,
    )


class ReorderProposalRow(Base):
    """A proposal to order units of a variant for a location, from a forecast. `figures` are those that it rests on."""

    __tablename__ = "reorder_proposals"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    organisation_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("organisations.id"))
    run_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("forecast_runs.id", ondelete="CASCADE"))
    variant_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("product_variants.id", ondelete="CASCADE"))
    location_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("stock_locations.id"))
    units: Mapped[int]
    figures: Mapped[dict[str, Any]] = mapped_column(JSONB)
    reason: Mapped[str] = mapped_column(sa.String(300))
    state: Mapped[str] = mapped_column(sa.String(10), server_default=sa.text("'open'"))
    made_at: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)
    decided_at: Mapped[datetime | None] = mapped_column(_TIME)
    decided_by: Mapped[str | None] = mapped_column(sa.String(100))
    note: Mapped[str] = mapped_column(sa.String(300), server_default="")

    __table_args__ = (
        sa.CheckConstraint(one_of("state", ReorderState), name="state"),
        sa.CheckConstraint("units > 0", name="units"),
        sa.Index("uq_reorder_proposals_open", "variant_id", "location_id", unique=True,
                 postgresql_where=sa.text("state = 'open'")),
        sa.Index("ix_reorder_proposals_organisation_id", "organisation_id", "made_at", "id"),
        sa.Index("ix_reorder_proposals_run_id", "run_id"),
        sa.Index("ix_reorder_proposals_location_id", "location_id"),
        Rows(own()).args,
    )  # fmt: skip
