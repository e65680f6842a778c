"""Calls of several threads in one transaction: on a real database, with everything that could keep them apart."""

from __future__ import annotations

import functools
import queue
import threading
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from fleet.adapters import social
from fleet.core import ids
from fleet.core.db.sql import GroupStatement, given
from fleet.core.errors import Unavailable
from fleet.engine import tick as tick_module
from fleet.engine.agent_type import ClaimedAgent, behaviour_of
from fleet.engine.attempts import perform as perform_module
from fleet.engine.attempts import reserve
from fleet.engine.attempts.error_policy import AttemptResult
from fleet.engine.attempts.perform import perform
from fleet.engine.dispatch import dispatch
from fleet.engine.jobs import ledger
from fleet.engine.jobs.ledger import NewJob
from fleet.engine.jobs.outcomes import Done
from fleet.engine.jobs.ticks import TickKey
from fleet.features.publishing.kinds import COMMENT, LIKE, POST
from tests.factories import Fleet, act, at_once, make_fleet, until_somebody_waits


def _dividing() -> GroupStatement:
    calls = given(value=sa.Integer())
    xid = sa.func.pg_current_xact_id().cast(sa.String).label("xid")
    return GroupStatement(sa.select(calls.c.n, (100 / calls.c.value).label("share"), xid), order="value")


def _locking() -> GroupStatement:
    calls = given(key=sa.BigInteger())
    lock = sa.func.pg_advisory_xact_lock(calls.c.key)
    return GroupStatement(sa.select(calls.c.n, calls.c.key, lock), order="key")


def _leaving() -> GroupStatement:
    calls = given(value=sa.Integer())
    end = sa.func.pg_terminate_backend(sa.func.pg_backend_pid())
    return GroupStatement(sa.select(calls.c.n, end), order="value")


DIVIDE, LOCK, LEAVE = _dividing(), _locking(), _leaving()


def together(fleet: Fleet, *calls: Callable[[], Any]) -> list[Any]:
    """Make calls that all wait for the database's turn before any of them goes."""
    return at_once(fleet.deps.db._group, *calls)


def likes(fleet: Fleet, *jobs: tuple[uuid.UUID, str]) -> list[uuid.UUID]:
    """Add likes by agents of posts."""
    new = [NewJob(ids.new(), agent, LIKE, "floimg", 1, target) for agent, target in jobs]
    with fleet.deps.db.transaction() as tx:
        ledger.add(tx, new)
    return [job.id for job in new]


def test_calls_at_once_are_one_transaction_and_each_has_its_own_rows(fleet: Fleet) -> None:
    db = fleet.deps.db
    found = together(fleet, *(functools.partial(db.run, DIVIDE, value=value) for value in (50, 4, 10)))
    assert [[row.share for row in rows] for rows in found] == [[2], [25], [10]]
    assert len({row.xid for rows in found for row in rows}) == 1


def test_a_failing_call_of_a_group_fails_alone(fleet: Fleet) -> None:
    db = fleet.deps.db
    first, none, last = together(fleet, *(functools.partial(db.run, DIVIDE, value=value) for value in (50, 0, 10)))
    assert ([row.share for row in first], [row.share for row in last]) == ([2], [10])
    assert isinstance(none, sa.exc.DataError)


def test_who_waits_for_a_lock_leaves_the_turn_to_others(fleet: Fleet) -> None:
    db = fleet.deps.db
    done: list[Any] = []
    with db.transaction() as tx:
        tx.execute(sa.text("SELECT pg_advisory_xact_lock(77)"))
        waiting = threading.Thread(target=lambda: done.append(db.run(LOCK, key=77)))
        waiting.start()
        until_somebody_waits(tx)
        assert [row.key for row in db.run(LOCK, key=78)] == [78]
        until_somebody_waits(tx)  # alone now, and without an end
        assert not done
    waiting.join(60)
    assert [row.key for row in done[0]] == [77]


