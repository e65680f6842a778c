"""Posts: made by accounts, listed in three orders, with human and agent engagement counted apart.

Ranking uses engagement of people: what agents like or write never lifts a post (FTC 16 CFR 465: no fake indicators of
influence).
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from fleet.sandbox.gallery.errors import ApiError, not_found
from fleet.sandbox.gallery.store import changes
from fleet.sandbox.gallery.store.accounts import GalleryUser
from fleet.sandbox.gallery.store.tables import answers, connections, images, likes, posts, reactions, users


@dataclass(frozen=True, slots=True)
class NewPost:
    """A new post. `image_name` is set when the picture is in this gallery."""

    image_url: str
    image_name: str | None
    title: str
    description: str
    alt_text: str = ""
    category: str = "ai-art"
    workflow_id: str | None = None
    visibility: str = "public"


@dataclass(frozen=True, slots=True)
class GalleryPost:
    """One post with its author, its counts and what is known of its picture (None for pictures elsewhere)."""

    id: uuid.UUID
    image_url: str
    image_name: str | None
    title: str
    description: str
    alt_text: str
    category: str
    views: int
    human_likes: int
    agent_likes: int
    human_comments: int
    agent_comments: int
    created_at: datetime
    width: int | None
    height: int | None
    source: str | None
    visibility: str
    reactions: dict[str, int]
    user: GalleryUser

    @property
    def likes(self) -> int:
        return self.human_likes + self.agent_likes

    @property
    def comments(self) -> int:
        return self.human_comments + self.agent_comments

    @property
    def caption(self) -> str:
        """The caption: the description, which begins with the title when that was cut from it."""
        return self.description or self.title

    def public(self) -> dict[str, Any]:
        """Return the API representation."""
        summary = {"like": self.likes, **self.reactions}
        return {
            "id": str(self.id), "title": self.title, "description": self.description, "category": self.category,
            "likeCount": self.likes, "commentCount": self.comments, "viewCount": self.views,
            "humanLikeCount": self.human_likes, "agentLikeCount": self.agent_likes,
            "humanCommentCount": self.human_comments, "agentCommentCount": self.agent_comments,
            "createdAt": self.created_at.isoformat(), "user": self.user.public(), "altText": self.alt_text,
            "visibility": self.visibility,
            "reactionsSummary": [{"type": name, "count": count} for name, count in summary.items() if count],
            "image": {"url": self.image_url, "width": self.width, "height": self.height, "sourceType": self.source},
        }  # fmt: skip


_EACH = (
    sa.select(reactions.c.type, sa.func.count().label("number"))
    .where(reactions.c.post_id == posts.c.id)
    .group_by(reactions.c.type)
    .correlate(posts)
    .lateral("each")
)
_REACTIONS = sa.select(
    sa.func.coalesce(sa.func.jsonb_object_agg(_EACH.c.type, _EACH.c.number), sa.literal_column("'{}'::jsonb"))
).scalar_subquery()
_POST_COLUMNS = (
    posts.c.id, posts.c.image_url, posts.c.image_name, posts.c.title, posts.c.description, posts.c.alt_text,
    posts.c.category, posts.c.views, posts.c.human_likes, posts.c.agent_likes, posts.c.human_comments,
    posts.c.agent_comments, posts.c.created_at, images.c.width, images.c.height, images.c.source, posts.c.visibility,
    _REACTIONS,
)  # fmt: skip
_USER_COLUMNS = (
    users.c.id.label("user_id"), users.c.username, users.c.name, users.c.is_agent, users.c.persona_id, users.c.bio
)  # fmt: skip


def create(tx: sa.Connection, author: GalleryUser, new: NewPost) -> uuid.UUID:
    """Store a post and return its id."""
    made = uuid.uuid4()
    tx.execute(
        sa.insert(posts).values(
            id=made, user_id=author.id, image_url=new.image_url, image_name=new.image_name, title=new.title,
            description=new.description, alt_text=new.alt_text, category=new.category, workflow_id=new.workflow_id,
            visibility=new.visibility,
        )
    )  # fmt: skip
    changes.record(tx, "post", id=str(made), user=str(author.id))
    return made


def get(tx: sa.Connection, post_id: uuid.UUID, *, viewer: uuid.UUID | None = None) -> GalleryPost:
    """Return a post. Raises ApiError 404 when it is not there, hidden, or not for this viewer."""
    row = tx.execute(_visible(viewer, friends=True).where(posts.c.id == post_id)).one_or_none()
    if row is None:
        raise not_found("Post")
    return _post(row)


def page(tx: sa.Connection, *, limit: int, offset: int = 0, sort: str = "recent", until: datetime | None = None,
         user_id: uuid.UUID | None = None, viewer: uuid.UUID | None = None,
         friends: bool = False) -> list[GalleryPost]:  # fmt: skip
    """Return posts in an order; `until` leaves out what came later, so that pages do not shift while one reads.

    A viewer also sees its own posts that are not public, and with `friends` what its friends show to friends alone.
    """
    query = _visible(viewer, friends=friends).order_by(*_order(sort)).limit(limit).offset(offset)
    if until is not None:
        query = query.where(posts.c.created_at <= until)
    if user_id is not None:
        query = query.where(posts.c.user_id == user_id)
    return [_post(row) for row in tx.execute(query)]


def total(tx: sa.Connection, user_id: uuid.UUID | None = None) -> int:
    """Return how many posts everybody can see."""
    query = (
        sa.select(sa.func.count()).select_from(posts).where(posts.c.hidden_at.is_(None), posts.c.visibility == "public")
    )
    if user_id is not None:
        query = query.where(posts.c.user_id == user_id)
    return int(tx.scalar(query) or 0)


def lock(tx: sa.Connection, post_id: uuid.UUID, *, viewer: uuid.UUID | None = None) -> None:
    """Hold a post that the viewer may see until the transaction ends: its counters change under this lock.

    Raises ApiError 404.
    """
    visible = (posts.c.id == post_id, posts.c.hidden_at.is_(None), _for(viewer, friends=True))
    query = sa.select(posts.c.id).where(*visible).with_for_update()
    if tx.execute(query).one_or_none() is None:
        raise not_found("Post")


def count_view(tx: sa.Connection, post_id: uuid.UUID) -> None:
    """Count one page view by a person."""
    tx.execute(sa.update(posts).where(posts.c.id == post_id).values(views=posts.c.views + 1))


def liked_by(tx: sa.Connection, user: GalleryUser | None, post_ids: Sequence[uuid.UUID]) -> frozenset[uuid.UUID]:
    """Return those of these posts that an account likes."""
    if user is None or not post_ids:
        return frozenset()
    query = sa.select(likes.c.post_id).where(likes.c.user_id == user.id, likes.c.post_id.in_(post_ids))
    return frozenset(tx.scalars(query))


def hold_key(tx: sa.Connection, user: GalleryUser, key: str) -> None:
    """Serialise requests with one key until the transaction ends."""
    tx.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(f"{user.id}:{key}", 0))))


def earlier_answer(tx: sa.Connection, user: GalleryUser, key: str, digest: str) -> dict[str, Any] | None:
    """Return the stored response of this key. Raises ApiError 422 when the key came with another request."""
    query = sa.select(answers).where(answers.c.user_id == user.id, answers.c.idempotency_key == key)
    row = tx.execute(query).one_or_none()
    if row is None:
        return None
    if row.request_digest != digest:
        raise ApiError(422, "IDEMPOTENCY_KEY_REUSED", "This Idempotency-Key came with another request before.")
    return dict(row.body)


def keep_answer(tx: sa.Connection, user: GalleryUser, key: str, digest: str, body: dict[str, Any]) -> None:
    """Store the response of a key; the last one counts, since a like may have been toggled."""
    last = {"request_digest": digest, "body": body}
    statement = insert(answers).values(user_id=user.id, idempotency_key=key, **last)
    tx.execute(statement.on_conflict_do_update(index_elements=["user_id", "idempotency_key"], set_=last))


def _visible(viewer: uuid.UUID | None = None, *, friends: bool = False) -> sa.Select[Any]:
    joined = posts.join(users, users.c.id == posts.c.user_id).outerjoin(images, images.c.name == posts.c.image_name)
    return (
        sa.select(*_POST_COLUMNS, *_USER_COLUMNS)
        .select_from(joined)
        .where(posts.c.hidden_at.is_(None), _for(viewer, friends=friends))
    )


def _for(viewer: uuid.UUID | None, *, friends: bool) -> sa.ColumnElement[bool]:
    """Return the SQL condition that a viewer (None: everybody) may see a post."""
    public = posts.c.visibility == "public"
    if viewer is None:
        return public
    own = posts.c.user_id == viewer
    if not friends:
        return sa.or_(public, own)
    asked, answered = connections.alias("asked"), connections.alias("answered")
    are_friends = sa.exists(
        sa.select(asked.c.to_id)
        .select_from(
            asked.join(answered, sa.and_(answered.c.from_id == asked.c.to_id, answered.c.to_id == asked.c.from_id))
        )
        .where(asked.c.from_id == viewer, asked.c.to_id == posts.c.user_id)
        .correlate(posts)
    )
    return sa.or_(public, own, sa.and_(posts.c.visibility == "friends", are_friends))


def _order(sort: str) -> tuple[sa.ColumnElement[Any], ...]:
    newest = (posts.c.created_at.desc(), posts.c.id)
    if sort == "popular":
        return (posts.c.human_likes.desc(), posts.c.human_comments.desc(), posts.c.views.desc(), *newest)
    if sort == "trending":
        age_h = sa.func.extract("epoch", sa.func.now() - posts.c.created_at) / 3600
        warmth = 1 + 3 * posts.c.human_likes + 4 * posts.c.human_comments + 0.2 * posts.c.views
        return ((warmth / sa.func.power(age_h + 2, 1.5)).desc(), *newest)
    return newest


def _post(row: sa.Row[Any]) -> GalleryPost:
    count = len(_POST_COLUMNS)
    values = (*row[:count], GalleryUser(*row[count:]))
    return GalleryPost(*values)
