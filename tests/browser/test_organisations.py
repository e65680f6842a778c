"""The page of organisations in a real browser: made, filled and left by hand; two widths, without grave findings."""

from __future__ import annotations

import pytest

from fleet.core import events
from fleet.features.organisations import service
from fleet.features.users import service as accounts
from tests.browser import axe
from tests.browser.conftest import PASSWORD, Dashboard
from tests.browser.person import expect
from tests.factories import Fleet

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (390, "dark")])
def test_an_organisation_is_made_and_gets_an_agent_and_a_member(
    dashboard: Dashboard, fleet: Fleet, width: int, scheme: str
) -> None:
    fleet.agent(username="ana_1", name="Ana")
    accounts.create_user(dashboard.deps, "mara", "admin", PASSWORD)
    ann = dashboard.person(viewport={"width": width, "height": 900}, color_scheme=scheme)
    ann.go("/organisations")
    links = ann.page.locator("#places").get_by_role("link", name="Organisations", include_hidden=True)
    expect(links).to_have_count(0)
    ann.mark()
    ann.page.get_by_label("Name", exact=True).fill("Client Two")
    ann.page.get_by_label("Voice").last.fill("Plain words.")
    ann.press("Create")
    expect(ann.page.get_by_role("heading", name="Client Two")).to_be_visible()
    expect(links).to_have_count(1)
    assert ann.is_same_page
    for label, typed, button, said in (
        ("Agent to move to Client Two", "ana_1", "Move agent", "ana_1 belongs to it now."),
        ("User whose role shall hold here", "mara", "Add member", "The role of mara holds"),
    ):
        ann.page.locator("summary").filter(has_text="Change Client Two").click()
        ann.page.get_by_label(label).last.fill(typed)
        ann.page.locator("section").filter(has_text="Client Two").get_by_role("button", name=button).last.click()
        expect(ann.page.get_by_text(said)).to_be_visible()
    expect(ann.page.get_by_role("cell", name="mara", exact=True)).to_be_visible()
    assert axe.grave_findings(ann.page) == []
    assert ann.page.evaluate("document.documentElement.scrollWidth") <= width
    assert not ann.script_errors and not ann.policy_errors
    mara = dashboard.stranger().go("/agents")
    mara.log_in("mara", PASSWORD)
    expect(mara.page.get_by_role("link", name="Ana", exact=True).first).to_be_visible()


@pytest.mark.parametrize(("width", "scheme"), [(1440, "dark"), (390, "light")])
def test_the_switch_shows_one_organisation_and_its_stream(
    dashboard: Dashboard, fleet: Fleet, width: int, scheme: str
) -> None:
    fleet.agent(username="ana_1", name="Ana")
    theirs = fleet.agent(username="ben_1", name="Ben")
    service.create(dashboard.deps, "Client Two")
    service.move_agent(dashboard.deps, "Client Two", "ben_1")
    ann = dashboard.person(viewport={"width": width, "height": 900}, color_scheme=scheme)
    ann.go("/agents")
    expect(ann.page.get_by_role("link", name="Ana", exact=True).first).to_be_visible()
    if width < 1000:
        ann.press("Menu")
    with ann.page.expect_navigation():
        ann.page.locator("#switch select").select_option("Client Two")
    ann.go("/agents")
    expect(ann.page.get_by_role("link", name="Ben", exact=True).first).to_be_visible()
    expect(ann.page.get_by_role("link", name="Ana", exact=True)).to_have_count(0)
    assert axe.grave_findings(ann.page) == []
    assert ann.overflow_px() <= 0
    ann.go("/activity")
    with dashboard.deps.db.transaction() as tx:
        events.emit(tx, "agent.updated", agent_id=theirs, agent="Ben", username="ben_1", changes=["name"])
    expect(ann.page.locator("#feed").get_by_text("Ben").first).to_be_visible()
    if width < 1000:
        ann.press("Menu")
    with ann.page.expect_navigation():
        ann.page.locator("#switch select").select_option("")
    ann.go("/agents")
    expect(ann.page.get_by_role("link", name="Ana", exact=True).first).to_be_visible()
    assert not ann.script_errors and not ann.policy_errors
