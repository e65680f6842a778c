"""reconciliation: posts that a network did not have when they were read by their ids

Revision: 0070, after 0069

A new table: workers of the version before know nothing of it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0070"
down_revision = "0069"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('missed_posts',
    sa.Column('account_id', sa.Uuid, nullable=False),
    sa.Column('job_id', sa.Uuid, nullable=False),
    sa.Column('organisation_id', sa.Uuid, nullable=False),
    sa.Column('first_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['account_id'], ['accounts.id'], name=op.f('fk_missed_posts_account_id')),
    sa.ForeignKeyConstraint(['organisation_id'], ['organisations.id'], name=op.f('fk_missed_posts_organisation_id')),
    sa.PrimaryKeyConstraint('account_id', 'job_id', name=op.f('pk_missed_posts')),
    )
    op.create_index('ix_missed_posts_organisation_id', 'missed_posts', ['organisation_id'])


def downgrade() -> None:
    op.drop_table("missed_posts")
