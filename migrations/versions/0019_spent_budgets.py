"""spending: since when a budget is spent, so that its event is emitted once

Revision: 0019, after 0017
"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("budgets", sa.Column("spent_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column("budgets", "spent_at")
