"""access: which token made an invitation, so that revoking one voids what it handed out

Revision: 0017, after 0016
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("invitations", sa.Column("made_by", sa.Uuid(), nullable=True))
    op.create_foreign_key(
        "fk_invitations_made_by_tokens", "invitations", "tokens", ["made_by"], ["id"], ondelete="CASCADE"
    )


def downgrade() -> None:
    op.drop_constraint("fk_invitations_made_by_tokens", "invitations")
    op.drop_column("invitations", "made_by")
