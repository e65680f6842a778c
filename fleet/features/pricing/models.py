"""Tables of pricing: proposals with their evidence and results, elasticities, runs, and prices of competitors."""

from __future__ import annotations

import uuid
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from fleet.core.db import Base, one_of
from fleet.core.db.visibility import Rows
from fleet.core.db.visibility import own as of_organisation

_TIME = sa.DateTime(timezone=True)
_NOW = sa.text("clock_timestamp()")
_OBJECT = sa.text("'{}'::jsonb")


class PriceState(StrEnum):
    """What became of a proposal. `overtaken`: the price or its bounds changed before it was approved."""

    OPEN = "open"
    APPLIED = "applied"
    DISMISSED = "dismissed"
    EXPIRED = "expired"
    OVERTAKEN = "overtaken"
    UNDONE = "undone"


class PricingRunRow(Base):
    """One look at all prices of an organisation. `reasons` counts the variants without a proposal by why."""

    __tablename__ = "pricing_runs"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    organisation_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("organisations.id"))
    made_at: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)
    variants: Mapped[int]
    estimated: Mapped[int]
    """Variants with an elasticity from orders."""
    proposals: Mapped[int]
    reasons: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=_OBJECT)
    requested_by: Mapped[str | None] = mapped_column(sa.String(100))

    __table_args__ = (
        sa.Index("ix_pricing_runs_organisation_id", "organisation_id", "made_at", "id"),
        sa.Index("ix_pricing_runs_made_at", "made_at"),
        Rows(of_organisation()).args,
    )


class PriceProposalRow(Base):
    """A proposal to change the price of a variant. Amounts are in minor units of `currency`.

    `evidence` are the figures that it rests on; `expected` the change of profit a day with its interval of 80 %, in
    minor units; `result` what was measured after it was applied (`decisions.results`).
    """

    __tablename__ = "price_proposals"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    organisation_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("organisations.id"))
    variant_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("product_variants.id", ondelete="CASCADE"))
    run_id: Mapped[uuid.UUID]
    currency: Mapped[str] = mapped_column(sa.String(3))
    before_minor: Mapped[int] = mapped_column(sa.BigInteger)
    after_minor: Mapped[int] = mapped_column(sa.BigInteger)
    basis: Mapped[str] = mapped_column(sa.String(20))
    words: Mapped[str] = mapped_column(sa.String(300))
    evidence: Mapped[dict[str, Any]] = mapped_column(JSONB)
    expected: Mapped[dict[str, Any]] = mapped_column(JSONB)
    state: Mapped[str] = mapped_column(sa.String(10), server_default=sa.text("'open'"))
    request_id: Mapped[uuid.UUID | None]
    made_at: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)
    decided_at: Mapped[datetime | None] = mapped_column(_TIME)
    decided_by: Mapped[str | None] = mapped_column(sa.String(100))
    why: Mapped[str] = mapped_column(sa.String(300), server_default="")
    applied_at: Mapped[datetime | None] = mapped_column(_TIME)
    undone_at: Mapped[datetime | None] = mapped_column(_TIME)
    result: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    measured_at: Mapped[datetime | None] = mapped_column(_TIME)

    __table_args__ = (
        sa.CheckConstraint(one_of("state", PriceState), name="state"),
        sa.CheckConstraint("before_minor > 0 AND after_minor > 0 AND before_minor <> after_minor", name="amounts"),
        sa.Index("uq_price_proposals_open", "variant_id", unique=True, postgresql_where=sa.text("state = 'open'")),
        sa.Index("ix_price_proposals_variant_id", "variant_id", "applied_at"),
        sa.Index("ix_price_proposals_organisation_id", "organisation_id", "made_at", "id"),
        sa.Index("ix_price_proposals_applied_at", "organisation_id", "applied_at",
                 postgresql_where=sa.text("applied_at IS NOT NULL")),
        sa.Index("ix_price_proposals_made_at", "made_at"),
        Rows(of_organisation()).args,
    )  # fmt: skip


class PriceElasticityRow(Base):
    """The newest elasticity of a variant: percent of units that one percent of price changes, with its error.

    `own` and `own_error` are those of the variant's orders alone, before they were shrunk to the category's.
    """

    __tablename__ = "price_elasticities"

    variant_id: Mapped[uuid.UUID] = mapped_column(
        sa.ForeignKey("product_variants.id", ondelete="CASCADE"), primary_key=True
    )
    organisation_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("organisations.id"))
    value: Mapped[float]
    error: Mapped[float]
    own: Mapped[float]
    own_error: Mapped[float]
    category: Mapped[str] = mapped_column(sa.String(100))
    weeks: Mapped[int]
    prices: Mapped[int]
    units: Mapped[int]
    made_at: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)

    __table_args__ = (
        sa.Index("ix_price_elasticities_organisation_id", "organisation_id"),
        Rows(of_organisation()).args,
    )


class CompetitorPriceRow(Base):
    """The newest known price of a competitor for a variant, from a file that a person imported."""

    __tablename__ = "competitor_prices"

    variant_id: Mapped[uuid.UUID] = mapped_column(
        sa.ForeignKey("product_variants.id", ondelete="CASCADE"), primary_key=True
    )
    competitor: Mapped[str] = mapped_column(sa.String(100), primary_key=True)
    organisation_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("organisations.id"))
    price_minor: Mapped[int] = mapped_column(sa.BigInteger)
    seen_at: Mapped[datetime] = mapped_column(_TIME)
    imported_by: Mapped[str] = mapped_column(sa.String(100))

    __table_args__ = (
        sa.CheckConstraint("price_minor > 0", name="price"),
        sa.Index("ix_competitor_prices_organisation_id", "organisation_id"),
        sa.Index("ix_competitor_prices_seen_at", "seen_at"),
        Rows(of_organisation()).args,
    )
