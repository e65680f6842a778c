"""Alembic's entry. Runs on the connection that `fleet.core.db.migrate` hands over, which holds the migration lock."""

from alembic import context

import fleet.access.idempotency_keys
import fleet.access.models
import fleet.accounts.models
import fleet.core.events
import fleet.engine.agents.models
import fleet.engine.events.positions
import fleet.engine.jobs.models
import fleet.spending.models  # noqa: F401 - the imports fill the metadata
from fleet import app
from fleet.core.db import Base

RETIRED_INDEXES = {"ix_jobs_comments", "ix_jobs_paced_out"}
"""Indexes that the tables still have for workers of the version before; the next version drops them."""


def is_compared(_item: object, name: str | None, kind: str, _reflected: bool, _other: object) -> bool:
    """Return whether `alembic check` compares something with the models: all but what is retired."""
    return not (kind == "index" and name in RETIRED_INDEXES)


app.load_tables()
connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=Base.metadata, compare_type=True, include_object=is_compared)
with context.begin_transaction():
    context.run_migrations()
