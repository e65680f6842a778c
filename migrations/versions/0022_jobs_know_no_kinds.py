"""jobs: columns replace the lists of kinds in indexes

Revision: 0022, after 0021

The code that adds a job sets `once`, `rare` and `lane`. Workers of the version before do not know these columns: a
trigger sets them for the kinds of that version. Two indexes that only those workers need stay (`RETIRED_INDEXES` in
env.py). The first migration of the next version drops the trigger, its function and both indexes.

Adding the columns does not rewrite the table: existing rows get `once`, which is right for likes and comments, most of
what a fleet keeps. The rows of other kinds are updated in portions, each in its own transaction, while workers go on.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

_ONCE = "kind IN ('like', 'comment', 'react', 'connect')"
_RARE = "kind NOT IN ('post', 'comment', 'like', 'browse')"
_LANE = "CASE WHEN kind = 'deliver' AND requested_by IS NULL THEN payload->>'subscription' END"
_WRONG = f"(once AND NOT {_ONCE} OR rare <> ({_RARE}) OR lane IS DISTINCT FROM ({_LANE}))"
_PORTION = 1000
"""Blocks of the table, of at most a few thousand rows."""

_FUNCTION = f"""
CREATE OR REPLACE FUNCTION describe_job_of_an_older_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    SELECT {_ONCE}, {_RARE}, {_LANE} INTO NEW.once, NEW.rare, NEW.lane
    FROM (SELECT NEW.kind, NEW.requested_by, NEW.payload) AS job;
    RETURN NEW;
END
$$
"""  # noqa: S608
_TRIGGER = """
CREATE OR REPLACE TRIGGER jobs_of_an_older_version BEFORE INSERT ON jobs FOR EACH ROW WHEN (NEW.once IS NULL)
EXECUTE FUNCTION describe_job_of_an_older_version()
"""

Index = tuple[str, list[Any], str, bool]
NEW: list[Index] = [
    ("uq_jobs_once", ["target", "kind", "agent_id"], "once AND state NOT IN ('skipped', 'cancelled')", True),
    ("ix_jobs_lane_waiting", ["kind", "lane", "next_attempt_at"],
     "lane IS NOT NULL AND state = 'ready' AND published_at IS NULL", False),
    ("ix_jobs_lane_published", ["kind", "lane"],
     "lane IS NOT NULL AND state IN ('ready', 'running') AND published_at IS NOT NULL", False),
    ("ix_jobs_rare", ["kind", "created_at"], "rare", False),
]  # fmt: skip
_SUBSCRIPTION = sa.text("(payload->>'subscription')")
OLD: list[Index] = [
    ("uq_jobs_one_reaction", ["agent_id", "kind", "target"],
     "kind IN ('like', 'comment') AND state NOT IN ('skipped', 'cancelled')", True),
    ("uq_jobs_one_social", ["agent_id", "kind", "target"],
     "kind IN ('react', 'connect') AND state NOT IN ('skipped', 'cancelled')", True),
    ("ix_jobs_scans", ["agent_id"], "kind = 'scan_feed' AND state IN ('ready', 'running')", False),
    ("ix_jobs_paced_waiting", [_SUBSCRIPTION, "next_attempt_at"],
     "kind = 'deliver' AND requested_by IS NULL AND state = 'ready' AND published_at IS NULL", False),
    ("ix_jobs_rare_kinds", ["kind", "created_at"], _RARE, False),
]  # fmt: skip
_PRUNABLE = "state IN ('skipped', 'cancelled') OR (state = 'done' AND {})"


def upgrade() -> None:
    # In one transaction with the trigger: whatever is added after the columns has them right.
    op.execute(
        "ALTER TABLE jobs ADD COLUMN IF NOT EXISTS once boolean NOT NULL DEFAULT true,"
        " ADD COLUMN IF NOT EXISTS rare boolean NOT NULL DEFAULT false, ADD COLUMN IF NOT EXISTS lane varchar(200)"
    )
    op.execute("ALTER TABLE jobs ALTER COLUMN once DROP DEFAULT, ALTER COLUMN rare DROP DEFAULT")
    op.execute(_FUNCTION)
    op.execute(_TRIGGER)
    with op.get_context().autocommit_block():
        _describe_rows()
        _exchange(NEW, OLD, "NOT once")


def downgrade() -> None:
    with op.get_context().autocommit_block():
        _exchange(OLD, NEW, "kind NOT IN ('like', 'comment')")
    op.execute("DROP TRIGGER IF EXISTS jobs_of_an_older_version ON jobs")
    op.execute("DROP FUNCTION IF EXISTS describe_job_of_an_older_version()")
    for name in ("once", "rare", "lane"):
        op.drop_column("jobs", name)


def _describe_rows() -> None:
    """Change the rows of other kinds, block by block; rows that are locked or move meanwhile come at the end."""
    change = (
        f"UPDATE jobs SET once = {_ONCE}, rare = {_RARE}, lane = {_LANE} WHERE id = ANY(ARRAY("  # noqa: S608
        f"SELECT id FROM jobs WHERE {{}}{_WRONG} {{}}))"
    )
    block_size = "current_setting('block_size')::bigint"
    blocks = op.get_bind().scalar(sa.text(f"SELECT pg_relation_size('jobs') / {block_size}")) or 0
    for first in range(0, blocks, _PORTION):
        portion = f"ctid >= '({first},0)' AND ctid < '({first + _PORTION},0)' AND "
        op.execute(change.format(portion, "FOR NO KEY UPDATE SKIP LOCKED"))
    op.execute(change.format("", "ORDER BY id FOR NO KEY UPDATE"))
    if blocks:  # of an empty table the planner would believe that it stays empty
        op.execute("ANALYZE jobs")


def _exchange(build: list[Index], drop: list[Index], prunable: str) -> None:
    """Build indexes while workers go on, then drop those that they replace. Run again after a failure, begin anew."""
    rest = [("ix_jobs_prunable", ["finished_at"], _PRUNABLE.format(prunable), False)]
    for name, columns, where, is_unique in [*build, *rest]:
        op.drop_index(name, "jobs", if_exists=True, postgresql_concurrently=True)
        op.create_index(
            name, "jobs", columns, unique=is_unique, postgresql_where=sa.text(where), postgresql_concurrently=True
        )
    for name, *_ in drop:
        op.drop_index(name, "jobs", if_exists=True, postgresql_concurrently=True)
