"""stops, text variants and briefs of campaigns

Revision: 0062, after 0056
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0062"
down_revision = "0056"
branch_labels = None
depends_on = None

NOTHING = sa.text("''")
COLUMNS = {
    "campaigns": (
        sa.Column("stopped_at", sa.DateTime(timezone=True)),
        sa.Column("stopped_by", sa.String(100), server_default=NOTHING, nullable=False),
        sa.Column("stop_reason", sa.String(300), server_default=NOTHING, nullable=False),
        sa.Column("variants", JSONB, server_default=sa.text("'[]'::jsonb"), nullable=False),
        sa.Column("rounds", sa.SmallInteger, server_default=sa.text("1"), nullable=False),
        sa.Column("goal", sa.String(2000), server_default=NOTHING, nullable=False),
        sa.Column("audience", sa.String(500), server_default=NOTHING, nullable=False),
    ),
    "content_items": (
        sa.Column("arm", sa.String(40), server_default=NOTHING, nullable=False),
        sa.Column("is_drafted", sa.Boolean, server_default=sa.false(), nullable=False),
    ),
}


def upgrade() -> None:
    for table, columns in COLUMNS.items():
        for column in columns:
            op.add_column(table, column)


def downgrade() -> None:
    for table, columns in COLUMNS.items():
        for column in columns:
            op.drop_column(table, column.name)
