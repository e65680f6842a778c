"""Metrics for Prometheus: those of the ledger and the broker, and those that other features register.

Called by `exporter`. No reading outlasts its deadline, and a failed one does not affect the others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import sqlalchemy as sa

from fleet.core import clock, events, logs, queue
from fleet.core.db import Database, Tx
from fleet.core.errors import FleetError
from fleet.core.events import Position
from fleet.engine import controls, registry
from fleet.engine.agents import queries
from fleet.engine.agents.status import AgentStatus
from fleet.engine.jobs import stats
from fleet.engine.jobs.states import LIVE, DeadReason, JobState
from fleet.engine.metrics import MetricFamily, Metrics, Reading, SampleKey, Samples, each
from fleet.engine.policy import Priority
from fleet.engine.scopes import SCOPES

log = logs.get(__name__)

STATEMENT_S = 2.0
"""Limit of one statement of a scrape. A reading that exceeds it has no samples; `fleet_readings_failed` counts it."""
LEDGER_S = 5.0
"""Limit of all statements of a scrape together: Prometheus gives up after 10 s."""

_SWEPT = ("ticks_released", "ticks_skipped", "jobs_released", "jobs_ended", "ticks_rung", "jobs_rung")
_JOB_EVENTS = (
    "done", "dead", "skipped", "cancelled", "retrying", "held", "unknown", "recovered", "fenced", "replayed",
)  # fmt: skip
_NO_KIND = "-"


def _gauge(name: str, text: str, *labels: str) -> MetricFamily:
    return MetricFamily(name, text, labels, order=10)


def _counter(name: str, text: str, *labels: str, order: int = 32) -> MetricFamily:
    return MetricFamily(name, text, labels, is_counter=True, order=order)


_FAMILIES = (
    _gauge("fleet_database_up", "Whether the ledger answered this scrape"),
    _gauge("fleet_broker_up", "Whether the broker answered this scrape"),
    _gauge("fleet_readings_failed", "Readings of the ledger that failed or took too long in this scrape"),
    _gauge("fleet_build_info", "The version that is running", "version"),
    _gauge("fleet_scrape_seconds", "How long this scrape took"),
    _gauge("fleet_oldest_due_tick_seconds", "How long the oldest undecided tick has been due"),
    _gauge("fleet_agent_overdue_seconds", "How long the most overdue agent has waited for the metronome"),
    _gauge("fleet_ticks_open", "Ticks without a decision", "state"),
    _gauge("fleet_claim_lag_seconds", "How long the oldest due job has waited to be claimed", "priority"),
    _gauge("fleet_jobs_due", "Jobs that may be claimed now", "priority"),
    _gauge("fleet_queue_depth", "Messages that wait in the broker", "queue"),
    _gauge("fleet_jobs", "Jobs that are alive or dead letters; what ended well is counted", "kind", "state"),
    _gauge("fleet_unknown_outcomes", "Jobs whose write may or may not have happened"),
    _gauge("fleet_oldest_unknown_seconds", "Age of the oldest of these writes"),
    _gauge("fleet_dead_letters", "Dead letters that were neither replayed nor discarded", "reason"),
    _gauge("fleet_leases_lapsed", "Leases that ran out and that no sweep has taken back yet", "what"),
    _gauge("fleet_agents", "Agents that exist", "state"),
    _gauge("fleet_kill_switch", "Whether the kill switch is on"),
    _gauge("fleet_pauses", "Pauses in force", "scope"),
    _counter("fleet_job_events_total", "What happened to jobs", "kind", "event", order=30),
    _counter("fleet_ticks_total", "Ticks that ended", "outcome"),
    _counter("fleet_duplicates_suppressed_total", "Messages that found nothing to claim", "what"),
    _counter("fleet_recoveries_total", "What sweeps found and set going again or ended", "what"),
)


def _ticks(tx: Tx) -> Iterator[tuple[SampleKey, float]]:
    found = stats.undecided_ticks(tx)
    yield ("fleet_oldest_due_tick_seconds", ()), max((ticks.oldest_s for ticks in found.values()), default=0.0)
    yield ("fleet_leases_lapsed", ("tick",)), sum(ticks.lapsed for ticks in found.values())
    yield from each("fleet_ticks_open", ("due", "deciding"), {state: t.number for state, t in found.items()})


def _waiting(tx: Tx) -> Iterator[tuple[SampleKey, float]]:
    found = stats.waiting(tx)
    yield from each("fleet_claim_lag_seconds", Priority, {name: due.oldest_s for name, due in found.items()})
    yield from each("fleet_jobs_due", Priority, {name: due.number for name, due in found.items()})
    yield ("fleet_leases_lapsed", ("job",)), stats.lapsed_jobs(tx)


def _jobs(tx: Tx) -> Iterator[tuple[SampleKey, float]]:
    found = stats.live_and_dead(tx)
    for kind in registry.current().jobs:
        for state in sorted({*LIVE, JobState.DEAD}):
            yield ("fleet_jobs", (kind, state)), found.get((kind, state), 0)
    unknown = sum(number for (_, state), number in found.items() if state == JobState.UNKNOWN)
    yield ("fleet_unknown_outcomes", ()), unknown
    yield ("fleet_oldest_unknown_seconds", ()), stats.oldest_unknown_s(tx) if unknown else 0.0


def _dead(tx: Tx) -> Iterable[tuple[SampleKey, float]]:
    return each("fleet_dead_letters", DeadReason, stats.dead_letters(tx))


def _controls(tx: Tx) -> Iterator[tuple[SampleKey, float]]:
    found = controls.in_force(tx)
    # A paused fleet wakes no agent, and that is no fault of the beat.
    is_paused = any(hold.scope == "fleet" for hold in found)
    yield ("fleet_agent_overdue_seconds", ()), 0.0 if is_paused else queries.overdue_s(tx) or 0.0
    yield ("fleet_kill_switch", ()), float(any(hold.hold == "kill" for hold in found))
    yield from each("fleet_pauses", SCOPES, Counter(hold.scope for hold in found if hold.hold == "pause"))


def _agents(tx: Tx) -> Iterable[tuple[SampleKey, float]]:
    return each("fleet_agents", AgentStatus, queries.counts_by_status(tx))


def _zeros() -> Iterator[SampleKey]:
    jobs = [
        ("fleet_job_events_total", (kind, event))
        for kind in (*registry.current().jobs, _NO_KIND)
        for event in _JOB_EVENTS
    ]
    ticks = [("fleet_ticks_total", (outcome,)) for outcome in ("decided", "skipped")]
    twice = [("fleet_duplicates_suppressed_total", (what,)) for what in ("tick", "job")]
    swept = [("fleet_recoveries_total", (what,)) for what in _SWEPT]
    return ((name, tuple(map(str, labels))) for name, labels in [*jobs, *ticks, *twice, *swept])


def _count(subject: str, kind: str | None) -> SampleKey | None:
    """Return the counter of an event of the engine."""
    family, _, word = subject.partition(".")
    match family, word:
        case "job" | "tick", "duplicate":
            return "fleet_duplicates_suppressed_total", (family,)
        case "sweep", _ if word in _SWEPT:
            return "fleet_recoveries_total", (word,)
        case "job", _ if word in _JOB_EVENTS:
            return "fleet_job_events_total", (kind if kind and kind in registry.current().jobs else _NO_KIND, word)
        case "agent", "thought":
            return "fleet_ticks_total", ("decided",)
        case "agent", "tick.skipped":
            return "fleet_ticks_total", ("skipped",)
    return None


METRICS = Metrics(
    families=_FAMILIES,
    # The cheapest first, so that a slow one delays few others.
    readings=(_ticks, _waiting, _controls, _dead, _jobs, _agents),
    count=_count,
    zeros=_zeros,
)


def registered() -> list[Metrics]:
    """Return the metrics of all features of this process."""
    return [registry.load(ref) for one in registry.current() for ref in one.metrics]


def families() -> Mapping[str, MetricFamily]:
    """Return the families of all features by name, in the order of the exposition."""
    found = sorted((family for one in registered() for family in one.families), key=lambda family: family.order)
    return {family.name: family for family in found}


def _all_zeros() -> Samples:
    return {key: 0.0 for one in registered() for key in one.zeros()}


@dataclass(slots=True)
class Ledger:
    """Reads the metrics of the database. Not thread-safe. Counters follow the events from the first reading on."""

    database: Database
    _counts: Samples = field(default_factory=_all_zeros)
    _position: Position | None = None

    def read(self) -> Samples:
        """Return the samples that can be read in time. Raises no FleetError: a database that is down is a sample."""
        deadline_s = clock.monotonic_s() + LEDGER_S
        samples: Samples = {}
        readings = (*(reading for one in registered() for reading in one.readings), self._follow)
        problems = [why for reading in readings if (why := self._read(reading, samples, deadline_s)) is not None]
        if problems:
            log.warning("readings_failed", number=len(problems), first=problems[0])
        up = len(problems) < len(readings)
        return {**samples, ("fleet_database_up", ()): float(up), ("fleet_readings_failed", ()): float(len(problems))}

    def _read(self, reading: Reading, samples: Samples, deadline_s: float) -> str | None:
        """Add the samples of one reading; return the error if it fails."""
        name = getattr(reading, "__name__", "reading").strip("_")
        left_s = min(STATEMENT_S, deadline_s - clock.monotonic_s())
        if left_s <= 0:
            return "no time was left"
        try:
            with self.database.transaction() as tx:
                tx.execute(sa.text("SET TRANSACTION READ ONLY"))
                tx.execute(sa.text("SELECT set_config('statement_timeout', :ms, true)"), {"ms": str(int(left_s * 1e3))})
                found = dict(reading(tx))
        except (FleetError, sa.exc.DBAPIError) as error:
            return logs.mask(f"{name}: {error}")
        except Exception as error:  # a bug in one feature must not hide the samples of the others
            log.exception("reading_failed", reading=name)
            return f"{name}: {type(error).__name__}"
        if stray := {family for family, _ in found}.difference(families()):
            return f"{name}: no feature registers the family {', '.join(sorted(stray))}"
        samples.update(found)
        return None

    def _follow(self, tx: Tx) -> Iterable[tuple[SampleKey, float]]:
        """Count the events since the last reading."""
        if self._position is None:
            self._position = events.tail_position(tx)
        tallies, self._position = events.tally_after(tx, self._position)
        for count in [one.count for one in registered() if one.count is not None]:
            for tally in tallies:
                if (key := count(tally.subject, tally.kind)) is not None:
                    self._counts[key] = self._counts.get(key, 0.0) + tally.number
        return self._counts.items()


def read_broker(publisher: queue.Publisher) -> Samples:
    """Return the depths of the queues, or that the broker is down."""
    try:
        depths = publisher.depths()
    except FleetError as error:
        log.warning("broker_not_read", error=error.message)
        return {("fleet_broker_up", ()): 0.0}
    return {("fleet_broker_up", ()): 1.0, **dict(each("fleet_queue_depth", queue.QUEUES, depths))}
