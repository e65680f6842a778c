"""Evidence of a run: the ledger's rows, what stands on the surface, and messages that outsiders received. Read only.

Read when the world is at rest, and checked in `checker`. The two sides come from two independent databases; messages to
a person and another service were kept in the harness's own memory.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from fleet.chaos.world.outsiders import HEARS, Outsiders
from fleet.chaos.world.receiver import ReceivedDelivery
from fleet.chaos.world.reviewer import ReviewerAnswer
from fleet.chaos.world.writes import EffectEvidence, JobEvidence, SurfaceEvidence, SurfaceFinding
from fleet.core.subjects import matches


@dataclass(frozen=True, slots=True)
class AttemptEvidence:
    """One claim of a job, and how it ended; `outcome` None: not recorded."""

    job_id: uuid.UUID
    token: int
    started_at: datetime
    ended_at: datetime | None
    outcome: str | None


@dataclass(frozen=True, slots=True)
class Tick:
    """A tick of an agent.

    `plans` are the jobs of its decision, each a kind and a target; `thoughts` is how often the event of the decision
    exists.
    """

    agent_id: uuid.UUID
    tick_no: int
    state: str
    plans: tuple[tuple[str, str | None], ...]
    thoughts: int


@dataclass(frozen=True, slots=True)
class Stop:
    """A time during which the kill switch was on; `until` None: it still is."""

    since: datetime
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Silenced:
    """A tick of an agent that reports to operators, skipped because of the kill switch or a pause of the fleet."""

    username: str
    tick_no: int
    why: str


@dataclass(frozen=True, slots=True)
class DraftEvidence:
    """A draft in the ledger: its state, its job, and its present text."""

    id: uuid.UUID
    status: str
    job_id: uuid.UUID | None
    words: str | None


@dataclass(frozen=True, slots=True)
class Evidence:
    """All evidence. `fleet` are the usernames of the fleet's agents; `happened` are the ids of the events that a
    webhook subscribed to, `heard` the deliveries that its receiver accepted, and `told` the responses to a person
    about drafts. `findings` and `counts` are the surface's own.
    """

    jobs: Sequence[JobEvidence]
    attempts: Sequence[AttemptEvidence]
    effects: Sequence[EffectEvidence]
    ticks: Sequence[Tick]
    stops: Sequence[Stop]
    fleet: frozenset[str]
    fenced: int
    drafts: Sequence[DraftEvidence] = ()
    told: Sequence[ReviewerAnswer] = ()
    happened: Sequence[str] = ()
    heard: Sequence[ReceivedDelivery] = ()
    silenced: Sequence[Silenced] = ()
    findings: Sequence[SurfaceFinding] = ()
    counts: Mapping[str, str] = field(default_factory=dict)


_JOBS = """
    SELECT j.id, j.agent_id, coalesce(a.username, '') AS username, j.tick_no, j.kind, j.state, j.dead_reason, j.target,
           j.remote_id, coalesce(w.words->>'caption', w.words->>'text') AS text,
           j.lease_token AS token, j.created_at, j.finished_at
    FROM jobs j LEFT JOIN agents a ON a.id = j.agent_id,
         LATERAL (SELECT coalesce(j.checkpoint->'words:2', j.checkpoint->'words') AS words) w
    WHERE j.kind <> 'message'"""
_DRAFTS = "SELECT id, status, job_id, content->>'text' AS words FROM drafts"
_HAPPENED = "SELECT e.id, e.subject FROM events e, hook_subscriptions s WHERE e.occurred_at > s.active_since"
_ATTEMPTS = "SELECT job_id, lease_token AS token, started_at, ended_at, outcome FROM job_attempts"
_TICKS = """
    SELECT t.agent_id, t.tick_no, t.state,
           coalesce(t.outcome->'plans', '[]') AS plans, coalesce(told.number, 0) AS thoughts
    FROM ticks t LEFT JOIN (
        SELECT agent_id, (payload->>'tick_no')::bigint AS tick_no, count(*) AS number
        FROM events WHERE subject = 'agent.thought' GROUP BY 1, 2
    ) told USING (agent_id, tick_no)"""
_SWITCH = "SELECT subject, occurred_at FROM events WHERE subject LIKE 'control.kill\\_switch.%' ORDER BY id"
_SILENCED = """
    SELECT a.username, t.tick_no, t.outcome->>'skipped' AS why FROM ticks t JOIN agents a ON a.id = t.agent_id
    WHERE a.kind IN ('hooks', 'approval') AND t.state = 'skipped'
      AND (t.outcome->>'skipped' LIKE 'kill switch%' OR t.outcome->>'skipped' LIKE 'the fleet is paused%')"""


def read(
    ledger_url: str, surface: Callable[[Sequence[JobEvidence]], SurfaceEvidence], outsiders: Outsiders | None = None
) -> Evidence:
    """Read the ledger, the surface and the outsiders' messages. No process may write to them meanwhile."""
    with connected(ledger_url) as ledger:
        jobs = [JobEvidence(*row) for row in ledger.execute(sa.text(_JOBS))]
        there = surface(jobs)
        return Evidence(
            jobs=jobs,
            attempts=[AttemptEvidence(*row) for row in ledger.execute(sa.text(_ATTEMPTS))],
            effects=there.effects,
            findings=there.findings,
            counts=there.counts,
            ticks=[_tick(row) for row in ledger.execute(sa.text(_TICKS))],
            stops=_stops([(str(row[0]), row[1]) for row in ledger.execute(sa.text(_SWITCH))]),
            fleet=frozenset(ledger.scalars(sa.text("SELECT username FROM agents"))),
            fenced=int(ledger.scalar(sa.text("SELECT count(*) FROM events WHERE subject = 'job.fenced'")) or 0),
            drafts=[DraftEvidence(*row) for row in ledger.execute(sa.text(_DRAFTS))],
            told=tuple(outsiders.told) if outsiders else (),
            happened=[str(row.id) for row in ledger.execute(sa.text(_HAPPENED)) if _is_heard(row.subject)],
            heard=tuple(outsiders.receiver.heard) if outsiders else (),
            silenced=[Silenced(*row) for row in ledger.execute(sa.text(_SILENCED))],
        )


def _is_heard(subject: str) -> bool:
    return any(matches(subject, wanted) for wanted in HEARS)


def _tick(row: sa.Row[Any]) -> Tick:
    plans = tuple((str(plan["kind"]), plan["target"]) for plan in row.plans)
    return Tick(row.agent_id, row.tick_no, row.state, plans, row.thoughts)


def _stops(switch: Sequence[tuple[str, datetime]]) -> list[Stop]:
    """Pair each time when the kill switch was turned on with the time when it was turned off."""
    stops: list[Stop] = []
    for subject, at in switch:
        if subject.endswith(".thrown"):
            stops.append(Stop(at, None))
        elif stops and stops[-1].until is None:
            stops[-1] = Stop(stops[-1].since, at)
    return stops


@contextmanager
def connected(url: str) -> Iterator[sa.Connection]:
    """Open a connection to a database for as long as the block runs."""
    engine = sa.create_engine(url)
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()
