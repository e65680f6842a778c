"""Who holds a row and wants another: nobody waits for somebody who waits for them."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from fleet.agents import commands
from fleet.agents.models import Status
from fleet.core.db import Tx
from fleet.jobs import queries as job_queries
from fleet.jobs.policy import JobKind
from fleet.jobs.service import Claim
from fleet.runtime import announcing, people
from fleet.runtime import perform as perform_module
from fleet.runtime.perform import perform
from tests.factories import Fleet
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
