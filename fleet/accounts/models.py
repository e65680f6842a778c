"""The table of sealed secrets."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from fleet.core.db import Base

_TIME = sa.DateTime(timezone=True)
_NOW = sa.text("clock_timestamp()")


class SecretRow(Base):
    """One secret, readable only with the key that `key_id` names. `updated_at` is when its value last changed."""

    __tablename__ = "secrets"

    name: Mapped[str] = mapped_column(sa.String(60), primary_key=True)
    ciphertext: Mapped[bytes]
    key_id: Mapped[str] = mapped_column(sa.String(12))
    created_at: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)
    updated_at: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)
    last_used_at: Mapped[datetime | None] = mapped_column(_TIME)
