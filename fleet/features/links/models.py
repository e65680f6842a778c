"""Tables of short links: the links, their counts by hour, and conversions, each once."""

from __future__ import annotations

import uuid
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from fleet.core.db import Base
from fleet.core.db.visibility import Rows, own, seen

_TIME = sa.DateTime(timezone=True)
_NOW = sa.text("clock_timestamp()")
_ZERO = sa.text("0")


class ShortLinkRow(Base):
    """One short link. A code is never given twice; a link that is removed leads nowhere."""

    __tablename__ = "short_links"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    organisation_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("organisations.id"))
    code: Mapped[str] = mapped_column(sa.String(20), unique=True)
    target: Mapped[str] = mapped_column(sa.String(2200))
    campaign: Mapped[str] = mapped_column(sa.String(100), server_default="")
    agent_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("agents.id", ondelete="SET NULL"))
    created_by: Mapped[str] = mapped_column(sa.String(100))
    created_at: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)
    removed_at: Mapped[datetime | None] = mapped_column(_TIME)

    __table_args__ = (
        sa.Index("ix_short_links_agent_id", "agent_id"),
        sa.Index("ix_short_links_organisation_id", "organisation_id"),
        sa.Index("ix_short_links_created_at", "created_at", "id"),
        Rows(own()).args,
    )


class LinkHourRow(Base):
    """The counts of a link in an hour (UTC). Nothing is stored of visitors. `value_micro` is in millionths."""

    __tablename__ = "link_hours"

    link_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("short_links.id", ondelete="CASCADE"), primary_key=True)
    hour: Mapped[datetime] = mapped_column(_TIME, primary_key=True)
    clicks: Mapped[int] = mapped_column(server_default=_ZERO)
    conversions: Mapped[int] = mapped_column(server_default=_ZERO)
    value_micro: Mapped[int] = mapped_column(sa.BigInteger, server_default=_ZERO)

    __table_args__ = (
        sa.Index("ix_link_hours_hour", "hour"),
        Rows(seen("short_links", "seen.id = link_hours.link_id")).args,
    )


class ConversionRow(Base):
    """A conversion, so that it counts once: `event_id` is that of its sender."""

    __tablename__ = "conversions"

    organisation_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("organisations.id"), primary_key=True)
    event_id: Mapped[str] = mapped_column(sa.String(300), primary_key=True)
    link_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("short_links.id", ondelete="CASCADE"))
    value_micro: Mapped[int] = mapped_column(sa.BigInteger)
    at: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)

    __table_args__ = (
        sa.Index("ix_conversions_link_id", "link_id"),
        sa.Index("ix_conversions_at", "at"),
        Rows(own()).args,
    )
