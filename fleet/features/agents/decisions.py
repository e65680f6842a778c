"""The decision log of an agent: its pages, the jobs and scans that followed, and replays.

Called by entry points. Reading only; a replay changes nothing.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from fleet.engine.agents import queries
from fleet.engine.deps import Deps
from fleet.engine.jobs import history, ticks
from fleet.engine.jobs.models import JobRow, TickRow
from fleet.engine.jobs.ticks import TickKey
from fleet.engine.tick import decide_again


@dataclass(frozen=True, slots=True)
class DecisionEntry:
    """One entry of the decision log, with the jobs that came of it."""

    tick: TickRow
    jobs: Sequence[JobRow]


def with_jobs(deps: Deps, agent_id: uuid.UUID, *, limit: int = 20, before: int | None = None) -> list[DecisionEntry]:
    """Return an agent's decisions, newest first; `before` is the last tick number of the page above."""
    with deps.db.transaction() as tx:
        found = ticks.list_ticks(tx, agent_id, limit=limit, before=before)
        jobs = history.jobs_of_ticks(tx, found)
    return [DecisionEntry(tick, jobs.get(tick.tick_no, [])) for tick in found]


def decisions_before(deps: Deps, name: str, *, before: int | None, limit: int) -> list[TickRow]:
    """Return an agent's decision log above a tick's number, newest first. Raises NotFound."""
    with deps.db.transaction() as tx:
        agent = queries.named(tx, name, include_deleted=True)
        return ticks.list_ticks(tx, agent.id, limit=limit, before=before)


def decision(deps: Deps, name: str, tick_no: int) -> TickRow:
    """Return one entry of an agent's decision log. Raises NotFound."""
    with deps.db.transaction() as tx:
        return ticks.get_tick(tx, TickKey(queries.named(tx, name, include_deleted=True).id, tick_no))


def decisions(deps: Deps, name: str, *, limit: int = 20, offset: int = 0) -> tuple[list[TickRow], int]:
    """Return a page of an agent's decision log, newest first, and how many entries it has in all."""
    with deps.db.transaction() as tx:
        agent = queries.named(tx, name, include_deleted=True)
        total = tx.scalar(sa.select(sa.func.count()).select_from(TickRow).where(TickRow.agent_id == agent.id))
        return ticks.list_ticks(tx, agent.id, limit=limit, offset=offset), int(total or 0)


def replay_decision(deps: Deps, name: str, tick_no: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Decide a recorded tick again with the same inputs and random numbers; return (then, now). Changes nothing."""
    with deps.db.transaction() as tx:
        then, now = decide_again(tx, TickKey(queries.named(tx, name, include_deleted=True).id, tick_no))
    return _as_stored(then), _as_stored(now)


def _as_stored(outcome: dict[str, Any]) -> dict[str, Any]:
    """Return an outcome in the form that it has after a journey through the database."""
    stored: dict[str, Any] = json.loads(json.dumps(outcome))
    return stored


def scans(deps: Deps, ticks: Sequence[TickRow]) -> dict[int, Mapping[str, Any]]:
    """Return the results of the scans that followed from decisions of one agent, by the number of the tick."""
    with deps.db.transaction() as tx:
        jobs = history.jobs_of_ticks(tx, ticks)
    return {
        tick_no: job.result
        for tick_no, found in jobs.items()
        for job in found
        if job.kind == "scan_feed" and job.result
    }
