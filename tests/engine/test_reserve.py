"""J3 between processes: who commits to a write has seen every hold that was set before, and what others announced."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa

from fleet.adapters import social
from fleet.core.db import Tx
from fleet.engine.attempts import perform as perform_module
from fleet.engine.attempts import reserve
from fleet.engine.attempts.work import Work
from fleet.engine.jobs import ledger
from fleet.engine.jobs.ledger import Claim
from fleet.engine.jobs.outcomes import Held, Skipped
from fleet.features.agents import commands as agent_commands
from fleet.features.controls import commands as fleetwide
from fleet.features.publishing.kinds import POST
from tests.engine.test_perform import add
from tests.factories import Fleet, make_fleet, until_somebody_waits


def claimed(fleet: Fleet, agent: uuid.UUID, kind: str, **more: Any) -> Work:
    work = perform_module._claim(fleet.deps, add(fleet, agent, kind, **more))
    assert work is not None
    return work


def announced(work: Work, text: str) -> Held | Skipped | None:
    return reserve.announce(work, work.action(social.POST, social.PostPayload(text, "")))


def until_it_waits_alone(fleet: Fleet, tx: Tx, waiting: Future[Any]) -> None:
    """Return when a call that was sent away from its group waits for a turn that somebody else has."""
    until_somebody_waits(tx)
    while fleet.deps.db._group._leader is not None:
        assert not waiting.done()
        time.sleep(0.01)
    until_somebody_waits(tx)


@pytest.mark.parametrize("turn", ["agent", "surface", "text"])
@pytest.mark.parametrize("who_is_paused", ["fleet", "agent"])
def test_a_pause_that_is_set_while_a_write_waits_for_its_turn_holds_it_back(
    fleet: Fleet, turn: str, who_is_paused: str
) -> None:
    """Symptom: the holds were read, then locks were waited for; what was set meanwhile was not seen."""
    agent = fleet.agent()
    work = claimed(fleet, agent, POST)
    names = {"agent": f"agent:{agent}", "surface": "surface:floimg", "text": "text:floimg:Hello."}
    with ThreadPoolExecutor(1) as other:
        with fleet.deps.db.transaction() as tx:
            lock = sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(names[turn], 0))
            tx.execute(sa.select(lock))
            end = other.submit(announced, work, "Hello.")
            until_it_waits_alone(fleet, tx, end)
            if who_is_paused == "fleet":
                assert fleetwide.pause(fleet.deps, "fleet", by="ada")
            else:
                assert agent_commands.pause(fleet.deps, fleet.row(agent).username, by="ada")
        found = end.result(10)
    assert isinstance(found, Held) and "paused" in found.why
    assert fleet.job(work.claim.job_id).state == "running"


def test_of_two_processes_that_announce_the_same_words_one_goes(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    processes = [make_fleet(database_url, surface_writes_per_minute=0) for _ in range(2)]
    works = [claimed(process, process.agent(), POST) for process in processes]
    for work in works:
        work.save("words", {"caption": "Hello."})
    monkeypatch.setattr(ledger, "enter_sending", both_have_looked(ledger.enter_sending))
    with ThreadPoolExecutor(2) as threads:
        ends = list(threads.map(lambda work: announced(work, "Hello."), works))
    whys = sorted(getattr(end, "why", "goes") for end in ends)
    assert whys == ["goes", "the same words have been published meanwhile"]
    for process in processes:
        process.deps.close()


def both_have_looked(enter_sending: Callable[..., list[bool]]) -> Callable[..., list[bool]]:
    """Return the same, except that the first who comes waits for the second to come too, or to wait for it."""
    entering: list[int] = []

    def entered(tx: Tx, claims: Sequence[Claim], **how: Any) -> list[bool]:
        if claims:
            entering.append(1)
            deadline = time.monotonic() + 10
            while len(entering) < 2 and not tx.scalar(sa.text(_BEHIND_US)):
                assert time.monotonic() < deadline
                time.sleep(0.01)
        return enter_sending(tx, claims, **how)

    return entered


_BEHIND_US = "SELECT count(*) FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))"
