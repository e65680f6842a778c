"""Who holds a row and wants another: nobody waits for somebody who waits for them."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa

from fleet.adapters import social
from fleet.core.db import Tx
from fleet.engine import tick as tick_module
from fleet.engine.agent_type import behaviour_of
from fleet.engine.agents import commands
from fleet.engine.agents.queries import AgentFilter
from fleet.engine.agents.status import AgentStatus
from fleet.engine.attempts import perform as perform_module
from fleet.engine.attempts import reserve
from fleet.engine.attempts.perform import perform
from fleet.engine.attempts.work import Work
from fleet.engine.dispatch import dispatch
from fleet.engine.jobs import ledger, snooze, ticks
from fleet.engine.jobs import queries as job_queries
from fleet.engine.jobs.ledger import Claim
from fleet.engine.jobs.ticks import TickKey
from fleet.features.agents import bulk
from fleet.features.agents import commands as agent_commands
from fleet.features.agents.bulk import BulkAction, Selection
from fleet.features.publishing.kinds import DEPROVISION, LIKE
from tests.engine.test_perform import add, waits_s
from tests.factories import Fleet, act, make_fleet
from tests.features.agents.test_commands import until_done_or_behind_us


def stop_one(fleet: Fleet, name: str) -> object:
    return agent_commands.stop(fleet.deps, name)


def stop_all(fleet: Fleet, _: str) -> object:
    return bulk.act(fleet.deps, Selection(AgentFilter()), BulkAction.STOP, by="ada")


def delete_one(fleet: Fleet, name: str) -> object:
    return agent_commands.delete(fleet.deps, name, by="ada")


def test_who_claims_a_job_does_not_wait_for_who_stops_its_agent(fleet: Fleet) -> None:
    """Symptom: a claim held the job and wanted its agent, a stop the other way round; Postgres ended one of them."""
    agent = fleet.agent()
    job = add(fleet, agent, LIKE, target="p1")
    with ThreadPoolExecutor(1) as other:
        with fleet.deps.db.transaction() as tx:
            assert commands.stop(tx, agent)
            claimed = other.submit(perform_module._claim, fleet.deps, job)
            until_done_or_behind_us(tx, claimed)
            while not claimed.done() and fleet.deps.db._group._leader is not None:
                time.sleep(0.01)  # a turn gives way by itself; who goes alone does not
            until_done_or_behind_us(tx, claimed)
            job_queries.cancel_of_agent(tx, agent)
        assert claimed.result(60) is not None
    assert (fleet.row(agent).status, fleet.job(job).state) == (AgentStatus.IDLE, "running")


def test_who_resumes_an_agent_does_not_wait_for_who_puts_its_job_aside(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Symptom: a resume held the agent and wanted to free its jobs; who put one aside kept that off and wanted the
    agent."""
    agent = fleet.agent()
    name = fleet.row(agent).username
    job = add(fleet, agent, LIKE, target="p1")
    agent_commands.pause(fleet.deps, name, by="ada")
    look_again = reserve.look_again
    with ThreadPoolExecutor(1) as other:
        resumed = []

        def looked_again(tx: Tx, claim: Claim, held: Any) -> Any:
            found = look_again(tx, claim, held)
            resumed.append(other.submit(agent_commands.resume, fleet.deps, name))
            until_done_or_behind_us(tx, resumed[0])
            return found

        monkeypatch.setattr(reserve, "look_again", looked_again)
        perform(fleet.deps, job)
        assert resumed[0].result(60)
    assert (fleet.row(agent).status, fleet.job(job).state) == (AgentStatus.RUNNING, "ready")
    assert waits_s(fleet, job) <= 0


def test_who_frees_held_jobs_and_who_cancels_them_take_them_in_one_order(fleet: Fleet) -> None:
    """Symptom: each took many jobs in the order of an index of its own, and Postgres ended one of them."""
    later, sooner = sorted((fleet.agent() for _ in range(2)), reverse=True)
    jobs = [add(fleet, agent, LIKE, target="p1") for agent in (later, sooner)]
    fleet.sql("UPDATE jobs SET held = 'a pause'")
    fleet.sql("UPDATE jobs SET next_attempt_at = next_attempt_at - interval '1 h' WHERE id = :id", id=jobs[0])

    def alone(act: Callable[[Tx], int]) -> int:
        with fleet.deps.db.transaction() as tx:
            tx.execute(sa.text("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off"))
            return act(tx)

    with ThreadPoolExecutor(2) as others:
        with fleet.deps.db.transaction() as tx:
            tx.execute(sa.text("SELECT 1 FROM jobs WHERE id = :id FOR UPDATE"), {"id": jobs[0]})
            freed = others.submit(alone, snooze.free_held)
            _until(lambda: tx.scalar(sa.text(_WAITING)) == 1)
            cancelled = others.submit(alone, lambda tx: job_queries.cancel_of_agent(tx, later, sooner))
            _until(lambda: tx.scalar(sa.text(_WAITING)) == 2)
        assert (freed.result(60), cancelled.result(60)) == (2, 2)
    assert {fleet.job(job).state for job in jobs} == {"cancelled"}


