"""What is timed on a grown ledger: the verbs that people and the loop call, each with arguments that vary.

Every case is one call as a door or a task makes it, transaction and Python included. Those that change rows undo it.
"""

from __future__ import annotations

import random
import statistics
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from fleet.core import events
from fleet.core.db import Tx
from fleet.core.events import Position
from fleet.engine import dispatch, registry, sweep, tick
from fleet.engine.agents import loop
from fleet.engine.agents.queries import AgentFilter
from fleet.engine.agents.status import AgentStatus
from fleet.engine.attempts import perform
from fleet.engine.deps import Deps
from fleet.engine.jobs import queries, ticks
from fleet.engine.jobs.queries import JobFilter
from fleet.engine.jobs.states import DeadReason, JobState
from fleet.engine.jobs.ticks import TickKey
from fleet.engine.policy import Priority
from fleet.features.activity import queries as activity_queries
from fleet.features.agents import commands as agent_commands
from fleet.features.agents import decisions
from fleet.features.jobs import commands as job_commands
from fleet.features.overview import status as fleet_status
from fleet.features.publishing.kinds import COMMENT, POST, PROVISION
from fleet.features.publishing.settings import PublishingSettings
from fleet.features.publishing.words import published_texts

DEAD = (JobState.DEAD,)
_CALLS, _BUDGET_S, _WARM = 100, 3.0, 2


@dataclass(frozen=True, slots=True)
class Case:
    """One thing to time. `goal` cases must stay under 20 ms; `call` gets dice and does it once."""

    group: str
    name: str
    call: Callable[[random.Random], Any]
    goal: bool = False
    prepare: Callable[[random.Random], Any] | None = None


@dataclass(frozen=True, slots=True)
class Timing:
    """How long a case took, in milliseconds."""

    calls: int
    p50_ms: float
    p95_ms: float


def time_side_by_side(*cases: Case) -> list[Timing]:
    """Call cases in turn until there are enough calls or the time is up, after a few that do not count.

    What disturbs the machine then hits all of them.
    """
    dice = [random.Random(7) for _ in cases]
    taken: list[list[float]] = [[] for _ in cases]
    since_s = time.perf_counter()
    while len(taken[0]) < _CALLS + _WARM and (len(taken[0]) < _WARM + 3 or time.perf_counter() - since_s < _BUDGET_S):
        for case, own_dice, times in zip(cases, dice, taken, strict=True):
            if case.prepare is not None:
                case.prepare(own_dice)
            began_s = time.perf_counter()
            case.call(own_dice)
            times.append((time.perf_counter() - began_s) * 1000)
    return [_timing(times[_WARM:]) for times in taken]


def _timing(times: list[float]) -> Timing:
    times.sort()
    return Timing(len(times), statistics.median(times), times[min(len(times) - 1, int(len(times) * 0.95))])


@dataclass(frozen=True)
class World:
    """The grown ledger, and things in it to ask for."""

    deps: Deps
    agents: list[uuid.UUID]
    usernames: list[str]
    jobs: list[uuid.UUID]
    dead: list[uuid.UUID]
    last_event: int
    first_event: int
    opened: list[TickKey] = field(default_factory=list)
    ready: list[uuid.UUID] = field(default_factory=list)

    def agent(self, dice: random.Random) -> uuid.UUID:
        """Return an agent; the busiest ones are asked for more often, as they do more."""
        return self.agents[int(len(self.agents) * dice.random() ** 2)]

    def username(self, dice: random.Random) -> str:
        return self.usernames[int(len(self.usernames) * dice.random() ** 2)]

    def open_tick(self, dice: random.Random) -> TickKey:
        """Open a tick of some agent, as dispatch does."""
        agent_id = self.agent(dice)
        with self.deps.db.transaction() as tx:
            number = tx.scalar(sa.text("UPDATE agents SET tick_no = tick_no + 1, status = 'running' WHERE id = :id"
                                       " RETURNING tick_no + 1000000000").bindparams(id=agent_id))  # fmt: skip
            tx.execute(sa.text("DELETE FROM ticks WHERE agent_id = :id AND state = 'due'"), {"id": agent_id})
            self.opened.extend(ticks.open_ticks(tx, [(TickKey(agent_id, number), tx.now())]))
        return self.opened[-1]

    def decide(self, dice: random.Random) -> None:
        """Let agents decide until there is a job to do."""
        bell: Any = self.deps.publisher
        while not self.ready:
            self.open_tick(dice)
            bell.take()
            tick.tick(self.deps, self.opened.pop())
            self.ready.extend(uuid.UUID(str(message.args[0])) for message in bell.take())

    def event_id(self, dice: random.Random) -> int:
        return dice.randint(self.first_event, self.last_event)


