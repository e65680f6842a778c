"""Tables of approval requests and decisions. Refers to no other package's rows."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from fleet.core.db import Base, one_of
from fleet.core.db.visibility import Rows, own, seen
from fleet.features.approvals.states import DecisionKind, RequestState

_TIME = sa.DateTime(timezone=True)
_NOW = sa.text("clock_timestamp()")
_EMPTY_LIST = sa.text("'{}'")
_EMPTY = sa.text("'{}'::jsonb")
# The organisation of a member who asks; of others it is that of the agent.
_ASKERS = sa.text("nullif(split_part(current_setting('fleet.organisations', true), ',', 1), '')::uuid")
_AGENT_IS_SEEN = seen("agents", "seen.id = approval_requests.agent_id")
# An agent of the whole fleet, which members do not see, names the organisation of its object.
_NAMES_ITS_OWN = "agent_id IS NULL OR (organisation_id IS NOT NULL AND requested_by LIKE 'agent:%')"


class RequestRow(Base):
    """One request for approval, with a copy of its rule: editing the file changes no open request."""

    __tablename__ = "approval_requests"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    resource: Mapped[str] = mapped_column(sa.String(30))
    resource_id: Mapped[str] = mapped_column(sa.String(200))
    action: Mapped[str] = mapped_column(sa.String(30))
    revision: Mapped[int] = mapped_column(server_default=sa.text("1"))
    payload: Mapped[dict[str, Any]] = mapped_column(JSONB)
    before: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    facts: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=_EMPTY)
    summary: Mapped[str] = mapped_column(sa.String(300))
    # No foreign key: decisions stay even if the agent is deleted.
    agent_id: Mapped[uuid.UUID | None]
    organisation_id: Mapped[uuid.UUID | None] = mapped_column(server_default=_ASKERS)
    requested_by: Mapped[str] = mapped_column(sa.String(100))
    state: Mapped[str] = mapped_column(sa.String(10), server_default=RequestState.PENDING)
    rule: Mapped[str] = mapped_column(sa.String(60))
    approvers: Mapped[list[str]] = mapped_column(ARRAY(sa.Text))
    min_approvals: Mapped[int]
    escalate_to: Mapped[list[str]] = mapped_column(ARRAY(sa.Text), server_default=_EMPTY_LIST)
    created_at: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)
    expires_at: Mapped[datetime] = mapped_column(_TIME)
    escalate_at: Mapped[datetime | None] = mapped_column(_TIME)
    next_step_at: Mapped[datetime | None] = mapped_column(_TIME)  # when the next timed step is due
    announced_at: Mapped[datetime | None] = mapped_column(_TIME)
    reminded_at: Mapped[datetime | None] = mapped_column(_TIME)
    escalated_at: Mapped[datetime | None] = mapped_column(_TIME)
    settled_at: Mapped[datetime | None] = mapped_column(_TIME)
    settled_by: Mapped[str | None] = mapped_column(sa.String(100))
    reason: Mapped[str | None] = mapped_column(sa.String(1000))
    # The person who asked, if one did. Of a request to run a verb: its arguments, and the object if it has changed.
    arguments: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    asker: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    current: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    used_at: Mapped[datetime | None] = mapped_column(_TIME)  # when a verb with a secret result ran

    __table_args__ = (
        sa.CheckConstraint("arguments IS NULL OR asker IS NOT NULL", name="asker"),
        sa.CheckConstraint(one_of("state", RequestState), name="state"),
        sa.CheckConstraint("(state = 'pending') = (settled_at IS NULL)", name="settled"),
        sa.CheckConstraint("(state = 'pending') = (next_step_at IS NOT NULL)", name="steps"),
        sa.CheckConstraint("min_approvals > 0 AND revision > 0 AND cardinality(approvers) > 0", name="approvers"),
        # One open request about one object, whoever requests it and however often.
        sa.Index(
            "uq_approval_requests_open", "resource", "resource_id", "action",
            unique=True, postgresql_where=sa.text("state = 'pending'"),
        ),
        sa.Index("ix_approval_requests_steps", "next_step_at", postgresql_where=sa.text("next_step_at IS NOT NULL")),
        sa.Index("ix_approval_requests_expiry", "expires_at", "id", postgresql_where=sa.text("state = 'pending'")),
        sa.Index("ix_approval_requests_created_at", "created_at", "id"),
        sa.Index("ix_approval_requests_state", "state", "created_at", "id"),
        sa.Index("ix_approval_requests_agent", "agent_id", "created_at", "id"),
        sa.Index("ix_approval_requests_resource", "resource", "resource_id", "action", "created_at"),
        Rows(f"CASE WHEN {_NAMES_ITS_OWN} THEN {own()} ELSE {_AGENT_IS_SEEN} END").args,
    )  # fmt: skip


class DecisionRow(Base):
    """One decision or edit of a request, by whom, and of which exact payload. The database refuses to change it.

    It is deleted with its request, long after that was settled: only prune may delete it, and declares so
    (`fleet.prunes`).
    """

    __tablename__ = "approval_decisions"

    id: Mapped[int] = mapped_column(sa.BigInteger, sa.Identity(), primary_key=True)
    request_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("approval_requests.id"))
    revision: Mapped[int]
    verdict: Mapped[str] = mapped_column(sa.String(10))
    by_name: Mapped[str] = mapped_column(sa.String(100))
    by_roles: Mapped[list[str]] = mapped_column(ARRAY(sa.Text), server_default=_EMPTY_LIST)
    reason: Mapped[str | None] = mapped_column(sa.String(1000))
    payload: Mapped[dict[str, Any]] = mapped_column(JSONB)
    decided_at: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)

    __table_args__ = (
        sa.CheckConstraint(one_of("verdict", DecisionKind), name="verdict"),
        # A double click is one voice.
        sa.Index(
            "uq_approval_decisions_one_voice", "request_id", "revision", "by_name",
            unique=True, postgresql_where=sa.text("verdict = 'approve'"),
        ),
        sa.Index("ix_approval_decisions_request", "request_id", "id"),
        sa.Index("ix_approval_decisions_decided_at", "decided_at"),
        Rows(seen("approval_requests", "seen.id = approval_decisions.request_id")).args,
    )  # fmt: skip
