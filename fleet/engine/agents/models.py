"""Tables of the agents and of the controls that pause them. Refers to no other package's rows."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from fleet.core.character import BLANK, TRAITS, Character
from fleet.core.db import Base, one_of
from fleet.core.db.visibility import Rows, of_agent, own, own_text, seen
from fleet.engine.agents.status import AgentStatus
from fleet.engine.scopes import SCOPES

_TIME = sa.DateTime(timezone=True)
_NOW = sa.text("clock_timestamp()")
_EMPTY = sa.text("'{}'")
_DEFAULT_ORGANISATION = sa.text("'6f2f4c0e-0000-4000-8000-000000000002'")
# A pause of a surface, a persona or a kind of job is the whole fleet's.
_OF_AGENT = "scope = 'agent' AND " + seen("agents", "seen.id::text = controls.key")
_OF_ACCOUNT = "scope = 'account' AND " + seen("accounts", "seen.id::text = controls.key")
_OF_ORGANISATION = "scope = 'organisation' AND " + own_text("key")
_CONTROLS = Rows(
    f"scope IN ('fleet', 'surface', 'persona', 'kind') OR ({_OF_AGENT}) OR ({_OF_ACCOUNT}) OR ({_OF_ORGANISATION})",
    f"({_OF_AGENT}) OR ({_OF_ORGANISATION}) OR ({_OF_ACCOUNT} AND key <> '6f2f4c0e-0000-4000-8000-000000000001')",
)
NOWHERE = "fleet"
"""The surface of system agents: they act through no account."""


class AgentRow(Base):
    """One agent: identity, character, schedule and status."""

    __tablename__ = "agents"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(sa.String(20))
    name: Mapped[str] = mapped_column(sa.String(100))
    username: Mapped[str] = mapped_column(sa.String(30), unique=True)
    status: Mapped[str] = mapped_column(sa.String(10), server_default=AgentStatus.IDLE)
    persona_id: Mapped[str | None] = mapped_column(sa.String(60))
    personality: Mapped[str] = mapped_column(sa.Text, server_default="")
    vibe: Mapped[str] = mapped_column(sa.String(60), server_default="")
    interests: Mapped[list[str]] = mapped_column(ARRAY(sa.Text), server_default=sa.text("'{}'"))
    min_interval_s: Mapped[int]
    max_interval_s: Mapped[int]
    autonomy: Mapped[str] = mapped_column(sa.String(12), server_default="autonomous")  # its mode
    surface: Mapped[str] = mapped_column(sa.String(40), server_default="floimg")
    # Its main account; NULL is the account of the settings. `surface` is the adapter of that account, and
    # `remote_account` the agent's id there.
    account_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("accounts.id"))
    remote_account: Mapped[str | None] = mapped_column(sa.String(200))
    owner: Mapped[str] = mapped_column(sa.String(100), server_default="")
    # NULL of system agents: they work for all.
    organisation_id: Mapped[uuid.UUID | None] = mapped_column(
        sa.ForeignKey("organisations.id"), server_default=_DEFAULT_ORGANISATION
    )
    next_tick_at: Mapped[datetime | None] = mapped_column(_TIME)
    tick_no: Mapped[int] = mapped_column(sa.BigInteger, server_default=sa.text("0"))
    paused_until: Mapped[datetime | None] = mapped_column(_TIME)
    pause_reason: Mapped[str | None] = mapped_column(sa.String(200))
    current_action: Mapped[str | None] = mapped_column(sa.String(40))
    last_action_at: Mapped[datetime | None] = mapped_column(_TIME)
    last_thought: Mapped[str | None] = mapped_column(sa.String(1000))
    created_at: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)
    updated_at: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)
    deleted_at: Mapped[datetime | None] = mapped_column(_TIME)
    # Beside `current_action`: an update writes the bytes between the first that differs and the last to the WAL.
    totals: Mapped[dict[str, int]] = mapped_column(JSONB, server_default=_EMPTY)  # done jobs by kind
    weights: Mapped[dict[str, float]] = mapped_column(JSONB)  # its own; other actions have the default of their type
    config: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=_EMPTY)  # checked by `agents.config`

    __table_args__ = (
        sa.CheckConstraint(one_of("status", AgentStatus), name="status"),
        sa.CheckConstraint("username ~ '^[a-z0-9_]{3,30}$'", name="username"),
        sa.CheckConstraint("length(name) BETWEEN 1 AND 100", name="name"),
        sa.CheckConstraint("0 < min_interval_s AND min_interval_s <= max_interval_s", name="interval"),
        sa.CheckConstraint(
            "jsonb_typeof(totals) = 'object' AND jsonb_typeof(weights) = 'object' AND jsonb_typeof(config) = 'object'",
            name="documents",
        ),
        sa.CheckConstraint("deleted_at IS NULL OR status = 'idle'", name="deleted_is_idle"),
        # Dispatch reads only this: the due agents, oldest first.
        sa.Index(
            "ix_agents_due",
            "next_tick_at",
            postgresql_where=sa.text("status IN ('running', 'paused') AND next_tick_at IS NOT NULL"),
        ),
        # Agents that do not run are few. Running ones are found by username, and each tick writes to them: an index
        # that leaves them out costs a tick nothing.
        sa.Index("ix_agents_organisation", "organisation_id"),
        sa.Index(
            "ix_agents_at_rest", "status", "username", postgresql_where=sa.text("status IN ('idle', 'paused', 'error')")
        ),
        {"postgresql_with": {"fillfactor": 80, "autovacuum_vacuum_scale_factor": 0.05}, **Rows(own()).args},
    )

    @property
    def character(self) -> Character:
        """What it is like."""
        return BLANK.changed({one.name: getattr(self, one.name) for one in TRAITS})


class AgentAccountRow(Base):
    """A further account through which an agent acts, beside its main one. `remote_id` is the agent's id there."""

    __tablename__ = "agent_accounts"

    agent_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("agents.id", ondelete="CASCADE"), primary_key=True)
    account_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("accounts.id"), primary_key=True)
    remote_id: Mapped[str | None] = mapped_column(sa.String(200))

    __table_args__ = (sa.Index("ix_agent_accounts_account", "account_id"), of_agent("agent_accounts").args)


class ControlRow(Base):
    """A control in force on a scope: the kill switch, or a pause. No row means no control."""

    __tablename__ = "controls"

    scope: Mapped[str] = mapped_column(sa.String(12), primary_key=True)
    key: Mapped[str] = mapped_column(sa.String(100), primary_key=True)
    hold: Mapped[str] = mapped_column(sa.String(10), primary_key=True)
    reason: Mapped[str] = mapped_column(sa.String(300), server_default="")
    until: Mapped[datetime | None] = mapped_column(_TIME)
    set_by: Mapped[str] = mapped_column(sa.String(100))
    set_at: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)

    __table_args__ = (
        sa.CheckConstraint(f"scope IN {SCOPES}", name="scope"),
        sa.CheckConstraint("hold IN ('kill', 'pause')", name="hold"),
        sa.CheckConstraint("hold = 'pause' OR (scope = 'fleet' AND until IS NULL)", name="kill_is_for_all"),
        _CONTROLS.args,
    )
