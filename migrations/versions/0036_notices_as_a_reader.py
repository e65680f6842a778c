"""notices: the position in the events is one of `event_readers`, which a restore repairs

Revision: 0036, after 0035
"""

import sqlalchemy as sa
from alembic import op

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        INSERT INTO event_readers (name, txid, event_id) SELECT 'notices', txid, event_id FROM notice_positions
        ON CONFLICT (name) DO NOTHING
    """)
    op.drop_table("notice_positions")


def downgrade() -> None:
    op.create_table(
        "notice_positions",
        sa.Column("reader", sa.String(20), primary_key=True),
        sa.Column("txid", sa.BigInteger, nullable=False),
        sa.Column("event_id", sa.BigInteger, nullable=False),
    )
    op.execute("""
        INSERT INTO notice_positions (reader, txid, event_id)
        SELECT 'users', txid, event_id FROM event_readers WHERE name = 'notices'
    """)
    op.execute("DELETE FROM event_readers WHERE name = 'notices'")
