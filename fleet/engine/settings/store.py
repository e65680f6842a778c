"""The rows of settings: read, put, unset. Each is called inside its caller's transaction.

Changes take turns, so that each is checked against the one before, and revisions are committed in their order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from fleet.core.db import Tx
from fleet.core.settings import SettingScope
from fleet.engine.settings.models import SettingRow


@dataclass(frozen=True, slots=True)
class ScopeKey:
    """A scope of one kind: the fleet, or an organisation, persona, account or agent by its id."""

    scope: SettingScope = SettingScope.FLEET
    id: str = ""


FLEET = ScopeKey()


@dataclass(frozen=True, slots=True)
class StoredSetting:
    """The value of a setting in a scope, as the table keeps it: sealed if it holds secrets, None after it was unset."""

    key: ScopeKey
    name: str
    value: Any
    set_by: str
    set_at: datetime
    reason: str
    revision: int


def take_turn(tx: Tx) -> None:
    """Wait for other changes of settings to end. Take the lock before reading what a change depends on."""
    tx.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtext("fleet.settings"))))


def rows(tx: Tx, *, name: str | None = None, key: ScopeKey | None = None) -> list[StoredSetting]:
    """Return the rows of a setting or of a scope, those that were unset too, in no order."""
    query = sa.select(SettingRow)
    if name is not None:
        query = query.where(SettingRow.name == name)
    if key is not None:
        query = query.where(SettingRow.scope == key.scope, SettingRow.scope_id == key.id)
    return [_stored(row) for row in tx.execute(query).scalars()]


def put(tx: Tx, key: ScopeKey, name: str, value: Any, *, by: str, reason: str) -> None:
    """Set a setting in a scope; None unsets it. The caller has its turn."""
    newest = tx.scalar(sa.select(sa.func.coalesce(sa.func.max(SettingRow.revision), 0)))
    given = {"value": value, "set_by": by[:100], "set_at": tx.sql_now, "reason": reason, "revision": newest + 1}
    statement = insert(SettingRow).values(scope=key.scope, scope_id=key.id, name=name, **given)
    tx.execute(statement.on_conflict_do_update(index_elements=["scope", "scope_id", "name"], set_=given))


def unset_scope(tx: Tx, key: ScopeKey, *, by: str, reason: str) -> Sequence[str]:
    """Unset everything of a scope that is no more; return the names."""
    if not rows(tx, key=key):
        return []
    take_turn(tx)
    names = [one.name for one in rows(tx, key=key) if one.value is not None]
    for name in names:
        put(tx, key, name, None, by=by, reason=reason)
    return names


def _stored(row: SettingRow) -> StoredSetting:
    key = ScopeKey(SettingScope(row.scope), row.scope_id)
    return StoredSetting(key, row.name, row.value, row.set_by, row.set_at, row.reason, row.revision)
