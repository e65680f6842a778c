"""The voices of organisations, as this process read them last. Called when a prompt is made.

While no organisation has a voice, as in a fleet with the default one alone, no prompt costs a query.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping

import sqlalchemy as sa

from fleet.access.models import OrganisationRow
from fleet.core import clock
from fleet.core.db import Database, visibility
from fleet.engine.agents.models import AgentRow

_READ_EVERY_S = 5.0


class Voices:
    """What organisations add to the character of their agents."""

    def __init__(self, db: Database, *, clock_s: Callable[[], float] = clock.monotonic_s) -> None:
        self._db, self._clock_s = db, clock_s
        self._known: Mapping[uuid.UUID, str] = {}
        self._until_s = float("-inf")

    def of(self, agent_id: uuid.UUID) -> str:
        """Return the voice of an agent's organisation; empty if it has none. Raises Unavailable."""
        with visibility.restricted(None):
            if self._clock_s() >= self._until_s:
                self._read()
            if not self._known:
                return ""
            with self._db.transaction() as tx:
                found = tx.scalar(sa.select(AgentRow.organisation_id).where(AgentRow.id == agent_id))
        return self._known.get(found, "")

    def _read(self) -> None:
        query = sa.select(OrganisationRow.id, OrganisationRow.voice).where(OrganisationRow.voice != "")
        with self._db.transaction() as tx:
            self._known = dict(tx.execute(query).tuples().all())
        self._until_s = self._clock_s() + _READ_EVERY_S
