"""Alembic's entry. Runs on the connection that `fleet.core.db.migrate` hands over, which holds the migration lock."""

from alembic import context

import fleet.access.models
import fleet.access.repeats
import fleet.agents.models
import fleet.approvals.models
import fleet.core.events
import fleet.drafts.models
import fleet.engagement.models
import fleet.hooks.models
import fleet.jobs.models
import fleet.keystore.models
import fleet.media.models
import fleet.spending.models  # noqa: F401 - the imports fill the metadata
from fleet.core.db import Base

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=Base.metadata, compare_type=True)
with context.begin_transaction():
    context.run_migrations()
