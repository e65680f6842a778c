"""Accounts of visitors: one for each browser that has liked or commented, found by the digest of its cookie.

A guest's session ends after ninety days, or earlier where there are too many; what was said stays, and an account
that has said and liked nothing goes with its session.
"""

from __future__ import annotations

import hashlib
import secrets
import uuid

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from fleet.sandbox.gallery.store.accounts import COLUMNS, GalleryUser
from fleet.sandbox.gallery.store.tables import comments, connections, likes, users

KEPT_DAYS = 90
_BATCH = 500
_LOCK = 0x677565737473  # "guests": they are counted by one transaction at a time


def find(tx: sa.Connection, cookie: str) -> GalleryUser | None:
    """Return the account of a visitor's cookie, None before the first like or comment."""
    query = sa.select(*COLUMNS).where(users.c.guest_key == _digest(cookie), users.c.removed_at.is_(None))
    row = tx.execute(query).one_or_none()
    return None if row is None else GalleryUser(*row)


def rename(tx: sa.Connection, known: GalleryUser, name: str) -> GalleryUser:
    """Rename a guest, if a name is given."""
    if not name or name == known.name:
        return known
    tx.execute(sa.update(users).where(users.c.id == known.id).values(name=name))
    return GalleryUser(known.id, known.username, name, False)


def create(tx: sa.Connection, cookie: str, name: str, *, most: int) -> GalleryUser:
    """Create the account of a visitor's cookie, or return the one that a concurrent request created.

    Ends sessions that are too old, and the oldest beyond `most`.
    """
    _make_room(tx, most)
    number = secrets.token_hex(4)
    made = GalleryUser(uuid.uuid4(), f"guest_{number}", name or f"Guest {number[:4]}", False)
    tx.execute(
        insert(users)
        .values(id=made.id, username=made.username, name=made.name, is_agent=False, guest_key=_digest(cookie))
        .on_conflict_do_nothing()
    )
    return find(tx, cookie) or made


def _make_room(tx: sa.Connection, most: int) -> None:
    tx.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
    is_guest = users.c.guest_key.isnot(None)
    number = tx.scalar(sa.select(sa.func.count()).where(is_guest)) or 0
    oldest = sa.select(users.c.id).where(is_guest).order_by(users.c.created_at)
    beyond = oldest.limit(min(max(number + 1 - most, 0), _BATCH))
    too_old = users.c.created_at < sa.func.now() - sa.text(f"interval '{KEPT_DAYS} days'")
    for found in (oldest.where(too_old).limit(_BATCH), beyond):
        ended = sa.update(users).where(users.c.id.in_(found.scalar_subquery())).values(guest_key=None)
        ids = tx.scalars(ended.returning(users.c.id)).all()
        if ids:
            tx.execute(sa.delete(users).where(users.c.id.in_(ids), *_left_nothing()))


def _left_nothing() -> list[sa.ColumnElement[bool]]:
    """Return the SQL condition that nothing refers to an account."""
    referring = (likes.c.user_id, comments.c.user_id, connections.c.from_id, connections.c.to_id)
    return [~sa.exists().where(column == users.c.id) for column in referring]


def _digest(cookie: str) -> str:
    return hashlib.sha256(cookie.encode()).hexdigest()
