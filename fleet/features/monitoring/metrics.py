"""What a monitor is told: the fleet's numbers, read from the ledger and the broker when somebody asks.

Called by the door that serves them. A reading never outlasts its deadline, whatever the servers do, and one that
fails takes no other with it. Labels are words of our own code (kinds, states, queues): never an id, a name or a text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

import sqlalchemy as sa

from fleet.core import clock, events, logs, queue
from fleet.core.db import Database, Tx
from fleet.core.errors import FleetError
from fleet.core.events import Position
from fleet.engine import controls, registry
from fleet.engine.agents import queries
from fleet.engine.agents.models import Status
from fleet.engine.jobs import stats
from fleet.engine.jobs.policy import Priority
from fleet.engine.jobs.states import LIVE, DeadReason, JobState
from fleet.features.approvals import queries as requests
from fleet.features.drafts.states import SUBJECTS, DraftKind

log = logs.get(__name__)

STATEMENT_S = 2.0
"""No statement of a scrape may take longer; its gauges are left out then and `fleet_readings_failed` says so."""
LEDGER_S = 5.0
"""All statements of a scrape together: Prometheus gives up after 10 s."""


@dataclass(frozen=True, slots=True)
class Family:
    """One metric: its name, what it tells, its labels. A counter counts from when the exporter was started."""

    name: str
    help: str
    labels: tuple[str, ...] = ()
    counter: bool = False


_SWEPT = ("ticks_released", "ticks_skipped", "jobs_released", "jobs_ended", "ticks_rung", "jobs_rung")
_JOB_EVENTS = (
    "done", "dead", "skipped", "cancelled", "retrying", "held", "unknown", "recovered", "fenced", "replayed",
)  # fmt: skip
_DRAFT_EVENTS = ("created", "approved", "rejected", "expired", "withdrawn", "revised", "sent_back")
_PROPOSED = {subject: kind for kind, subject in SUBJECTS.items()}
_NO_KIND = "-"
_ASKED = ("draft", "job")
"""What requests are about even while none waits; others are told once somebody asks for them."""

FAMILIES: Final = {
    family.name: family
    for family in (
        Family("fleet_database_up", "Whether the ledger answered this scrape"),
        Family("fleet_broker_up", "Whether the broker answered this scrape"),
        Family("fleet_readings_failed", "Readings of the ledger that failed or took too long in this scrape"),
        Family("fleet_build_info", "The version that is running", ("version",)),
        Family("fleet_scrape_seconds", "How long this scrape took"),
        Family("fleet_oldest_due_tick_seconds", "How long the oldest undecided tick has been due"),
        Family("fleet_agent_overdue_seconds", "How long the most overdue agent has waited for the metronome"),
        Family("fleet_ticks_open", "Ticks that nobody has decided yet", ("state",)),
        Family("fleet_claim_lag_seconds", "How long the oldest due job has waited to be claimed", ("priority",)),
        Family("fleet_jobs_due", "Jobs that may be claimed now", ("priority",)),
        Family("fleet_queue_depth", "Messages that wait in the broker", ("queue",)),
        Family("fleet_jobs", "Jobs that are alive or dead letters; what ended well is counted", ("kind", "state")),
        Family("fleet_unknown_outcomes", "Jobs whose write may or may not have happened"),
        Family("fleet_oldest_unknown_seconds", "How long ago the oldest of these writes went out"),
        Family("fleet_dead_letters", "Dead letters that nobody has replayed or discarded", ("reason",)),
        Family("fleet_leases_lapsed", "Leases that ran out and that no sweep has taken back yet", ("what",)),
        Family("fleet_agents", "Agents that exist", ("state",)),
        Family("fleet_kill_switch", "Whether the kill switch is on"),
        Family("fleet_pauses", "Pauses in force", ("scope",)),
        Family("fleet_approvals_pending", "Requests that wait for people", ("resource",)),
        Family("fleet_oldest_approval_seconds", "How long the oldest of these requests has waited"),
        Family("fleet_job_events_total", "What happened to jobs", ("kind", "event"), counter=True),
        Family("fleet_draft_events_total", "What happened to drafts", ("kind", "event"), counter=True),
        Family("fleet_ticks_total", "Ticks that ended", ("outcome",), counter=True),
        Family("fleet_duplicates_suppressed_total", "Messages that found nothing to claim", ("what",), counter=True),
        Family("fleet_recoveries_total", "What sweeps found and set going again or ended", ("what",), counter=True),
    )
}

Key = tuple[str, tuple[str, ...]]
Samples = dict[Key, float]
"""Values by name of the family and values of its labels, in their order."""


def _ticks(tx: Tx) -> Iterator[tuple[Key, float]]:
    found = stats.undecided_ticks(tx)
    yield ("fleet_oldest_due_tick_seconds", ()), max((ticks.oldest_s for ticks in found.values()), default=0.0)
    yield ("fleet_leases_lapsed", ("tick",)), sum(ticks.lapsed for ticks in found.values())
    yield from _each("fleet_ticks_open", ("due", "deciding"), {state: t.number for state, t in found.items()})


def _waiting(tx: Tx) -> Iterator[tuple[Key, float]]:
    found = stats.waiting(tx)
    yield from _each("fleet_claim_lag_seconds", Priority, {name: due.oldest_s for name, due in found.items()})
    yield from _each("fleet_jobs_due", Priority, {name: due.number for name, due in found.items()})
    yield ("fleet_leases_lapsed", ("job",)), stats.lapsed_jobs(tx)


def _jobs(tx: Tx) -> Iterator[tuple[Key, float]]:
    found = stats.live_and_dead(tx)
    for kind in registry.current().jobs:
        for state in sorted({*LIVE, JobState.DEAD}):
            yield ("fleet_jobs", (kind, state)), found.get((kind, state), 0)
    unknown = sum(number for (_, state), number in found.items() if state == JobState.UNKNOWN)
    yield ("fleet_unknown_outcomes", ()), unknown
    yield ("fleet_oldest_unknown_seconds", ()), stats.oldest_unknown_s(tx) if unknown else 0.0


def _dead(tx: Tx) -> Iterator[tuple[Key, float]]:
    yield from _each("fleet_dead_letters", DeadReason, stats.dead_letters(tx))


def _holds(tx: Tx) -> Iterator[tuple[Key, float]]:
    found = controls.in_force(tx)
    # A fleet that is held back wakes nobody, and that is no fault of the metronome.
    is_held = any(hold.scope == "fleet" for hold in found)
    yield ("fleet_agent_overdue_seconds", ()), 0.0 if is_held else queries.overdue_s(tx) or 0.0
    yield ("fleet_kill_switch", ()), float(any(hold.hold == "kill" for hold in found))
    yield from _each("fleet_pauses", controls.SCOPES, Counter(hold.scope for hold in found if hold.hold == "pause"))


def _agents(tx: Tx) -> Iterator[tuple[Key, float]]:
    yield from _each("fleet_agents", Status, queries.counts_by_status(tx))


def _approvals(tx: Tx) -> Iterator[tuple[Key, float]]:
    found: Counter[str] = Counter()
    for (resource, _), number in requests.pending_by_resource(tx).items():
        found[resource] += number
    yield from _each("fleet_approvals_pending", sorted({*_ASKED, *found}), found)
    yield ("fleet_oldest_approval_seconds", ()), requests.oldest_pending_s(tx) if found else 0.0


def _each(family: str, values: Iterable[str], found: Mapping[str, float]) -> Iterator[tuple[Key, float]]:
    """Give a sample for each value that a label may have: a line that comes and goes cannot be alarmed."""
    return (((family, (str(value),)), found.get(str(value), 0)) for value in values)


READINGS: Final[tuple[Callable[[Tx], Iterator[tuple[Key, float]]], ...]] = (
    _ticks, _waiting, _holds, _dead, _jobs, _agents, _approvals,
)  # fmt: skip
"""The cheapest first, so that a slow one takes the time of few others."""


def _zeros() -> Samples:
    """Return every counter at 0: a rate over one that appears with its first count would miss that count."""
    jobs = [
        ("fleet_job_events_total", (kind, event))
        for kind in (*registry.current().jobs, _NO_KIND)
        for event in _JOB_EVENTS
    ]
    drafts = [("fleet_draft_events_total", (kind, event)) for kind in DraftKind for event in _DRAFT_EVENTS]
    ticks = [("fleet_ticks_total", (outcome,)) for outcome in ("decided", "skipped")]
    twice = [("fleet_duplicates_suppressed_total", (what,)) for what in ("tick", "job")]
    swept = [("fleet_recoveries_total", (what,)) for what in _SWEPT]
    return {(name, tuple(map(str, labels))): 0.0 for name, labels in [*jobs, *drafts, *ticks, *twice, *swept]}


def _counts_toward(subject: str, kind: str | None) -> Key | None:
    """Return the counter that an event belongs to; None for those that nobody counts."""
    noun, _, word = subject.partition(".")
    match noun, word:
        case "job" | "tick", "duplicate":
            return "fleet_duplicates_suppressed_total", (noun,)
        case "sweep", _ if word in _SWEPT:
            return "fleet_recoveries_total", (word,)
        case "job", _ if word in _JOB_EVENTS:
            return "fleet_job_events_total", (kind if kind and kind in registry.current().jobs else _NO_KIND, word)
        case "agent", "thought":
            return "fleet_ticks_total", ("decided",)
        case "agent", "tick.skipped":
            return "fleet_ticks_total", ("skipped",)
        case "agent", _ if word.startswith("draft."):
            return _counts_toward_drafts(subject, kind)
    return None


def _counts_toward_drafts(subject: str, kind: str | None) -> Key | None:
    """Return the counter of an event about a draft: a new one has its kind in its subject, later ones tell it."""
    if subject in _PROPOSED:
        return "fleet_draft_events_total", (_PROPOSED[subject], "created")
    word = subject.rpartition(".")[2]
    known = word in _DRAFT_EVENTS and kind in set(DraftKind)
    return ("fleet_draft_events_total", (str(kind), word)) if known else None


@dataclass(slots=True)
class Ledger:
    """Reads the ledger's numbers; one thread at a time. Counters follow the events from the first reading on."""

    database: Database
    _counts: Samples = field(default_factory=_zeros)
    _position: Position | None = None

    def read(self) -> Samples:
        """Return what can be read within the time. Raises no FleetError: a database that is away is a number too."""
        deadline_s = clock.monotonic_s() + LEDGER_S
        samples: Samples = {}
        readings = (*READINGS, self._follow)
        problems = [why for reading in readings if (why := self._read(reading, samples, deadline_s)) is not None]
        if problems:
            log.warning("readings_failed", number=len(problems), first=problems[0])
        up = len(problems) < len(readings)
        return {**samples, ("fleet_database_up", ()): float(up), ("fleet_readings_failed", ()): float(len(problems))}

    def _read(
        self, reading: Callable[[Tx], Iterable[tuple[Key, float]]], samples: Samples, deadline_s: float
    ) -> str | None:  # fmt: skip
        """Add the samples of one reading; return why it failed, if it did."""
        left_s = min(STATEMENT_S, deadline_s - clock.monotonic_s())
        if left_s <= 0:
            return "no time was left"
        try:
            with self.database.transaction() as tx:
                tx.execute(sa.text("SET TRANSACTION READ ONLY"))
                tx.execute(sa.text("SELECT set_config('statement_timeout', :ms, true)"), {"ms": str(int(left_s * 1e3))})
                samples.update(reading(tx))
        except (FleetError, sa.exc.DBAPIError) as error:
            return logs.mask(f"{reading.__name__.strip('_')}: {error}")
        return None

    def _follow(self, tx: Tx) -> Iterable[tuple[Key, float]]:
        """Count the events since the last reading."""
        if self._position is None:
            self._position = events.tail_position(tx)
        tallies, self._position = events.tally_after(tx, self._position)
        for tally in tallies:
            key = _counts_toward(tally.subject, tally.kind)
            if key is not None:
                self._counts[key] += tally.number
        return self._counts.items()


def read_broker(publisher: queue.Publisher) -> Samples:
    """Return the depths of the queues, or that the broker is away."""
    try:
        depths = publisher.depths()
    except FleetError as error:
        log.warning("broker_not_read", error=error.message)
        return {("fleet_broker_up", ()): 0.0}
    return {("fleet_broker_up", ()): 1.0, **dict(_each("fleet_queue_depth", queue.QUEUES, depths))}
