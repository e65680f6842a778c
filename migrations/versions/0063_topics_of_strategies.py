"""topics among the changes of strategies

Revision: 0063, after 0062
"""

from alembic import op

revision = "0063"
down_revision = "0062"
branch_labels = None
depends_on = None

NAME, TABLE = "ck_team_strategies_kind", "team_strategies"


def upgrade() -> None:
    op.drop_constraint(op.f(NAME), TABLE)
    op.create_check_constraint(op.f(NAME), TABLE, "kind IN ('hours', 'frequency', 'formats', 'topics')")


def downgrade() -> None:
    op.execute("DELETE FROM team_strategies WHERE kind = 'topics'")
    op.drop_constraint(op.f(NAME), TABLE)
    op.create_check_constraint(op.f(NAME), TABLE, "kind IN ('hours', 'frequency', 'formats')")
