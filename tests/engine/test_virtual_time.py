"""A fleet in virtual time: days pass as fast as its ticks and jobs are carried out."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

from fleet.adapters import base
from fleet.core.clock import VirtualClock
from fleet.engine.attempts.perform import perform
from fleet.engine.dispatch import dispatch
from fleet.engine.jobs.ticks import TickKey
from fleet.engine.sweep import sweep
from fleet.engine.tick import tick
from tests.factories import Fleet, make_fleet, raises

_START = datetime(2031, 3, 3, tzinfo=UTC)
_NEXT = """
SELECT least((SELECT min(next_tick_at) FROM agents WHERE status = 'running'),
             (SELECT min(next_attempt_at) FROM jobs WHERE state IN ('ready', 'unknown')))
"""
_MOMENTS = """
SELECT (SELECT max(started_at - due_at) FROM job_attempts JOIN jobs ON jobs.id = job_id
        JOIN ticks USING (agent_id, tick_no) WHERE attempts = 0) AS slowest,
       (SELECT count(DISTINCT date_trunc('hour', decided_at)) FROM ticks) AS hours,
       least((SELECT min(created_at) FROM jobs), (SELECT min(started_at) FROM job_attempts),
             (SELECT min(finished_at) FROM jobs),
             (SELECT min(occurred_at) FROM events WHERE subject = 'job.done')) AS first,
       greatest((SELECT max(decided_at) FROM ticks), (SELECT max(finished_at) FROM jobs),
                (SELECT max(ended_at) FROM job_attempts), (SELECT max(occurred_at) FROM events),
                (SELECT max(last_action_at) FROM agents)) AS last
"""


def _let_a_day_pass(fleet: Fleet, clock: VirtualClock) -> None:
    """Set the clock to the next moment at which something is due, do it, and go on until the day is over."""
    end = clock.now() + timedelta(days=1)
    while (moment := fleet.sql(_NEXT).scalar()) < end:
        clock.advance(moment)
        dispatch(fleet.deps)
        sweep(fleet.deps)
        while messages := fleet.bell.take():
            for one in messages:
                agent_or_job = uuid.UUID(str(one.args[0]))
                if one.task == "fleet.tick":
                    tick(fleet.deps, TickKey(agent_or_job, int(one.args[1])))
                else:
                    perform(fleet.deps, agent_or_job)
    clock.advance(end)


def test_a_fleet_lives_a_virtual_day_in_seconds(database_url: str) -> None:
    clock = VirtualClock(_START)
    fleet = make_fleet(database_url, clock=clock, post_gap_s=3600.0)
    for _ in range(3):
        fleet.agent(weights={"post": 1.0, "comment": 0.0, "like": 0.0, "browse": 1.0}, persona_id=None,
                    min_interval_s=1800, max_interval_s=3600)  # fmt: skip
    fleet.surface.faults = [raises(base.Unreachable("down"))]
    _let_a_day_pass(fleet, clock)
    ticks = fleet.sql("SELECT count(*) FROM ticks WHERE state = 'decided'").scalar()
    assert 3 * 20 < ticks <= 3 * 50
    assert fleet.sql("SELECT count(*) FROM jobs WHERE state = 'done' AND attempts = 1").scalar() == 1
    assert {job.state for job in fleet.jobs()} == {"done"} and len(fleet.surface.effects) > 20
    moments = fleet.sql(_MOMENTS).one()
    assert moments.hours == 24 and moments.slowest < timedelta(seconds=2)
    assert moments.first >= _START and moments.last <= _START + timedelta(days=1)
