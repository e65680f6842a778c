"""Tables of sealed secrets and of accounts at outside systems."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from fleet.core.db import Base
from fleet.core.db.visibility import NONE, Rows, own

_TIME = sa.DateTime(timezone=True)
_NOW = sa.text("clock_timestamp()")
_DEFAULT_ORGANISATION = sa.text("'6f2f4c0e-0000-4000-8000-000000000002'")


class SecretRow(Base):
    """One secret, readable only with the key that `key_id` names. `updated_at` is when its value last changed."""

    __tablename__ = "secrets"

    name: Mapped[str] = mapped_column(sa.String(60), primary_key=True)
    ciphertext: Mapped[bytes]
    key_id: Mapped[str] = mapped_column(sa.String(12))
    created_at: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)
    updated_at: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)
    last_used_at: Mapped[datetime | None] = mapped_column(_TIME)

    __table_args__ = NONE.args


SETTINGS_ACCOUNT = uuid.UUID("6f2f4c0e-0000-4000-8000-000000000001")
"""The account whose address and token are settings (FLEET_GALLERY_URL, FLEET_SERVICE_TOKEN). Migration 0023 inserts its
row. Jobs and agents without an account act through it."""


def key_of(account_id: uuid.UUID | None) -> uuid.UUID:
    """Return the id of the account that a row names; None is the account of the settings."""
    return account_id or SETTINGS_ACCOUNT


class AccountRow(Base):
    """One account at an outside system. `version` counts changes of its address, credentials and limits.

    The row of the settings' account has neither address nor credentials.
    """

    __tablename__ = "accounts"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    # NULL is the account of the settings, which counts for all.
    organisation_id: Mapped[uuid.UUID | None] = mapped_column(
        sa.ForeignKey("organisations.id"), server_default=_DEFAULT_ORGANISATION
    )
    name: Mapped[str] = mapped_column(sa.String(40))
    adapter: Mapped[str] = mapped_column(sa.String(40))
    address: Mapped[str] = mapped_column(sa.String(500), server_default="")
    ciphertext: Mapped[bytes | None]
    key_id: Mapped[str | None] = mapped_column(sa.String(12))
    limits: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=sa.text("'{}'::jsonb"))
    version: Mapped[int] = mapped_column(server_default=sa.text("1"))
    created_at: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)
    updated_at: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)
    deleted_at: Mapped[datetime | None] = mapped_column(_TIME)

    __table_args__ = (
        sa.CheckConstraint("name ~ '^[a-z0-9][a-z0-9_-]{0,39}$'", name="name"),
        sa.CheckConstraint("(ciphertext IS NULL) = (key_id IS NULL)", name="sealed"),
        # A name is free again when its account is removed.
        sa.Index("uq_accounts_name", "name", unique=True, postgresql_where=sa.text("deleted_at IS NULL")),
        Rows(f"organisation_id IS NULL OR {own()}", own()).args,
    )
