"""The palette and the keys, in a real browser, and the list of jobs at the widths that people use."""

from __future__ import annotations

import pytest

from fleet.engine.agents import lookup
from fleet.engine.jobs.states import JobState
from tests.browser import axe
from tests.browser.conftest import Dashboard
from tests.browser.person import expect
from tests.factories import Fleet
from tests.features.jobs.test_pages import add_job
from tests.web_client import Web

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


def test_ctrl_k_finds_things_and_enter_opens_the_chosen_one(dashboard: Dashboard, fleet: Fleet) -> None:
    fleet.agent(name="Ada Bright", username="ada_1")
    fleet.agent(name="Ada Bold", username="ada_2")
    ana = dashboard.person(reduced_motion="reduce").go("/jobs")
    keys = ana.page.keyboard
    expect(ana.page.locator("html[data-keys]")).to_be_attached()
    keys.press("/")
    expect(ana.page.get_by_label("Search", exact=True)).to_be_focused()
    keys.press("Control+k")
    palette = ana.page.get_by_role("dialog", name="Search")
    keys.type("ada b")
    options = palette.get_by_role("option")
    expect(options).to_have_count(2)
    expect(options.nth(0)).to_have_attribute("aria-selected", "true")
    assert axe.grave_findings(ana.page) == []
    keys.press("ArrowDown")
    expect(options.nth(1)).to_have_attribute("aria-selected", "true")
    keys.press("Enter")
    expect(palette).to_have_count(0)
    expect(ana.page.get_by_role("heading", level=1)).to_contain_text("Ada")
    assert ana.path == "/agents/ada_2"
    keys.press("Control+k")
    expect(options.nth(0)).to_be_visible()
    keys.type("ada_1")
    keys.press("Enter")  # before the results of what was typed have come
    expect(palette).to_have_count(0)
    expect(ana.page.get_by_role("heading", level=1)).to_contain_text("Ada Bright")
    keys.press("?")
    listed = ana.page.get_by_role("dialog", name="Keys")
    expect(listed).to_contain_text("Search everything")
    assert axe.grave_findings(ana.page) == []
    keys.press("Escape")
    expect(listed).to_have_count(0)
    assert ana.script_errors == ana.policy_errors == []


def test_a_field_for_an_agent_suggests_agents_beyond_those_of_the_page(
    dashboard: Dashboard, fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookup, "_MOST_SUGGESTED", 2)
    for number in range(3):
        fleet.agent(name=f"Ada {number}", username=f"ada_{number}")
    fleet.agent(name="Zoe <b>Last</b>", username="zoe_9")
    ana = dashboard.person().go("/settings/agent_hours")
    offered = ana.page.locator("#agent-choices option")
    expect(offered).to_have_count(2)
    ana.page.evaluate("document.querySelector('#agent-choices').dataset.agents = ''")  # as from 500 agents on
    ana.page.get_by_label("Agent", exact=True).press_sequentially("last")
    expect(offered).to_have_count(1)
    expect(offered).to_have_attribute("value", "zoe_9")
    expect(offered).to_have_text("Zoe <b>Last</b>")
    assert ana.script_errors == ana.policy_errors == []


@pytest.mark.parametrize("width", [390, 1280, 1440, 1920])
def test_the_actions_of_jobs_are_never_cut_off(dashboard: Dashboard, fleet: Fleet, width: int) -> None:
    """Symptom: `Cancel` lay outside of the table as soon as jobs waited with long reasons."""
    web = Web(fleet)
    agent = fleet.agent(name="Ada", username="ada_of_the_very_long_name_1")
    for state in (JobState.READY, JobState.UNKNOWN, JobState.DEAD):
        held = "a cap of its persona " * 9 if state == JobState.READY else None
        add_job(web, state, agent=agent, held=held, error="the surface answered " * 19,
                checkpoint={"words": {"text": "word " * 99}})  # fmt: skip
    ana = dashboard.person(viewport={"width": width, "height": 900}, reduced_motion="reduce").go("/jobs")
    table = ana.page.locator("#job-list .scroll")
    assert ana.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    if width > 1000:
        assert table.evaluate("box => box.scrollWidth - box.clientWidth") <= 0
        expect(ana.page.get_by_role("button", name="Cancel", exact=True)).to_be_in_viewport(ratio=1)
