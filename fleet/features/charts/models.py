"""Tables of charts: sums of past hours, which outlive the jobs, and samples of the queue."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from fleet.core.db import Base
from fleet.core.db.visibility import NONE

_TIME = sa.DateTime(timezone=True)


class ChartHourRow(Base):
    """What happened in one past hour (UTC). Written once, when the hour has settled, and never changed."""

    __tablename__ = "chart_hours"

    hour: Mapped[datetime] = mapped_column(_TIME, primary_key=True)
    done: Mapped[dict[str, Any]] = mapped_column(JSONB)  # jobs of agents that were done, by kind
    given_up: Mapped[int]  # jobs of agents that became dead letters
    failing: Mapped[int]  # jobs of agents with an attempt that failed
    lateness: Mapped[dict[str, Any]] = mapped_column(JSONB)  # decisions by how late they were (`buckets.late_class`)
    microusd: Mapped[int] = mapped_column(sa.BigInteger)

    __table_args__ = NONE.args


class QueueSampleRow(Base):
    """The queue as a sweep found it, once a minute at most."""

    __tablename__ = "queue_samples"

    at: Mapped[datetime] = mapped_column(_TIME, primary_key=True)
    due: Mapped[int]  # jobs that could have been claimed
    oldest_s: Mapped[float]  # how long the oldest of them had been due

    __table_args__ = NONE.args
