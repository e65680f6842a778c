"""findings of the team leader

Revision: 0053, after 0057
"""

import sqlalchemy as sa
from alembic import op

revision = "0053"
down_revision = "0057"
branch_labels = None
depends_on = None

TIME, NOW = sa.DateTime(timezone=True), sa.text("clock_timestamp()")


def upgrade() -> None:
    op.create_table(
        "team_findings",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("organisation_id", sa.Uuid, sa.ForeignKey("organisations.id"), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("subject", sa.String(100), nullable=False),
        sa.Column("words", sa.String(500), nullable=False),
        sa.Column("agent_id", sa.Uuid, sa.ForeignKey("agents.id", ondelete="CASCADE")),
        sa.Column("job_id", sa.Uuid),
        sa.Column("since", TIME, server_default=NOW, nullable=False),
        sa.Column("ended_at", TIME),
    )
    op.create_index(
        "uq_team_findings_open", "team_findings", ["organisation_id", "kind", "subject"], unique=True,
        postgresql_where=sa.text("ended_at IS NULL"),
    )  # fmt: skip
    op.create_index("ix_team_findings_agent", "team_findings", ["agent_id"])


def downgrade() -> None:
    op.drop_table("team_findings")
