"""tuning: changes of settings proposed from measured load, and what came of them; the size of a page of a sync

Revision: 0069, after 0068

New tables, and a column that workers of the version before leave empty.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0069"
down_revision = "0068"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
NOW = sa.text("clock_timestamp()")
OBJECT = sa.text("'{}'::jsonb")


def upgrade() -> None:
    op.create_table('tuning_runs',
    sa.Column('id', sa.Uuid, nullable=False),
    sa.Column('made_at', TIME, server_default=NOW, nullable=False),
    sa.Column('since', TIME, nullable=False),
    sa.Column('looked', sa.Integer, nullable=False),
    sa.Column('proposals', sa.Integer, nullable=False),
    sa.Column('reasons', JSONB, server_default=OBJECT, nullable=False),
    sa.Column('requested_by', sa.String(100), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_tuning_runs')),
    )
    op.create_index('ix_tuning_runs_made_at', 'tuning_runs', ['made_at'])
    op.create_table('tuning_proposals',
    sa.Column('id', sa.Uuid, nullable=False),
    sa.Column('run_id', sa.Uuid, nullable=False),
    sa.Column('rule', sa.String(20), nullable=False),
    sa.Column('setting', sa.String(100), nullable=False),
    sa.Column('scope', sa.String(12), nullable=False),
    sa.Column('scope_id', sa.String(60), server_default='', nullable=False),
    sa.Column('scope_name', sa.String(100), server_default='', nullable=False),
    sa.Column('before', JSONB, nullable=False),
    sa.Column('after', JSONB, nullable=False),
    sa.Column('was_set', sa.Boolean, server_default=sa.text('false'), nullable=False),
    sa.Column('direction', sa.SmallInteger, nullable=False),
    sa.Column('command', sa.String(200), server_default='', nullable=False),
    sa.Column('words', sa.String(300), nullable=False),
    sa.Column('metric', sa.String(20), nullable=False),
    sa.Column('aim', sa.String(10), nullable=False),
    sa.Column('guards', JSONB, server_default=sa.text("'[]'::jsonb"), nullable=False),
    sa.Column('evidence', JSONB, nullable=False),
    sa.Column('expected', JSONB, nullable=False),
    sa.Column('state', sa.String(10), server_default=sa.text("'open'"), nullable=False),
    sa.Column('request_id', sa.Uuid, nullable=True),
    sa.Column('made_at', TIME, server_default=NOW, nullable=False),
    sa.Column('decided_at', TIME, nullable=True),
    sa.Column('decided_by', sa.String(100), nullable=True),
    sa.Column('why', sa.String(300), server_default='', nullable=False),
    sa.Column('applied_at', TIME, nullable=True),
    sa.Column('undone_at', TIME, nullable=True),
    sa.Column('verdict', sa.String(20), nullable=True),
    sa.Column('result', JSONB, nullable=True),
    sa.Column('measured_at', TIME, nullable=True),
    sa.Column('undo_request_id', sa.Uuid, nullable=True),
    sa.CheckConstraint("state IN ('open', 'accepted', 'applied', 'dismissed', 'expired', 'overtaken', 'undone')", name=op.f('ck_tuning_proposals_state')),
    sa.CheckConstraint("rule IN ('workers', 'batches', 'intervals', 'caps')", name=op.f('ck_tuning_proposals_rule')),
    sa.CheckConstraint("verdict IS NULL OR verdict IN ('came', 'did_not_come', 'worse', 'unclear', 'disturbed')", name=op.f('ck_tuning_proposals_verdict')),
    sa.CheckConstraint('direction IN (-1, 1)', name=op.f('ck_tuning_proposals_direction')),
    sa.CheckConstraint('(verdict IS NULL) = (measured_at IS NULL)', name=op.f('ck_tuning_proposals_measured')),
    sa.CheckConstraint("(state IN ('applied', 'undone')) <= (applied_at IS NOT NULL OR command <> '')", name=op.f('ck_tuning_proposals_applied')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_tuning_proposals')),
    )
    op.create_index('ix_tuning_proposals_applied_at', 'tuning_proposals', ['applied_at'], postgresql_where=sa.text('applied_at IS NOT NULL'))
    op.create_index('ix_tuning_proposals_made_at', 'tuning_proposals', ['made_at', 'id'])
    op.create_index('uq_tuning_proposals_open', 'tuning_proposals', ['setting', 'scope', 'scope_id'], unique=True, postgresql_where=sa.text("state IN ('open', 'accepted')"))
    op.add_column('sync_runs', sa.Column('batch', sa.Integer, nullable=True))


def downgrade() -> None:
    op.drop_column("sync_runs", "batch")
    op.drop_table("tuning_proposals")
    op.drop_table("tuning_runs")
