"""spending: calls to models, amounts set aside, budgets

Revision: 0003, after 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "llm_calls",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column(
            "called_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("agent_id", sa.Uuid(), nullable=True),
        sa.Column("persona_id", sa.String(length=60), nullable=True),
        sa.Column("job_id", sa.Uuid(), nullable=True),
        sa.Column("purpose", sa.String(length=20), nullable=False),
        sa.Column("provider", sa.String(length=60), nullable=False),
        sa.Column("model", sa.String(length=100), nullable=False),
        sa.Column("outcome", sa.String(length=20), nullable=False),
        sa.Column("input_tokens", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("cache_read_tokens", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("cache_write_tokens", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("output_tokens", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("microusd", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("latency_ms", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("batch", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.CheckConstraint("microusd >= 0", name=op.f("ck_llm_calls_microusd")),
        sa.ForeignKeyConstraint(
            ["agent_id"], ["agents.id"], name=op.f("fk_llm_calls_agent_id_agents"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_llm_calls")),
    )
    op.create_index("ix_llm_calls_called_at", "llm_calls", ["called_at"])
    op.create_index("ix_llm_calls_agent", "llm_calls", ["agent_id", "called_at"])
    op.create_table(
        "llm_reservations",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("agent_id", sa.Uuid(), nullable=True),
        sa.Column("persona_id", sa.String(length=60), nullable=True),
        sa.Column("provider", sa.String(length=60), nullable=False),
        sa.Column("microusd", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["agent_id"], ["agents.id"], name=op.f("fk_llm_reservations_agent_id_agents"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_llm_reservations")),
    )
    op.create_index("ix_llm_reservations_until", "llm_reservations", ["until"])
    op.create_table(
        "budgets",
        sa.Column("scope", sa.String(length=10), nullable=False),
        sa.Column("key", sa.String(length=100), nullable=False),
        sa.Column("period", sa.String(length=10), nullable=False),
        sa.Column("limit_microusd", sa.BigInteger(), nullable=False),
        sa.Column("period_start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("allowance_microusd", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("spent_microusd", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("reserved_microusd", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("set_by", sa.String(length=100), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.CheckConstraint("(scope = 'fleet') = (key = '*')", name=op.f("ck_budgets_fleet_is_all")),
        sa.CheckConstraint(
            "limit_microusd >= 0 AND allowance_microusd >= 0 AND spent_microusd >= 0", name=op.f("ck_budgets_amounts")
        ),
        sa.CheckConstraint("period IN ('day', 'month')", name=op.f("ck_budgets_period")),
        sa.CheckConstraint("scope IN ('fleet', 'persona', 'agent', 'provider')", name=op.f("ck_budgets_scope")),
        sa.PrimaryKeyConstraint("scope", "key", "period", name=op.f("pk_budgets")),
    )


def downgrade() -> None:
    op.drop_table("budgets")
    op.drop_table("llm_reservations")
    op.drop_table("llm_calls")
