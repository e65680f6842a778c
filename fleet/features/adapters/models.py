"""Tables of adapters: what is used of limits, and checks of accounts."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from fleet.core.db import Base
from fleet.core.db.visibility import Rows, seen

_TIME = sa.DateTime(timezone=True)
_NOW = sa.text("clock_timestamp()")


def _of_account(table: str) -> str:
    return seen("accounts", f"seen.id = {table}.account_id")


class LimitRow(Base):
    """What is used of one limit, by what shares it. `state` is that of `limits.window.Window`."""

    __tablename__ = "adapter_limits"

    key: Mapped[str] = mapped_column(sa.String(400), primary_key=True)
    """"account:ID/NAME", "host:ADAPTER:HOST:PORT/NAME" or "app:ADAPTER/NAME"."""
    adapter: Mapped[str] = mapped_column(sa.String(40))
    name: Mapped[str] = mapped_column(sa.String(200))
    account_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("accounts.id"))
    """None: accounts share the limit."""
    state: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=sa.text("'{}'::jsonb"))
    updated_at: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)

    __table_args__ = (
        sa.Index("ix_adapter_limits_account", "account_id"),
        Rows(f"account_id IS NULL OR {_of_account('adapter_limits')}").args,
    )


class AccountCheckRow(Base):
    """One health check of an account."""

    __tablename__ = "account_checks"

    id: Mapped[int] = mapped_column(sa.BigInteger, sa.Identity(always=True), primary_key=True)
    account_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("accounts.id"))
    at: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)
    is_ok: Mapped[bool]
    took_ms: Mapped[int]
    why: Mapped[str] = mapped_column(sa.String(300), server_default="")
    """Why it failed."""
    username: Mapped[str] = mapped_column(sa.String(200), server_default="")
    """The account as its system names it."""
    is_labelled: Mapped[bool | None]
    """Whether the system shows that the account is automated; None where it has no such mark."""

    __table_args__ = (
        sa.Index("ix_account_checks_account", "account_id", "at"),
        sa.Index("ix_account_checks_at", "at"),
        Rows(_of_account("account_checks")).args,
    )
