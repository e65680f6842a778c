"""experiments: assignments, engagement, and jobs that measure

Revision: 0004, after 0003

Workers go on meanwhile: the longer list of kinds is checked without a lock that a row's writer waits for, and the index
of rare kinds is built beside the old one.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_KINDS = "'post', 'comment', 'like', 'browse', 'provision', 'deprovision'"
_ODD_KINDS = "'provision', 'deprovision'"


def upgrade() -> None:
    # First, since it commits as it goes and may be run again; the tables and the revision's number are one transaction.
    _know(f"{_KINDS}, 'measure', 'message'", odd=f"{_ODD_KINDS}, 'measure', 'message'")
    op.create_table(
        "assignments",
        sa.Column("experiment", sa.String(length=40), nullable=False),
        sa.Column("post_job", sa.Uuid(), nullable=False),
        sa.Column("variant", sa.String(length=40), nullable=False),
        sa.Column("agent_id", sa.Uuid(), nullable=False),
        sa.Column("unit", sa.String(length=40), nullable=False),
        sa.Column(
            "assigned_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("experiment", "post_job", name=op.f("pk_assignments")),
    )
    op.create_index("ix_assignments_assigned_at", "assignments", ["assigned_at"])
    op.create_table(
        "engagement",
        sa.Column("post_job", sa.Uuid(), nullable=False),
        sa.Column("age_h", sa.SmallInteger(), nullable=False),
        sa.Column("agent_id", sa.Uuid(), nullable=False),
        sa.Column("surface", sa.String(length=40), nullable=False),
        sa.Column("remote_id", sa.String(length=200), nullable=False),
        sa.Column("posted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "measured_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("likes", sa.Integer(), nullable=False),
        sa.Column("comments", sa.Integer(), nullable=False),
        sa.Column("likes_by_agents", sa.Integer(), nullable=True),
        sa.Column("comments_by_agents", sa.Integer(), nullable=True),
        sa.CheckConstraint("likes >= 0 AND comments >= 0", name=op.f("ck_engagement_counts")),
        sa.CheckConstraint(
            "likes_by_agents BETWEEN 0 AND likes AND comments_by_agents BETWEEN 0 AND comments",
            name=op.f("ck_engagement_by_agents"),
        ),
        sa.PrimaryKeyConstraint("post_job", "age_h", name=op.f("pk_engagement")),
    )
    op.create_index("ix_engagement_measured_at", "engagement", ["measured_at"])


def downgrade() -> None:
    op.execute("DELETE FROM jobs WHERE kind = 'measure'")
    _know(f"{_KINDS}, 'message'", odd=f"{_ODD_KINDS}, 'message'")
    op.drop_table("engagement")
    op.drop_table("assignments")


def _know(kinds: str, *, odd: str) -> None:
    """Let the table hold these kinds of jobs, and have the rare ones found quickly."""
    with op.get_context().autocommit_block():
        op.execute(
            "ALTER TABLE jobs DROP CONSTRAINT IF EXISTS ck_jobs_kind,"
            f" ADD CONSTRAINT ck_jobs_kind CHECK (kind IN ({kinds})) NOT VALID"
        )
        op.execute("ALTER TABLE jobs VALIDATE CONSTRAINT ck_jobs_kind")
        # One that was being built when somebody pulled the plug is there, and serves nobody.
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_jobs_odd_kinds_new")
        op.execute(
            f"CREATE INDEX CONCURRENTLY ix_jobs_odd_kinds_new ON jobs (kind, created_at) WHERE kind IN ({odd})"
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_jobs_odd_kinds")
        op.execute("ALTER INDEX ix_jobs_odd_kinds_new RENAME TO ix_jobs_odd_kinds")
