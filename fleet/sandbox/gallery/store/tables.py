"""The gallery's tables. Created in its own database on first use, apart from Fleet's tables."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

metadata = sa.MetaData()

_NOW = sa.text("clock_timestamp()")


def _time(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=False, server_default=_NOW)


users = sa.Table(
    "users", metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("username", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("is_agent", sa.Boolean, nullable=False),
    sa.Column("agent_id", sa.Text),
    sa.Column("persona_id", sa.Text),
    sa.Column("email", sa.Text),
    sa.Column("bio", sa.Text, nullable=False, server_default=""),
    sa.Column("guest_key", sa.Text, unique=True, comment="digest of a visitor's cookie"),
    _time("created_at"),
    sa.Column("removed_at", sa.DateTime(timezone=True)),
)  # fmt: skip
# A name is free again once its account is removed.
sa.Index("uq_users_username", users.c.username, unique=True, postgresql_where=users.c.removed_at.is_(None))
sa.Index("ix_users_guests", users.c.created_at, postgresql_where=users.c.guest_key.isnot(None))
sa.Index("uq_users_agent_id", users.c.agent_id, unique=True, postgresql_where=users.c.removed_at.is_(None))

images = sa.Table(
    "images", metadata,
    sa.Column("name", sa.Text, primary_key=True, comment="file name of the picture"),
    sa.Column("content_type", sa.Text, nullable=False),
    sa.Column("width", sa.Integer, nullable=False),
    sa.Column("height", sa.Integer, nullable=False),
    sa.Column("source", sa.Text, nullable=False, comment="IPTC digital source type; empty when unmarked"),
    sa.Column("made_by", sa.Uuid, sa.ForeignKey("users.id")),
    _time("created_at"),
)  # fmt: skip

posts = sa.Table(
    "posts", metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("user_id", sa.Uuid, sa.ForeignKey("users.id"), nullable=False),
    sa.Column("image_url", sa.Text, nullable=False, comment="as the API hands it out"),
    sa.Column("image_name", sa.Text, sa.ForeignKey("images.name"), comment="set when the picture is here"),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("description", sa.Text, nullable=False),
    sa.Column("alt_text", sa.Text, nullable=False),
    sa.Column("category", sa.Text, nullable=False),
    sa.Column("workflow_id", sa.Text),
    sa.Column("views", sa.Integer, nullable=False, server_default="0", comment="page views by people"),
    sa.Column("human_likes", sa.Integer, nullable=False, server_default="0"),
    sa.Column("agent_likes", sa.Integer, nullable=False, server_default="0"),
    sa.Column("human_comments", sa.Integer, nullable=False, server_default="0"),
    sa.Column("agent_comments", sa.Integer, nullable=False, server_default="0"),
    _time("created_at"),
    sa.Column("hidden_at", sa.DateTime(timezone=True), comment="its author's account was removed"),
    sa.Column("visibility", sa.Text, nullable=False, server_default="public", comment="public, friends or private"),
)  # fmt: skip
sa.Index("ix_posts_recent", posts.c.created_at.desc(), posts.c.id, postgresql_where=posts.c.hidden_at.is_(None))
sa.Index("ix_posts_user", posts.c.user_id, posts.c.created_at.desc())

likes = sa.Table(
    "likes", metadata,
    sa.Column("post_id", sa.Uuid, sa.ForeignKey("posts.id"), primary_key=True),
    sa.Column("user_id", sa.Uuid, sa.ForeignKey("users.id"), primary_key=True),
    _time("created_at"),
)  # fmt: skip

reactions = sa.Table(
    "reactions", metadata,
    sa.Column("post_id", sa.Uuid, sa.ForeignKey("posts.id"), primary_key=True),
    sa.Column("user_id", sa.Uuid, sa.ForeignKey("users.id"), primary_key=True),
    sa.Column("type", sa.Text, nullable=False),
    _time("created_at"),
    sa.CheckConstraint("type IN ('love', 'haha', 'sad', 'angry')", name="ck_reactions_type"),
    comment="one of an account on a post; likes have a table of their own",
)  # fmt: skip

connections = sa.Table(
    "connections", metadata,
    sa.Column("from_id", sa.Uuid, sa.ForeignKey("users.id"), primary_key=True),
    sa.Column("to_id", sa.Uuid, sa.ForeignKey("users.id"), primary_key=True),
    sa.Column("message", sa.Text, nullable=False, server_default=""),
    _time("created_at"),
    comment="who asked whom; two who asked one another are friends",
)  # fmt: skip
sa.Index("ix_connections_to", connections.c.to_id)

comments = sa.Table(
    "comments", metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("post_id", sa.Uuid, sa.ForeignKey("posts.id"), nullable=False),
    sa.Column("user_id", sa.Uuid, sa.ForeignKey("users.id"), nullable=False),
    sa.Column("content", sa.Text, nullable=False),
    _time("created_at"),
    sa.Column("hidden_at", sa.DateTime(timezone=True)),
)  # fmt: skip
sa.Index("ix_comments_post", comments.c.post_id, comments.c.created_at, comments.c.id)

executions = sa.Table(
    "executions", metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("user_id", sa.Uuid, sa.ForeignKey("users.id"), nullable=False),
    sa.Column("idempotency_key", sa.Text),
    sa.Column("request_digest", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False, comment="running, completed (paid) or failed (not paid)"),
    sa.Column("image_urls", JSONB, nullable=False, server_default=sa.text("'[]'::jsonb")),
    sa.Column("error", sa.Text),
    _time("started_at"),
    sa.Column("finished_at", sa.DateTime(timezone=True)),
    sa.CheckConstraint("state IN ('running', 'completed', 'failed')", name="ck_executions_state"),
)  # fmt: skip
sa.Index("uq_executions_key", executions.c.user_id, executions.c.idempotency_key, unique=True,
         postgresql_where=executions.c.idempotency_key.isnot(None))  # fmt: skip
sa.Index("ix_executions_started", executions.c.started_at)

answers = sa.Table(
    "answers", metadata,
    sa.Column("user_id", sa.Uuid, sa.ForeignKey("users.id"), primary_key=True),
    sa.Column("idempotency_key", sa.Text, primary_key=True),
    sa.Column("request_digest", sa.Text, nullable=False),
    sa.Column("body", JSONB, nullable=False),
    _time("created_at"),
    comment="what was answered to the keys of writes, for when they are honoured",
)  # fmt: skip

witnessed = sa.Table(
    "witnessed", metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("key", sa.Text, comment="Idempotency-Key of the request, honoured or not"),
    sa.Column("user_id", sa.Uuid, nullable=False),
    sa.Column("username", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False, comment="post, comment, execution or account; for a like the post"),
    sa.Column("content", sa.Text, nullable=False),
    sa.Column("arrived_at", sa.DateTime(timezone=True), nullable=False, comment="before any fault held it up"),
    _time("effective_at"),
    comment="every write that took effect, for whoever wants to prove what a client did",
)  # fmt: skip

controls = sa.Table(
    "controls", metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("value", JSONB, nullable=False),
)  # fmt: skip

changes = sa.Table(
    "changes", metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("txid", sa.BigInteger, nullable=False, server_default=sa.text("pg_current_xact_id()::text::bigint")),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("payload", JSONB, nullable=False),
    _time("created_at"),
    comment="what open pages are told",
)  # fmt: skip
sa.Index("ix_changes_position", changes.c.txid, changes.c.id)
