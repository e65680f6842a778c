"""What people do to agents, jobs and dead letters."""

from __future__ import annotations

import math
import time
import uuid
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from fleet.adapters import base
from fleet.core import events
from fleet.core.db import Tx
from fleet.core.errors import Conflict, InvalidInput, NotFound
from fleet.engine.agents import commands, lookup
from fleet.engine.agents.commands import NewAgent
from fleet.engine.agents.queries import AgentFilter
from fleet.engine.agents.status import AgentStatus
from fleet.engine.attempts.perform import perform
from fleet.engine.dispatch import dispatch
from fleet.engine.jobs import ticks
from fleet.engine.jobs.queries import JobFilter
from fleet.engine.jobs.states import DeadReason, JobState
from fleet.features.activity import queries as activity_queries
from fleet.features.agents import bulk
from fleet.features.agents import commands as agent_commands
from fleet.features.agents.bulk import BulkAction
from fleet.features.controls import commands as fleetwide
from fleet.features.jobs import commands as job_commands
from fleet.features.overview import status as fleet_status
from fleet.features.publishing.kinds import LIKE, POST
from tests.engine.test_perform import add, settle
from tests.factories import Fleet, raises

WEIGHTS = {"post": 1.0, "comment": 1.0, "like": 1.0, "browse": 1.0}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": ""}, "name has 1 to 100"),
        ({"name": "x" * 101}, "too long"),
        ({"username": "No Spaces"}, "3 to 30"),
        ({"weights": {**WEIGHTS, "like": -1.0}}, "Weights"),
        ({"weights": dict.fromkeys(WEIGHTS, 0.0)}, "Weights"),
        ({"weights": {"dance": 1.0}}, "does not choose dance"),
        ({"autonomy": "wild"}, "Autonomy is autonomous or supervised"),
        ({"config": {"draft_days": 91}}, "1 to 90 days"),
        ({"config": {"colour": "red"}}, "no setting colour"),
        ({"weights": {"post": math.inf}}, "Weights"),
        ({"weights": {"post": math.nan}}, "Weights"),
        ({"min_interval_s": 0}, "interval"),
        ({"min_interval_s": 10, "max_interval_s": 5}, "interval"),
        ({"persona_id": "nobody"}, "nobody"),
    ],
)
def test_an_agent_with_wrong_values_is_refused_in_words(fleet: Fleet, changes: dict, words: str) -> None:  # type: ignore[type-arg]
    values = {"kind": "gallery", "name": "Ada", "username": "ada_1", "weights": WEIGHTS} | changes
    with pytest.raises((InvalidInput, NotFound), match=words):
        agent_commands.create(fleet.deps, NewAgent(**values))


def test_names_keep_every_script(fleet: Fleet) -> None:
    agent_commands.create(fleet.deps, NewAgent("Жива Студія 🎨 画室", "zhyva_1", WEIGHTS, kind="gallery"))
    assert lookup.agent(fleet.deps.db, "zhyva_1").name == "Жива Студія 🎨 画室"


def test_a_username_is_given_once(fleet: Fleet) -> None:
    agent_commands.create(fleet.deps, NewAgent("Ada", "ada_1", WEIGHTS, kind="gallery"))
    with pytest.raises(Conflict, match="taken"):
        agent_commands.create(fleet.deps, NewAgent("Ada", "ada_1", WEIGHTS, kind="gallery"))


def test_the_life_of_an_agent_and_its_events(fleet: Fleet) -> None:
    agent = agent_commands.create(fleet.deps, NewAgent("Ada", "ada_1", WEIGHTS, kind="gallery"))
    assert agent_commands.start(fleet.deps, "ada_1")
    assert not agent_commands.start(fleet.deps, "ada_1"), "it runs already"
    assert agent_commands.pause(fleet.deps, "ada_1", by="bob")
    assert not agent_commands.pause(fleet.deps, "ada_1", by="bob")
    with pytest.raises(Conflict, match="paused"):
        agent_commands.start(fleet.deps, "ada_1")
    assert agent_commands.resume(fleet.deps, "ada_1")
    assert not agent_commands.resume(fleet.deps, "ada_1")
    assert agent_commands.stop(fleet.deps, "ada_1")
    assert not agent_commands.stop(fleet.deps, "ada_1")
    agent_commands.delete(fleet.deps, "ada_1", by="bob")
    with pytest.raises(NotFound):
        lookup.agent(fleet.deps.db, "ada_1")
    told = [event.subject for event in activity_queries.latest(fleet.deps, name=str(agent))]
    assert told[::-1] == [f"agent.{w}" for w in ("created", "started", "paused", "resumed", "stopped", "deleted")]


