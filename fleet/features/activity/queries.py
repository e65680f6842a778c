"""Events as pages, the API and commands read them. Each function is one transaction and changes nothing."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime

from fleet.core import events
from fleet.core.events import Event, Position
from fleet.engine.agents import queries as agent_queries
from fleet.engine.deps import Deps


def latest(deps: Deps, *, name: str | None = None, job_id: uuid.UUID | None = None, subjects: Sequence[str] = (),
           exclude: Sequence[str] = (), since: datetime | None = None, before: int | None = None,
           limit: int = 50) -> list[Event]:  # fmt: skip
    """Return events, newest first, of the agent `name` or of all. Raises NotFound.

    `before` is the id of the last event of the page above; `exclude` holds subjects to leave out.
    """
    with deps.db.transaction() as tx:
        agent_id = agent_queries.named(tx, name, include_deleted=True).id if name else None
        return events.latest(
            tx, agent_id=agent_id, job_id=job_id, subjects=tuple(subjects), but=exclude, since=since, before=before,
            limit=limit,
        )  # fmt: skip


def tail(deps: Deps) -> Position:
    """Return the position after which `read_after` returns only events that are yet to come."""
    with deps.db.transaction() as tx:
        return events.tail_position(tx)


def read_after(deps: Deps, position: Position, *, exclude: Sequence[str] = (), limit: int = 500) -> list[Event]:
    """Return events after a position, oldest first. No event is skipped or returned twice."""
    return events.poll(deps.db, position, but=exclude, limit=limit)
