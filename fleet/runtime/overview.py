"""The fleet at a glance, for people who look at it all day: how it stands, and what waits for them.

Called by `fleet.web`, which asks once for everybody who looks. Every query reads an index and stops somewhere: none
counts a table that grows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fleet.agents import controls
from fleet.agents.controls import Hold
from fleet.approvals import queries as approval_queries
from fleet.jobs import queries as job_queries
from fleet.jobs.queries import Filter as JobFilter
from fleet.jobs.states import JobState
from fleet.runtime.deps import Deps
from fleet.runtime.effects.draft import RESOURCE as DRAFT


@dataclass(frozen=True, slots=True)
class Pulse:
    """What every page shows: whether the fleet may act, and how much waits. `dead` None: more than anybody counts.

    `drafts` are among the `approvals`: each waits as a request for one.
    """

    holds: Sequence[Hold] = ()
    dead: int | None = 0
    drafts: int = 0
    approvals: int = 0
    problem: str = ""

    @property
    def state(self) -> str:
        """`running`, `paused` (the whole fleet), `killed`, or `unknown` while the database is away."""
        if self.problem:
            return "unknown"
        if any(hold.hold == "kill" for hold in self.holds):
            return "killed"
        return "paused" if self._fleetwide else "running"

    @property
    def words(self) -> str:
        """The state for people."""
        some = len(self.holds)
        match self.state:
            case "killed":
                return "Kill switch on"
            case "unknown":
                return "No database"
            case "running" if some:
                return f"{some} pause{'s' if some > 1 else ''}"
        return self.state.capitalize()

    @property
    def why(self) -> str:
        """Why nothing happens, if that is so."""
        if self.problem:
            return self.problem
        first = next((hold for hold in self._fleetwide), None)
        return "" if first is None else f"{first.words()[:1].upper()}{first.words()[1:]}"

    @property
    def _fleetwide(self) -> list[Hold]:
        return [hold for hold in self.holds if hold.scope == "fleet"]


def pulse(deps: Deps) -> Pulse:
    """Return how the fleet stands. Raises Unavailable."""
    with deps.db.transaction() as tx:
        waiting = approval_queries.pending_by_resource(tx)
        return Pulse(
            holds=controls.in_force(tx),
            dead=job_queries.count(tx, JobFilter(states=(JobState.DEAD,))),
            drafts=sum(number for (resource, _), number in waiting.items() if resource == DRAFT),
            approvals=sum(waiting.values()),
        )