def world(deps: Deps) -> World:
    """Look around in a loaded ledger."""
    with deps.db.transaction() as tx:
        rows = tx.execute(sa.text("SELECT id, username FROM agents ORDER BY substr(username, 7)::int")).all()
        percent = min(100.0, 1e6 / float(tx.scalar(sa.text("SELECT count(*) + 1 FROM jobs"))))
        sample = sa.text("SELECT id FROM jobs TABLESAMPLE SYSTEM (CAST(:percent AS real)) WHERE state = 'done'")
        jobs = list(tx.session.scalars(sample.bindparams(percent=percent)))
        dead = list(tx.session.scalars(sa.text("SELECT id FROM jobs WHERE state = 'dead' LIMIT 3000")))
        first, last = tx.execute(sa.text("SELECT min(id), max(id) FROM events")).one()
    return World(deps, [row[0] for row in rows], [row[1] for row in rows], jobs, dead, last, first)


def in_transaction(deps: Deps, call: Callable[[Tx], Any]) -> Any:
    with deps.db.transaction() as tx:
        return call(tx)


def all_cases(w: World) -> Iterator[Case]:
    yield from _activity(w)
    yield from _job_lists(w)
    yield from _dead_lists(w)
    yield from _loop(w)
    yield from _others(w)


def _activity(w: World) -> Iterator[Case]:
    deps = w.deps

    def case(name: str, call: Callable[[random.Random], Any]) -> Case:
        return Case("activity", name, call, goal=True)

    def by_subject(*subjects: str) -> Callable[[random.Random], Any]:
        return lambda _: activity_queries.latest(deps, subjects=subjects)

    yield case("newest", lambda _: activity_queries.latest(deps))
    yield case("of an agent", lambda d: activity_queries.latest(deps, name=w.username(d)))
    yield case(
        "of an agent, one subject", lambda d: activity_queries.latest(deps, name=w.username(d), subjects=("job.dead",))
    )
    for subject in ("job.done", "agent.paused", "agent.deleted", "job.*", "agent.pa*", "agent.x*", "*"):
        yield case(f"subject {subject}", by_subject(subject))
    yield case("of a job", lambda d: in_transaction(deps, lambda tx: events.latest(tx, job_id=d.choice(w.jobs))))
    yield case(
        "since ten minutes",
        lambda _: in_transaction(deps, lambda tx: events.latest(tx, since=tx.now() - timedelta(minutes=10))),
    )
    yield case("after a position, 500", lambda d: _read_after(w, d))
    yield case("far down", lambda d: _far_activity(w, d))
    yield case("far down, one subject", lambda d: _far_activity(w, d, subjects=("job.skipped",)))


def _read_after(w: World, dice: random.Random) -> Any:
    event_id = w.event_id(dice)
    position = Position(event_id - w.last_event - 1, event_id)
    return in_transaction(w.deps, lambda tx: events.read_after(tx, position))


def _far_activity(w: World, dice: random.Random, **which: Any) -> Any:
    return activity_queries.latest(w.deps, before=w.event_id(dice), **which)


def _far_jobs(w: World, dice: random.Random, ids: list[uuid.UUID], **which: Any) -> Any:
    return job_commands.list_jobs(w.deps, JobFilter(**which), before=str(dice.choice(ids)), limit=20)


def _job_lists(w: World) -> Iterator[Case]:
    deps = w.deps

    def case(name: str, which: Callable[[random.Random], JobFilter]) -> Case:
        return Case("job list", name, lambda d: job_commands.list_jobs(deps, which(d), limit=20), goal=True)

    def fixed(name: str, **values: Any) -> Case:
        return case(name, lambda _: JobFilter(**values))

    yield fixed("newest")
    for state in JobState:
        yield fixed(f"state {state}", states=(state,))
    yield fixed("states running, cancelled, dead", states=(JobState.RUNNING, JobState.CANCELLED, JobState.DEAD))
    for kind in registry.current().jobs:
        yield fixed(f"kind {kind}", kinds=(kind,))
    for priority in Priority:
        yield fixed(f"priority {priority}", priority=priority)
    yield fixed("kind provision, state skipped", kinds=(PROVISION,), states=(JobState.SKIPPED,))
    yield case("of an agent", lambda d: JobFilter(agent_id=w.agent(d)))
    yield case("of an agent, kind post", lambda d: JobFilter(agent_id=w.agent(d), kinds=(POST,)))
    yield case("of an agent, state skipped", lambda d: JobFilter(agent_id=w.agent(d), states=(JobState.SKIPPED,)))
    yield fixed("newer than ten minutes", newer_than=timedelta(minutes=10))
    yield fixed("newer than a second", newer_than=timedelta(seconds=1))
    yield fixed("older than twenty days", older_than=timedelta(days=20))
    yield Case("job list", "far down", lambda d: _far_jobs(w, d, w.jobs), goal=True)