def test_a_call_that_needs_a_held_lock_does_not_delay_its_group(fleet: Fleet) -> None:
    db, ended = fleet.deps.db, queue.SimpleQueue[int]()

    def lock(key: int) -> None:
        (row,) = db.run(LOCK, key=key)
        ended.put(row.key)

    with db.transaction() as tx:
        tx.execute(sa.text("SELECT pg_advisory_xact_lock(5)"))
        calls = [functools.partial(lock, key) for key in (4, 5, 6)]
        group = threading.Thread(target=together, args=(fleet, *calls))
        group.start()
        assert {ended.get(timeout=60), ended.get(timeout=60)} == {4, 6}
        until_somebody_waits(tx)
    group.join(60)
    assert ended.get(timeout=60) == 5


def test_those_who_wait_for_a_lock_leave_a_connection_to_the_turns(fleet: Fleet) -> None:
    """Symptom: as many as there are connections waited for one lock, and all others of the process with them."""
    db, size = fleet.deps.db, 5
    waiting = [threading.Thread(target=db.run, args=(LOCK,), kwargs={"key": 77}) for _ in range(size)]
    with db.transaction() as tx:
        tx.execute(sa.text("SELECT pg_advisory_xact_lock(77)"))
        for thread in waiting:
            thread.start()
        until_somebody_waits(tx, size - 2)
        assert [row.key for row in db.run(LOCK, key=78)] == [78]
    for thread in waiting:
        thread.join(60)
        assert not thread.is_alive()


