"""indexes for a grown ledger

Revision: 0002, after 0001

On a grown ledger this takes minutes, and workers go on meanwhile: indexes are built and dropped CONCURRENTLY, the new
ones first, and storage parameters take no lock that a row's writer waits for. Run again after a failure, it begins anew.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = '0002'
down_revision = '0001'
branch_labels = None
depends_on = None

Index = tuple[str, str, list[str], dict[str, Any]]


def _where(condition: str, **more: Any) -> dict[str, Any]:
    return {'postgresql_where': sa.text(condition), **more}


NEW: list[Index] = [
    ('ix_agents_at_rest', 'agents', ['status', 'username'], _where("status IN ('idle', 'paused', 'error')")),
    ('ix_events_subject', 'events', ['subject', 'id'], {}),
    ('ix_jobs_agent', 'jobs', ['agent_id', 'kind', 'created_at'], {}),
    ('ix_jobs_agent_sent', 'jobs', ['agent_id', 'sending_at', 'kind'], _where('sending_at IS NOT NULL')),
    ('ix_jobs_comments', 'jobs', ['target'], _where("kind = 'comment' AND state IN ('sending', 'unknown', 'done')")),
    ('ix_jobs_dead_letters', 'jobs', ['finished_at', 'id'],
     _where("state = 'dead'", postgresql_include=['dead_reason', 'kind', 'agent_id'])),
    ('ix_jobs_odd_kinds', 'jobs', ['kind', 'created_at'], _where("kind IN ('provision', 'deprovision', 'message')")),
    ('ix_jobs_prunable', 'jobs', ['finished_at'],
     _where("state IN ('skipped', 'cancelled') OR (state = 'done' AND kind NOT IN ('like', 'comment'))")),
    ('ix_jobs_undone', 'jobs', ['state', 'kind', 'created_at'], _where("state IN ('skipped', 'cancelled')")),
]

# Nobody asks for an event by its time, nor for a job by a target that is no comment's. What stood in the way of new
# names is above in another shape.
OLD: list[Index] = [
    ('ix_agents_persona', 'agents', ['persona_id'], {}),
    ('ix_agents_status', 'agents', ['status'], {}),
    ('ix_events_occurred_at', 'events', ['occurred_at'], {}),
    ('ix_jobs_agent_writes', 'jobs', ['agent_id', 'kind', 'sending_at'], {}),
    ('ix_jobs_dead', 'jobs', ['finished_at'], _where("state = 'dead'")),
    ('ix_jobs_target', 'jobs', ['target', 'kind'], _where('target IS NOT NULL')),
]

# Vacuum at a twentieth of a big table, not at a fifth: what prune frees is used again before the table grows.
VACUUM = {
    'agents': ['autovacuum_vacuum_scale_factor'],
    'ticks': ['autovacuum_vacuum_scale_factor'],
    'jobs': ['autovacuum_vacuum_scale_factor'],
    'job_attempts': ['autovacuum_vacuum_scale_factor'],
    'events': ['autovacuum_vacuum_scale_factor', 'autovacuum_vacuum_insert_scale_factor'],
}


def upgrade() -> None:
    _exchange(NEW, OLD)
    for table, names in VACUUM.items():
        op.execute(f"ALTER TABLE {table} SET ({', '.join(f'{name} = 0.05' for name in names)})")


def downgrade() -> None:
    _exchange(OLD, NEW)
    for table, names in VACUUM.items():
        op.execute(f"ALTER TABLE {table} RESET ({', '.join(names)})")


def _exchange(build: list[Index], drop: list[Index]) -> None:
    with op.get_context().autocommit_block():
        for name, table, columns, options in build:
            # One that was being built when somebody pulled the plug is there, and serves nobody.
            op.drop_index(name, table_name=table, if_exists=True, postgresql_concurrently=True)
            op.create_index(name, table, columns, postgresql_concurrently=True, **options)
        for name, table, _, _ in drop:
            op.drop_index(name, table_name=table, if_exists=True, postgresql_concurrently=True)
