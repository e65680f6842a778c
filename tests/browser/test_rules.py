"""The page of approval rules in a real browser: on four widths, light and dark, with scripts and without."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fleet.features.approvals.ruleset.in_force import rules_of
from tests.browser import axe
from tests.browser.conftest import Dashboard
from tests.browser.person import expect

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


def act(page: Page, url: str) -> None:
    """Edit a rule wrongly and rightly, move it, and see what would happen."""
    page.goto(f"{url}/approvals/rules")
    page.get_by_role("button", name="Edit budgets").click()
    page.get_by_label("Only when").fill("usd > 100")
    page.get_by_label("Approvals needed").fill("many")
    page.get_by_role("button", name="Done").click()
    expect(page.get_by_label("Approvals needed")).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_label("Only when")).to_have_value("usd > 100")
    page.get_by_label("Approvals needed").fill("1")
    page.get_by_role("button", name="Done").click()
    expect(page.get_by_text("changes budgets", exact=True)).to_be_visible()
    page.get_by_role("button", name="Move budgets up").click()
    expect(page.get_by_text("changes budgets; another order", exact=True)).to_be_visible()
    beside = page.get_by_role("region", name="What would happen to...")
    beside.get_by_label("Resource").fill("budget")
    beside.get_by_label("Action").fill("raise")
    beside.get_by_label("Amount in USD").fill("12")
    beside.get_by_role("button", name="Try").click()
    expect(beside.get_by_text("It runs at once: no rule covers it.")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_draft_is_edited_and_tried_at_every_width_without_grave_findings(dashboard: Dashboard, scheme: str) -> None:
    page = dashboard.person(color_scheme=scheme, viewport={"width": 1280, "height": 900}).page  # type: ignore[arg-type]
    act(page, dashboard.url)
    page.get_by_role("button", name="Edit removals").click()
    expect(page.get_by_role("heading", name="Edit removals")).to_be_visible()
    for width in (1280, 1440, 1920, 390):
        page.set_viewport_size({"width": width, "height": 900})
        assert axe.grave_findings(page) == [], width
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), width
        cut = """() => [...document.querySelectorAll('.row-actions button')].filter((one) =>
            one.getBoundingClientRect().right > one.closest('.scroll').getBoundingClientRect().right).length"""
        assert width < 1000 or page.evaluate(cut) == 0, width


def test_rules_are_saved_without_scripts(dashboard: Dashboard) -> None:
    page = dashboard.person(java_script_enabled=False).page
    act(page, dashboard.url)
    page.get_by_label("Reason").fill("calmer")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("The rules are in force")).to_be_visible()
    expect(page.get_by_text("In force: version 1")).to_be_visible()
    dashboard.deps.live.expire()
    dashboard.deps.refresh()
    assert [rule.name for rule in rules_of(dashboard.deps)][:2] == ["drafts", "budgets"]