def _dead_lists(w: World) -> Iterator[Case]:
    deps = w.deps

    def case(name: str, which: Callable[[random.Random], dict[str, Any]]) -> Case:
        return Case("dead list", name, lambda d: job_commands.list_jobs(
            deps, JobFilter(states=DEAD, **which(d)), limit=20), goal=True)  # fmt: skip

    yield case("newest", lambda _: {})
    yield case("by reason", lambda d: {"reason": d.choice(list(DeadReason))})
    yield case("by kind", lambda d: {"kinds": (d.choice(list(registry.current().jobs)),)})
    yield case("of an agent", lambda d: {"agent_id": w.agent(d)})
    yield case("newer than an hour", lambda _: {"newer_than": timedelta(hours=1)})
    yield case("older than twenty days", lambda _: {"older_than": timedelta(days=20)})
    yield Case("dead list", "far down", lambda d: _far_jobs(w, d, w.dead, states=DEAD), goal=True)


def _loop(w: World) -> Iterator[Case]:
    deps = w.deps

    def make_due(dice: random.Random, count: int) -> None:
        some = [w.agent(dice) for _ in range(count)]
        with deps.db.transaction() as tx:
            tx.execute(sa.text("UPDATE ticks SET state = 'decided', decided_at = clock_timestamp()"
                               " WHERE state IN ('due', 'deciding')"))  # fmt: skip
            tx.execute(sa.text("UPDATE agents SET next_tick_at = clock_timestamp() - interval '1 s', status = 'running'"
                               " WHERE id = ANY(:some)"), {"some": some})  # fmt: skip

    yield Case("dispatch", "idle", lambda _: dispatch.dispatch(deps), goal=True)
    yield Case("dispatch", "25 agents due", lambda _: dispatch.dispatch(deps), goal=True,
               prepare=lambda d: make_due(d, 25))  # fmt: skip

    def enough_due(dice: random.Random) -> None:
        with deps.db.transaction() as tx:
            due = tx.scalar(sa.text("SELECT count(*) FROM agents WHERE next_tick_at <= clock_timestamp()"))
        if due < min(500, len(w.agents) // 3):
            make_due(dice, 600)

    yield Case("dispatch", "claim of 500 due", lambda _: in_transaction(deps, lambda tx: loop.claim_due(tx, limit=500)),
               goal=True, prepare=enough_due)  # fmt: skip
    yield Case("loop", "a tick, claim to decision", lambda _: tick.tick(deps, w.opened.pop()),
               prepare=w.open_tick)  # fmt: skip
    yield Case("loop", "a job, claim to done", lambda _: perform.perform(deps, w.ready.pop()),
               prepare=w.decide)  # fmt: skip
    yield Case("loop", "a sweep", lambda _: sweep.sweep(deps))
    yield Case("loop", "an agent's last words", lambda d: in_transaction(
        deps, lambda tx: published_texts.recent_results(tx, w.agent(d), POST, "caption")))  # fmt: skip
    yield Case("loop", "whether words went out in the last hour", lambda _: in_transaction(
        deps, lambda tx: published_texts.was_sent(tx, "floimg", "said by nobody", since=deps.now() - timedelta(hours=1),
                                                  but=uuid.uuid4(),
                                                  most=deps.settings.of(PublishingSettings).recent_texts)))  # fmt: skip
    yield Case("loop", "remote ids for a probe", lambda d: in_transaction(
        deps, lambda tx: queries.known_remote_ids(tx, w.agent(d), COMMENT)))  # fmt: skip


def _others(w: World) -> Iterator[Case]:
    deps = w.deps

    def agents(name: str, **values: Any) -> Case:
        return Case("people", name, lambda _: agent_commands.list_agents(deps, AgentFilter(**values)))

    yield Case("people", "fleet status", lambda _: fleet_status.read(deps))
    yield agents("agents list")
    yield agents("agents list, paused", status=AgentStatus.PAUSED)
    yield agents("agents list, status error", status=AgentStatus.ERROR)
    yield agents("agents list, one persona", persona_id="ai_artist")
    yield agents("agents list, by a word", text="gent_999")
    yield Case("people", "an agent's decisions", lambda d: decisions.decisions(deps, w.username(d)))
    yield Case("people", "a job by its beginning", lambda d: job_commands.show_job(deps, str(d.choice(w.jobs))[:10]))
    yield Case("people", "oldest open tick", lambda _: in_transaction(deps, ticks.oldest_open_s))
