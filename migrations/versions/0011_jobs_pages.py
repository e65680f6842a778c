"""job pages: lists of rare kinds and of urgent jobs, and what was spent by day

Revision: 0011, after 0010

A list by kind or priority walks down the newest jobs until a page is full. What is rare, or not there at all, had it
walk through all of them: five kinds that came after the index of the rare ones, and every priority. What a month cost was
summed from half a million rows; now it is summed from their index.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

Index = tuple[str, str, list[str], dict[str, Any]]

NEW: list[Index] = [
    ("ix_jobs_rare_kinds", "jobs", ["kind", "created_at"],
     {"postgresql_where": sa.text("kind NOT IN ('post', 'comment', 'like', 'browse')")}),
    ("ix_jobs_urgent", "jobs", ["priority", "created_at"],
     {"postgresql_where": sa.text("priority IN ('critical', 'high')")}),
    ("ix_llm_calls_spent", "llm_calls", ["called_at"], {"postgresql_include": ["microusd"]}),
]  # fmt: skip
OLD: list[Index] = [
    ("ix_jobs_odd_kinds", "jobs", ["kind", "created_at"],
     {"postgresql_where": sa.text("kind IN ('provision', 'deprovision', 'measure', 'message')")}),
    ("ix_llm_calls_called_at", "llm_calls", ["called_at"], {}),
]  # fmt: skip


def upgrade() -> None:
    _exchange(NEW, OLD)


def downgrade() -> None:
    _exchange(OLD, NEW)


def _exchange(build: list[Index], drop: list[Index]) -> None:
    """Build the new ones while workers go on; run again after a failure, it begins anew."""
    with op.get_context().autocommit_block():
        for name, table, columns, options in build:
            op.drop_index(name, table_name=table, if_exists=True, postgresql_concurrently=True)
            op.create_index(name, table, columns, postgresql_concurrently=True, **options)
        for name, table, _, _ in drop:
            op.drop_index(name, table_name=table, if_exists=True, postgresql_concurrently=True)
