"""Tables of health: what is down, and when the fleet last gave a sign of life."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from fleet.core.db import Base
from fleet.core.db.visibility import ALL, Rows, seen

_OUTAGES = Rows("key NOT LIKE 'account:%' OR " + seen("accounts", "outages.key = 'account:' || seen.id::text"), "false")
_TIME = sa.DateTime(timezone=True)


class OutageRow(Base):
    """A thing that is down now, since when, and its name. It goes when the thing works again."""

    __tablename__ = "outages"

    key: Mapped[str] = mapped_column(sa.String(120), primary_key=True)
    title: Mapped[str] = mapped_column(sa.String(120))
    since: Mapped[datetime] = mapped_column(_TIME)

    __table_args__ = _OUTAGES.args


class HeartbeatRow(Base):
    """When something last ran. `sweep`: beat sent a message, and a worker took it."""

    __tablename__ = "heartbeats"

    name: Mapped[str] = mapped_column(sa.String(40), primary_key=True)
    at: Mapped[datetime] = mapped_column(_TIME, server_default=sa.text("clock_timestamp()"))

    __table_args__ = ({"postgresql_with": {"fillfactor": 50}, **ALL.args},)  # rewritten in place every few seconds
