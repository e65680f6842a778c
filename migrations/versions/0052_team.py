"""coordinations of the team leader, and the scores of networks

Revision: 0052, after 0042
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0052"
down_revision = "0042"
branch_labels = None
depends_on = None

TIME, NOW = sa.DateTime(timezone=True), sa.text("clock_timestamp()")
BANDS = "'excellent', 'good', 'average', 'poor', 'very_poor'"


def upgrade() -> None:
    op.create_table(
        "team_rounds",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("organisation_id", sa.Uuid, sa.ForeignKey("organisations.id"), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("asked_at", TIME, server_default=NOW, nullable=False),
        sa.Column("requested_by", sa.String(100)),
        sa.Column("asked", sa.Integer, nullable=False),
        sa.Column("answered", sa.Integer, server_default=sa.text("0"), nullable=False),
        sa.Column("since", TIME),
        sa.Column("scored_at", TIME),
    )
    op.create_index("uq_team_rounds_number", "team_rounds", ["organisation_id", "number"], unique=True)
    op.create_index(
        "uq_team_rounds_open", "team_rounds", ["organisation_id"], unique=True,
        postgresql_where=sa.text("scored_at IS NULL"),
    )  # fmt: skip
    op.create_index("ix_team_rounds_asked_at", "team_rounds", ["asked_at"])
    op.create_table(
        "team_scores",
        sa.Column("round_id", sa.Uuid, sa.ForeignKey("team_rounds.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("network", sa.String(40), primary_key=True),
        sa.Column("points", sa.Float),
        sa.Column("covered", sa.Integer, nullable=False),
        sa.Column("band", sa.String(10)),
        sa.Column("parts", JSONB, nullable=False),
        sa.Column("figures", JSONB, nullable=False),
        sa.CheckConstraint(f"band IS NULL OR band IN ({BANDS})", name=op.f("ck_team_scores_band")),
    )


def downgrade() -> None:
    op.drop_table("team_scores")
    op.drop_table("team_rounds")
