"""The tasks of an operator with the keyboard alone: at every step the focus is where people look for it."""

from __future__ import annotations

import pytest

from fleet.engine.jobs.states import JobState
from tests.browser.conftest import Dashboard
from tests.browser.inhabited import lived
from tests.browser.person import Person, expect
from tests.factories import Fleet

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


def follow(who: Person, name: str) -> None:
    """Tab to a link and open it."""
    who.tab_to(name)
    who.type("Enter")


def test_an_operator_needs_no_mouse(dashboard: Dashboard, fleet: Fleet) -> None:
    world = lived(fleet)
    dead, ana = world.names["dead"], dashboard.person()
    heading = ana.page.get_by_role("heading", level=1)

    ana.go("/jobs")
    follow(ana, "Dead")
    follow(ana, dead[:8])
    expect(heading).to_contain_text("Post")
    follow(ana, "Replay")
    expect(heading).to_be_focused()  # the question, with its buttons behind it
    ana.type("Tab", "Enter")
    ana.said("1 dead letter")
    assert fleet.job(dead).state == JobState.READY

    ana.go("/settings")
    ana.tab_to("Search")  # that of the navigation
    ana.tab_to("Search")
    ana.type("comment_lead", "Enter")
    follow(ana, "FLEET_AI_COMMENT_LEAD")
    ana.tab_to("Value")
    ana.type("Control+a", "3")
    ana.tab_to("Agent")
    ana.type("ben_2", "Escape")
    ana.tab_to("Set")
    ana.type("Enter")
    ana.see("for the agent ben_2")

    ana.go("/controls")
    ana.tab_to("Change")
    ana.type("Enter")
    ana.tab_to("More today")
    ana.type("2.50")
    ana.tab_to("Reason")
    ana.type("launch day")
    ana.tab_to("Raise")
    ana.type("Enter")
    ana.see("Add $2.50 to the daily budget")  # another owner decides
