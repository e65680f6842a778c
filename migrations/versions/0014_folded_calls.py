"""spending: whole past days of calls, summed, so that a month is read from few rows and outlives its calls

Revision: 0014, after 0013
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    counted = [sa.Column(name, sa.BigInteger, nullable=False) for name in (
        "calls", "input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens", "microusd", "latency_ms",
    )]  # fmt: skip
    op.create_table(
        "llm_days",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("provider", sa.String(60), nullable=False),
        sa.Column("model", sa.String(100), nullable=False),
        sa.Column("persona_id", sa.String(60)),
        sa.Column("purpose", sa.String(20), nullable=False),
        sa.Column("outcome", sa.String(20), nullable=False),
        *counted,
    )
    op.create_index(
        "uq_llm_days", "llm_days", ["day", "provider", "model", "persona_id", "purpose", "outcome"], unique=True,
        postgresql_nulls_not_distinct=True,
    )  # fmt: skip


def downgrade() -> None:
    op.drop_table("llm_days")