def test_resume_all_leaves_running_agents_alone_and_counts(fleet: Fleet) -> None:
    names = [f"agent_x{n}" for n in range(3)]
    for name in names:
        agent_commands.create(fleet.deps, NewAgent(name, name, WEIGHTS, kind="gallery", persona_id="ai_artist"))
    agent_commands.create(fleet.deps, NewAgent("other", "other_1", WEIGHTS, kind="gallery", persona_id="data_viz"))
    assert bulk.act_on_all(fleet.deps, BulkAction.START, by="ada", persona_id="ai_artist") == 3
    assert bulk.act_on_all(fleet.deps, BulkAction.PAUSE, by="ada", persona_id="ai_artist") == 3
    agent_commands.resume(fleet.deps, names[0])
    before = lookup.agent(fleet.deps.db, names[0]).next_tick_at
    assert bulk.act_on_all(fleet.deps, BulkAction.RESUME, by="ada") == 2
    assert lookup.agent(fleet.deps.db, names[0]).next_tick_at == before
    assert bulk.act_on_all(fleet.deps, BulkAction.START, by="ada") == 1
    assert bulk.act_on_all(fleet.deps, BulkAction.STOP, by="ada") == 4
    with pytest.raises(NotFound):
        bulk.act_on_all(fleet.deps, BulkAction.PAUSE, by="ada", persona_id="nobody")


@pytest.mark.parametrize("many", [False, True])
def test_a_person_can_pause_an_agent_that_a_budget_has_paused(fleet: Fleet, many: bool) -> None:
    agent = fleet.agent()
    with fleet.deps.db.transaction() as tx:
        assert commands.pause(tx, agent, reason="budget: 429", until=tx.now() + timedelta(milliseconds=1))
    if many:
        assert bulk.count(fleet.deps, bulk.Selection(AgentFilter()), BulkAction.PAUSE) == (1, 1)
        assert bulk.act_on_all(fleet.deps, BulkAction.PAUSE, by="ada") == 1
        assert bulk.count(fleet.deps, bulk.Selection(AgentFilter()), BulkAction.PAUSE) == (1, 0)
    else:
        assert agent_commands.pause(fleet.deps, str(agent), by="ada")
        assert not agent_commands.pause(fleet.deps, str(agent), by="ada")
    assert dispatch(fleet.deps) == 0
    assert (fleet.row(agent).status, fleet.row(agent).pause_reason) == ("paused", "by ada")


@pytest.mark.parametrize("is_claimed", [False, True])
def test_waking_an_agent_that_is_being_stopped_does_not_deadlock(fleet: Fleet, is_claimed: bool) -> None:
    """Symptom: a trigger held the agent and wanted its tick, a stop the other way round; Postgres ended one of them."""
    agent = fleet.agent()
    name = fleet.row(agent).username
    dispatch(fleet.deps)
    if is_claimed:
        later = "clock_timestamp() + interval '1 min'"
        fleet.sql(f"UPDATE ticks SET state = 'deciding', lease_token = 1, lease_until = {later}")
    with ThreadPoolExecutor(1) as other:
        with fleet.deps.db.transaction() as tx:
            ticks.call_off(tx, [agent], why="the agent was stopped")
            woken = other.submit(agent_commands.trigger, fleet.deps, name, action=None, by="ada")
            until_done_or_behind_us(tx, woken)
            assert commands.stop(tx, agent)
        if is_claimed:
            assert isinstance(woken.exception(60), Conflict)
        else:
            assert woken.result(60).tick_no == 2
    assert fleet.row(agent).status == AgentStatus.IDLE


def until_done_or_behind_us(tx: Tx, task: Future[Any]) -> None:
    """Return when a task in another session has ended, or waits for what this transaction holds."""
    waits = "SELECT count(*) FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))"
    deadline = time.monotonic() + 60
    while not task.done() and not tx.scalar(sa.text(waits)):
        assert time.monotonic() < deadline, "it neither ends nor waits for us"
        time.sleep(0.01)


def test_deleting_an_agent_calls_off_its_jobs_and_removes_its_account(fleet: Fleet) -> None:
    agent = fleet.agent()
    waiting = add(fleet, agent, POST)
    agent_commands.delete(fleet.deps, str(agent), by="ada")
    assert fleet.job(waiting).state == "cancelled"
    (removal,) = fleet.jobs(kind="deprovision")
    perform(fleet.deps, removal.id)
    assert fleet.job(removal.id).state == "done"
    dispatch(fleet.deps)
    assert agent_commands.list_agents(fleet.deps, AgentFilter())[1] == 0
    assert agent_commands.list_agents(fleet.deps, AgentFilter(include_deleted=True))[1] == 1


