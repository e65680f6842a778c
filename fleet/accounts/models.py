"""Tables of sealed secrets and of accounts at outside systems."""

from __future__ import annotations

import uuid
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from fleet.core.db import Base
from fleet.core.db.visibility import NONE, Rows, own, seen

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
    """One account at an outside system. `version` counts changes of all but its name.

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
    # Operations that are off by the rules of the system and that a person switched on: {name: {reason, by, at}}.
    operations: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=sa.text("'{}'::jsonb"))
    # What its server sets of the lengths of texts, as it was read last: {kind: {most, url_length}}.
    text_lengths: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=sa.text("'{}'::jsonb"))
    version: Mapped[int] = mapped_column(server_default=sa.text("1"))
    created_at: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)
    updated_at: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)
    credentials_at: Mapped[datetime | None] = mapped_column(_TIME)
    """When its credentials were set."""
    reminded_at: Mapped[datetime | None] = mapped_column(_TIME)
    """When an event last told people what to do about its credentials; None while there is nothing to do."""
    deleted_at: Mapped[datetime | None] = mapped_column(_TIME)

    __table_args__ = (
        sa.CheckConstraint("name ~ '^[a-z0-9][a-z0-9_-]{0,39}$'", name="name"),
        sa.CheckConstraint("(ciphertext IS NULL) = (key_id IS NULL)", name="sealed"),
        # A name is free again when its account is removed.
        sa.Index("uq_accounts_name", "name", unique=True, postgresql_where=sa.text("deleted_at IS NULL")),
        Rows(f"organisation_id IS NULL OR {own()}", own()).args,
    )


def _of_account(table: str) -> Rows:
    """Return the rows of a table about accounts: of those that a member sees, and may change."""
    return Rows(
        seen("accounts", f"seen.id = {table}.account_id"),
        seen("accounts", f"seen.id = {table}.account_id AND {own('seen.organisation_id')}"),
    )


class TokensRow(Base):
    """The tokens of a connected account, sealed. `lease` names the process that renews them until `lease_until`."""

    __tablename__ = "account_tokens"

    account_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("accounts.id"), primary_key=True)
    ciphertext: Mapped[bytes | None]
    """None while the first ones are fetched."""
    key_id: Mapped[str | None] = mapped_column(sa.String(12))
    version: Mapped[int] = mapped_column(server_default=sa.text("1"))
    expires_at: Mapped[datetime | None] = mapped_column(_TIME)
    refresh_expires_at: Mapped[datetime | None] = mapped_column(_TIME)
    """When a person has to connect the account again: of tokens that nothing renews, their own end."""
    lease: Mapped[uuid.UUID | None]
    lease_until: Mapped[datetime | None] = mapped_column(_TIME)
    lost_at: Mapped[datetime | None] = mapped_column(_TIME)
    """When the answer to a renewal with a token of one use was lost: only a person can connect the account again."""
    connected_by: Mapped[str | None] = mapped_column(sa.String(100))
    """Who connected the account; None for tokens that its adapter fetched with its credentials."""
    connected_at: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)
    updated_at: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)

    __table_args__ = (
        sa.CheckConstraint("(ciphertext IS NULL) = (key_id IS NULL)", name="sealed"),
        sa.CheckConstraint("(lease IS NULL) = (lease_until IS NULL)", name="lease"),
        _of_account("account_tokens").args,
    )


class AccountUsageRow(Base):
    """The calls of one operation through an account on one day (UTC), with the credentials of one version."""

    __tablename__ = "account_usage"

    account_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("accounts.id"), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    operation: Mapped[str] = mapped_column(sa.String(40), primary_key=True)
    calls: Mapped[int] = mapped_column(sa.BigInteger, server_default=sa.text("0"))
    refused: Mapped[int] = mapped_column(sa.BigInteger, server_default=sa.text("0"))
    units: Mapped[int] = mapped_column(sa.BigInteger, server_default=sa.text("0"))
    microusd: Mapped[int] = mapped_column(sa.BigInteger, server_default=sa.text("0"))

    __table_args__ = (sa.Index("ix_account_usage_day", "day"), _of_account("account_usage").args)


class LoginRow(Base):
    """A person on the way through a system's login, to connect an account.

    `state` is a hash of what the system returns; `ciphertext` holds the PKCE verifier and the app.
    """

    __tablename__ = "account_logins"

    state: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    account_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("accounts.id"))
    ciphertext: Mapped[bytes]
    key_id: Mapped[str] = mapped_column(sa.String(12))
    redirect_uri: Mapped[str] = mapped_column(sa.String(500))
    by: Mapped[str] = mapped_column(sa.String(100))
    """Who began it: nobody else ends it."""
    expires_at: Mapped[datetime] = mapped_column(_TIME)

    __table_args__ = (sa.Index("ix_account_logins_account_id", "account_id"), _of_account("account_logins").args)
