"""approvals: requests to run a verb keep its arguments, who asked, and the object if it has changed since

Revision: 0025, after 0024
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

_NEW = ("arguments", "asker", "current")


def upgrade() -> None:
    for name in _NEW:
        op.add_column("approval_requests", sa.Column(name, JSONB(none_as_null=True)))
    op.create_check_constraint(
        op.f("ck_approval_requests_asker"), "approval_requests", "arguments IS NULL OR asker IS NOT NULL"
    )


def downgrade() -> None:
    op.drop_constraint(op.f("ck_approval_requests_asker"), "approval_requests", type_="check")
    for name in _NEW:
        op.drop_column("approval_requests", name)
