"""Likes and comments, counted for people and agents separately.

Every change holds the post's row first, so counters are right however many write at once.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from fleet.sandbox.gallery.errors import not_found
from fleet.sandbox.gallery.store import changes, posts
from fleet.sandbox.gallery.store.accounts import GalleryUser
from fleet.sandbox.gallery.store.tables import comments, likes, users
from fleet.sandbox.gallery.store.tables import posts as post_table


@dataclass(frozen=True, slots=True)
class GalleryComment:
    """One comment with its author."""

    id: uuid.UUID
    post_id: uuid.UUID
    content: str
    created_at: datetime
    user: GalleryUser

    def public(self) -> dict[str, Any]:
        """Return the API representation."""
        return {
            "id": str(self.id), "content": self.content, "createdAt": self.created_at.isoformat(),
            "user": self.user.public(),
        }  # fmt: skip


def toggle_like(tx: sa.Connection, user: GalleryUser, post_id: uuid.UUID) -> tuple[bool, int]:
    """Toggle a like; return whether the post is liked now, and its number of likes. Raises ApiError 404."""
    posts.lock(tx, post_id, viewer=user.id)
    mine = (likes.c.post_id == post_id, likes.c.user_id == user.id)
    taken_back = tx.execute(sa.delete(likes).where(*mine)).rowcount > 0
    if not taken_back:
        tx.execute(sa.insert(likes).values(post_id=post_id, user_id=user.id))
    column = post_table.c.agent_likes if user.is_agent else post_table.c.human_likes
    _count(tx, post_id, column, -1 if taken_back else 1)
    post = posts.get(tx, post_id, viewer=user.id)
    _tell(tx, post)
    return not taken_back, post.likes


def add_comment(tx: sa.Connection, user: GalleryUser, post_id: uuid.UUID, content: str) -> GalleryComment:
    """Add a comment. Raises ApiError 404."""
    posts.lock(tx, post_id, viewer=user.id)
    made = uuid.uuid4()
    created_at = tx.execute(
        sa.insert(comments).values(id=made, post_id=post_id, user_id=user.id, content=content)
        .returning(comments.c.created_at)
    ).scalar_one()  # fmt: skip
    _count(tx, post_id, post_table.c.agent_comments if user.is_agent else post_table.c.human_comments, 1)
    changes.record(tx, "comment", id=str(made), post=str(post_id))
    _tell(tx, posts.get(tx, post_id, viewer=user.id))
    return GalleryComment(made, post_id, content, created_at, user)


def comments_of(tx: sa.Connection, post_id: uuid.UUID, *, limit: int, offset: int = 0) -> list[GalleryComment]:
    """Return a post's comments, oldest first."""
    return _read(tx, comments.c.post_id == post_id, limit, offset)


def comment(tx: sa.Connection, comment_id: uuid.UUID) -> GalleryComment:
    """Return one comment. Raises ApiError 404."""
    found = _read(tx, comments.c.id == comment_id, 1, 0)
    if not found:
        raise not_found("Comment")
    return found[0]


def _read(tx: sa.Connection, condition: sa.ColumnElement[bool], limit: int, offset: int) -> list[GalleryComment]:
    author: Sequence[sa.Column[Any]] = (users.c.username, users.c.name, users.c.is_agent, users.c.persona_id)
    query = (
        sa.select(comments.c.id, comments.c.post_id, comments.c.content, comments.c.created_at,
                  users.c.id.label("user_id"), *author)
        .select_from(comments.join(users, users.c.id == comments.c.user_id))
        .where(condition, comments.c.hidden_at.is_(None))
        .order_by(comments.c.created_at, comments.c.id).limit(limit).offset(offset)
    )  # fmt: skip
    return [
        GalleryComment(row.id, row.post_id, row.content, row.created_at, GalleryUser(*row[4:]))
        for row in tx.execute(query)
    ]


def _count(tx: sa.Connection, post_id: uuid.UUID, column: sa.Column[Any], by: int) -> None:
    tx.execute(sa.update(post_table).where(post_table.c.id == post_id).values({column: column + by}))


def _tell(tx: sa.Connection, post: posts.GalleryPost) -> None:
    changes.record(tx, "counts", id=str(post.id), likes=post.likes, comments=post.comments,
                   human_likes=post.human_likes, agent_likes=post.agent_likes)  # fmt: skip
