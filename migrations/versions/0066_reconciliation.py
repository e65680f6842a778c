"""reconciliation: runs that compare stores with the catalogue, and the discrepancies that they found

Revision: 0066, after 0065

New tables: workers of the version before know nothing of them.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0066"
down_revision = "0065"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
NOW = sa.text("clock_timestamp()")
OBJECT = sa.text("'{}'::jsonb")
LIST = sa.text("'[]'::jsonb")


def upgrade() -> None:
    op.create_table('reconciliations',
    sa.Column('id', sa.Uuid, nullable=False),
    sa.Column('account_id', sa.Uuid, nullable=False),
    sa.Column('organisation_id', sa.Uuid, nullable=False),
    sa.Column('reason', sa.String(200), nullable=False),
    sa.Column('requested_by', sa.String(100), nullable=True),
    sa.Column('state', sa.String(20), server_default='running', nullable=False),
    sa.Column('step', sa.String(20), server_default='', nullable=False),
    sa.Column('part', sa.SmallInteger, server_default=sa.text('0'), nullable=False),
    sa.Column('cursor', sa.Text, nullable=True),
    sa.Column('counts', JSONB, server_default=OBJECT, nullable=False),
    sa.Column('tallies', JSONB, server_default=OBJECT, nullable=False),
    sa.Column('problem', sa.String(500), server_default='', nullable=False),
    sa.Column('started_at', TIME, server_default=NOW, nullable=False),
    sa.Column('moved_at', TIME, server_default=NOW, nullable=False),
    sa.Column('ended_at', TIME, nullable=True),
    sa.CheckConstraint("(state = 'running') = (ended_at IS NULL)", name=op.f('ck_reconciliations_ended')),
    sa.CheckConstraint("state IN ('running', 'done', 'failed', 'cancelled')", name=op.f('ck_reconciliations_state')),
    sa.ForeignKeyConstraint(['account_id'], ['accounts.id'], name=op.f('fk_reconciliations_account_id')),
    sa.ForeignKeyConstraint(['organisation_id'], ['organisations.id'], name=op.f('fk_reconciliations_organisation_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_reconciliations')),
    )
    op.create_index('ix_reconciliations_account_id', 'reconciliations', ['account_id', 'started_at', 'id'])
    op.create_index('ix_reconciliations_ended_at', 'reconciliations', ['ended_at'], postgresql_where=sa.text('ended_at IS NOT NULL'))
    op.create_index('ix_reconciliations_organisation_id', 'reconciliations', ['organisation_id'])
    op.create_index('uq_reconciliations_running', 'reconciliations', ['account_id'], unique=True, postgresql_where=sa.text("state = 'running'"))
    op.create_table('reconciled_objects',
    sa.Column('run_id', sa.Uuid, nullable=False),
    sa.Column('external_id', sa.String(200), nullable=False),
    sa.Column('skus', JSONB, server_default=LIST, nullable=False),
    sa.Column('about', sa.String(300), server_default='', nullable=False),
    sa.Column('is_known', sa.Boolean, server_default=sa.text('true'), nullable=False),
    sa.ForeignKeyConstraint(['run_id'], ['reconciliations.id'], name=op.f('fk_reconciled_objects_run_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('run_id', 'external_id', name=op.f('pk_reconciled_objects')),
    )
    op.create_table('discrepancies',
    sa.Column('id', sa.Uuid, nullable=False),
    sa.Column('account_id', sa.Uuid, nullable=False),
    sa.Column('organisation_id', sa.Uuid, nullable=False),
    sa.Column('run_id', sa.Uuid, nullable=True),
    sa.Column('type', sa.String(20), nullable=False),
    sa.Column('thing', sa.String(10), nullable=False),
    sa.Column('key', sa.String(200), nullable=False),
    sa.Column('field', sa.String(60), server_default='', nullable=False),
    sa.Column('about', sa.String(300), server_default='', nullable=False),
    sa.Column('product_id', sa.Uuid, nullable=True),
    sa.Column('external_id', sa.String(200), server_default='', nullable=False),
    sa.Column('local', JSONB, nullable=True),
    sa.Column('remote', JSONB, nullable=True),
    sa.Column('base', JSONB, nullable=True),
    sa.Column('peers', JSONB, server_default=OBJECT, nullable=False),
    sa.Column('versions', JSONB, server_default=OBJECT, nullable=False),
    sa.Column('severity', sa.String(10), nullable=False),
    sa.Column('moved', sa.String(10), nullable=False),
    sa.Column('context', sa.String(20), nullable=False),
    sa.Column('confidence', sa.Double, nullable=False),
    sa.Column('action', sa.String(10), nullable=False),
    sa.Column('state', sa.String(10), server_default='open', nullable=False),
    sa.Column('problem', sa.String(300), server_default='', nullable=False),
    sa.Column('job_id', sa.Uuid, nullable=True),
    sa.Column('undo', JSONB, server_default=OBJECT, nullable=False),
    sa.Column('request_id', sa.Uuid, nullable=True),
    sa.Column('changed_by', sa.String(100), server_default='', nullable=False),
    sa.Column('found_at', TIME, server_default=NOW, nullable=False),
    sa.Column('seen_at', TIME, server_default=NOW, nullable=False),
    sa.Column('changed_at', TIME, server_default=NOW, nullable=False),
    sa.CheckConstraint('confidence BETWEEN 0 AND 1', name=op.f('ck_discrepancies_confidence')),
    sa.CheckConstraint("severity IN ('low', 'medium', 'high', 'critical')", name=op.f('ck_discrepancies_severity')),
    sa.CheckConstraint("state IN ('open', 'proposed', 'fixing', 'fixed', 'undoing', 'undone', 'dismissed', 'settled')", name=op.f('ck_discrepancies_state')),
    sa.ForeignKeyConstraint(['account_id'], ['accounts.id'], name=op.f('fk_discrepancies_account_id')),
    sa.ForeignKeyConstraint(['organisation_id'], ['organisations.id'], name=op.f('fk_discrepancies_organisation_id')),
    sa.ForeignKeyConstraint(['run_id'], ['reconciliations.id'], name=op.f('fk_discrepancies_run_id'), ondelete='SET NULL'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_discrepancies')),
    )
    op.create_index('ix_discrepancies_changed_at', 'discrepancies', ['changed_at'], postgresql_where=sa.text("state IN ('fixed', 'undone', 'dismissed', 'settled')"))
    op.create_index('ix_discrepancies_job_id', 'discrepancies', ['job_id'], postgresql_where=sa.text('job_id IS NOT NULL'))
    op.create_index('ix_discrepancies_key', 'discrepancies', ['account_id', 'key', 'field'])
    op.create_index('ix_discrepancies_organisation_id', 'discrepancies', ['organisation_id', 'found_at', 'id'])
    op.create_index('ix_discrepancies_run_id', 'discrepancies', ['run_id'])
    op.create_index('uq_discrepancies_open', 'discrepancies', ['account_id', 'thing', 'key', 'field'], unique=True, postgresql_where=sa.text("state IN ('open', 'proposed', 'fixing')"))


def downgrade() -> None:
    op.drop_table("discrepancies")
    op.drop_table("reconciled_objects")
    op.drop_table("reconciliations")
