"""Sessions of browsers: open, find, list, end. Called by `fleet.access.users` and `fleet.features.users.service`.

A session ends after 12 hours without a request and after 14 days in any case. Its key is rotated every quarter of an
hour; a request with an older key comes from a copy, and ends the session. Keys are stored as hashes only.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from fleet.access import organisations, secret
from fleet.access.models import SessionRow, UserRow
from fleet.access.principal import Principal, Via
from fleet.access.roles import Role
from fleet.core import ids
from fleet.core.db import Tx

IDLE = timedelta(hours=12)
LIFETIME = timedelta(days=14)
ROTATED_EVERY = timedelta(minutes=15)
GRACE = timedelta(minutes=1)
"""How long a former key stays good once the new one has come back: requests that were sent side by side arrive late."""
_NOTED_EVERY = timedelta(minutes=1)
_CLOCK = sa.func.clock_timestamp()
_ROW = SessionRow
STANDS = (_ROW.expires_at > _CLOCK, _ROW.seen_at > _CLOCK - IDLE, _ROW.ended.is_(None))
"""What is true of a session that opens something, if its user was not removed."""


@dataclass(frozen=True, slots=True)
class Visit:
    """Where a browser comes from, as people see it in the list of their sessions."""

    address: str | None = None
    browser: str = ""


class EndReason(StrEnum):
    """Why a session opens nothing any more."""

    EXPIRED = "expired"
    LOGOUT = "logout"
    ELSEWHERE = "elsewhere"  # its user ended it in another browser
    ADMIN = "admin"
    ROLE = "role"
    PASSWORD = "password"  # noqa: S105
    REMOVED = "removed"
    COPIED = "copied"


@dataclass(frozen=True, slots=True)
class Session:
    """A session as its owner sees it. `seen_at` is right to the minute."""

    id: uuid.UUID
    address: str | None
    browser: str
    created_at: datetime
    seen_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Found:
    """A session's user, and the key that the browser must send from now on, if it was rotated."""

    principal: Principal
    new_key: str | None = None


@dataclass(frozen=True, slots=True)
class Copied:
    """A session that was ended: a key was used that its browser had given up. `address` is the browser's."""

    principal: Principal
    address: str | None


def open(tx: Tx, user_id: uuid.UUID, visit: Visit) -> str:
    """Open a session and return its key, which is always new: a key from before the login is not reused."""
    key = secret.new_session_key()
    tx.execute(
        sa.insert(_ROW).values(
            id=ids.new(), user_id=user_id, family_hash=secret.digest(secret.family_of(key)),
            key_hash=secret.digest(key), expires_at=_CLOCK + LIFETIME, address=visit.address,
            browser="".join(char for char in visit.browser[:200] if char.isprintable()),
        )
    )  # fmt: skip
    return key


def find(tx: Tx, key: str, *, may_rotate: bool = False) -> Found | Copied | None:
    """Return the session of a key and record its use; None for a key that is not valid (any more).

    Its key is rotated when that is due and the response can carry the new one (`may_rotate`).
    """
    row = tx.execute(_looked_up(key)).one_or_none()
    if row is None:
        return None
    own = organisations.read(row.organisations)
    who = Principal(row.user_id, row.name, Role(row.role), Via.SESSION, row.id, organisations=own)
    given = secret.digest(key)
    if given != row.key_hash and (given != row.previous_hash or row.is_over):
        end(tx, row.id, EndReason.COPIED)
        return Copied(who, row.address)
    if row.is_stale:
        tx.execute(sa.update(_ROW).where(_ROW.id == row.id).values(seen_at=_CLOCK))
    return Found(who, _next_key(tx, row, key, is_current=given == row.key_hash, may_rotate=may_rotate))