def test_every_page_of_agents_says_how_many_match_in_all(fleet: Fleet) -> None:
    for n, persona in enumerate(["ai_artist"] * 3 + ["indie_game_dev"] * 2):
        fleet.agent(username=f"walker_{n}", persona_id=persona)
    agent_commands.delete(fleet.deps, "walker_0", by="ada")
    agent_commands.delete(fleet.deps, str(fleet.agent()), by="ada")

    def told(limit: int, offset: int, **which: Any) -> tuple[list[str], int]:
        rows, total = agent_commands.list_agents(fleet.deps, AgentFilter(**which), limit=limit, offset=offset)
        return [row.username[-1] for row in rows], total

    assert told(2, 0) == (["1", "2"], 4)
    assert told(2, 3) == (["4"], 4)
    assert told(2, 1, text="WALKER") == (["2", "3"], 4)
    assert told(2, 7, text="walker") == ([], 4)
    assert told(9, 1, persona_id="ai_artist") == (["2"], 2)
    assert told(9, 0, persona_id="ai_artist", only_deleted=True) == (["0"], 1)
    assert told(9, 0, text="nobody") == ([], 0)


def test_edits_are_recorded_with_old_and_new(fleet: Fleet) -> None:
    agent = fleet.agent()
    agent_commands.update(fleet.deps, str(agent), {"name": "New", "like_weight": 0.0})
    assert lookup.agent(fleet.deps.db, str(agent)).weights["like"] == 0.0
    (event, *_) = activity_queries.latest(fleet.deps, name=str(agent), subjects=["agent.updated"])
    assert event.payload["before"]["like_weight"] == 1.0
    for wrong in ({"id": 1}, {"post_weight": -1.0}, {"autonomy": "wild"}, {"persona_id": "nobody"}):
        with pytest.raises((InvalidInput, NotFound)):
            agent_commands.update(fleet.deps, str(agent), wrong)


def test_seeding_is_reproducible_and_a_second_run_adds(fleet: Fleet, fresh_database: str) -> None:
    first = agent_commands.seed(fleet.deps, count=12, by="ada")
    second = agent_commands.seed(fleet.deps, count=5, by="ada")
    assert len(set(first + second)) == 17
    from fleet.core import db
    from tests.factories import make_fleet

    db.migrate(fresh_database)
    other = make_fleet(fresh_database)
    assert agent_commands.seed(other.deps, count=17, by="bob") == first + second
    other.deps.close()
    with pytest.raises(NotFound):
        agent_commands.seed(fleet.deps, count=1, persona_id="nobody", by="ada")


def dead_letter(fleet: Fleet, error: Exception | None = None) -> uuid.UUID:
    job = add(fleet, fleet.agent(), LIKE, target="p1")
    fleet.surface.faults = [raises(error or base.Refused("422"))]
    perform(fleet.deps, job)
    assert fleet.job(job).state == "dead"
    return job


def test_replay_brings_a_dead_letter_back_with_its_id_and_new_attempts(fleet: Fleet) -> None:
    job = dead_letter(fleet)
    assert job_commands.replay_dead(fleet.deps, JobFilter(ids=(job,)), by="ada") == 1
    assert job_commands.replay_dead(fleet.deps, JobFilter(ids=(job,)), by="ada") == 0
    perform(fleet.deps, job)
    row = fleet.job(job)
    assert (row.state, row.dead_reason, row.attempts) == ("done", None, 0)


def test_replaying_an_unknown_outcome_looks_before_it_sends(fleet: Fleet) -> None:
    job = add(fleet, fleet.agent(), POST)

    def lost(_):  # type: ignore[no-untyped-def]
        def after() -> None:
            raise base.Uncertain("no answer")

        return after

    fleet.surface.faults = [lost]
    fleet.surface.probe_faults = [base.Unreachable("down") for _ in range(20)]
    assert settle(fleet, job) == "dead"
    fleet.surface.probe_faults = []
    job_commands.replay_dead(fleet.deps, JobFilter(reason=DeadReason.UNKNOWN_OUTCOME), by="ada")
    assert settle(fleet, job) == "done"
    assert len(fleet.surface.effects) == 1


def test_stale_dead_letters_come_back_only_if_allowed(fleet: Fleet) -> None:
    job = dead_letter(fleet)
    fleet.sql("UPDATE jobs SET expires_at = clock_timestamp() - interval '1 h'")
    assert job_commands.replay_dead(fleet.deps, JobFilter(), by="ada") == 0
    assert job_commands.replay_dead(fleet.deps, JobFilter(), by="ada", allow_stale=True) == 1
    perform(fleet.deps, job)
    assert fleet.job(job).state == "done"


