"""Reactions other than the like, and friend requests. Both are idempotent.

Called by the social endpoints. Two accounts that sent each other a request are friends.
"""

from __future__ import annotations

import uuid
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from fleet.sandbox.gallery.errors import invalid, not_found
from fleet.sandbox.gallery.store import changes, posts
from fleet.sandbox.gallery.store.accounts import GalleryUser
from fleet.sandbox.gallery.store.tables import connections, reactions, users

ReactionType = Literal["love", "haha", "sad", "angry"]


def react(tx: sa.Connection, user: GalleryUser, post_id: uuid.UUID, type_: ReactionType) -> bool:
    """Set an account's reaction to a post; False if unchanged. Raises ApiError 404."""
    posts.lock(tx, post_id, viewer=user.id)
    wanted = insert(reactions).values(post_id=post_id, user_id=user.id, type=type_)
    changed = wanted.on_conflict_do_update(
        index_elements=["post_id", "user_id"], set_={"type": type_}, where=reactions.c.type != type_
    )
    new = tx.execute(changed.returning(reactions.c.type)).one_or_none() is not None
    if new:
        changes.record(tx, "reaction", post=str(post_id), type=type_)
    return new


def connect(tx: sa.Connection, user: GalleryUser, to_id: uuid.UUID, message: str) -> tuple[str, bool]:
    """Send a friend request; return `requested` or `friends`, and whether the request is new.

    Raises ApiError
    404 for an unknown account, 400 for the sender itself.
    """
    if to_id == user.id:
        raise invalid("userId", "Nobody asks themselves.")
    known = sa.select(users.c.id).where(users.c.id == to_id, users.c.removed_at.is_(None)).with_for_update(read=True)
    if tx.execute(known).one_or_none() is None:
        raise not_found("Account")
    asked = insert(connections).values(from_id=user.id, to_id=to_id, message=message).on_conflict_do_nothing()
    new = tx.execute(asked.returning(connections.c.to_id)).one_or_none() is not None
    back = sa.select(connections.c.to_id).where(connections.c.from_id == to_id, connections.c.to_id == user.id)
    return "friends" if tx.execute(back).one_or_none() else "requested", new