def _looked_up(key: str) -> sa.Executable:
    return (
        sa.select(
            _ROW.id, _ROW.user_id, UserRow.name, UserRow.role, organisations.OF_USER, _ROW.address, _ROW.key_hash,
            _ROW.previous_hash,
            _ROW.confirmed_at, (_ROW.seen_at < _CLOCK - _NOTED_EVERY).label("is_stale"),
            (_ROW.rotated_at < _CLOCK - ROTATED_EVERY).label("is_due"),
            (_ROW.rotated_at < _CLOCK - GRACE).label("is_late"),
            sa.func.coalesce(_ROW.confirmed_at < _CLOCK - GRACE, sa.false()).label("is_over"),
        )
        .join(UserRow, UserRow.id == _ROW.user_id)
        .where(_ROW.family_hash == secret.digest(secret.family_of(key)), UserRow.removed_at.is_(None), *STANDS)
    )  # fmt: skip


def _next_key(tx: Tx, row: sa.Row[Any], key: str, *, is_current: bool, may_rotate: bool) -> str | None:
    """Change the key if it is time to; of requests side by side one does it."""
    if is_current and row.confirmed_at is None:
        tx.execute(sa.update(_ROW).where(_ROW.id == row.id, _ROW.confirmed_at.is_(None)).values(confirmed_at=_CLOCK))
    # A new key that the browser has not sent after a while was lost with its response: make another one.
    is_lost = not is_current and row.confirmed_at is None and row.is_late
    if not (may_rotate and (is_lost or (is_current and row.is_due))):
        return None
    made = secret.new_session_key(secret.family_of(key))
    values = {"key_hash": secret.digest(made), "previous_hash": secret.digest(key), "rotated_at": _CLOCK}
    changed = sa.update(_ROW).where(_ROW.id == row.id, _ROW.key_hash == row.key_hash)
    return made if tx.execute(changed.values(**values, confirmed_at=None)).rowcount else None


def listed(tx: Tx, user_id: uuid.UUID) -> Sequence[Session]:
    """Return a user's sessions, the one that was used last first."""
    columns = (_ROW.id, _ROW.address, _ROW.browser, _ROW.created_at, _ROW.seen_at, _ROW.expires_at)
    query = sa.select(*columns).where(_ROW.user_id == user_id, *STANDS).order_by(_ROW.seen_at.desc(), _ROW.id)
    return [Session(*row) for row in tx.execute(query)]


def end(tx: Tx, session_id: uuid.UUID, why: EndReason, *, user_id: uuid.UUID | None = None) -> bool:
    """End a session, only a user's own if one is named; False if there is none.

    Its row stays until it is pruned, and opens nothing: the login page tells its browser why it ended.
    """
    where = [_ROW.id == session_id] if user_id is None else [_ROW.id == session_id, _ROW.user_id == user_id]
    return _end(tx, why, *where) > 0


def end_all(tx: Tx, user_id: uuid.UUID, why: EndReason) -> int:
    """End every session of a user; return how many."""
    return _end(tx, why, _ROW.user_id == user_id)


def _end(tx: Tx, why: EndReason, *where: sa.ColumnElement[bool]) -> int:
    return tx.execute(sa.update(_ROW).where(*where, *STANDS).values(ended=why, expires_at=_CLOCK)).rowcount


def end_reason(tx: Tx, key: str) -> EndReason | None:
    """Return why the session of a key opens nothing any more; None while it does."""
    family = secret.digest(secret.family_of(key))
    row = tx.execute(sa.select(_ROW.ended, sa.and_(*STANDS)).where(_ROW.family_hash == family)).one_or_none()
    if row is None:  # pruned, long after it ended
        return EndReason.EXPIRED
    ended, stands = row
    return None if stands else EndReason(ended or EndReason.EXPIRED)


def prune(tx: Tx, *, limit: int) -> int:
    """Delete some of the sessions whose time is over, and return how many; those that were ended wait for it too."""
    gone = (
        sa.select(_ROW.id)
        .where(sa.or_(sa.and_(_ROW.expires_at <= _CLOCK, _ROW.ended.is_(None)), _ROW.seen_at <= _CLOCK - IDLE))
        .limit(limit)
    )
    return tx.execute(sa.delete(_ROW).where(_ROW.id.in_(gone))).rowcount
