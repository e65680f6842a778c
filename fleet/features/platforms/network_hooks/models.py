"""The table of this folder: what came of the webhook of an account."""

from __future__ import annotations

import uuid
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from fleet.core.db import Base
from fleet.core.db.visibility import Rows, seen

_TIME = sa.DateTime(timezone=True)


class NetworkHookRow(Base):
    """The genuine deliveries of an account's network; no row before the first one. What they said is not stored."""

    __tablename__ = "network_hooks"

    account_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True)
    deliveries: Mapped[int] = mapped_column(sa.BigInteger, server_default=sa.text("0"))
    delivered_at: Mapped[datetime] = mapped_column(_TIME)
    read_at: Mapped[datetime | None] = mapped_column(_TIME)
    """When the reading of the inbox began that a delivery caused last."""

    __table_args__ = (Rows(seen("accounts", "seen.id = network_hooks.account_id")).args,)
