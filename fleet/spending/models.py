"""Tables of spending: calls to models, amounts reserved for running calls, and budgets."""

from __future__ import annotations

import uuid
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from fleet.core.db import Base, one_of
from fleet.core.db.visibility import NONE, Rows, of_agent, own_text, seen
from fleet.spending.budgets import Period, Scope

_TIME = sa.DateTime(timezone=True)
_NOW = sa.text("clock_timestamp()")
_ZERO = sa.text("0")
_OF_AGENT = "scope = 'agent' AND " + seen("agents", "seen.id::text = budgets.key")
_BUDGETS = Rows(f"({_OF_AGENT}) OR (scope = 'organisation' AND {own_text('key')})")


class CallRow(Base):
    """One call to a model, whatever came of it. Jobs are pruned earlier, so their id is no foreign key."""

    __tablename__ = "llm_calls"

    id: Mapped[int] = mapped_column(sa.BigInteger, sa.Identity(), primary_key=True)
    called_at: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)
    agent_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("agents.id", ondelete="SET NULL"))
    persona_id: Mapped[str | None] = mapped_column(sa.String(60))
    job_id: Mapped[uuid.UUID | None]
    purpose: Mapped[str] = mapped_column(sa.String(20))
    provider: Mapped[str] = mapped_column(sa.String(60))
    model: Mapped[str] = mapped_column(sa.String(100))
    outcome: Mapped[str] = mapped_column(sa.String(20))
    input_tokens: Mapped[int] = mapped_column(server_default=_ZERO)  # not cached
    cache_read_tokens: Mapped[int] = mapped_column(server_default=_ZERO)
    cache_write_tokens: Mapped[int] = mapped_column(server_default=_ZERO)
    output_tokens: Mapped[int] = mapped_column(server_default=_ZERO)
    microusd: Mapped[int] = mapped_column(sa.BigInteger, server_default=_ZERO)
    latency_ms: Mapped[int] = mapped_column(server_default=_ZERO)
    batch: Mapped[bool] = mapped_column(server_default=sa.false())

    __table_args__ = (
        sa.CheckConstraint("microusd >= 0", name="microusd"),
        # Costs of a span of time are summed from this index alone.
        sa.Index("ix_llm_calls_spent", "called_at", postgresql_include=["microusd"]),
        sa.Index("ix_llm_calls_agent", "agent_id", "called_at"),
        of_agent("llm_calls").args,
    )


class DayRow(Base):
    """The calls of one past day (UTC) that have all of this in common, summed. It outlives them."""

    __tablename__ = "llm_days"

    id: Mapped[int] = mapped_column(sa.BigInteger, sa.Identity(), primary_key=True)
    day: Mapped[date]
    provider: Mapped[str] = mapped_column(sa.String(60))
    model: Mapped[str] = mapped_column(sa.String(100))
    persona_id: Mapped[str | None] = mapped_column(sa.String(60))
    purpose: Mapped[str] = mapped_column(sa.String(20))
    outcome: Mapped[str] = mapped_column(sa.String(20))
    calls: Mapped[int] = mapped_column(sa.BigInteger)
    input_tokens: Mapped[int] = mapped_column(sa.BigInteger)
    cache_read_tokens: Mapped[int] = mapped_column(sa.BigInteger)
    cache_write_tokens: Mapped[int] = mapped_column(sa.BigInteger)
    output_tokens: Mapped[int] = mapped_column(sa.BigInteger)
    microusd: Mapped[int] = mapped_column(sa.BigInteger)
    latency_ms: Mapped[int] = mapped_column(sa.BigInteger)

    __table_args__ = (
        sa.Index(
            "uq_llm_days", "day", "provider", "model", "persona_id", "purpose", "outcome", unique=True,
            postgresql_nulls_not_distinct=True,
        ),
        NONE.args,
    )  # fmt: skip


class ReservationRow(Base):
    """An amount set aside for a call that may be under way. One that outlives its maker counts as spent."""

    __tablename__ = "llm_reservations"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    agent_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("agents.id", ondelete="SET NULL"))
    persona_id: Mapped[str | None] = mapped_column(sa.String(60))
    organisation_id: Mapped[uuid.UUID | None]
    provider: Mapped[str] = mapped_column(sa.String(60))
    microusd: Mapped[int] = mapped_column(sa.BigInteger)
    until: Mapped[datetime] = mapped_column(_TIME)

    __table_args__ = (sa.Index("ix_llm_reservations_until", "until"), of_agent("llm_reservations").args)


class BudgetRow(Base):
    """How much a scope may spend in a period. No row, no limit."""

    __tablename__ = "budgets"

    scope: Mapped[str] = mapped_column(sa.String(12), primary_key=True)
    key: Mapped[str] = mapped_column(sa.String(100), primary_key=True)
    period: Mapped[str] = mapped_column(sa.String(10), primary_key=True)
    limit_microusd: Mapped[int] = mapped_column(sa.BigInteger)
    period_start: Mapped[datetime] = mapped_column(_TIME)
    allowance_microusd: Mapped[int] = mapped_column(sa.BigInteger, server_default=_ZERO)
    spent_microusd: Mapped[int] = mapped_column(sa.BigInteger, server_default=_ZERO)
    reserved_microusd: Mapped[int] = mapped_column(sa.BigInteger, server_default=_ZERO)
    spent_at: Mapped[datetime | None] = mapped_column(_TIME)
    set_by: Mapped[str] = mapped_column(sa.String(100))
    set_at: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)

    __table_args__ = (
        sa.CheckConstraint(one_of("scope", Scope), name="scope"),
        sa.CheckConstraint(one_of("period", Period), name="period"),
        sa.CheckConstraint("(scope = 'fleet') = (key = '*')", name="fleet_is_all"),
        sa.CheckConstraint("limit_microusd >= 0 AND allowance_microusd >= 0 AND spent_microusd >= 0", name="amounts"),
        _BUDGETS.args,
    )
