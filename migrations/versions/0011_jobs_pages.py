"""job pages: lists of rare kinds and of urgent jobs

Revision: 0011, after 0010

A list by kind or priority walks down the newest jobs until a page is full. What is rare, or not there at all, had it
walk through all of them: five kinds that came after the index of the rare ones, and every priority.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

Index = tuple[str, list[str], str]

NEW: list[Index] = [
    ("ix_jobs_rare_kinds", ["kind", "created_at"], "kind NOT IN ('post', 'comment', 'like', 'browse')"),
    ("ix_jobs_urgent", ["priority", "created_at"], "priority IN ('critical', 'high')"),
]
OLD: list[Index] = [
    ("ix_jobs_odd_kinds", ["kind", "created_at"], "kind IN ('provision', 'deprovision', 'measure', 'message')"),
]


def upgrade() -> None:
    _exchange(NEW, OLD)


def downgrade() -> None:
    _exchange(OLD, NEW)


def _exchange(build: list[Index], drop: list[Index]) -> None:
    """Build the new ones while workers go on; run again after a failure, it begins anew."""
    options: dict[str, Any] = {"postgresql_concurrently": True}
    with op.get_context().autocommit_block():
        for name, columns, condition in build:
            op.drop_index(name, table_name="jobs", if_exists=True, **options)
            op.create_index(name, "jobs", columns, postgresql_where=sa.text(condition), **options)
        for name, _, _ in drop:
            op.drop_index(name, table_name="jobs", if_exists=True, **options)
