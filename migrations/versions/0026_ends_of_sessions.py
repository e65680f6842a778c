"""sessions: why one ended

Revision: 0026, after 0025

A session that was ended keeps its row until it is pruned, so that the login page says why. Its `expires_at` is the
moment of its end, so web processes of the version before let nobody in by it either.
"""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

_REASONS = "ended IN ('logout', 'elsewhere', 'admin', 'role', 'password', 'removed', 'copied')"


def upgrade() -> None:
    op.add_column("sessions", sa.Column("ended", sa.String(10)))
    op.create_check_constraint("ended", "sessions", _REASONS)


def downgrade() -> None:
    op.execute("DELETE FROM sessions WHERE ended IS NOT NULL")
    op.drop_constraint(op.f("ck_sessions_ended"), "sessions", type_="check")
    op.drop_column("sessions", "ended")
