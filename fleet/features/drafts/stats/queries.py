"""Statistics of supervised agents: scans, proposals and decisions.

Called by entry points; the counting is in `scans` and `tally`.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from fleet.engine.agents import queries as agents
from fleet.engine.deps import Deps
from fleet.features.drafts.scanning import queue
from fleet.features.drafts.states import DraftsBy
from fleet.features.drafts.stats import scans, tally
from fleet.features.drafts.stats.scans import Scans
from fleet.features.drafts.stats.tally import DraftTally


@dataclass(frozen=True, slots=True)
class Stats:
    """Statistics since a moment: drafts in groups and in all, and the scans behind them."""

    since: datetime
    items: Sequence[DraftTally]
    total: DraftTally
    scans: Scans


def stats(deps: Deps, by: DraftsBy, *, since: datetime, agent: str | None = None, limit: int = 100) -> Stats:
    """Return how drafts fare, of all agents or of one, a deleted one too. Raises NotFound."""
    with deps.db.transaction() as tx:
        of = None if agent is None else agents.named(tx, agent, include_deleted=True).id
        return Stats(
            since, tally.tallies(tx, by, since=since, agent_id=of, limit=limit),
            tally.total(tx, since=since, agent_id=of), scans.counted(tx, since=since, agent_id=of),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Faring:
    """Statistics of one agent: its drafts of the last `days`, and the time of its last scan, if known."""

    days: int
    total: DraftTally
    scans: Scans
    looked_at: datetime | None


_DAYS = 30


def of_agent(deps: Deps, agent_id: uuid.UUID) -> Faring:
    """Return how an agent fares."""
    with deps.db.transaction() as tx:
        since = tx.now() - timedelta(days=_DAYS)
        last = queue.last_scan(tx, agent_id)
        return Faring(
            _DAYS, tally.total(tx, since=since, agent_id=agent_id),
            scans.counted(tx, since=since, agent_id=agent_id), last and last[0],
        )  # fmt: skip
