"""Tables of webhooks: subscriptions, deliveries, sources, received events, and positions of readers."""

from __future__ import annotations

import uuid
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from fleet.core.db import Base
from fleet.core.db.visibility import NONE
from fleet.core.subjects import LONGEST
from fleet.features.webhooks.received_states import ReceivedState

_TIME = sa.DateTime(timezone=True)
_NOW = sa.text("clock_timestamp()")
_NOUGHT = sa.text("0")
_STATES = ", ".join(f"'{state}'" for state in ReceivedState)


class SubscriptionRow(Base):
    """A webhook and its subjects. Secrets are sealed; of two the older is valid until `previous_until`."""

    __tablename__ = "hook_subscriptions"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    url: Mapped[str] = mapped_column(sa.String(2000))
    subjects: Mapped[list[str]] = mapped_column(ARRAY(sa.String(LONGEST)))
    description: Mapped[str] = mapped_column(sa.String(200), server_default="")
    active: Mapped[bool] = mapped_column(server_default=sa.true())
    active_since: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)  # earlier events are not delivered
    alarm: Mapped[bool] = mapped_column(server_default=sa.false())  # gets the subjects of alarms, at once
    secret: Mapped[bytes]
    secret_key_id: Mapped[str] = mapped_column(sa.String(12))
    previous_secret: Mapped[bytes | None]
    previous_key_id: Mapped[str | None] = mapped_column(sa.String(12))
    previous_until: Mapped[datetime | None] = mapped_column(_TIME)
    created_by: Mapped[str] = mapped_column(sa.String(200))
    created_at: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)
    updated_at: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)
    failures: Mapped[int] = mapped_column(server_default=_NOUGHT)  # since the last delivery that was taken
    failing_since: Mapped[datetime | None] = mapped_column(_TIME)
    last_failure_at: Mapped[datetime | None] = mapped_column(_TIME)
    disabled_at: Mapped[datetime | None] = mapped_column(_TIME)
    disabled_reason: Mapped[str | None] = mapped_column(sa.String(300))

    __table_args__ = (
        sa.CheckConstraint("active = (disabled_at IS NULL)", name="active"),
        sa.CheckConstraint("(disabled_at IS NULL) = (disabled_reason IS NULL)", name="disabled"),
        sa.CheckConstraint("cardinality(subjects) BETWEEN 1 AND 50", name="subjects"),
        sa.CheckConstraint("(failures = 0) = (failing_since IS NULL)", name="failing"),
        sa.CheckConstraint(
            "(previous_secret IS NULL) = (previous_until IS NULL) AND"
            " (previous_secret IS NULL) = (previous_key_id IS NULL)",
            name="previous",
        ),
        NONE.args,
    )


class DeliveryRow(Base):
    """One event for one subscription, and the last response of its receiver. Its state is its job's."""

    __tablename__ = "hook_deliveries"

    job_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    subscription_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("hook_subscriptions.id", ondelete="CASCADE"))
    subject: Mapped[str] = mapped_column(sa.String(LONGEST))
    position: Mapped[str] = mapped_column(sa.String(50))  # of the event; empty for a trial
    created_at: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)
    tried_at: Mapped[datetime | None] = mapped_column(_TIME)
    status: Mapped[int | None]
    answer: Mapped[str | None] = mapped_column(sa.String(500))
    took_ms: Mapped[int | None]

    __table_args__ = (sa.Index("ix_hook_deliveries_newest", "subscription_id", "created_at", "job_id"), NONE.args)


class SourceRow(Base):
    """A source of incoming events, and its signature scheme."""

    __tablename__ = "hook_sources"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(60), unique=True)
    description: Mapped[str] = mapped_column(sa.String(200), server_default="")
    active: Mapped[bool] = mapped_column(server_default=sa.true())
    form: Mapped[str] = mapped_column(sa.String(10))
    header: Mapped[str] = mapped_column(sa.String(100))
    encoding: Mapped[str] = mapped_column(sa.String(10))
    prefix: Mapped[str] = mapped_column(sa.String(20), server_default="")
    timestamp_header: Mapped[str] = mapped_column(sa.String(100), server_default="")
    tolerance_s: Mapped[int]
    id_header: Mapped[str] = mapped_column(sa.String(100), server_default="")
    id_path: Mapped[str] = mapped_column(sa.String(200), server_default="")
    secret: Mapped[bytes]
    secret_key_id: Mapped[str] = mapped_column(sa.String(12))
    created_by: Mapped[str] = mapped_column(sa.String(200))
    created_at: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)
    updated_at: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)

    __table_args__ = (
        sa.CheckConstraint("name ~ '^[a-z0-9][a-z0-9_-]{0,59}$'", name="name"),
        sa.CheckConstraint("form IN ('plain', 'stamped')", name="form"),
        sa.CheckConstraint("encoding IN ('hex', 'base64')", name="encoding"),
        sa.CheckConstraint("tolerance_s BETWEEN 1 AND 86400", name="tolerance"),
        NONE.args,
    )


class ReceivedRow(Base):
    """A received event, once for each of its source's ids."""

    __tablename__ = "hook_received"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    source_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("hook_sources.id", ondelete="CASCADE"))
    external_id: Mapped[str] = mapped_column(sa.String(200))
    state: Mapped[str] = mapped_column(sa.String(10), server_default=ReceivedState.RECEIVED)
    content_type: Mapped[str] = mapped_column(sa.String(100), server_default="")
    body: Mapped[bytes]
    received_at: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)
    processed_at: Mapped[datetime | None] = mapped_column(_TIME)
    error: Mapped[str | None] = mapped_column(sa.String(500))

    __table_args__ = (
        sa.UniqueConstraint("source_id", "external_id", name="uq_hook_received_once"),
        sa.CheckConstraint(f"state IN ({_STATES})", name="state"),
        sa.Index("ix_hook_received_newest", "source_id", "received_at", "id"),
        sa.Index("ix_hook_received_received_at", "received_at"),
        NONE.args,
    )
