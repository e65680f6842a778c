"""What pages and the API show of jobs beyond the rows themselves: stories, choices, timings, dead letters."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from fleet.core import events, prefixes, text
from fleet.core.db import Tx
from fleet.core.errors import InvalidInput, NotFound
from fleet.core.events import Event
from fleet.engine.agents import lookup
from fleet.engine.agents.lookup import Named
from fleet.engine.deps import Deps
from fleet.engine.jobs import lists, queries, stats
from fleet.engine.jobs.allowed_actions import Choice, choices
from fleet.engine.jobs.lists import ListedJob
from fleet.engine.jobs.models import AttemptRow, JobRow, TickRow
from fleet.engine.jobs.queries import JobFilter
from fleet.engine.jobs.states import LEASED, JobState
from fleet.features.jobs import commands as job_commands
from fleet.features.jobs import timings
from fleet.features.jobs.timings import Timing

_EVENTS_SHOWN = 50
MOST_FAILING = 1000
"""So many jobs with a failed attempt are listed at most, the newest attempts first."""
_LEAST = timedelta(microseconds=1)  # the resolution of Postgres
_NOBODY = (uuid.UUID(int=0),)
_ALWAYS = datetime(2000, 1, 1, tzinfo=UTC)
MOST_AT_ONCE = 1000
"""So many dead letters are replayed or discarded by one act at most."""


class JobOrder(StrEnum):
    """The order of a list of jobs, by when they were created; of dead letters, by when they died."""

    NEWEST = "newest"
    OLDEST = "oldest"

    @property
    def words(self) -> str:
        """What it is called in a choice."""
        return f"{self} first"


class JobTime(StrEnum):
    """The moment of a job that a span of time is about."""

    ENDED = "ended"
    CREATED = "created"
    FAILED = "failed"

    @property
    def words(self) -> str:
        """What it is called in a choice."""
        return "an attempt failed" if self is JobTime.FAILED else str(self)


@dataclass(frozen=True, slots=True)
class Story:
    """A job with all that is known of it. `events` are its newest ones, newest first."""

    row: JobRow
    attempts: Sequence[AttemptRow]
    events: Sequence[Event]
    agent: Named | None
    choices: Sequence[Choice]
    tick: TickRow | None
    """The decision that it comes from; None for none, and for one that was pruned."""


def searching(deps: Deps, words: str, which: JobFilter) -> JobFilter:
    """Return a filter that also looks for what a person typed: the beginning of a job's id, or a text.

    It does not search agents' names; the filter `agent` does.
    """
    words = text.clean(words).strip()
    if not words:
        return which
    if prefixes.is_prefix(words):
        with suppress(NotFound, InvalidInput), deps.db.transaction() as tx:
            return replace(which, ids=(queries.resolve_prefix(tx, words),))
    return replace(which, text=words)


def within(deps: Deps, which: JobFilter, time: JobTime, start: datetime | None, end: datetime | None) -> JobFilter:
    """Return a filter narrowed to a span of time; without a start or an end it is open there.

    `end` does not belong to it: spans side by side, such as the bars of a chart, share no job.
    """
    till = None if end is None else end - _LEAST
    if start is None and end is None and time is not JobTime.FAILED:
        return which
    if time is JobTime.ENDED:
        return replace(which, ended_from=start, ended_till=till)
    if time is JobTime.CREATED:
        return replace(which, created_from=start, created_till=till)
    with deps.db.transaction() as tx:
        found = stats.failing_jobs(tx, start or _ALWAYS, end or tx.now(), limit=MOST_FAILING)
    return replace(which, ids=tuple(found) or _NOBODY)


def words_of(row: JobRow) -> str | None:
    """Return what was prepared to be said: a comment's text, a post's caption."""
    words = row.checkpoint.get("words")
    found = (words.get("text") or words.get("caption")) if isinstance(words, dict) else None
    return None if found is None else str(found)


def about(job: ListedJob) -> str:
    """Return the text of a job, or its target: the id of a post is cut."""
    words = (job.result or {}).get("text") or job.words
    return text.clean(str(words or (f"on {job.target[:40]}" if job.target else "")))


def tally_dead(tx: Tx) -> int:
    """Return how many dead letters there are: the number of pages, API and commands too."""
    return sum(stats.dead_letters(tx).values())


def story(deps: Deps, prefix: str) -> Story:
    """Return a job by its id or the beginning of it. Raises NotFound, InvalidInput."""
    row, attempts = job_commands.show_job(deps, prefix)
    with deps.db.transaction() as tx:
        told = events.latest(tx, job_id=row.id, limit=_EVENTS_SHOWN)
        tick = None
        if row.agent_id is not None and row.tick_no is not None:
            tick = tx.session.get(TickRow, (row.agent_id, row.tick_no))
        now = tx.now()
    agent = lookup.names(deps.db, [row.agent_id]).get(row.agent_id) if row.agent_id else None
    return Story(row, attempts, told, agent, _choices(row, now), tick)


def choices_of(deps: Deps, rows: Iterable[JobRow | ListedJob]) -> Mapping[uuid.UUID, Sequence[Choice]]:
    """Return the actions that are possible now for each of these jobs."""
    now = deps.now()
    return {row.id: _choices(row, now) for row in rows}


def _choices(row: JobRow | ListedJob, now: datetime) -> Sequence[Choice]:
    is_leased = row.lease_until is not None and row.state not in LEASED
    return choices(JobState(row.state), row.kind, row.expires_at, now, is_leased=is_leased)


def job_timings(deps: Deps, *, newest: int = 1000) -> list[Timing]:
    """Return how long the jobs that were done last waited and took, by kind."""
    with deps.db.transaction() as tx:
        return timings.timings(tx, newest=newest)


def dead_by_reason(deps: Deps) -> Mapping[str, int]:
    """Return how many dead letters there are for each reason."""
    with deps.db.transaction() as tx:
        return stats.dead_letters(tx)


def tallies(deps: Deps, filters: Sequence[JobFilter]) -> list[int | None]:
    """Return how many jobs match each filter; None for very many."""
    with deps.db.transaction() as tx:
        return [lists.count(tx, which) for which in filters]


def would_replay(deps: Deps, which: JobFilter, *, allow_stale: bool, limit: int) -> int:
    """Return how many dead letters a replay would bring back."""
    with deps.db.transaction() as tx:
        return len(queries.replayable(tx, which, allow_stale=allow_stale, limit=limit))


def would_discard(deps: Deps, which: JobFilter, *, limit: int) -> int:
    """Return how many dead letters a discard would reach."""
    with deps.db.transaction() as tx:
        return queries.reach(tx, which, limit=limit).number


@dataclass(frozen=True, slots=True)
class Letters:
    """The dead letters that a bulk action would change: at most MOST_AT_ONCE, the newest of `total` (None: very many).

    `which` selects exactly these: later dead letters are not among them, and a second action changes none twice.
    """

    which: JobFilter
    number: int
    total: int | None
    stale: int
    unreadable: int

    def replayable(self, *, allow_stale: bool) -> int:
        """Return how many of them a replay would bring back."""
        return self.number - self.unreadable - (0 if allow_stale else self.stale)


def dead_letters(deps: Deps, which: JobFilter) -> Letters:
    """Return the dead letters that an action on all matches would change."""
    which = replace(which, states=(JobState.DEAD,))
    with deps.db.transaction() as tx:
        found = queries.reach(tx, which, limit=MOST_AT_ONCE)
        total = lists.count(tx, which)
    bounded = replace(which, ended_from=found.first_ended, ended_till=found.last_ended)
    return Letters(bounded, found.number, total, found.stale, found.unreadable)
