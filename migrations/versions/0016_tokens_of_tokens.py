"""access: which token made a token, so that revoking one revokes what it made

Revision: 0016, after 0015
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("tokens", sa.Column("made_by", sa.Uuid(), nullable=True))
    op.create_foreign_key("fk_tokens_made_by_tokens", "tokens", "tokens", ["made_by"], ["id"], ondelete="CASCADE")


def downgrade() -> None:
    op.drop_constraint("fk_tokens_made_by_tokens", "tokens")
    op.drop_column("tokens", "made_by")
