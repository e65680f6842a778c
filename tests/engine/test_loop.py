"""Dispatch, tick and sweep on a real database: who wakes, what is decided, what is picked up again."""

from __future__ import annotations

import dataclasses
import itertools
import threading
import uuid
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from fleet.adapters import base
from fleet.adapters.social import FeedItem
from fleet.core import failpoints
from fleet.core.clock import Clock
from fleet.core.errors import Conflict, NotFound, Unavailable
from fleet.core.failpoints import Point
from fleet.engine.agents import loop
from fleet.engine.agents.loop import Due
from fleet.engine.agents.status import AgentStatus
from fleet.engine.attempts.perform import perform
from fleet.engine.deps import Deps
from fleet.engine.dispatch import dispatch, drawn
from fleet.engine.jobs.models import TickRow
from fleet.engine.jobs.ticks import TickKey
from fleet.engine.sweep import prune, sweep
from fleet.engine.tick import tick
from fleet.features.agents import commands as agent_commands
from fleet.features.agents import decisions
from fleet.features.controls import commands as fleetwide
from fleet.features.publishing import agent as gallery
from fleet.features.publishing.handlers import social
from fleet.features.publishing.kinds import BROWSE
from tests.engine.test_perform import add
from tests.factories import Fleet, make_fleet


def tick_row(fleet: Fleet, key: TickKey) -> TickRow:
    with fleet.deps.db.transaction() as tx:
        row = tx.session.get(TickRow, (key.agent_id, key.tick_no))
        assert row is not None
        return row


def item(name: str, author: str = "zoe") -> FeedItem:
    return FeedItem(name, author, author.title(), f"Picture {name}", datetime.now(UTC))


def due_again(fleet: Fleet) -> None:
    fleet.sql("UPDATE agents SET next_tick_at = clock_timestamp() WHERE next_tick_at IS NOT NULL")


def test_gaps_cover_the_interval_and_are_the_same_for_every_caller(fleet: Fleet) -> None:
    now = datetime(2026, 7, 1, tzinfo=UTC)
    who = Due(uuid.UUID(int=1), "gallery", None, 1, now, 60, 300, "autonomous", "{}", None, claimed_at=now)
    gaps_s = [(drawn(fleet.deps, who, tick_no) - now).total_seconds() for tick_no in range(500)]
    assert 60 <= min(gaps_s) < 70
    assert 290 < max(gaps_s) <= 300
    assert drawn(fleet.deps, who, 7) == now + timedelta(seconds=gaps_s[7])
    assert drawn(fleet.deps, who._replace(agent_id=uuid.UUID(int=2)), 7) != drawn(fleet.deps, who, 7)


@pytest.mark.parametrize(
    ("tempo", "every_s", "expected_s"), [(1, 5, 5), (20, 5, 5), (1, 60, 60), (2, 60, 30), (20, 60, 15), (200, 60, 15)]
)
def test_tempo_wakes_a_system_agent_every_15_seconds_at_most(
    database_url: str, tempo: float, every_s: int, expected_s: float
) -> None:
    fleet, now = make_fleet(database_url, tempo=tempo), datetime(2026, 3, 2, tzinfo=UTC)
    who = Due(uuid.UUID(int=1), "hooks", None, 1, now, every_s, every_s, "autonomous", "{}", None, claimed_at=now)
    assert (drawn(fleet.deps, who, 2) - now).total_seconds() == expected_s
    fleet.deps.close()


def test_dispatch_wakes_who_is_due_and_says_when_they_wake_next(fleet: Fleet) -> None:
    due, later, idle = fleet.agent(), fleet.agent(), fleet.agent(running=False)
    fleet.sql("UPDATE agents SET next_tick_at = clock_timestamp() + interval '1 h' WHERE id = :id", id=later)
    assert dispatch(fleet.deps) == 1
    assert [message.args for message in fleet.bell.take()] == [(str(due), 1)]
    row = fleet.row(due)
    assert row.tick_no == 1
    assert row.next_tick_at is not None
    assert timedelta(seconds=55) < row.next_tick_at - datetime.now(UTC) < timedelta(seconds=301)
    assert fleet.row(idle).tick_no == fleet.row(later).tick_no == 0


