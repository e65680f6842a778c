"""changes of strategies by the team leader; findings that ended

Revision: 0054, after 0055
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0054"
down_revision = "0055"
branch_labels = None
depends_on = None

TIME, NOW = sa.DateTime(timezone=True), sa.text("clock_timestamp()")
KINDS = "'hours', 'frequency', 'formats'"
STATES = "'proposed', 'applied', 'overtaken', 'undone'"


def upgrade() -> None:
    op.create_index(
        "ix_team_findings_ended_at", "team_findings", ["ended_at"], postgresql_where=sa.text("ended_at IS NOT NULL")
    )
    op.create_table(
        "team_strategies",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("organisation_id", sa.Uuid, sa.ForeignKey("organisations.id"), nullable=False),
        sa.Column("agent_id", sa.Uuid, sa.ForeignKey("agents.id", ondelete="CASCADE"), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("setting", sa.String(40), nullable=False),
        sa.Column("before", sa.String(500), nullable=False),
        sa.Column("after", sa.String(500), nullable=False),
        sa.Column("words", sa.String(500), nullable=False),
        sa.Column("evidence", JSONB, nullable=False),
        sa.Column("state", sa.String(10), server_default=sa.text("'proposed'"), nullable=False),
        sa.Column("job_id", sa.Uuid, nullable=False),
        sa.Column("decided_at", TIME, server_default=NOW, nullable=False),
        sa.Column("ended_at", TIME),
        sa.Column("undone_by", sa.String(100)),
        sa.CheckConstraint(f"kind IN ({KINDS})", name="kind"),
        sa.CheckConstraint(f"state IN ({STATES})", name="state"),
    )
    op.create_index("uq_team_strategies_version", "team_strategies", ["agent_id", "version"], unique=True)
    op.create_index("ix_team_strategies_decided_at", "team_strategies", ["organisation_id", "decided_at"])


def downgrade() -> None:
    op.drop_table("team_strategies")
    op.drop_index("ix_team_findings_ended_at", "team_findings")
