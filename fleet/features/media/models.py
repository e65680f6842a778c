"""The tables of addresses from which pictures were fetched, and of stored pictures that are to be deleted."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from fleet.core.db import Base
from fleet.core.db.visibility import ALL

_TIME = sa.DateTime(timezone=True)
_NOW = sa.text("clock_timestamp()")
_ZERO = sa.text("0")


class MediaRow(Base):
    """One normalized address. Stored pictures are named by their bytes, so several rows may share an object."""

    __tablename__ = "media"

    url_hash: Mapped[str] = mapped_column(sa.String(64), primary_key=True)  # addresses are too long for an index
    url: Mapped[str] = mapped_column(sa.Text)
    state: Mapped[str] = mapped_column(sa.String(10))
    lease_token: Mapped[int] = mapped_column(sa.BigInteger, server_default=_ZERO)
    lease_until: Mapped[datetime | None] = mapped_column(_TIME)
    failures: Mapped[int] = mapped_column(server_default=_ZERO)  # in a row
    error: Mapped[str | None] = mapped_column(sa.Text)
    retry_at: Mapped[datetime | None] = mapped_column(_TIME)
    object_key: Mapped[str | None] = mapped_column(sa.String(100))
    sha256: Mapped[str | None] = mapped_column(sa.String(64))
    content_type: Mapped[str | None] = mapped_column(sa.String(20))
    width: Mapped[int | None]
    height: Mapped[int | None]
    size_bytes: Mapped[int | None]
    source: Mapped[str | None] = mapped_column(sa.String(200))  # IPTC digital source type of a machine's picture
    created_at: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)
    fetched_at: Mapped[datetime | None] = mapped_column(_TIME)

    __table_args__ = (
        sa.CheckConstraint("state IN ('fetching', 'kept', 'failed', 'refused')", name="state"),
        sa.CheckConstraint("(state = 'fetching') = (lease_until IS NOT NULL)", name="lease"),
        sa.CheckConstraint("(state IN ('failed', 'refused')) = (retry_at IS NOT NULL)", name="retry"),
        sa.CheckConstraint(
            "state <> 'kept' OR num_nulls(object_key, sha256, content_type, width, height, size_bytes, fetched_at) = 0",
            name="kept",
        ),
        sa.Index("ix_media_retry_at", "retry_at", postgresql_where=sa.text("retry_at IS NOT NULL")),
        sa.Index("ix_media_object_key", "object_key", postgresql_where=sa.text("object_key IS NOT NULL")),
        ALL.args,
    )


class DiscardedRow(Base):
    """A stored picture that is deleted when its time has come, unless something shows it again until then."""

    __tablename__ = "discarded_pictures"

    object_key: Mapped[str] = mapped_column(sa.String(100), primary_key=True)
    due_at: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW, index=True)
    lease_until: Mapped[datetime | None] = mapped_column(_TIME)  # a process deletes the file, or died while it did

    __table_args__ = ALL.args