def test_discard_keeps_the_row(fleet: Fleet) -> None:
    job = dead_letter(fleet)
    assert job_commands.discard_dead(fleet.deps, JobFilter(kinds=(POST,)), by="ada") == 0
    assert job_commands.discard_dead(fleet.deps, JobFilter(), by="ada") == 1
    assert fleet.job(job).state == "cancelled"
    assert job_commands.list_jobs(fleet.deps, JobFilter(states=(JobState.DEAD,)))[1] == 0


def test_jobs_are_retried_and_cancelled_only_while_they_wait(fleet: Fleet) -> None:
    job = add(fleet, fleet.agent(), LIKE, target="p1")
    fleet.sql("UPDATE jobs SET next_attempt_at = clock_timestamp() + interval '1 h'")
    fleet.bell.take()
    assert job_commands.retry_job(fleet.deps, str(job)[:8]) == job
    assert [m.args for m in fleet.bell.take()] == [(str(job),)]
    perform(fleet.deps, job)
    for call in (
        lambda: job_commands.retry_job(fleet.deps, str(job)),
        lambda: job_commands.cancel_job(fleet.deps, str(job), by="ada"),
    ):
        with pytest.raises(Conflict):
            call()
    other = add(fleet, fleet.agent(), LIKE, target="p1")
    job_commands.cancel_job(fleet.deps, str(other), by="ada")
    perform(fleet.deps, other)
    assert fleet.job(other).state == "cancelled"


@pytest.mark.parametrize(("prefix", "error"), [("zz", InvalidInput), ("ab", InvalidInput), ("abcd1234", NotFound)])
def test_an_unknown_job_is_said_to_be_unknown(fleet: Fleet, prefix: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        job_commands.show_job(fleet.deps, prefix)


@pytest.mark.parametrize(("scope", "key"), [("galaxy", "x"), ("agent", "nobody"), ("persona", "nobody"),
                                            ("surface", "nowhere"), ("kind", "dance"), ("fleet", "x")])  # fmt: skip
def test_a_pause_of_something_unknown_is_refused(fleet: Fleet, scope: str, key: str) -> None:
    with pytest.raises((InvalidInput, NotFound)):
        fleetwide.pause(fleet.deps, scope, key, by="ada")


@pytest.mark.parametrize("kind", ["react", "connect", "scan_feed", "provision"])
def test_every_kind_of_work_can_be_paused(fleet: Fleet, kind: str) -> None:
    """Symptom: docs/drafts.md has `fleet pause kind scan_feed`, and there was no such kind."""
    assert fleetwide.pause(fleet.deps, "kind", kind, by="ada")
    job = add(fleet, fleet.agent(), kind, target="p1")
    perform(fleet.deps, job)
    assert (fleet.job(job).state, fleet.job(job).held) == ("ready", f"kind {kind} is paused: by ada")


def test_the_removal_of_an_account_is_never_paused(fleet: Fleet) -> None:
    with pytest.raises(InvalidInput, match="no kind"):
        fleetwide.pause(fleet.deps, "kind", "deprovision", by="ada")


def test_a_shorter_pause_does_not_replace_a_longer_one(fleet: Fleet) -> None:
    from datetime import timedelta

    assert fleetwide.pause(fleet.deps, "fleet", by="ada", for_=timedelta(hours=2))
    assert not fleetwide.pause(fleet.deps, "fleet", by="bob", for_=timedelta(hours=1))
    assert fleetwide.pause(fleet.deps, "fleet", by="bob")
    assert not fleetwide.pause(fleet.deps, "fleet", by="ada", for_=timedelta(hours=9))
    (hold,) = fleetwide.holds(fleet.deps)
    assert (hold.set_by, hold.until) == ("bob", None)


def test_status_counts(fleet: Fleet) -> None:
    fleet.agent(persona_id="ai_artist")
    fleet.agent(running=False)
    dead_letter(fleet)
    status = fleet_status.read(fleet.deps)
    assert status.agents[("ai_artist", AgentStatus.RUNNING)] == 1
    assert status.agents[("-", AgentStatus.IDLE)] == 1
    assert status.dead == {"permanent": 1}
    assert status.most_overdue_agent_s is not None and status.most_overdue_agent_s >= 0


def test_readers_of_events_miss_nothing_that_slow_transactions_write(fleet: Fleet) -> None:
    start = activity_queries.tail(fleet.deps)
    with fleet.deps.db.transaction() as slow:
        events.emit(slow, "test.slow")
        with fleet.deps.db.transaction() as fast:
            events.emit(fast, "test.fast")
        assert activity_queries.read_after(fleet.deps, start) == [], "the fast one waits for the slow one"
    seen = activity_queries.read_after(fleet.deps, start)
    assert [event.subject for event in seen] == ["test.slow", "test.fast"]
    assert activity_queries.read_after(fleet.deps, seen[-1].position) == []
    assert [e.subject for e in activity_queries.read_after(fleet.deps, seen[0].position)] == ["test.fast"]
