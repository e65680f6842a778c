"""health: which account an attempt failed at, what is down, a heartbeat, and webhooks that are alarms

Revision: 0027, after 0026

Indexes are built while workers go on. Attempts of before name no account: they count for the rates, and for no account.
"""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)
_NOW = sa.text("clock_timestamp()")
_INDEXES = (
    ("ix_job_attempts_started_at", "job_attempts", "started_at", None),
    ("ix_job_attempts_failed", "job_attempts", "ended_at", "failed_account IS NOT NULL"),
    ("ix_ticks_failed", "ticks", "decided_at", "error IS NOT NULL"),
)


def upgrade() -> None:
    op.execute("ALTER TABLE job_attempts ADD COLUMN IF NOT EXISTS failed_account uuid")
    op.execute("ALTER TABLE hook_subscriptions ADD COLUMN IF NOT EXISTS alarm boolean DEFAULT false NOT NULL")
    op.create_table(
        "outages",
        sa.Column("key", sa.String(length=120), nullable=False),
        sa.Column("title", sa.String(length=120), nullable=False),
        sa.Column("since", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_outages")),
        if_not_exists=True,
    )
    op.create_table(
        "heartbeats",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("at", _TIME, server_default=_NOW, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_heartbeats")),
        postgresql_with={"fillfactor": 50},
        if_not_exists=True,
    )
    with op.get_context().autocommit_block():
        for name, table, column, where in _INDEXES:
            op.drop_index(name, table, if_exists=True, postgresql_concurrently=True)  # of an attempt that was cut off
            op.create_index(
                name, table, [column], postgresql_where=None if where is None else sa.text(where),
                postgresql_concurrently=True,
            )  # fmt: skip


def downgrade() -> None:
    with op.get_context().autocommit_block():
        for name, table, _, _ in _INDEXES:
            op.drop_index(name, table, if_exists=True, postgresql_concurrently=True)
    op.drop_table("heartbeats")
    op.drop_table("outages")
    op.drop_column("hook_subscriptions", "alarm")
    op.drop_column("job_attempts", "failed_account")
