"""A fleet in real processes that speaks with models, found by nothing but the environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import day
from tests.e2e.world import World
from tests.model_server import ModelServer

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

# A vendor's library takes seconds to load on a busy machine, and words may take half of a lease.
PATIENT = {"FLEET_LEASE_S": "90"}
KEY = "sk-ant-api03-thisIsTheSecretOfThisTest0123456789"


def test_a_key_in_the_environment_is_all_that_workers_need(world: World) -> None:
    with ModelServer().running() as server:
        agents = world.agents(3)
        post = world.post_as_guest()
        world.add_jobs(agents, "post")
        world.add_jobs(agents[:1], "comment", target=post, tick_no=2)
        world.start_worker(ANTHROPIC_API_KEY=KEY, ANTHROPIC_BASE_URL=server.url, **PATIENT)
        world.start_beat()
        world.wait_all_ended()
        done = world.rows(
            "SELECT checkpoint->'words'->>'by' AS by, id FROM jobs WHERE state = 'done' AND kind <> 'like'"
        )
        assert {row.by for row in done} == {"anthropic/claude-haiku-5-5"}, world.log("worker")[-3000:]
        assert world.count("done") == 4
        calls = world.rows("SELECT job_id, microusd, outcome FROM llm_calls")
        assert sorted(str(call.job_id) for call in calls) == sorted(str(row.id) for row in done)
        assert {call.outcome for call in calls} == {"answered"}
        assert min(call.microusd for call in calls) > 0
        assert len(server.asked) == 4
        assert {headers["x-api-key"] for _, headers, _ in server.asked if "x-api-key" in headers} <= {KEY}
    assert KEY not in world.log("worker") + world.log("beat")


def test_without_a_key_workers_call_no_model_and_ask_for_no_key(world: World) -> None:
    with ModelServer().running() as server:
        world.add_jobs(world.agents(2), "post")
        world.start_worker(ANTHROPIC_BASE_URL=server.url)
        world.start_beat()
        world.wait_all_ended()
        assert world.count("done") == 2
        assert server.asked == []
    assert world.rows("SELECT count(*) FROM llm_calls")[0][0] == 0
    assert "API_KEY" not in world.log("worker")


def test_a_small_fleet_lives_part_of_a_day_and_says_nothing_twice(tmp_path: Path) -> None:
    lived = day.live(8, 0.25, tmp_path, hours=4.0, pace=1.0, at_least=10)
    told = "\n".join(lived.lines())
    assert sum(lived.published.values()) >= 10, told
    assert (lived.twice, lived.alike, lived.paid_twice, lived.silent) == ([], [], [], []), told
    assert lived.dead == {}, told
    assert {row["key"] for row in lived.costs["provider"]} >= {"anthropic"}, told
    assert sum(row["microusd"] for row in lived.costs["persona"]) > 0, told
    assert any(one.startswith("anthropic/") for one in lived.by), told
