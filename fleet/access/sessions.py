"""Sessions of browsers: open, find, end. Called by `fleet.access.users` and `fleet.runtime.accounts`.

A session ends after 12 hours without a request and after 14 days in any case. Its key is never kept, only its digest.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa

from fleet.access import secret
from fleet.access.models import SessionRow, UserRow
from fleet.access.principal import Principal, Via
from fleet.access.roles import Role
from fleet.core import ids
from fleet.core.db import Tx

IDLE = timedelta(hours=12)
LIFETIME = timedelta(days=14)
_NOTED_EVERY = timedelta(minutes=1)
_CLOCK = sa.func.clock_timestamp()


@dataclass(frozen=True, slots=True)
class Visit:
    """Where a browser comes from, as people see it in the list of their sessions."""

    address: str | None = None
    browser: str = ""


def open(tx: Tx, user_id: uuid.UUID, visit: Visit) -> str:
    """Begin a session and return its key, which is new: what a browser had before it logged in counts for nothing."""
    key = secret.new_key()
    tx.execute(
        sa.insert(SessionRow).values(
            id=ids.new(), user_id=user_id, key_hash=secret.digest(key), expires_at=_CLOCK + LIFETIME,
            address=visit.address, browser=visit.browser[:200],
        )
    )  # fmt: skip
    return key


def find(tx: Tx, key: str) -> Principal | None:
    """Return whose session it is, and note that it is used; None for a key that opens nothing (any more)."""
    query = (
        sa.select(SessionRow.id, UserRow.id, UserRow.name, UserRow.role, SessionRow.seen_at < _CLOCK - _NOTED_EVERY)
        .join(UserRow, UserRow.id == SessionRow.user_id)
        .where(
            SessionRow.key_hash == secret.digest(key),
            UserRow.removed_at.is_(None),
            SessionRow.expires_at > _CLOCK,
            SessionRow.seen_at > _CLOCK - IDLE,
        )
    )
    row = tx.execute(query).one_or_none()
    if row is None:
        return None
    session_id, user_id, name, role, stale = row
    if stale:
        tx.execute(sa.update(SessionRow).where(SessionRow.id == session_id).values(seen_at=_CLOCK))
    return Principal(user_id, name, Role(role), Via.SESSION, session_id)


def end(tx: Tx, session_id: uuid.UUID) -> None:
    """End a session."""
    tx.execute(sa.delete(SessionRow).where(SessionRow.id == session_id))


def end_all(tx: Tx, user_id: uuid.UUID) -> int:
    """End every session of a user; return how many."""
    return tx.execute(sa.delete(SessionRow).where(SessionRow.user_id == user_id)).rowcount
