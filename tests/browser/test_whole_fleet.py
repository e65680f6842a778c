"""The dashboard of a whole fleet in real processes: workers, beat, the gallery, and `fleet web` beside them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from fleet.engine.agents.queries import AgentFilter
from fleet.features.agents import commands as agent_commands
from tests.browser.conftest import Dashboard
from tests.browser.person import expect
from tests.e2e.conftest import world
from tests.e2e.world import World, wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Browser

__all__ = ["world"]
pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
SPOKEN = "dashboard listening on "


@pytest.fixture
def dashboard(browser: Browser, world: World) -> Dashboard:
    """The dashboard as `fleet web` serves it, with a worker and beat."""
    world.start_worker()
    world.start_beat()
    world.start("web", "fleet.web", FLEET_WEB_PORT="0")
    said = wait_until("the dashboard listens", _line(world))
    with ExitStack() as stack:
        yield Dashboard(browser, world.deps, said.rpartition(" ")[2], stack)


def _line(world: World) -> Callable[[], str | None]:
    return lambda: next((line for line in world.log("web").splitlines() if SPOKEN in line), None)


def test_what_a_person_asks_an_agent_to_do_is_done_and_shown_while_they_look(
    dashboard: Dashboard, world: World
) -> None:
    world.agents(2)
    agent = agent_commands.list_agents(world.deps, AgentFilter(kind="gallery"))[0][0]
    agent_commands.start(world.deps, agent.username)
    # It decides nothing by itself meanwhile: whoever is deciding cannot be woken.
    world.sql("UPDATE agents SET next_tick_at = clock_timestamp() + interval '1 day'")
    ana, ben = dashboard.person(), dashboard.person().go("/")
    expect(ben.page.get_by_text("Live", exact=True)).to_be_visible()
    ben.mark()
    ana.go(f"/agents/{agent.username}")
    ana.page.get_by_label("asked to do").select_option("post")
    ana.press("Wake now")
    post = wait_until("the gallery shows a post", lambda: world.gallery("GET", "/api/showcase")["items"])[0]
    ben.see(agent.name)
    expect(ben.page.get_by_role("main").get_by_role("listitem").filter(has_text="posted").first).to_be_visible(
        timeout=60_000
    )
    assert ben.is_same_page
    assert post["title"]
    assert ana.script_errors == ben.script_errors == ana.policy_errors == ben.policy_errors == []
