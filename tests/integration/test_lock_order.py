"""Who holds a row and wants another: nobody waits for somebody who waits for them."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa

from fleet.agents import commands
from fleet.agents.models import Status
from fleet.core.db import Tx
from fleet.jobs import queries as job_queries
from fleet.jobs import service
from fleet.jobs.policy import JobKind
from fleet.jobs.service import Claim
from fleet.platforms.base import Action, Verb
from fleet.runtime import announcing, people
from fleet.runtime import perform as perform_module
from fleet.runtime.perform import perform
from fleet.runtime.work import Work
from tests.factories import Fleet, make_fleet
from tests.integration.test_people import until_done_or_behind_us
from tests.integration.test_perform import add, waits_s


def test_who_claims_a_job_does_not_wait_for_who_stops_its_agent(fleet: Fleet) -> None:
    """Symptom: a claim held the job and wanted its agent, a stop the other way round; Postgres ended one of them."""
    agent = fleet.agent()
    job = add(fleet, agent, JobKind.LIKE, target="p1")
    with ThreadPoolExecutor(1) as other:
        with fleet.deps.db.transaction() as tx:
            assert commands.stop(tx, agent)
            claimed = other.submit(perform_module._claim, fleet.deps, job)
            until_done_or_behind_us(tx, claimed)
            while not claimed.done() and fleet.deps.db._group._is_led:
                time.sleep(0.01)  # a turn gives way by itself; who goes alone does not
            until_done_or_behind_us(tx, claimed)
            job_queries.cancel_of_agent(tx, agent)
        assert claimed.result(5) is not None
    assert (fleet.row(agent).status, fleet.job(job).state) == (Status.IDLE, "running")


def test_who_resumes_an_agent_does_not_wait_for_who_puts_its_job_aside(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Symptom: a resume held the agent and wanted to free its jobs; who put one aside kept that off and wanted the
    agent."""
    agent = fleet.agent()
    name = fleet.row(agent).username
    job = add(fleet, agent, JobKind.LIKE, target="p1")
    people.pause(fleet.deps, name, by="ada")
    look_again = announcing.look_again
    with ThreadPoolExecutor(1) as other:
        resumed = []

        def looked_again(tx: Tx, claim: Claim, held: Any) -> Any:
            found = look_again(tx, claim, held)
            resumed.append(other.submit(people.resume, fleet.deps, name))
            until_done_or_behind_us(tx, resumed[0])
            return found

        monkeypatch.setattr(announcing, "look_again", looked_again)
        perform(fleet.deps, job)
        assert resumed[0].result(5)
    assert (fleet.row(agent).status, fleet.job(job).state) == (Status.RUNNING, "ready")
    assert waits_s(fleet, job) <= 0


def test_two_processes_do_not_fill_a_surface_beyond_its_cap(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Symptom: each counted what the other had not committed yet, and let in as many as there was room for."""
    processes = [make_fleet(database_url, surface_writes_per_minute=1) for _ in range(2)]
    works = [_likes(process, f"p{number}") for number, process in enumerate(processes)]
    entering: list[int] = []
    enter_sending = service.enter_sending

    def both_have_counted(tx: Tx, claims: Sequence[Claim], **how: Any) -> list[bool]:
        if claims:
            entering.append(1)
            _until(lambda: len(entering) == 2 or bool(tx.scalar(sa.text(_BEHIND_US))))
        return enter_sending(tx, claims, **how)

    monkeypatch.setattr(service, "enter_sending", both_have_counted)
    with ThreadPoolExecutor(2) as threads:
        ends = list(threads.map(_announce, works))
    assert sorted(getattr(end, "why", "goes") for end in ends) == ["cap: 1 writes a minute", "goes"]
    for process in processes:
        process.deps.close()


_BEHIND_US = "SELECT count(*) FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))"


def _likes(fleet: Fleet, target: str) -> Work:
    work = perform_module._claim(fleet.deps, add(fleet, fleet.agent(), JobKind.LIKE, target=target))
    assert work is not None
    return work


def _announce(work: Work) -> Any:
    return announcing.announce(work, Action(Verb.LIKE, work.account, str(uuid.uuid4()), target=work.claim.target))


def _until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)
