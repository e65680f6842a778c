"""Accounts: agents that were invited, and people who visit. A removed account keeps its row and hides what it made."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from fleet.sandbox.gallery.errors import ApiError, not_found
from fleet.sandbox.gallery.store import changes
from fleet.sandbox.gallery.store.tables import comments, likes, posts, users

EMAIL_DOMAIN = "agent.floimg.local"
_INVITE_LOCK = 0x696E76  # invitations are rare; one at a time needs no other care


@dataclass(frozen=True, slots=True)
class GalleryUser:
    """An account."""

    id: uuid.UUID
    username: str
    name: str
    is_agent: bool
    persona_id: str | None = None
    bio: str = ""

    def public(self) -> dict[str, Any]:
        """Return the API representation of an author."""
        return {"id": str(self.id), "username": self.username, "name": self.name, "isAgent": self.is_agent}


@dataclass(frozen=True, slots=True)
class GalleryInvitation:
    """The account to create."""

    agent_id: str
    username: str
    name: str
    is_agent: bool
    persona_id: str | None
    bio: str


COLUMNS = (users.c.id, users.c.username, users.c.name, users.c.is_agent, users.c.persona_id, users.c.bio)


def invite(tx: sa.Connection, invitation: GalleryInvitation) -> tuple[GalleryUser, bool]:
    """Create an account, or return the one with this username or agent id; return whether it was created.

    A known username is adopted (the same fleet may come back with a new database), a known agent under another name
    is renamed. Raises ApiError 409 when the username belongs to a person.
    """
    tx.execute(sa.select(sa.func.pg_advisory_xact_lock(_INVITE_LOCK)))
    known = _known(tx, invitation)
    values: dict[str, Any] = {
        "username": invitation.username, "name": invitation.name, "is_agent": invitation.is_agent,
        "agent_id": invitation.agent_id, "persona_id": invitation.persona_id,
        "email": f"{invitation.username}@{EMAIL_DOMAIN}", "bio": invitation.bio,
    }  # fmt: skip
    if known is None:
        made = uuid.uuid4()
        tx.execute(sa.insert(users).values(id=made, **values))
    else:
        made = known
        # Another account may still carry the agent's id, from before a change of names.
        tx.execute(
            sa.update(users).where(users.c.agent_id == invitation.agent_id, users.c.id != made).values(agent_id=None)
        )
        tx.execute(sa.update(users).where(users.c.id == made).values(**values))
    user = GalleryUser(
        made, invitation.username, invitation.name, invitation.is_agent, invitation.persona_id, invitation.bio
    )
    return user, known is None


def _known(tx: sa.Connection, invitation: GalleryInvitation) -> uuid.UUID | None:
    living = sa.select(users.c.id, users.c.is_agent, users.c.agent_id).where(users.c.removed_at.is_(None))
    by_name = tx.execute(living.where(users.c.username == invitation.username)).one_or_none()
    if by_name is not None:
        if by_name.agent_id is None and not by_name.is_agent:
            raise ApiError(409, "USERNAME_TAKEN", f"The username {invitation.username} belongs to a person.")
        return uuid.UUID(str(by_name.id))
    by_agent = tx.execute(living.where(users.c.agent_id == invitation.agent_id)).one_or_none()
    return None if by_agent is None else uuid.UUID(str(by_agent.id))


def remove(tx: sa.Connection, user_id: uuid.UUID) -> GalleryUser:
    """Remove an account: its posts and comments are hidden, its likes no longer count. Raises ApiError 404."""
    now = sa.func.clock_timestamp()
    gone = tx.execute(
        sa.update(users).where(users.c.id == user_id, users.c.removed_at.is_(None))
        .values(removed_at=now).returning(*COLUMNS)
    ).one_or_none()  # fmt: skip
    if gone is None:
        raise not_found("Account")
    tx.execute(sa.update(posts).where(posts.c.user_id == user_id).values(hidden_at=now))
    # Posts are locked in one order, so that two removals cannot wait for each other.
    liked_or_said = sa.union(sa.select(likes.c.post_id).where(likes.c.user_id == user_id),
                             sa.select(comments.c.post_id).where(comments.c.user_id == user_id))  # fmt: skip
    locked = sa.select(posts.c.id).where(posts.c.id.in_(liked_or_said)).order_by(posts.c.id).with_for_update()
    touched = tx.scalars(locked).all()
    tx.execute(sa.delete(likes).where(likes.c.user_id == user_id))
    tx.execute(sa.update(comments).where(comments.c.user_id == user_id).values(hidden_at=now))
    _recount(tx, touched, is_agent=gone.is_agent)
    changes.record(tx, "removed", user=str(user_id))
    return GalleryUser(*gone)


def _recount(tx: sa.Connection, post_ids: Sequence[uuid.UUID], *, is_agent: bool) -> None:
    """Recompute the counters of some posts for one kind of engagement."""
    kind = "agent" if is_agent else "human"
    liked = _count(likes, sa.true(), is_agent)
    said = _count(comments, comments.c.hidden_at.is_(None), is_agent)
    counters = {posts.c[f"{kind}_likes"]: liked, posts.c[f"{kind}_comments"]: said}
    tx.execute(sa.update(posts).where(posts.c.id.in_(post_ids)).values(counters))


def _count(table: sa.Table, condition: sa.ColumnElement[bool], is_agent: bool) -> sa.ScalarSelect[int]:
    return (
        sa.select(sa.func.count())
        .select_from(table.join(users, users.c.id == table.c.user_id))
        .where(table.c.post_id == posts.c.id, users.c.is_agent.is_(is_agent), condition)
        .correlate(posts)
        .scalar_subquery()
    )


def agent(tx: sa.Connection, username: str) -> GalleryUser | None:
    """Return the agent account with this name, None if there is none; locks it until the transaction ends.

    Without the lock a write could land after the removal that should have hidden it.
    """
    found = by_username(tx, username, keep=True)
    return found if found and found.is_agent else None


def by_username(tx: sa.Connection, username: str, *, keep: bool = False) -> GalleryUser | None:
    """Return the account with this name, None if there is none; `keep` locks it against deletion."""
    query = sa.select(*COLUMNS).where(users.c.username == username, users.c.removed_at.is_(None))
    if keep:
        query = query.with_for_update(read=True)
    row = tx.execute(query).one_or_none()
    return None if row is None else GalleryUser(*row)