def test_a_lost_connection_fails_all_calls_of_its_group_and_none_is_repeated(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    db, runs, run_all = fleet.deps.db, [], GroupStatement.run_all

    def counted(statement: GroupStatement, *args: Any, **how: Any) -> list[list[Any]]:
        runs.append(statement)
        return run_all(statement, *args, **how)

    monkeypatch.setattr(GroupStatement, "run_all", counted)
    found = together(fleet, *(functools.partial(db.run, LEAVE, value=value) for value in (1, 2)))
    assert [type(one) for one in found] == [Unavailable, Unavailable]
    assert runs == [LEAVE]
    assert [row.share for row in db.run(DIVIDE, value=50)] == [2]


def _thought(fleet: Fleet, awake: ClaimedAgent) -> tick_module._Thought:
    mind = behaviour_of(awake.agent.kind)
    moment = mind.gather(fleet.deps, awake)
    return tick_module._Thought(mind, moment, mind.decide(moment, tick_module.dice_of(awake.tick.key)), 1)


def test_ticks_at_once_are_decided_each_with_its_own_jobs(fleet: Fleet) -> None:
    agents = [fleet.agent() for _ in range(3)]
    dispatch(fleet.deps)
    fleet.bell.take()
    keys = [TickKey(agent, 1) for agent in agents]
    awake = together(fleet, *(functools.partial(tick_module._claim, fleet.deps, key) for key in keys))
    thoughts = [_thought(fleet, one) for one in awake]
    # One means to like something, and finds nothing.
    thoughts[1] = replace(thoughts[1], decision=replace(thoughts[1].decision, action="like", plans=()))
    together(
        fleet,
        *(functools.partial(tick_module._record, fleet.deps, *pair) for pair in zip(awake, thoughts, strict=True)),
    )
    rows = fleet.sql("SELECT agent_id, state, lease_token, outcome ->> 'action' FROM ticks")
    ticks = {agent: (state, token, action) for agent, state, token, action in rows.all()}
    jobs = dict(fleet.sql("SELECT agent_id, kind FROM jobs").all())
    shown = dict(fleet.sql("SELECT id, current_action FROM agents").all())
    told = fleet.sql("SELECT agent_id, payload ->> 'action' FROM events WHERE subject = 'agent.thought'").all()
    assert (set(ticks), set(jobs)) == (set(agents), {agents[0], agents[2]})
    for agent in agents:
        state, token, action = ticks[agent]
        assert (state, token) == ("decided", 1)
        assert jobs.get(agent) == shown[agent] == (action if agent in jobs else None)
    assert sorted(told) == sorted((agent, ticks[agent][2]) for agent in agents)


def test_claims_at_once_are_each_ones_own(fleet: Fleet) -> None:
    jobs = likes(fleet, *((fleet.agent(), f"p{number}") for number in range(4)))
    twice = [*jobs, jobs[0]]
    works = together(fleet, *(functools.partial(perform_module._claim, fleet.deps, job) for job in twice))
    claimed = [work.claim.job_id for work in works if work is not None]
    assert sorted(claimed) == sorted(jobs)
    assert fleet.sql("SELECT count(*), min(claims), max(claims) FROM jobs").one() == (4, 1, 1)
    assert fleet.sql("SELECT count(*) FROM job_attempts").scalar() == 4
    assert fleet.sql("SELECT count(*) FROM events WHERE subject = 'job.duplicate'").scalar() == 1


def test_two_likes_of_one_agent_that_end_at_once_count_twice(fleet: Fleet) -> None:
    agent, other = fleet.agent(), fleet.agent()
    jobs = likes(fleet, (agent, "p1"), (agent, "p2"), (other, "p1"))
    works = [perform_module._claim(fleet.deps, job) for job in jobs]
    done = [AttemptResult(Done(remote_id=f"r{place}"), None) for place in range(3)]
    together(fleet, *(functools.partial(perform_module._record, *pair) for pair in zip(works, done, strict=True)))
    assert (fleet.row(agent).totals, fleet.row(other).totals) == ({"like": 2}, {"like": 1})
    assert [(fleet.job(job).state, fleet.job(job).remote_id) for job in jobs] == [
        ("done", "r0"), ("done", "r1"), ("done", "r2"),
    ]  # fmt: skip
    told = fleet.sql("SELECT job_id FROM events WHERE subject = 'job.done'").scalars().all()
    assert sorted(told) == sorted(jobs)


def test_of_two_that_end_at_once_only_who_lost_the_lease_is_fenced(fleet: Fleet) -> None:
    mine, lost = likes(fleet, (fleet.agent(), "p1"), (fleet.agent(), "p2"))
    works = [perform_module._claim(fleet.deps, job) for job in (mine, lost)]
    fleet.sql("UPDATE jobs SET lease_token = lease_token + 1 WHERE id = :id", id=lost)
    together(fleet, *(functools.partial(perform_module._record, work, AttemptResult(Done(), None)) for work in works))
    assert (fleet.job(mine).state, fleet.job(lost).state) == ("done", "running")
    ended = dict(fleet.sql("SELECT job_id, outcome FROM job_attempts").all())
    assert ended == {mine: "done", lost: "fenced"}


def test_jobs_at_once_write_once_each_and_the_surfaces_cap_holds_between_them(database_url: str) -> None:
    fleet = make_fleet(database_url, surface_writes_per_minute=3)
    jobs = likes(fleet, *((fleet.agent(), f"p{number}") for number in range(5)))
    together(fleet, *(functools.partial(perform, fleet.deps, job) for job in jobs))
    states = sorted(fleet.job(job).state for job in jobs)
    assert (states, fleet.surface.writes_begun) == (["done"] * 3 + ["ready"] * 2, 3)
    fleet.deps.close()


@pytest.mark.parametrize(
    ("kind", "of_one_agent", "words", "why"),
    [
        (POST, False, ("The same.", "The same."), "the same words have been published meanwhile"),
        (POST, True, ("One thing.", "Another."), "cap: one post in 30 min"),
        (COMMENT, False, ("One thing.", "Another."), "enough of us have commented on this post"),
    ],
)
def test_of_two_that_are_in_each_others_way_one_goes(
    database_url: str, kind: str, of_one_agent: bool, words: tuple[str, str], why: str
) -> None:
    fleet = make_fleet(database_url, caps={"post": {"gap_s": 1800}}, ai_comment_lead=1)
    one = fleet.agent()
    agents = (one, one if of_one_agent else fleet.agent())
    target = "p1" if kind == COMMENT else None
    new = [NewJob(ids.new(), agent, kind, "floimg", number, target) for number, agent in enumerate(agents)]
    with fleet.deps.db.transaction() as tx:
        ledger.add(tx, new)
    announcements = []
    for job, text in zip(new, words, strict=True):
        work = perform_module._claim(fleet.deps, job.id)
        assert work is not None
        work.save("words", {"caption" if kind == POST else "text": text})
        if kind == POST:
            action = act(social.POST, work.account, str(job.id), text=text, image_url="")
        else:
            action = act(social.COMMENT, work.account, str(job.id), target=target, text=text)
        announcements.append(functools.partial(reserve.announce, work, action))
    ends = together(fleet, *announcements)
    assert [getattr(end, "why", end) for end in ends] == [None, why]
    assert [fleet.job(job.id).state for job in new] == ["sending", "running"]
    fleet.deps.close()
