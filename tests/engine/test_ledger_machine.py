"""The ledger under every order of claims, crashes, sweeps, duplicates and lost replies that Hypothesis can think of.

A model of the six invariants runs beside the real thing on real Postgres; the surface counts what it shows.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable
from typing import Any

import hypothesis
import hypothesis.stateful
import hypothesis.strategies as st
import pytest
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from fleet.adapters import base
from fleet.adapters.base import AnyAction
from fleet.core import ids
from fleet.core.errors import Conflict
from fleet.engine.attempts.perform import perform
from fleet.engine.jobs import ledger
from fleet.engine.jobs.ledger import NewJob
from fleet.engine.jobs.queries import JobFilter
from fleet.engine.jobs.states import FINAL, MOVES, JobState
from fleet.engine.sweep import sweep
from fleet.features.controls import commands as fleetwide
from fleet.features.jobs import commands as job_commands
from fleet.features.publishing.kinds import COMMENT, LIKE, POST
from tests.database_roles import as_owner
from tests.factories import Fleet, make_fleet, raises, reply_lost

KINDS = [POST, COMMENT, LIKE]


class Killed(BaseException):
    """Stands for SIGKILL: nothing of ours may catch it."""


def killed_after(_: AnyAction) -> Callable[[], None]:
    def die() -> None:
        raise Killed

    return die


def fenced_after(fleet: Fleet) -> Callable[[AnyAction], Callable[[], None]]:
    """A fault: the write takes longer than the lease, and somebody has swept meanwhile."""

    def fault(_: AnyAction) -> Callable[[], None]:
        def after() -> None:
            fleet.lease_runs_out()
            sweep(fleet.deps)

        return after

    return fault


FAULTS: dict[str, Callable[[Fleet], Any]] = {
    "fine": lambda _: None,
    "reply lost": lambda _: reply_lost,
    "server error": lambda _: raises(base.Uncertain("502")),
    "not reached": lambda _: raises(base.Unreachable("refused")),
    "too fast": lambda _: raises(base.Throttled("429", retry_after_s=1)),
    "killed before": lambda _: raises(Killed()),  # type: ignore[arg-type]
    "killed after": lambda _: killed_after,
    "slower than the lease": fenced_after,
}


class Ledger(RuleBasedStateMachine):
    """Jobs of three agents; messages delivered in any order, any number of times."""

    jobs = Bundle("jobs")
    fleet: Fleet

    @initialize()
    def begin(self) -> None:
        as_owner(self.fleet.deps.settings.database_url, "TRUNCATE agents, controls, events CASCADE")
        surface = self.fleet.surface
        surface.effects, surface.liked, surface.faults, surface.image_faults = [], set(), [], []
        self.agents = [self.fleet.agent() for _ in range(3)]
        self.born: dict[uuid.UUID, str] = {}
        self.tokens: Counter[uuid.UUID] = Counter()
        self.states: dict[uuid.UUID, str] = {}
        self.paid: Counter[str] = Counter()

    @rule(target=jobs, kinds=st.lists(st.sampled_from(KINDS), min_size=1, max_size=3), agent=st.integers(0, 2))
    def add(self, kinds: list[str], agent: int) -> Any:
        return hypothesis.stateful.multiple(*(self._add(kind, self.agents[agent]) for kind in kinds))

    def _add(self, kind: str, agent: uuid.UUID) -> uuid.UUID:
        number = len(self.born) + 1
        target = f"p{number}" if kind == LIKE else None
        # Comments choose among the same few posts, so that jobs of one agent want the same one.
        seen = [{"id": f"q{(number + n) % 5}", "author": "zoe", "comments": 5} for n in range(3)]
        payload = {"seen": seen} if kind == COMMENT else {}
        job = NewJob(ids.job(agent, number, 0), agent, kind, "floimg", number, target, payload)
        with self.fleet.deps.db.transaction() as tx:
            assert len(ledger.add(tx, [job])) == 1
            assert ledger.add(tx, [job]) == []
        self.born[job.id] = kind
        return job.id

    @rule(job=jobs, faults=st.lists(st.sampled_from(sorted(FAULTS)), min_size=1, max_size=5), patient=st.booleans())
    def deliver(self, job: uuid.UUID, faults: list[str], patient: bool) -> None:
        """Deliver a job's message some times, each with its fault; a patient deliverer waits until it is due."""
        for fault in faults:
            if patient:
                self.fleet.time_passes()
            self._deliver(job, FAULTS[fault](self.fleet))

    @rule(job=jobs)
    def killed_while_preparing(self, job: uuid.UUID) -> None:
        self.fleet.surface.image_faults = [Killed()]  # type: ignore[list-item]
        self._deliver(job, None)

    def _deliver(self, job: uuid.UUID, fault: Any) -> None:
        if fault is not None:
            self.fleet.surface.faults = [fault]
        try:
            perform(self.fleet.deps, job)
        except Killed:
            pass
        finally:
            self.fleet.surface.faults, self.fleet.surface.image_faults = [], []

    @rule()
    def sweep_up(self) -> None:
        sweep(self.fleet.deps)

    @rule()
    def leases_run_out(self) -> None:
        self.fleet.lease_runs_out()

    @rule(job=jobs)
    def kill_switch(self, job: uuid.UUID) -> None:
        fleetwide.throw_kill_switch(self.fleet.deps, by="ada", reason="drill")
        begun = self.fleet.surface.writes_begun
        self.fleet.time_passes()
        self._deliver(job, None)
        assert self.fleet.surface.writes_begun == begun
        fleetwide.lift_kill_switch(self.fleet.deps, by="ada")

    @rule()
    def replay_the_dead(self) -> None:
        job_commands.replay_dead(self.fleet.deps, JobFilter(), by="ada")

    @rule(job=jobs)
    def cancel(self, job: uuid.UUID) -> None:
        try:
            job_commands.cancel_job(self.fleet.deps, str(job), by="ada")
        except Conflict:
            assert self.fleet.job(job).state != JobState.READY

    @invariant()
    def every_effect_is_shown_at_most_once(self) -> None:
        shown = Counter(effect.key for effect in self.fleet.surface.effects)
        assert all(number == 1 for number in shown.values()), shown

    @invariant()
    def nobody_comments_twice_on_one_post_nor_elsewhere_than_the_ledger_says(self) -> None:
        comments = [effect for effect in self.fleet.surface.effects if effect.action == "comment"]
        on = Counter((effect.username, effect.target) for effect in comments)
        assert all(number == 1 for number in on.values()), on
        targets = {str(job.id): job.target for job in self.fleet.jobs(kind="comment")}
        assert all(effect.target == targets[effect.key] for effect in comments)

    @invariant()
    def what_is_done_is_shown_and_what_is_called_off_is_not(self) -> None:
        shown = {effect.key for effect in self.fleet.surface.effects}
        for job in self.fleet.jobs():
            if job.kind == "like":
                continue
            if job.state == JobState.DONE:
                assert str(job.id) in shown
            elif job.state in (JobState.CANCELLED, JobState.READY, JobState.SKIPPED):
                assert str(job.id) not in shown, job.state

    @invariant()
    def tokens_only_rise_and_moves_follow_the_table(self) -> None:
        for job in self.fleet.jobs():
            assert job.lease_token >= self.tokens[job.id]
            self.tokens[job.id] = job.lease_token
            before = JobState(self.states.get(job.id, JobState.READY))
            assert self._reachable(before, JobState(job.state)), (before, job.state)
            self.states[job.id] = job.state

    @staticmethod
    def _reachable(before: JobState, after: JobState) -> bool:
        """Say whether a few moves lead from one state to another: a rule may make several at once."""
        found, frontier = {before}, {before}
        for _ in range(6):
            frontier = {a for b in frontier for a in MOVES[b]} - found
            found |= frontier
        return after in found

    @invariant()
    def pictures_are_paid_for_once(self) -> None:
        assert all(number == 1 for number in Counter(self.fleet.surface.images_paid).values())

    def teardown(self) -> None:
        """Whatever happened: left alone, every job comes to an end."""
        if not hasattr(self, "born"):
            return
        for _ in range(40):
            open_jobs = [job.id for job in self.fleet.jobs() if job.state not in FINAL]
            if not open_jobs:
                break
            self.fleet.lease_runs_out()
            sweep(self.fleet.deps)
            self.fleet.time_passes()
            for job in open_jobs:
                perform(self.fleet.deps, job)
        assert {job.id for job in self.fleet.jobs()} == set(self.born), "a job is lost"
        assert all(job.state in FINAL for job in self.fleet.jobs())
        self.every_effect_is_shown_at_most_once()
        self.what_is_done_is_shown_and_what_is_called_off_is_not()
        likes = {(job.agent_id, job.target) for job in self.fleet.jobs(kind="like", state="done")}
        names = {agent: self.fleet.row(agent).username for agent in self.agents}
        assert {(names[agent], target) for agent, target in likes if agent} <= self.fleet.surface.liked


@pytest.mark.timeout(600)
def test_the_invariants_hold_in_every_order(database_url: str) -> None:
    class OnThisDatabase(Ledger):
        fleet = make_fleet(database_url)

    try:
        run_state_machine_as_test(  # type: ignore[no-untyped-call]
            OnThisDatabase, settings=hypothesis.settings(max_examples=30, stateful_step_count=20, deadline=None)
        )
    finally:
        OnThisDatabase.fleet.deps.close()
