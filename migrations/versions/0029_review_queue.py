"""approvals, media: an index for the review queue's order; stored pictures that are to be deleted

Revision: 0029, after 0028
"""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

_INDEX = "ix_approval_requests_expiry"


def upgrade() -> None:
    op.create_index(
        _INDEX, "approval_requests", ["expires_at", "id"], postgresql_where=sa.text("state = 'pending'")
    )
    op.create_table(
        "discarded_pictures",
        sa.Column("object_key", sa.String(100), nullable=False),
        sa.PrimaryKeyConstraint("object_key", name=op.f("pk_discarded_pictures")),
    )


def downgrade() -> None:
    op.drop_table("discarded_pictures")
    op.drop_index(_INDEX, "approval_requests")
