"""counts of published posts, their sums by hour, and accounts by day

Revision: 0050, after 0053

New tables: workers of the version before know nothing of them.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0050"
down_revision = "0053"
branch_labels = None
depends_on = None

TIME, ZERO = sa.DateTime(timezone=True), sa.text("0")
COUNTS = ("likes", "comments", "reposts", "quotes", "saves", "clicks", "views", "reach")


def upgrade() -> None:
    op.create_table(
        "post_metrics",
        sa.Column("post_job", sa.Uuid, primary_key=True),
        sa.Column("agent_id", sa.Uuid, sa.ForeignKey("agents.id", ondelete="CASCADE"), nullable=False),
        sa.Column("account_id", sa.Uuid, nullable=False),
        sa.Column("surface", sa.String(40), nullable=False),
        sa.Column("remote_id", sa.String(200), nullable=False),
        sa.Column("posted_at", TIME, nullable=False),
        sa.Column("stage", sa.SmallInteger, server_default=ZERO, nullable=False),
        sa.Column("next_at", TIME),
        sa.Column("measured_at", TIME),
        sa.Column("measured_by", sa.Uuid),
        *(sa.Column(name, sa.Integer) for name in COUNTS),
        sa.Column("interactions", sa.BigInteger),
        sa.Column("audience", sa.Integer),
        sa.Column("history", JSONB, server_default=sa.text("'[]'::jsonb"), nullable=False),
        sa.Column("gone_seen_at", TIME),
        sa.Column("gone_at", TIME),
        sa.Column("gone_reason", sa.String(200), server_default="", nullable=False),
        sa.Column("failures", sa.SmallInteger, server_default=ZERO, nullable=False),
        sa.Column("problem", sa.String(300), server_default="", nullable=False),
        postgresql_with={"autovacuum_vacuum_scale_factor": 0.05},
    )
    is_due = sa.text("next_at IS NOT NULL")
    op.create_index("ix_post_metrics_due", "post_metrics", ["account_id", "next_at"], postgresql_where=is_due)
    op.create_index("ix_post_metrics_posted_at", "post_metrics", ["posted_at"])
    op.create_index("ix_post_metrics_agent", "post_metrics", ["agent_id", "posted_at"])
    op.create_index("ix_post_metrics_account", "post_metrics", ["account_id", "posted_at"])
    op.create_index("ix_post_metrics_top", "post_metrics", ["interactions", "posted_at"])
    op.create_table(
        "engagement_hours",
        sa.Column("agent_id", sa.Uuid, sa.ForeignKey("agents.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("account_id", sa.Uuid, primary_key=True),
        sa.Column("hour", TIME, primary_key=True),
        sa.Column("surface", sa.String(40), nullable=False),
        *(sa.Column(name, sa.Integer, server_default=ZERO, nullable=False) for name in ("posts", "measured", "gone")),
        *(
            sa.Column(name, sa.BigInteger, server_default=ZERO, nullable=False)
            for name in (*COUNTS, "interactions", "rated", "audience")
        ),
        sa.Column("day_posts", sa.Integer, server_default=ZERO, nullable=False),
        sa.Column("day_log", sa.Double, server_default=ZERO, nullable=False),
        sa.Column("day_log_squares", sa.Double, server_default=ZERO, nullable=False),
        postgresql_with={"fillfactor": 80},
    )
    op.create_index("ix_engagement_hours_account", "engagement_hours", ["account_id", "hour"])
    op.create_index("ix_engagement_hours_hour", "engagement_hours", ["hour"])
    op.create_table(
        "account_days",
        sa.Column("account_id", sa.Uuid, primary_key=True),
        sa.Column("day", sa.Date, primary_key=True),
        sa.Column("surface", sa.String(40), nullable=False),
        sa.Column("followers", sa.Integer),
        sa.Column("following", sa.Integer),
        sa.Column("posts", sa.Integer),
        sa.Column("measured_at", TIME, nullable=False),
        sa.Column("measured_by", sa.Uuid),
    )
    op.create_index("ix_account_days_day", "account_days", ["day"])
    op.create_table(
        "measured_accounts",
        sa.Column("account_id", sa.Uuid, sa.ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("since", TIME, nullable=False),
        sa.Column("followers", sa.Integer),
        sa.Column("followers_at", TIME),
        sa.Column("measured_at", TIME),
        sa.Column("failures", sa.SmallInteger, server_default=ZERO, nullable=False),
        sa.Column("failed_at", TIME),
        sa.Column("retry_at", TIME),
        sa.Column("problem", sa.String(300), server_default="", nullable=False),
    )


def downgrade() -> None:
    for table in ("measured_accounts", "account_days", "engagement_hours", "post_metrics"):
        op.drop_table(table)
