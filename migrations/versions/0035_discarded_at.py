"""media: when a stored picture was discarded, since one that is stored again meanwhile must stay

Revision: 0035, after 0030
"""

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "discarded_pictures",
        sa.Column(
            "discarded_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
    )


def downgrade() -> None:
    op.drop_column("discarded_pictures", "discarded_at")
