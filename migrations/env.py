"""Alembic's entry. Runs on the connection that `fleet.core.db.migrate` hands over, which holds the migration lock."""

from alembic import context

import fleet.access.idempotency_keys
import fleet.access.models
import fleet.accounts.models
import fleet.core.events
import fleet.engine.agents.models
import fleet.engine.events.positions
import fleet.engine.jobs.models
import fleet.engine.settings.models
import fleet.spending.models  # noqa: F401 - the imports fill the metadata
from fleet import app
from fleet.core.db import Base

RETIRED = {
    "agents": {
        "post_weight", "comment_weight", "like_weight", "browse_weight",
        "total_posts", "total_comments", "total_likes", "total_browses",
        "scans", "scan_interval_s", "audience", "heeds_agents", "draft_days",
    },
}  # fmt: skip
"""Columns that the tables still have for workers of the version before, by table; the next version drops
them, and the default of `agents.kind`."""
RETIRED_INDEXES = {"ix_jobs_comments", "ix_jobs_paced_out"}
"""Indexes that they still have for the same reason."""


def is_compared(item: object, name: str | None, kind: str, reflected: bool, _: object) -> bool:
    """Return whether `alembic check` compares something with the models: all but what is retired."""
    table = getattr(getattr(item, "table", None), "name", "")
    is_retired = name in (RETIRED.get(table, ()) if kind == "column" else RETIRED_INDEXES if kind == "index" else ())
    return not (reflected and is_retired)


app.load_tables()
connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=Base.metadata, compare_type=True, include_object=is_compared)
with context.begin_transaction():
    context.run_migrations()
