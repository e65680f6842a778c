"""approvals: requests to run a verb keep its arguments and who asked; approval rules that people edit

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
    op.create_table(
        "approval_rules",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("rules", JSONB(none_as_null=True)),
        sa.Column("by_name", sa.String(100), nullable=False),
        sa.Column("reason", sa.String(1000)),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_approval_rules")),
    )


def downgrade() -> None:
    op.drop_table("approval_rules")
    op.drop_constraint(op.f("ck_approval_requests_asker"), "approval_requests", type_="check")
    for name in _NEW:
        op.drop_column("approval_requests", name)
