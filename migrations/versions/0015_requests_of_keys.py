"""access: which request a key was claimed for, so that a write whose process died is known to have been done

Revision: 0015, after 0014
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("idempotency_keys", sa.Column("request_id", sa.String(40)))
    op.create_index("ix_audit_request", "audit", ["request_id"])


def downgrade() -> None:
    op.drop_index("ix_audit_request", "audit")
    op.drop_column("idempotency_keys", "request_id")
