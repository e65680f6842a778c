"""the inbox of platforms' agents, and people who want to be left alone

Revision: 0046, after 0039
"""

import sqlalchemy as sa
from alembic import op

revision = "0046"
down_revision = "0039"
branch_labels = None
depends_on = None

TIME, NOW = sa.DateTime(timezone=True), sa.text("clock_timestamp()")
STATES = "'open', 'answered', 'proposed', 'ignored', 'noted', 'opted_out'"


def upgrade() -> None:
    op.create_table(
        "inbox_items",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("account_id", sa.Uuid, sa.ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False),
        sa.Column("agent_id", sa.Uuid, sa.ForeignKey("agents.id", ondelete="CASCADE"), nullable=False),
        sa.Column("remote_id", sa.String(200), nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("author", sa.String(200), nullable=False),
        sa.Column("author_id", sa.String(200), nullable=False),
        sa.Column("author_name", sa.String(100), server_default="", nullable=False),
        sa.Column("by_agent", sa.Boolean, server_default=sa.false(), nullable=False),
        sa.Column("item_id", sa.String(200)),
        sa.Column("about", sa.String(200)),
        sa.Column("text", sa.Text, server_default="", nullable=False),
        sa.Column("said_at", TIME, nullable=False),
        sa.Column("seen_at", TIME, server_default=NOW, nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("reason", sa.String(200), server_default="", nullable=False),
        sa.Column("job_id", sa.Uuid),
        sa.CheckConstraint(f"state IN ({STATES})", name=op.f("ck_inbox_items_state")),
    )
    op.create_index("uq_inbox_items_remote", "inbox_items", ["account_id", "remote_id"], unique=True)
    op.create_index(
        "ix_inbox_items_open", "inbox_items", ["account_id", "said_at"], postgresql_where=sa.text("state = 'open'")
    )
    op.create_index("ix_inbox_items_author", "inbox_items", ["account_id", "author_id", "seen_at"])
    op.create_index("ix_inbox_items_agent", "inbox_items", ["agent_id", "seen_at"])
    op.create_index("ix_inbox_items_seen_at", "inbox_items", ["seen_at", "id"])
    op.create_table(
        "inbox_positions",
        sa.Column("account_id", sa.Uuid, sa.ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("cursor", sa.Text, nullable=False),
        sa.Column("read_at", TIME, server_default=NOW, nullable=False),
    )
    op.create_table(
        "opt_outs",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("surface", sa.String(40), nullable=False),
        sa.Column("username", sa.String(200), nullable=False),
        sa.Column("remote_id", sa.String(200)),
        sa.Column("organisation_id", sa.Uuid, sa.ForeignKey("organisations.id")),
        sa.Column("since", TIME, server_default=NOW, nullable=False),
        sa.Column("added_by", sa.String(100), nullable=False),
        sa.Column("reason", sa.String(300), server_default="", nullable=False),
    )
    op.create_index("uq_opt_outs_username", "opt_outs", ["surface", sa.text("lower(username)")], unique=True)
    op.create_index("ix_opt_outs_remote_id", "opt_outs", ["surface", "remote_id"])


def downgrade() -> None:
    op.drop_table("opt_outs")
    op.drop_table("inbox_positions")
    op.drop_table("inbox_items")