def test_who_stops_agents_does_not_wait_for_who_ends_an_attempt_and_waits_for_them(fleet: Fleet) -> None:
    """Symptom: a stop had the agents and wanted the jobs that waited when it began; one of these was claimed and done
    meanwhile, and its end had the job and wanted the agent. Postgres ended one of the two."""
    agents = [fleet.agent() for _ in range(2)]
    jobs = sorted(add(fleet, agent, LIKE, target="p1") for agent in agents)
    with ThreadPoolExecutor(2) as others:
        with fleet.deps.db.transaction() as tx:
            tx.execute(sa.text("SELECT 1 FROM jobs WHERE id = :id FOR UPDATE"), {"id": jobs[0]})
            stopped = others.submit(bulk.act, fleet.deps, Selection(AgentFilter()), BulkAction.STOP, by="ada")
            _until(lambda: tx.scalar(sa.text(_WAITING)) == 1)
            done = others.submit(perform, fleet.deps, jobs[1])
            _until(lambda: done.done() or _waits_alone(fleet, tx))
        assert (stopped.result(10), done.result(10)) == (2, None)
    assert [fleet.job(job).state for job in jobs] == ["cancelled", "done"]
    assert {fleet.row(agent).status for agent in agents} == {AgentStatus.IDLE}


def _waits_alone(fleet: Fleet, tx: Tx) -> bool:
    """Say whether a call waits that its group has sent away, beside one that waits for us."""
    return fleet.deps.db._group._leader is None and tx.scalar(sa.text(_WAITING)) == 2


@pytest.mark.parametrize("at_last", [stop_one, stop_all, delete_one], ids=lambda act: act.__name__)
def test_a_tick_that_is_opened_while_its_agent_is_stopped_leads_to_nothing(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch, at_last: Callable[[Fleet, str], object]
) -> None:
    """Symptom: a stop called open ticks off, waited for dispatch to let go of the agent, and left the tick that it had
    opened; claimed before the stop was over, it was decided, and its job done."""
    agent = fleet.agent(weights={"post": 1.0})
    name, awake, call_off = fleet.row(agent).username, [], ticks.call_off

    def called_off(tx: Tx, agent_ids: Sequence[uuid.UUID], **how: Any) -> int:
        number = call_off(tx, agent_ids, **how)
        if not awake:
            assert dispatch(fleet.deps) == 1
            awake.append(tick_module._claim(fleet.deps, TickKey(agent, 1)))
        return number

    monkeypatch.setattr(ticks, "call_off", called_off)
    at_last(fleet, name)
    assert awake[0] is not None
    mind = behaviour_of(awake[0].agent.kind)
    moment = mind.gather(fleet.deps, awake[0])
    thought = tick_module._Thought(mind, moment, mind.decide(moment, tick_module.dice_of(awake[0].tick.key)), 1)
    tick_module._record(fleet.deps, awake[0], thought)
    assert [job.kind for job in fleet.jobs() if job.kind != DEPROVISION] == []
    assert fleet.sql("SELECT state FROM ticks").scalars().all() == ["skipped"]


_WAITING = """SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted AND pid IN (
    SELECT pid FROM pg_locks WHERE database = (SELECT oid FROM pg_database WHERE datname = current_database()))"""


def test_two_processes_do_not_fill_a_surface_beyond_its_cap(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Symptom: each counted what the other had not committed yet, and let in as many as there was room for."""
    processes = [make_fleet(database_url, surface_writes_per_minute=1) for _ in range(2)]
    works = [_likes(process, f"p{number}") for number, process in enumerate(processes)]
    entering: list[int] = []
    enter_sending = ledger.enter_sending

    def both_have_counted(tx: Tx, claims: Sequence[Claim], **how: Any) -> list[bool]:
        if claims:
            entering.append(1)
            _until(lambda: len(entering) == 2 or bool(tx.scalar(sa.text(_BEHIND_US))))
        return enter_sending(tx, claims, **how)

    monkeypatch.setattr(ledger, "enter_sending", both_have_counted)
    with ThreadPoolExecutor(2) as threads:
        ends = list(threads.map(_announce, works))
    assert sorted(getattr(end, "why", "goes") for end in ends) == ["cap: 1 writes a minute", "goes"]
    for process in processes:
        process.deps.close()


_BEHIND_US = "SELECT count(*) FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))"


def _likes(fleet: Fleet, target: str) -> Work:
    work = perform_module._claim(fleet.deps, add(fleet, fleet.agent(), LIKE, target=target))
    assert work is not None
    return work


def _announce(work: Work) -> Any:
    return reserve.announce(work, act(social.LIKE, work.account, str(uuid.uuid4()), target=work.target))


def _until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)
