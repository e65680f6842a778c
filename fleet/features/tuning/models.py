"""Tables of tuning: runs that looked at the load, and proposals with their evidence, state and result.

Both are of the whole fleet: members of an organisation see none.
"""

from __future__ import annotations

import uuid
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from fleet.core.db import Base, one_of
from fleet.core.db.visibility import NONE
from fleet.features.tuning.decisions.plans import TuningRule
from fleet.features.tuning.decisions.results import TuningVerdict

_TIME = sa.DateTime(timezone=True)
_NOW = sa.text("clock_timestamp()")
_OBJECT = sa.text("'{}'::jsonb")


class TuningState(StrEnum):
    """What became of a proposal. `accepted`: people have to run its command; `overtaken`: the setting was changed."""

    OPEN = "open"
    ACCEPTED = "accepted"
    APPLIED = "applied"
    DISMISSED = "dismissed"
    EXPIRED = "expired"
    OVERTAKEN = "overtaken"
    UNDONE = "undone"


class TuningRunRow(Base):
    """One look at the load. `reasons` counts the scopes without a proposal by "SETTING: why"."""

    __tablename__ = "tuning_runs"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    made_at: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)
    since: Mapped[datetime] = mapped_column(_TIME)
    looked: Mapped[int]
    proposals: Mapped[int]
    reasons: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=_OBJECT)
    requested_by: Mapped[str | None] = mapped_column(sa.String(100))

    __table_args__ = (sa.Index("ix_tuning_runs_made_at", "made_at"), NONE.args)


class TuningProposalRow(Base):
    """A proposal to change a setting in a scope by one step.

    `before` and `after` are values of the setting; `was_set` says whether its own scope had a value, which undoing
    restores or else unsets. `command` is what people run where no setting changes it. `expected` has the metric before
    and after with its interval of 95 %; `result` what was measured in the windows before and after.
    """

    __tablename__ = "tuning_proposals"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    run_id: Mapped[uuid.UUID]
    rule: Mapped[str] = mapped_column(sa.String(20))
    setting: Mapped[str] = mapped_column(sa.String(100))
    scope: Mapped[str] = mapped_column(sa.String(12))
    scope_id: Mapped[str] = mapped_column(sa.String(60), server_default="")
    scope_name: Mapped[str] = mapped_column(sa.String(100), server_default="")
    before: Mapped[Any] = mapped_column(JSONB)
    after: Mapped[Any] = mapped_column(JSONB)
    was_set: Mapped[bool] = mapped_column(server_default=sa.text("false"))
    direction: Mapped[int] = mapped_column(sa.SmallInteger)
    command: Mapped[str] = mapped_column(sa.String(200), server_default="")
    words: Mapped[str] = mapped_column(sa.String(300))
    metric: Mapped[str] = mapped_column(sa.String(20))
    aim: Mapped[str] = mapped_column(sa.String(10))
    guards: Mapped[list[Any]] = mapped_column(JSONB, server_default=sa.text("'[]'::jsonb"))
    evidence: Mapped[dict[str, Any]] = mapped_column(JSONB)
    expected: Mapped[dict[str, Any]] = mapped_column(JSONB)
    state: Mapped[str] = mapped_column(sa.String(10), server_default=sa.text("'open'"))
    request_id: Mapped[uuid.UUID | None]
    made_at: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)
    decided_at: Mapped[datetime | None] = mapped_column(_TIME)
    decided_by: Mapped[str | None] = mapped_column(sa.String(100))
    why: Mapped[str] = mapped_column(sa.String(300), server_default="")
    applied_at: Mapped[datetime | None] = mapped_column(_TIME)
    undone_at: Mapped[datetime | None] = mapped_column(_TIME)
    verdict: Mapped[str | None] = mapped_column(sa.String(20))
    result: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    measured_at: Mapped[datetime | None] = mapped_column(_TIME)
    undo_request_id: Mapped[uuid.UUID | None]

    __table_args__ = (
        sa.CheckConstraint(one_of("state", TuningState), name="state"),
        sa.CheckConstraint(one_of("rule", TuningRule), name="rule"),
        sa.CheckConstraint(f"verdict IS NULL OR {one_of('verdict', TuningVerdict)}", name="verdict"),
        sa.CheckConstraint("direction IN (-1, 1)", name="direction"),
        sa.CheckConstraint("(verdict IS NULL) = (measured_at IS NULL)", name="measured"),
        sa.CheckConstraint("(state IN ('applied', 'undone')) <= (applied_at IS NOT NULL OR command <> '')",
                           name="applied"),
        sa.Index("uq_tuning_proposals_open", "setting", "scope", "scope_id", unique=True,
                 postgresql_where=sa.text("state IN ('open', 'accepted')")),
        sa.Index("ix_tuning_proposals_made_at", "made_at", "id"),
        sa.Index("ix_tuning_proposals_applied_at", "applied_at", postgresql_where=sa.text("applied_at IS NOT NULL")),
        NONE.args,
    )  # fmt: skip