def test_many_dispatchers_at_once_open_each_tick_once(fleet: Fleet) -> None:
    agents = [fleet.agent() for _ in range(20)]
    threads = [threading.Thread(target=dispatch, args=(fleet.deps,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rung = [message.args for message in fleet.bell.take()]
    assert sorted(rung) == sorted((str(agent), 1) for agent in agents)


def test_dispatch_continues_until_no_agent_is_due(fleet: Fleet) -> None:
    agents = [fleet.agent() for _ in range(7)]
    assert dispatch(in_batches_of(2, fleet)) == len(agents)
    assert len(fleet.bell.take()) == len(agents)


def test_dispatch_returns_after_its_turn_however_many_are_due(fleet: Fleet) -> None:
    seconds = itertools.count(step=0.6)

    class Hurried(Clock):
        def monotonic_s(self) -> float:
            return next(seconds)

    fleet.deps.db.clock = Hurried()
    for _ in range(7):
        fleet.agent()
    assert [dispatch(in_batches_of(2, fleet)) for _ in range(2)] == [4, 3]


def in_batches_of(agents: int, fleet: Fleet) -> Deps:
    settings = fleet.deps.settings.model_copy(update={"dispatch_batch": agents})
    return dataclasses.replace(fleet.deps, given=settings)


def test_a_minute_without_dispatch_makes_every_agent_late_once(fleet: Fleet) -> None:
    agent = fleet.agent()
    fleet.sql("UPDATE agents SET next_tick_at = clock_timestamp() - interval '10 min'")
    assert dispatch(fleet.deps) == 1
    assert dispatch(fleet.deps) == 0
    assert fleet.row(agent).tick_no == 1


def test_an_agent_with_an_undecided_tick_gets_no_second_one(fleet: Fleet) -> None:
    agent = fleet.agent()
    dispatch(fleet.deps)
    for _ in range(3):
        due_again(fleet)
        dispatch(fleet.deps)
    assert fleet.row(agent).tick_no == 1
    assert len(fleet.bell.take()) == 1
    tick(fleet.deps, TickKey(agent, 1))
    due_again(fleet)
    dispatch(fleet.deps)
    assert fleet.row(agent).tick_no == 2


def test_a_tick_that_was_opened_before_is_not_rung_for_again(fleet: Fleet) -> None:
    again, new = fleet.agent(), fleet.agent()
    fleet.sql(
        "INSERT INTO ticks (agent_id, tick_no, state, due_at, decided_at) VALUES (:id, 1, 'decided', now(), now())",
        id=again,
    )
    assert dispatch(fleet.deps) == 1
    assert [message.args for message in fleet.bell.take()] == [(str(new), 1)]


def test_dispatch_does_not_wait_for_a_decision_that_is_being_recorded(fleet: Fleet) -> None:
    """Who records has the tick and wants the agent; dispatch has the agent, and must not want the tick."""
    fleet.agent()
    assert dispatch(fleet.deps) == 1
    due_again(fleet)
    with fleet.deps.db.transaction() as tx:
        tx.execute(sa.text("UPDATE ticks SET state = 'decided', decided_at = now()"))
        assert dispatch(fleet.deps) == 0
        tx.execute(sa.text("UPDATE agents SET last_thought = 'recorded'"))


def test_dispatch_survives_a_broker_that_is_away(fleet: Fleet) -> None:
    agent = fleet.agent()
    fleet.bell.broken = Unavailable("away")
    assert dispatch(fleet.deps) == 1
    fleet.bell.broken = None
    fleet.sql("UPDATE ticks SET published_at = clock_timestamp() - interval '1 h'")
    sweep(fleet.deps)
    assert [message.args for message in fleet.bell.take()] == [(str(agent), 1)]


def test_an_agent_whose_persona_is_gone_fails_loudly_and_others_go_on(fleet: Fleet) -> None:
    lost, fine = fleet.agent(persona_id="nobody"), fleet.agent(persona_id="ai_artist")
    assert dispatch(fleet.deps) == 1
    assert fleet.row(lost).status == AgentStatus.ERROR
    assert "nobody" in (fleet.row(lost).pause_reason or "")
    assert fleet.row(fine).tick_no == 1


def test_an_agent_wakes_by_itself_when_its_budget_sleep_is_over(fleet: Fleet) -> None:
    agent = fleet.agent()
    fleet.sql("UPDATE agents SET status = 'paused', paused_until = clock_timestamp() + interval '1 h',"
              " next_tick_at = clock_timestamp() + interval '1 h'")  # fmt: skip
    assert dispatch(fleet.deps) == 0
    fleet.sql("UPDATE agents SET paused_until = clock_timestamp(), next_tick_at = clock_timestamp()")
    assert dispatch(fleet.deps) == 1
    assert (fleet.row(agent).status, fleet.row(agent).paused_until) == (AgentStatus.RUNNING, None)


def test_an_agent_that_a_person_paused_does_not_wake_by_itself(fleet: Fleet) -> None:
    agent = fleet.agent()
    agent_commands.pause(fleet.deps, fleet.row(agent).username, by="ada")
    fleet.sql("UPDATE agents SET next_tick_at = clock_timestamp() - interval '1 h'")
    assert dispatch(fleet.deps) == 0


def test_no_agent_wakes_while_the_kill_switch_is_on(fleet: Fleet) -> None:
    agent = fleet.agent()
    fleetwide.throw_kill_switch(fleet.deps, by="ada", reason="drill")
    assert not loop.anybody_due(fleet.deps.db, {"hooks"})  # one statement a second, not a transaction of five
    assert loop.anybody_due(fleet.deps.db, {fleet.row(agent).kind})
    assert dispatch(fleet.deps) == 0
    fleetwide.lift_kill_switch(fleet.deps, by="ada")
    assert dispatch(fleet.deps) == 1


def test_a_tick_is_decided_once_and_written_down_with_what_was_seen(fleet: Fleet) -> None:
    agent = fleet.agent(weights={"post": 0, "comment": 0, "like": 1, "browse": 0})
    fleet.surface.posts = [item("p1"), item("p2")]
    dispatch(fleet.deps)
    fleet.bell.take()
    for _ in range(3):
        tick(fleet.deps, TickKey(agent, 1))
    row = tick_row(fleet, TickKey(agent, 1))
    assert row.state == "decided"
    assert row.inputs is not None and row.outcome is not None and row.duration_ms is not None
    assert [post["id"] for post in row.inputs["feed"]] == ["p1", "p2"]
    assert row.outcome["action"] == "like"
    (job,) = fleet.jobs()
    assert (job.kind, job.target in ("p1", "p2"), job.priority) == ("like", True, "low")
    assert [(m.task, m.args, m.queue) for m in fleet.bell.take()] == [("fleet.like", (str(job.id),), "low")]
    assert fleet.row(agent).last_thought == "I like what Zoe made."


def test_two_workers_with_one_tick_decide_once(fleet: Fleet) -> None:
    agent = fleet.agent(weights={"post": 1, "comment": 0, "like": 0, "browse": 0})
    dispatch(fleet.deps)
    threads = [threading.Thread(target=tick, args=(fleet.deps, TickKey(agent, 1))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(fleet.jobs()) == 1


def test_no_second_post_is_planned_while_one_waits(fleet: Fleet) -> None:
    agent = fleet.agent(weights={"post": 1, "comment": 0, "like": 0, "browse": 0})
    for tick_no in (1, 2):
        due_again(fleet)
        dispatch(fleet.deps)
        tick(fleet.deps, TickKey(agent, tick_no))
    (job,) = fleet.jobs()
    assert (
        fleet.row(agent).last_thought
        == "Nothing to do: a post of mine is on its way; I never comment; I never like; I never browse."
    )
    perform(fleet.deps, job.id)
    due_again(fleet)
    dispatch(fleet.deps)
    tick(fleet.deps, TickKey(agent, 3))
    assert len(fleet.jobs()) == 2


def test_deciding_again_gives_the_same(fleet: Fleet) -> None:
    agent = fleet.agent()
    fleet.surface.posts = [item(f"p{n}") for n in range(10)]
    dispatch(fleet.deps)
    tick(fleet.deps, TickKey(agent, 1))
    fleet.surface.posts = []
    then, now = decisions.replay_decision(fleet.deps, str(agent), 1)
    assert then == now
    with pytest.raises(NotFound):
        decisions.replay_decision(fleet.deps, str(agent), 2)


def test_the_whole_loop_runs_from_account_to_reactions(fleet: Fleet) -> None:
    agents = [fleet.agent(account=False) for _ in range(3)]
    fleet.surface.posts = [item("p1"), item("p2")]
    every_kind = {"provision", "post", "comment", "like", "browse"}
    done: set[tuple[str, uuid.UUID | None]] = set()
    for tick_no in range(1, 100):  # every agent throws dice of its own: of some, twelve ticks hold no like
        due_again(fleet)
        dispatch(fleet.deps)
        _run_all(fleet)
        done = {(job.kind, job.agent_id) for job in fleet.jobs(state="done")}
        if tick_no >= 12 and {kind for kind, _ in done} == every_kind:
            break
    assert len(fleet.surface.accounts) == 3
    assert {job.state for job in fleet.jobs()} <= {"done", "skipped"}
    assert {("provision", agent) for agent in agents} <= done
    assert {kind for kind, _ in done} == every_kind
    shown = [e for e in fleet.surface.effects if e.action == "comment"]
    assert len({(e.username, e.target) for e in shown}) == len(shown)


def _run_all(fleet: Fleet) -> None:
    while messages := fleet.bell.take():
        for message in messages:
            if message.task == "fleet.tick":
                tick(fleet.deps, TickKey(uuid.UUID(str(message.args[0])), int(message.args[1])))
            else:
                perform(fleet.deps, uuid.UUID(str(message.args[0])))


def test_a_worker_that_dies_while_deciding_is_replaced(fleet: Fleet) -> None:
    agent = fleet.agent()
    key = TickKey(agent, 1)
    dispatch(fleet.deps)
    fleet.surface.feed_faults = [_Killed()]  # type: ignore[list-item]
    with pytest.raises(_Killed):
        tick(fleet.deps, key)
    assert tick_row(fleet, key).state == "deciding"
    tick(fleet.deps, key)
    assert tick_row(fleet, key).state == "deciding", "the lease still stands"
    fleet.lease_runs_out()
    fleet.bell.take()
    swept = sweep(fleet.deps)
    assert (swept.ticks_released, swept.ticks_rung) == (1, 1)
    tick(fleet.deps, key)
    assert tick_row(fleet, key).state == "decided"


class _Killed(BaseException):
    """Stands for SIGKILL."""


def test_a_decision_that_comes_after_the_lease_is_not_written(fleet: Fleet) -> None:
    agent = fleet.agent()
    dispatch(fleet.deps)
    feed = fleet.surface.feed

    def slow_feed(*args, **kwargs):  # type: ignore[no-untyped-def]
        fleet.lease_runs_out()
        sweep(fleet.deps)
        return feed(*args, **kwargs)

    fleet.surface.feed = slow_feed  # type: ignore[method-assign]
    tick(fleet.deps, TickKey(agent, 1))
    assert tick_row(fleet, TickKey(agent, 1)).state == "due"
    assert fleet.jobs() == []


def test_a_gallery_that_is_down_skips_the_tick_and_says_why(fleet: Fleet) -> None:
    agent = fleet.agent()
    dispatch(fleet.deps)
    fleet.surface.feed_faults = [base.Unreachable("127.0.0.1 cannot be reached")]
    tick(fleet.deps, TickKey(agent, 1))
    row = tick_row(fleet, TickKey(agent, 1))
    assert (row.state, row.error) == ("skipped", "127.0.0.1 cannot be reached")
    assert fleet.row(agent).status == AgentStatus.RUNNING


def test_an_error_of_the_database_does_not_tell_the_rows_that_it_is_about(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Symptom: everybody who sees agents was told the whole error, and a database puts rows into its details."""
    agent = fleet.agent()
    dispatch(fleet.deps)
    job = add(fleet, agent, BROWSE)

    def gather(*_: object) -> None:
        fleet.sql("INSERT INTO agents (id, name, username, vibe) VALUES (gen_random_uuid(), 'whispered', 'a', 'b')")

    monkeypatch.setattr(gallery, "gather", gather)
    monkeypatch.setattr(social, "browse", gather)
    tick(fleet.deps, TickKey(agent, 1))
    perform(fleet.deps, job)
    row = tick_row(fleet, TickKey(agent, 1))
    told = [row.error, fleet.job(job).error, str(row.outcome)]
    told += [str(payload) for payload in fleet.sql("SELECT payload FROM events").scalars()]
    assert row.error and "IntegrityError" in row.error and "unexpected" in str(fleet.job(job).error)
    assert not any("whispered" in str(one) for one in told), told


def test_a_budget_that_is_spent_while_reading_puts_the_agent_to_sleep(fleet: Fleet) -> None:
    agent = fleet.agent()
    dispatch(fleet.deps)
    fleet.surface.feed_faults = [base.SurfaceBudgetSpent("429", whole_fleet=False, reset_at=None)]
    tick(fleet.deps, TickKey(agent, 1))
    row = fleet.row(agent)
    assert row.status == AgentStatus.PAUSED
    assert row.paused_until is not None
    assert timedelta(minutes=59) < row.paused_until - datetime.now(UTC) < timedelta(minutes=61)


def test_a_tick_of_a_paused_agent_is_skipped(fleet: Fleet) -> None:
    agent = fleet.agent()
    dispatch(fleet.deps)
    agent_commands.pause(fleet.deps, str(agent), by="ada")
    tick(fleet.deps, TickKey(agent, 1))
    assert (tick_row(fleet, TickKey(agent, 1)).outcome or {})["skipped"] == "the agent is paused"
    assert fleet.jobs() == []


def test_ticks_that_are_hours_late_or_kill_every_worker_are_skipped(fleet: Fleet) -> None:
    late, poison = fleet.agent(), fleet.agent()
    dispatch(fleet.deps)
    fleet.sql("UPDATE ticks SET due_at = due_at - interval '2 h' WHERE agent_id = :id", id=late)
    fleet.sql("UPDATE ticks SET lease_token = 99 WHERE agent_id = :id", id=poison)
    assert sweep(fleet.deps).ticks_skipped == 2
    assert tick_row(fleet, TickKey(late, 1)).error == "too late"
    assert "given up" in (tick_row(fleet, TickKey(poison, 1)).error or "")


def test_agents_that_were_held_for_hours_wake_when_they_are_let_go(fleet: Fleet) -> None:
    agent = fleet.agent()
    fleet.sql("UPDATE agents SET next_tick_at = clock_timestamp() - interval '2 h'")
    assert dispatch(fleet.deps) == 1
    assert sweep(fleet.deps).ticks_skipped == 0
    tick(fleet.deps, TickKey(agent, 1))
    assert tick_row(fleet, TickKey(agent, 1)).state == "decided"


def test_a_long_queue_is_not_made_longer_by_its_own_echoes(fleet: Fleet) -> None:
    fleet.agent()
    dispatch(fleet.deps)
    rung = []
    for seconds in (31, 31, 31, 61, 121):
        fleet.sql(f"UPDATE ticks SET published_at = published_at - interval '{seconds} s'")
        rung.append(sweep(fleet.deps).ticks_rung)
    assert rung == [1, 0, 1, 0, 1]


def test_a_trigger_goes_through_the_ledger_at_once(fleet: Fleet) -> None:
    agent = fleet.agent()
    fleet.sql("UPDATE agents SET next_tick_at = clock_timestamp() + interval '1 h'")
    key = agent_commands.trigger(fleet.deps, str(agent), action="post", by="ada")
    assert [(m.task, m.queue) for m in fleet.bell.take()] == [("fleet.tick", "high")]
    tick(fleet.deps, key)
    (job,) = fleet.jobs()
    assert (job.kind, job.priority, job.requested_by) == ("post", "high", "ada")
    row = tick_row(fleet, key)
    assert (row.asked_for, row.requested_by) == ("post", "ada")


def test_a_trigger_takes_over_a_tick_that_is_due_already(fleet: Fleet) -> None:
    agent = fleet.agent()
    dispatch(fleet.deps)
    assert agent_commands.trigger(fleet.deps, str(agent), action="browse", by="ada") == TickKey(agent, 1)
    tick(fleet.deps, TickKey(agent, 1))
    assert [job.kind for job in fleet.jobs()] == ["browse"]


def test_a_trigger_that_caps_forbid_says_so(database_url: str) -> None:
    fleet = make_fleet(database_url, caps={"post": {"gap_s": 1800}})
    agent = fleet.agent()
    for number in (1, 2):
        key = agent_commands.trigger(fleet.deps, str(agent), action="post", by="ada")
        assert key.tick_no == number
        tick(fleet.deps, key)
        _run_all(fleet)
    assert len(fleet.jobs(kind="post")) == 1
    assert "cap: one post in 30 min" in (tick_row(fleet, TickKey(agent, 2)).outcome or {})["thought"]
    fleet.deps.close()


@pytest.mark.parametrize("state", ["paused", "deciding", "killed"])
def test_a_trigger_is_refused_with_the_reason(fleet: Fleet, state: str) -> None:
    agent = fleet.agent()
    if state == "paused":
        agent_commands.pause(fleet.deps, str(agent), by="ada")
    elif state == "killed":
        fleetwide.throw_kill_switch(fleet.deps, by="ada", reason="drill")
    else:
        dispatch(fleet.deps)
        fleet.sql("UPDATE ticks SET state = 'deciding', lease_until = clock_timestamp() + interval '1 h'")
    with pytest.raises(Conflict):
        agent_commands.trigger(fleet.deps, str(agent), action="post", by="ada")


def test_prune_deletes_what_is_old_but_never_dead_letters_or_reactions(fleet: Fleet) -> None:
    agent = fleet.agent()
    fleet.surface.posts = [item("p1")]
    for action in ("browse", "like"):
        key = agent_commands.trigger(fleet.deps, str(agent), action=action, by="ada")
        tick(fleet.deps, key)
        _run_all(fleet)
    dead = agent_commands.trigger(fleet.deps, str(agent), action="post", by="ada")
    fleet.surface.faults = [lambda _: (_ for _ in ()).throw(base.Refused("422"))]  # type: ignore[list-item]
    tick(fleet.deps, dead)
    _run_all(fleet)
    assert {job.kind: job.state for job in fleet.jobs()} == {"browse": "done", "like": "done", "post": "dead"}
    old = "clock_timestamp() - interval '90 days'"
    fleet.sql(f"UPDATE jobs SET finished_at = {old}")
    fleet.sql(f"UPDATE ticks SET decided_at = {old}")
    fleet.sql(f"UPDATE events SET occurred_at = {old}")
    assert prune(fleet.deps) > 0
    assert {job.kind: job.state for job in fleet.jobs()} == {"like": "done", "post": "dead"}
    assert fleet.sql("SELECT count(*) FROM ticks").scalar() == 0
    assert fleet.sql("SELECT count(*) FROM events").scalar() == 0


def test_one_life_passes_every_failpoint_in_the_order_of_the_protocol(fleet: Fleet) -> None:
    passed: list[Point] = []
    fleet.agent(weights={"post": 1.0, "comment": 0.0, "like": 0.0, "browse": 0.0})
    fleet.sql("INSERT INTO discarded_pictures (object_key) VALUES (:key)", key=f"aa/aa{'0' * 62}.png")
    failpoints.arm(passed.append)
    try:
        dispatch(fleet.deps)
        agent_id, tick_no = fleet.bell.take()[0].args
        tick(fleet.deps, TickKey(uuid.UUID(str(agent_id)), int(tick_no)))
        for job in fleet.jobs():
            perform(fleet.deps, job.id)
        sweep(fleet.deps)
    finally:
        failpoints.arm(None)
    first_time = list(dict.fromkeys(passed))
    # A paid picture is cleared too, before the job is prepared.
    first_time.remove(Point.JOB_CLEARED)
    assert [*first_time[: first_time.index(Point.JOB_SENT)], Point.JOB_CLEARED,
            *first_time[first_time.index(Point.JOB_SENT) :]] == list(Point)  # fmt: skip
    assert passed[passed.index(Point.JOB_SENT) - 1] is Point.JOB_CLEARED
