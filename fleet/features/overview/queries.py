"""The overview for people who keep it open all day: status, and what waits for them.

Called by `cards`, once for all requests. Every query reads an index with a limit: none scans a table that grows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from fleet.core.db import Tx
from fleet.core.errors import Unavailable
from fleet.engine import registry
from fleet.engine.agents import queries
from fleet.engine.deps import Deps
from fleet.engine.jobs import ledger as service
from fleet.engine.jobs import stats
from fleet.engine.jobs.states import JobState
from fleet.features.overview.hours import HOUR, Hours, Sparing, floor
from fleet.features.overview.watch import HealthReading
from fleet.spending import ledger
from fleet.spending import queries as spending
from fleet.spending.budgets import ALL, Budget, Period, Scope, begins, forecast
from fleet.web.cached_stats import shared_pulse
from fleet.web.pulse import Pulse

DAY_H = 24


@dataclass(frozen=True, slots=True)
class Hour:
    """The jobs that ended in an hour: done ones by kind, and dead letters. None where not counted yet."""

    begins: datetime
    done: Mapping[str, int] | None
    dead: int | None

    @property
    def actions(self) -> int | None:
        """Actions of agents, without deliveries and notices."""
        return (
            None
            if self.done is None
            else sum(n for kind, n in self.done.items() if registry.current().uses_surface(kind))
        )

    @property
    def of_agents(self) -> Mapping[str, int]:
        """Jobs that were done, by kind, without deliveries and notices: those that the list of jobs shows."""
        notices = registry.current().kinds(lambda job: job.is_notice)
        return {kind: number for kind, number in (self.done or {}).items() if kind not in notices}

    @property
    def succeeded(self) -> int | None:
        """How many jobs of all kinds were done."""
        return None if self.done is None else sum(self.done.values())


@dataclass(frozen=True, slots=True)
class Overview:
    """The fleet at a glance. Hours go from two days ago to the one under way; lateness is of the newest decisions."""

    now: datetime
    pulse: Pulse
    agents: Mapping[str, int]
    hours: Sequence[Hour]
    late_s: float
    lateness_s: Sequence[float]
    due: int
    in_flight: int
    unknown: int
    dead: Mapping[str, int]
    spent: Sequence[int | None]
    spent_today: int
    forecast: int
    budget: Budget | None
    health: HealthReading

    @property
    def today(self) -> Sequence[Hour]:
        """The last 24 hours."""
        return self.hours[-DAY_H:]

    @property
    def before(self) -> Sequence[Hour]:
        """The 24 hours before."""
        return self.hours[:-DAY_H]


class Watch:
    """Reads the overview, and caches values that do not change any more. One thread at a time."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps
        self._ended = Hours(stats.ended)
        self._spent = Hours(spending.spent_since)
        self._agents: Sparing[Mapping[str, int]] = Sparing()

    def look(self, health: HealthReading) -> Overview:
        """Return the overview, with the health of everything as it was read last. Raises Unavailable."""
        waiting = shared_pulse(self._deps).get()
        if waiting.problem:
            raise Unavailable(waiting.problem)
        with self._deps.db.transaction() as tx:
            now = tx.now()
            hours = self._hours(tx, now)
            spent = self._spent.last(tx, now, 2 * DAY_H)
            spent_today = _spent_today(tx, now, spent)
            late_s = max([each.oldest_s for each in stats.undecided_ticks(tx).values()], default=0.0)
            overdue_s = queries.overdue_s(tx) or 0.0
            agents = self._agents.get(lambda: queries.counts_by_status(tx))
            standing = stats.live_and_dead(tx)
            return Overview(
                now=now, pulse=waiting, agents=agents, hours=hours, late_s=max(late_s, overdue_s),
                lateness_s=stats.lateness_s(tx), due=sum(each.number for each in stats.waiting(tx).values()),
                in_flight=service.in_flight(tx), unknown=_in_state(standing, JobState.UNKNOWN),
                dead=stats.dead_letters(tx), spent=spent, spent_today=spent_today,
                forecast=forecast(spent_today, now), budget=_budget(ledger.list_budgets(tx)),
                health=health,
            )  # fmt: skip

    def _hours(self, tx: Tx, now: datetime) -> list[Hour]:
        counted = self._ended.last(tx, now, 2 * DAY_H)
        first = floor(now) - HOUR * (len(counted) - 1)
        return [_hour(first + HOUR * place, counts) for place, counts in enumerate(counted)]


def _hour(begins: datetime, counts: Mapping[tuple[str, str], int] | None) -> Hour:
    if counts is None:
        return Hour(begins, None, None)
    done = {kind: number for (kind, state), number in counts.items() if state == JobState.DONE}
    return Hour(begins, done, _in_state(counts, JobState.DEAD))


def _in_state(counts: Mapping[tuple[str, str], int], wanted: JobState) -> int:
    return sum(number for (_, state), number in counts.items() if state == wanted)


def _spent_today(tx: Tx, now: datetime, spent: Sequence[int | None]) -> int:
    """Return the cost of today (UTC): the sum of its hours, if all are counted."""
    hours = (now - begins(Period.DAY, now)) // HOUR + 1
    counted = [amount for amount in spent[-hours:] if amount is not None]
    return sum(counted) if len(counted) == hours else spending.spent_since(tx, begins(Period.DAY, now))


def _budget(budgets: Sequence[Budget]) -> Budget | None:
    """Return the fleet's budget of a day, or else that of a month."""
    own = [budget for budget in budgets if budget.scope is Scope.FLEET and budget.key == ALL]
    return min(own, key=lambda budget: budget.period is not Period.DAY, default=None)
