"""The table of the lamp. Its revisions are in `migrations`."""

from __future__ import annotations

import uuid
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from fleet.core.db import Base
from fleet.core.db.visibility import of_agent


class LampChangeRow(Base):
    """One colour that a lamp was set to."""

    __tablename__ = "lamp_changes"

    job_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    agent_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("agents.id", ondelete="CASCADE"))
    colour: Mapped[str] = mapped_column(sa.String(10))
    why: Mapped[str] = mapped_column(sa.String(200))
    changed_at: Mapped[datetime] = mapped_column(
        sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()")
    )

    __table_args__ = (sa.Index("ix_lamp_changes_newest", "agent_id", "changed_at"), of_agent("lamp_changes").args)
