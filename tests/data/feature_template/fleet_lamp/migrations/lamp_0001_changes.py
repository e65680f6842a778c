"""lamp: the changes of lamps

Revision: lamp_0001, the first of the branch
"""

import sqlalchemy as sa
from alembic import op

revision = "lamp_0001"
down_revision = None
branch_labels = ("lamp",)
depends_on = "0020"  # Fleet's own revision that this one was written against


def upgrade() -> None:
    op.create_table(
        "lamp_changes",
        sa.Column("job_id", sa.Uuid(), primary_key=True),
        sa.Column("agent_id", sa.Uuid(), sa.ForeignKey("agents.id", ondelete="CASCADE"), nullable=False),
        sa.Column("colour", sa.String(10), nullable=False),
        sa.Column("why", sa.String(200), nullable=False),
        sa.Column(
            "changed_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
    )
    op.create_index("ix_lamp_changes_newest", "lamp_changes", ["agent_id", "changed_at"])


def downgrade() -> None:
    op.drop_table("lamp_changes")
