"""Tables of access. Passwords are argon2 hashes; of sessions, tokens and invitations only a SHA-256 is stored."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from fleet.core.db import Base
from fleet.core.db.visibility import ALL, NONE, Rows, own, seen

_TIME = sa.DateTime(timezone=True)
_NOW = sa.text("clock_timestamp()")
_ROLES = "role IN ('owner', 'admin', 'operator', 'reviewer', 'viewer')"
DEFAULT_ORGANISATION = uuid.UUID("6f2f4c0e-0000-4000-8000-000000000002")
"""The organisation of everything that names none. Migration 0037 inserts its row; it cannot be removed."""
_MEMBERSHIPS = "FROM members m WHERE m.user_id = users.id"
# Users without a membership have their role everywhere.
_USERS = Rows(f"NOT EXISTS (SELECT {_MEMBERSHIPS}) OR EXISTS (SELECT {_MEMBERSHIPS} AND {own('m.organisation_id')})")


def _of_user(table: str) -> Rows:
    return Rows(seen("users", f"seen.id = {table}.user_id"))


class OrganisationRow(Base):
    """A brand or a client: agents, accounts, budgets and members belong to it. Removed ones keep their row.

    `voice` is added to the persona of its agents in prompts.
    """

    __tablename__ = "organisations"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(60))
    voice: Mapped[str] = mapped_column(sa.String(2000), server_default="")
    created_at: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)
    removed_at: Mapped[datetime | None] = mapped_column(_TIME)

    __table_args__ = (
        sa.CheckConstraint("length(name) BETWEEN 1 AND 60", name="name"),
        sa.Index("uq_organisations_name", sa.text("lower(name)"), unique=True,
                 postgresql_where=sa.text("removed_at IS NULL")),
        Rows(own("id"), "false").args,
    )  # fmt: skip


class MemberRow(Base):
    """The role of a user holds in this organisation. A user without any such row has their role everywhere."""

    __tablename__ = "members"

    user_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    organisation_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("organisations.id"), primary_key=True)

    # Ids alone: the policies of other tables read them.
    __table_args__ = (sa.Index("ix_members_organisation", "organisation_id"), Rows("true", "false").args)


class UserRow(Base):
    """A user. Removed users keep their row, since other rows refer to it."""

    __tablename__ = "users"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(60), unique=True)
    role: Mapped[str] = mapped_column(sa.String(10))
    password_hash: Mapped[str] = mapped_column(sa.String(200))
    created_at: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)
    updated_at: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)
    last_login_at: Mapped[datetime | None] = mapped_column(_TIME)
    removed_at: Mapped[datetime | None] = mapped_column(_TIME)

    __table_args__ = (
        sa.CheckConstraint(_ROLES, name="role"),
        sa.CheckConstraint("name ~ '^[a-z0-9][a-z0-9._-]{1,59}$'", name="name"),
        _USERS.args,
    )


class SessionRow(Base):
    """A browser's login.

    The hashes are SHA-256 of the current key, of the previous one, and of the part that never changes; `confirmed_at`
    is when the browser first sent its newest key.
    """

    __tablename__ = "sessions"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    user_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"))
    family_hash: Mapped[bytes] = mapped_column(sa.LargeBinary(32), unique=True)
    key_hash: Mapped[bytes] = mapped_column(sa.LargeBinary(32))
    previous_hash: Mapped[bytes | None] = mapped_column(sa.LargeBinary(32))
    rotated_at: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)
    confirmed_at: Mapped[datetime | None] = mapped_column(_TIME)
    created_at: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)
    seen_at: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)
    expires_at: Mapped[datetime] = mapped_column(_TIME)
    address: Mapped[str | None] = mapped_column(sa.String(60))
    browser: Mapped[str] = mapped_column(sa.String(200), server_default="")
    ended: Mapped[str | None] = mapped_column(sa.String(10))  # why, if it was ended before its time

    __table_args__ = (
        sa.CheckConstraint(
            "ended IN ('logout', 'elsewhere', 'admin', 'role', 'password', 'removed', 'copied')", name="ended"
        ),
        sa.Index("ix_sessions_user", "user_id"),
        sa.Index("ix_sessions_expires", "expires_at"),
        _of_user("sessions").args,
    )


class TokenRow(Base):
    """A key for programs. `key_hash` is the SHA-256 of its text, `hint` its first letters, for people.

    `made_by` is the token that made it, if any: revoking that one revokes this one.
    """

    __tablename__ = "tokens"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    user_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"))
    made_by: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("tokens.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(sa.String(60))
    key_hash: Mapped[bytes] = mapped_column(sa.LargeBinary(32), unique=True)
    hint: Mapped[str] = mapped_column(sa.String(12))
    scopes: Mapped[list[str]] = mapped_column(ARRAY(sa.String(40)))
    created_at: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)
    expires_at: Mapped[datetime | None] = mapped_column(_TIME)
    last_used_at: Mapped[datetime | None] = mapped_column(_TIME)
    revoked_at: Mapped[datetime | None] = mapped_column(_TIME)

    __table_args__ = (sa.Index("ix_tokens_user", "user_id"), _of_user("tokens").args)


class InvitationRow(Base):
    """A link that creates one user, once. `made_by` is the token that made it, if any: it ends with that token."""

    __tablename__ = "invitations"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    made_by: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("tokens.id", ondelete="CASCADE"))
    key_hash: Mapped[bytes] = mapped_column(sa.LargeBinary(32), unique=True)
    role: Mapped[str] = mapped_column(sa.String(10))
    # Where the role will hold; NULL: everywhere.
    organisation_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("organisations.id"))
    invited_by: Mapped[str] = mapped_column(sa.String(200))
    created_at: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)
    expires_at: Mapped[datetime] = mapped_column(_TIME)
    used_at: Mapped[datetime | None] = mapped_column(_TIME)

    __table_args__ = (sa.CheckConstraint(_ROLES, name="role"), NONE.args)


class LoginFailureRow(Base):
    """Failed logins of a name or an address since the last good one."""

    __tablename__ = "login_failures"

    key: Mapped[str] = mapped_column(sa.String(120), primary_key=True)
    number: Mapped[int]
    last_at: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)

    __table_args__ = ALL.args


class AuditRow(Base):
    """One line of the audit log. A trigger refuses every UPDATE, DELETE and TRUNCATE."""

    __tablename__ = "audit"

    id: Mapped[int] = mapped_column(sa.BigInteger, sa.Identity(always=True), primary_key=True)
    at: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)
    actor: Mapped[str] = mapped_column(sa.String(200))
    role: Mapped[str] = mapped_column(sa.String(20))
    via: Mapped[str] = mapped_column(sa.String(10))
    address: Mapped[str | None] = mapped_column(sa.String(60))
    request_id: Mapped[str | None] = mapped_column(sa.String(40))
    action: Mapped[str] = mapped_column(sa.String(60))
    target: Mapped[str] = mapped_column(sa.String(300))
    before: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    after: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))

    __table_args__ = (
        sa.Index("ix_audit_actor", "actor", "id"),
        sa.Index("ix_audit_action", "action", "id"),
        sa.Index("ix_audit_target", "target", "id"),
        sa.Index("ix_audit_request", "request_id"),
        Rows("false", "true").args,
    )
