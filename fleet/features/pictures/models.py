"""The table of orders of pictures: which provider was asked for which job, what it cost, and whom to credit."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from fleet.core.db import Base, one_of
from fleet.core.db.visibility import of_agent
from fleet.features.pictures.states import PictureOrderState

_TIME = sa.DateTime(timezone=True)
_NOW = sa.text("clock_timestamp()")


class PictureOrderRow(Base):
    """One order of one picture of a job at one provider. Jobs are pruned earlier, so their id is no foreign key.

    `object_key` names the stored file. `remote_id` is a stock photo's; `credit` its author, as it is published.
    """

    __tablename__ = "picture_orders"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    job_id: Mapped[uuid.UUID]
    part: Mapped[str] = mapped_column(sa.String(60), server_default="")
    provider: Mapped[str] = mapped_column(sa.String(20))
    model: Mapped[str] = mapped_column(sa.String(100))
    agent_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("agents.id", ondelete="SET NULL"))
    state: Mapped[str] = mapped_column(sa.String(10))
    is_ai: Mapped[bool] = mapped_column(server_default=sa.true())
    microusd: Mapped[int] = mapped_column(sa.BigInteger, server_default=sa.text("0"))
    object_key: Mapped[str | None] = mapped_column(sa.String(100))
    remote_id: Mapped[str | None] = mapped_column(sa.String(100))
    credit: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    why: Mapped[str] = mapped_column(sa.String(500), server_default="")
    asked_at: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)

    __table_args__ = (
        sa.CheckConstraint(one_of("state", PictureOrderState), name="state"),
        sa.CheckConstraint("(state = 'made') = (object_key IS NOT NULL)", name="made"),
        sa.Index("uq_picture_orders_part", "job_id", "part", "provider", unique=True),
        sa.Index("ix_picture_orders_asked_at", "asked_at", "id"),
        sa.Index("ix_picture_orders_agent", "agent_id", "asked_at"),
        sa.Index("ix_picture_orders_object_key", "object_key", postgresql_where=sa.text("object_key IS NOT NULL")),
        sa.Index("ix_picture_orders_remote_id", "remote_id", postgresql_where=sa.text("remote_id IS NOT NULL")),
        of_agent("picture_orders").args,
    )
