"""media: who deletes a discarded picture has a lease, since no transaction is open meanwhile; approvals: when an
approved verb with a secret result has run

Revision: 0041, after 0038
"""

import sqlalchemy as sa
from alembic import op

revision = "0041"
down_revision = "0038"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("discarded_pictures", sa.Column("lease_until", _TIME, nullable=True))
    op.add_column("approval_requests", sa.Column("used_at", _TIME, nullable=True))


def downgrade() -> None:
    op.drop_column("approval_requests", "used_at")
    op.drop_column("discarded_pictures", "lease_until")
