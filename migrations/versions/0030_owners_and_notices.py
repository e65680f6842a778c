"""users own agents; addresses and choices of users, the lines of notices to them, and how far events were read

Revision: 0030, after 0029

Owners were who created the agent (`web:NAME`): those that are users who may decide stay, by their plain name. Creators
that are no users are in the audit log.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

TIME, NOW = sa.DateTime(timezone=True), sa.text("clock_timestamp()")


def upgrade() -> None:
    op.execute("""
        UPDATE agents SET owner = coalesce((
            SELECT users.name FROM users
            WHERE users.name = lower(regexp_replace(agents.owner, '^(web|api|cli):', ''))
              AND users.removed_at IS NULL AND users.role <> 'viewer'), '')
        WHERE owner <> ''
    """)
    op.create_table(
        "user_addresses",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("user_id", sa.Uuid, sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
        sa.Column("ciphertext", sa.LargeBinary, nullable=False),
        sa.Column("key_id", sa.String(12), nullable=False),
        sa.Column("shown", sa.String(100), nullable=False),
        sa.Column("created_at", TIME, server_default=NOW, nullable=False),
        sa.Column("last_sent_at", TIME),
    )
    op.create_index("ix_user_addresses_user", "user_addresses", ["user_id"])
    op.create_table(
        "user_notices",
        sa.Column("user_id", sa.Uuid, sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("topics", ARRAY(sa.Text)),
        sa.Column("zone", sa.String(60), server_default="UTC", nullable=False),
        sa.Column("quiet_from", sa.SmallInteger),
        sa.Column("quiet_until", sa.SmallInteger),
        sa.Column("digest_hour", sa.SmallInteger, server_default=sa.text("8"), nullable=False),
        sa.Column("sent_at", TIME),
        sa.Column("digest_on", sa.Date),
        sa.CheckConstraint(
            "(quiet_from IS NULL) = (quiet_until IS NULL) AND coalesce(quiet_from, 0) BETWEEN 0 AND 23"
            " AND coalesce(quiet_until, 0) BETWEEN 0 AND 23 AND digest_hour BETWEEN 0 AND 23",
            name=op.f("ck_user_notices_hours"),
        ),
    )
    op.create_table(
        "notice_lines",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column("user_id", sa.Uuid, sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
        sa.Column("topic", sa.String(20), nullable=False),
        sa.Column("matter", sa.String(200), nullable=False),
        sa.Column("words", sa.String(1000), nullable=False),
        sa.Column("path", sa.String(300), nullable=False),
        sa.Column("created_at", TIME, server_default=NOW, nullable=False),
        sa.Column("message_id", sa.Uuid),
    )
    op.create_index("uq_notice_lines_matter", "notice_lines", ["user_id", "matter"], unique=True)
    op.create_index("ix_notice_lines_created_at", "notice_lines", ["created_at"])
    op.create_index(
        "ix_notice_lines_unsent", "notice_lines", ["user_id", "id"], postgresql_where=sa.text("message_id IS NULL")
    )
    op.create_index(
        "ix_notice_lines_message", "notice_lines", ["message_id", "id"],
        postgresql_where=sa.text("message_id IS NOT NULL"),
    )  # fmt: skip
    op.create_table(
        "notice_positions",
        sa.Column("reader", sa.String(20), primary_key=True),
        sa.Column("txid", sa.BigInteger, nullable=False),
        sa.Column("event_id", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("notice_positions")
    op.drop_table("notice_lines")
    op.drop_table("user_notices")
    op.drop_table("user_addresses")
