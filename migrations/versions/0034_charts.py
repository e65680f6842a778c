"""sums of past hours and samples of the queue, for charts

Revision: 0034, after 0033

The hours that the ledger still holds are summed by `prune`, within its next runs.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "chart_hours",
        sa.Column("hour", TIME, primary_key=True),
        sa.Column("done", JSONB, nullable=False),
        sa.Column("given_up", sa.Integer, nullable=False),
        sa.Column("failing", sa.Integer, nullable=False),
        sa.Column("lateness", JSONB, nullable=False),
        sa.Column("microusd", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "queue_samples",
        sa.Column("at", TIME, primary_key=True),
        sa.Column("due", sa.Integer, nullable=False),
        sa.Column("oldest_s", sa.Float, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("queue_samples")
    op.drop_table("chart_hours")
