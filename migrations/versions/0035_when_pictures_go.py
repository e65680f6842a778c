"""media: when a stored picture is deleted

Revision: 0035, after 0034

Pictures that are noted already are deleted at once, as before.
"""

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None

_INDEX, _TABLE = "ix_discarded_pictures_due_at", "discarded_pictures"


def upgrade() -> None:
    op.execute(
        f"ALTER TABLE {_TABLE} ADD COLUMN IF NOT EXISTS due_at timestamptz DEFAULT clock_timestamp() NOT NULL"
    )
    op.create_index(_INDEX, _TABLE, [sa.text("due_at")])


def downgrade() -> None:
    op.drop_index(_INDEX, _TABLE)
    op.drop_column(_TABLE, "due_at")
