"""The tables of settings and documents that people set while the fleet runs. They refer to no other table."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from fleet.core.db import Base, one_of
from fleet.core.db.visibility import Rows, own_text, seen
from fleet.core.settings import SettingScope

_OF_ORGANISATION = "scope = 'organisation' AND " + own_text("scope_id")
_OF_AGENT = "scope = 'agent' AND " + seen("agents", "seen.id::text = settings.scope_id")
_OF_ACCOUNT = "scope = 'account' AND " + seen("accounts", "seen.id::text = settings.scope_id")
# The account of the settings counts for all: members see what is set for it, and do not change it.
_OF_OWN_ACCOUNT = "scope = 'account' AND " + seen(
    "accounts", "seen.id::text = settings.scope_id AND seen.organisation_id IS NOT NULL"
)
_SETTINGS = Rows(
    f"scope IN ('fleet', 'persona') OR {_OF_ORGANISATION} OR {_OF_ACCOUNT} OR {_OF_AGENT}",
    f"{_OF_ORGANISATION} OR {_OF_OWN_ACCOUNT} OR {_OF_AGENT}",
)
_NOW = sa.text("clock_timestamp()")


class SettingRow(Base):
    """The value of a setting in a scope; NULL after it was unset, so that revisions only rise.

    `scope_id` is the id of an organisation, a persona, an account or an agent, empty for the fleet. `revision` counts
    all changes of the table.
    """

    __tablename__ = "settings"

    scope: Mapped[str] = mapped_column(sa.String(12), primary_key=True)
    scope_id: Mapped[str] = mapped_column(sa.String(60), primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(100), primary_key=True)
    value: Mapped[Any | None] = mapped_column(JSONB(none_as_null=True))
    set_by: Mapped[str] = mapped_column(sa.String(100))
    set_at: Mapped[datetime] = mapped_column(sa.DateTime(timezone=True), server_default=_NOW)
    reason: Mapped[str] = mapped_column(sa.String(300), server_default="")
    revision: Mapped[int] = mapped_column(sa.BigInteger)

    __table_args__ = (
        sa.CheckConstraint(one_of("scope", SettingScope), name="scope"),
        sa.CheckConstraint("(scope = 'fleet') = (scope_id = '')", name="scope_id"),
        sa.Index("uq_settings_revision", "revision", unique=True),
        _SETTINGS.args,
    )


class DocumentRow(Base):
    """One version of a document that features read at run time, such as a persona. The latest version counts.

    A NULL says that the document was removed, or that the file of its name counts again. `revision` counts all changes
    of the table.
    """

    __tablename__ = "documents"

    kind: Mapped[str] = mapped_column(sa.String(20), primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(60), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    document: Mapped[Any | None] = mapped_column(JSONB(none_as_null=True))
    set_by: Mapped[str] = mapped_column(sa.String(100))
    set_at: Mapped[datetime] = mapped_column(sa.DateTime(timezone=True), server_default=_NOW)
    reason: Mapped[str] = mapped_column(sa.String(300), server_default="")
    revision: Mapped[int] = mapped_column(sa.BigInteger)

    __table_args__ = (
        sa.CheckConstraint("version > 0", name="version"),
        sa.Index("uq_documents_revision", "revision", unique=True),
        Rows("true", "false").args,
    )
