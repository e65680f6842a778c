"""The plans of the hot path: rows that are named by their keys are looked up by them, whatever the server believes.

The server keeps a plan for as long as it has no news of a table. What it chose for a table that was small, or while
nothing waited, is what it does when a hundred thousand rows wait.
"""

from __future__ import annotations

import functools
import re
import uuid
from typing import Any

import pytest
import sqlalchemy as sa

from fleet.core.db.sql import GroupStatement, array
from fleet.engine.agents.models import AgentRow
from fleet.engine.attempts.perform import perform
from fleet.engine.dispatch import dispatch
from fleet.engine.jobs import ticks
from fleet.engine.jobs.ticks import TickKey
from fleet.engine.sql import group_statement
from fleet.engine.tick import tick
from tests.factories import Fleet, at_once

_TABLES = "agents|ticks|jobs|job_attempts"
_OF_A_STATE = "uq_ticks_undecided|ix_ticks_undecided_due_at|ix_jobs_live|ix_jobs_leases"
_READ_WHOLE = re.compile(rf"Seq Scan on ({_TABLES})\b|({_OF_A_STATE})\b|Bitmap Index Scan on")


@pytest.fixture
def plans(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return where the plan of each group statement goes before it is run."""
    seen: list[str] = []
    run = GroupStatement.__base__.run

    def explained(self: Any, connection: Any, values: dict[str, Any], **time: Any) -> Any:
        cursor = run(self, connection, values, **time)
        if isinstance(self, GroupStatement):
            rows = connection.execute(b"EXPLAIN " + self._compiled[0], values)
            seen.append("\n".join(row[0] for row in rows))
        return cursor

    monkeypatch.setattr(GroupStatement.__base__, "run", explained)
    return seen


def _live_once(fleet: Fleet) -> None:
    """Let the agents who are due decide together, and do together what they decided."""
    opened = dispatch(fleet.deps)
    keys = [TickKey(uuid.UUID(str(agent)), int(number)) for agent, number in (one.args for one in fleet.bell.take())]
    assert len(keys) == opened
    at_once(fleet.deps.db._group, *(functools.partial(tick, fleet.deps, key) for key in keys))
    jobs = [uuid.UUID(str(message.args[0])) for message in fleet.bell.take()]
    assert jobs
    at_once(fleet.deps.db._group, *(functools.partial(perform, fleet.deps, job) for job in jobs))


_GROW = """
INSERT INTO agents (id, name, username, persona_id, personality, vibe, interests, weights, min_interval_s,
                    max_interval_s)
SELECT gen_random_uuid(), name, 'resting_' || n, persona_id, personality, vibe, interests, weights, 60, 60
FROM (SELECT * FROM agents LIMIT 1), generate_series(1, 1000) n;
INSERT INTO ticks (agent_id, tick_no, due_at, state, decided_at)
SELECT id, -n, now(), 'decided', now() FROM agents, generate_series(1, 3) n;
INSERT INTO jobs (id, agent_id, kind, priority, max_attempts, expires_at, state, finished_at)
SELECT gen_random_uuid(), id, 'browse', 'low', 3, now(), 'done', now() FROM agents, generate_series(1, 3);
INSERT INTO job_attempts (job_id, lease_token, worker) SELECT id, 1, 'w' FROM jobs;
ANALYZE;
"""


@pytest.mark.parametrize("is_grown", [False, True], ids=["young", "grown, and nothing waited"])
def test_calls_look_up_their_own_rows(fleet: Fleet, plans: list[str], is_grown: bool) -> None:
    for _ in range(3):
        fleet.agent(weights={"post": 0.0, "comment": 0.0, "like": 0.0, "browse": 1.0})
    if is_grown:
        for statement in _GROW.split(";")[:-1]:
            fleet.sql(statement)
    _live_once(fleet)
    assert fleet.sql("SELECT count(*) FROM jobs WHERE tick_no > 0 AND state = 'done'").scalar() == 3
    assert len(plans) >= 5
    for plan in plans:
        assert not _READ_WHOLE.search(plan), plan


def test_a_claim_of_a_tick_writes_no_index(fleet: Fleet) -> None:
    """An index that names the state or the lease of a tick costs each claim an entry in every index of ticks."""
    agent = fleet.agent()
    dispatch(fleet.deps)
    with fleet.deps.db.transaction() as tx:
        claimed = tx.run(group_statement("claim_tick"), **ticks.claim_parameters(TickKey(agent, 1), lease_s=60.0))
        assert claimed.rowcount == 1
        assert tx.scalar(sa.text("SELECT pg_stat_get_xact_tuples_hot_updated('ticks'::regclass)")) == 1


_BACKLOG = "INSERT INTO ticks (agent_id, tick_no, due_at) SELECT id, 7, now() FROM agents"


def test_late_agents_are_found_by_index_despite_statistics_without_late_agents(fleet: Fleet) -> None:
    """Symptom: for a batch of agents all open ticks were read, by an index that knows no agents."""
    agent = fleet.agent()
    for statement in [*_GROW.split(";")[:-1], _BACKLOG]:
        fleet.sql(statement)
    with fleet.deps.db.transaction() as tx:
        found = tx.session.scalars(sa.select(AgentRow.id).limit(500))
        latest = [TickKey(agent, 7), *(TickKey(one, 6) for one in found)]
        assert ticks.with_open_tick(tx, latest) == {agent}
        values = {
            "agent_ids": array(k.agent_id for k in latest),
            "tick_nos": array(k.tick_no for k in latest),
        }
        sql = b"EXPLAIN " + ticks._AGENTS_WITH_OPEN_TICK._compiled[0]
        plan = "\n".join(row[0] for row in tx._driver.execute(sql, values))
    assert not _READ_WHOLE.search(plan) and "pk_ticks" in plan, plan
