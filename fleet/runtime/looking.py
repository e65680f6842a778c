"""Pages of long lists, each begun where the one above ended: however far down, a page costs what the first does.

Called by doors that hand out cursors. Reading only.
"""

from __future__ import annotations

from fleet.agents import queries
from fleet.agents.models import AgentRow
from fleet.agents.queries import Filter
from fleet.jobs import ticks
from fleet.jobs.models import TickRow
from fleet.jobs.ticks import TickKey
from fleet.runtime.deps import Deps


def agents_after(deps: Deps, which: Filter, *, after: str | None, limit: int) -> list[AgentRow]:
    """Return the agents that follow a username; however far down, that costs what the first page does."""
    with deps.db.transaction() as tx:
        return queries.find(tx, which, limit=limit, after=after)


def decisions_before(deps: Deps, name: str, *, before: int | None, limit: int) -> list[TickRow]:
    """Return an agent's decision log above a tick's number, newest first. Raises NotFound."""
    with deps.db.transaction() as tx:
        agent = queries.named(tx, name, include_deleted=True)
        return ticks.list_ticks(tx, agent.id, limit=limit, before=before)


def decision(deps: Deps, name: str, tick_no: int) -> TickRow:
    """Return one entry of an agent's decision log. Raises NotFound."""
    with deps.db.transaction() as tx:
        return ticks.get_tick(tx, TickKey(queries.named(tx, name, include_deleted=True).id, tick_no))
