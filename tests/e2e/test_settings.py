"""A setting that a person changes through the API holds in workers that run, without a restart."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from fleet.web.app import create_app
from tests.e2e.world import World, wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]
TOKEN = "of-the-run-file"


def test_a_cap_and_dry_run_set_by_the_api_hold_in_a_running_worker(world: World) -> None:
    """The worker is not told anything: the test adds jobs until one finds the new value, and then looks at the next."""
    world.start_worker(concurrency=2)
    (agent,) = world.agents(1)
    ticks = iter(range(1, 10_000))

    def ends() -> str:
        """Add a post and return the state in which it ended, or the cap for which it waits."""
        tick_no = next(ticks)
        world.add_jobs([agent], "post", tick_no=tick_no)
        query = "SELECT held, state FROM jobs WHERE tick_no = :tick AND (held LIKE 'cap%' OR finished_at IS NOT NULL)"
        held, state = wait_until("it ends or waits", lambda: world.rows(query, tick=tick_no))[0]
        return str(held or state)

    assert ends() == "done"
    given = world.deps.given.model_copy(update={"local_token": SecretStr(TOKEN)})
    with TestClient(create_app(replace(world.deps, given=given)), base_url="http://127.0.0.1") as client:
        client.headers["authorization"] = f"Bearer {TOKEN}"

        def put(name: str, value: object, **whose: str) -> None:
            answer = client.put(f"/api/v1/settings/{name}", json={"value": value, **whose})
            assert answer.status_code == 200, answer.text

        put("caps.post.per_day", 1)
        wait_until("the cap holds", lambda: ends() == "cap: 1 posts a day")
        put("dry_run", True, agent=str(agent))
        wait_until("nothing is sent, and no cap asked", lambda: ends() == "skipped")
        assert client.delete("/api/v1/settings/dry_run", params={"agent": str(agent)}).status_code == 200
        assert client.delete("/api/v1/settings/caps.post.per_day").status_code == 200
        wait_until("posts are sent again", lambda: ends() == "done")
