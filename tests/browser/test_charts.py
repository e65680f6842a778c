"""Charts, times and figures that grow old, in a real browser: what a bar shows is what its click lists."""

from __future__ import annotations

import re
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from fleet.features.charts import history
from fleet.features.overview.cards import OverviewCards
from fleet.web import server
from tests.browser import axe
from tests.browser.conftest import Dashboard
from tests.browser.person import expect
from tests.factories import Fleet
from tests.features.charts.test_charts import decide, end_jobs, spend, sum_hours

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

STILL = {"reduced_motion": "reduce"}
TEHRAN = {"timezone_id": "Asia/Tehran"}  # half an hour off the hours of UTC


def fill(fleet: Fleet) -> None:
    """Let something of everything have happened in each range."""
    now, agent = datetime.now(UTC), fleet.agent(username="ada_1")
    for hours, number in ((0.01, 3), (2, 11), (50, 7), (400, 5)):
        at = now - timedelta(hours=hours)
        end_jobs(fleet, number, at)
        end_jobs(fleet, 2, at, state="dead")
        spend(fleet, at, 40_000)
    decide(fleet, agent, now - timedelta(hours=2), 0.2, 3.0, 40.0)
    sum_hours(fleet)
    history.sample(fleet.deps)


@pytest.mark.parametrize("width", [390, 1280, 1440, 1920])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_charts_fit_and_can_be_used_by_everybody(dashboard: Dashboard, fleet: Fleet, width: int, scheme: str) -> None:
    fill(fleet)
    ana = dashboard.person(viewport={"width": width, "height": 900}, color_scheme=scheme, **STILL)
    for wanted in ("1h", "30d"):
        ana.go(f"/charts?range={wanted}")
        expect(ana.page.locator("svg.plot")).to_have_count(6)
        assert ana.overflow_px() <= 0
        assert axe.grave_findings(ana.page) == []
    assert ana.script_errors == ana.policy_errors == []


def test_a_click_on_a_bar_lists_the_jobs_that_it_counts(dashboard: Dashboard, fleet: Fleet) -> None:
    fill(fleet)
    ana = dashboard.person(**STILL).go("/charts")
    ana.mark()
    for wanted in ("1 hour", "24 hours", "7 days", "30 days"):
        ana.link(wanted).click()
        expect(ana.link(wanted)).to_have_attribute("aria-current", "true")
        for chart, state in (("Actions", "Done"), ("Given up", "Dead")):
            bars = ana.page.get_by_role("group", name=f"{chart}, {wanted}").get_by_role("link")
            told = next(
                one for one in reversed([bar.get_attribute("aria-label") for bar in bars.all()]) if _number(one)
            )
            bars.and_(ana.page.get_by_label(told, exact=True)).click()
            tab = ana.page.locator("#job-list .tabs [aria-current]")
            expect(tab).to_have_text(re.compile(rf"{state}\s+{_number(told)}$"))
            ana.page.go_back()
            expect(ana.page.get_by_role("heading", level=1)).to_have_text("Charts")
    assert ana.is_same_page
    assert ana.script_errors == ana.policy_errors == []


def _number(told: str | None) -> int:
    """Return the number of jobs that a bar counts."""
    found = re.search(r"UTC(?::|, [A-Z][a-z ]+:) (\d+)", told or "")
    return int(found[1]) if found else 0


def test_a_chart_is_one_stop_of_the_keyboard_and_arrows_go_on(dashboard: Dashboard, fleet: Fleet) -> None:
    fill(fleet)
    ana = dashboard.person(**STILL, **TEHRAN).go("/charts")
    now = datetime.now(UTC)
    bars = ana.page.get_by_role("group", name="Actions, 24 hours").get_by_role("link")
    ana.tab_to(f"{now:%Y-%m-%d %H}")
    expect(bars.last).to_be_focused()
    ana.page.keyboard.press("ArrowLeft")
    ana.page.keyboard.press("ArrowLeft")
    expect(bars.nth(21)).to_be_focused()
    tip = ana.page.get_by_role("tooltip")
    expect(tip).to_contain_text("Posts: 11")
    expect(tip).to_contain_text("(Asia/Tehran)")
    ana.page.keyboard.press("Tab")
    expect(bars.nth(21)).not_to_be_focused()
    assert ana.page.evaluate("document.activeElement.closest('svg')") is None
    ana.page.keyboard.press("Shift+Tab")
    expect(bars.nth(21)).to_be_focused()
    ana.page.keyboard.press("Enter")
    expect(ana.page.locator("#job-list .tabs [aria-current]")).to_have_text(re.compile(r"Done\s+11$"))


def test_times_are_in_the_zone_that_one_chose_on_every_page(dashboard: Dashboard, fleet: Fleet) -> None:
    agent = fleet.agent(username="ada_1")
    fleet.sql(
        "UPDATE agents SET status = 'paused', pause_reason = 'a rest', paused_until = '2031-01-02 20:30:00+00'"
        " WHERE id = :id", id=agent,
    )  # fmt: skip
    end_jobs(fleet, 1, datetime.now(UTC) - timedelta(hours=3))
    ana = dashboard.person(**STILL, **TEHRAN).go("/agents/ada_1")
    until = ana.page.locator("time[datetime^='2031-01-02']").first
    expect(until).to_have_text("2031-01-02 20:30:00 UTC")
    ana.page.get_by_label("Times").select_option("local")
    expect(until).to_have_text("2031-01-03 00:00:00 GMT+3:30")
    ana.open_menu("Charts")
    expect(ana.page.locator("svg.plot text[data-at]").first).to_have_text(re.compile(":30$"))
    assert axe.grave_findings(ana.page) == []
    ana.go("/jobs")
    when = ana.page.locator("#job-list time").first
    expect(when).to_have_text("3 h ago")
    when.hover()
    tip = ana.page.get_by_role("tooltip")
    exact = datetime.fromisoformat(when.get_attribute("datetime"))
    expect(tip).to_contain_text(f"{exact:%Y-%m-%d %H:%M:%S} UTC")
    expect(tip).to_contain_text(f"{exact + timedelta(hours=3.5):%Y-%m-%d %H:%M:%S} GMT+3:30 (Asia/Tehran)")
    ana.page.mouse.move(0, 0)
    expect(tip).to_be_hidden()
    ana.page.locator("#job-list tbody a.mono").first.focus()
    ana.page.keyboard.press("Tab")
    ana.page.keyboard.press("Shift+Tab")
    expect(tip).to_contain_text(f"{exact:%Y-%m-%d %H:%M:%S} UTC")
    ana.page.get_by_label("Times").select_option("utc")
    ana.go("/agents/ada_1")
    expect(until).to_have_text("2031-01-02 20:30:00 UTC")
    assert ana.script_errors == ana.policy_errors == []


def test_without_scripts_charts_and_times_are_in_utc_and_lead_on(dashboard: Dashboard, fleet: Fleet) -> None:
    fill(fleet)
    bob = dashboard.person(java_script_enabled=False, **TEHRAN).go("/charts?range=24h")
    expect(bob.page.get_by_label("Times")).to_be_hidden()
    expect(bob.page.locator("time[data-at]").first).to_have_text(re.compile("UTC$"))
    bar = bob.page.get_by_role("group", name="Actions, 24 hours").get_by_role("link").nth(21)
    assert _number(bar.get_attribute("aria-label")) == 11
    bar.click()
    expect(bob.page.locator("#job-list .tabs [aria-current]")).to_have_text(re.compile(r"Done\s+11$"))
    bob.go("/charts")
    bob.link("30 days").click()
    expect(bob.page.get_by_role("group", name="Actions, 30 days")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_figures_that_grew_old_turn_grey_and_can_still_be_read(
    browser: Browser, fleet: Fleet, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ages = {"figures": 3.0, "failures": 90.0, "broker": 40.0, "workers": 2.0, "things": 1.0}
    monkeypatch.setattr(OverviewCards, "ages", lambda _: ages)
    fill(fleet)
    with ExitStack() as stack:
        with server.running(fleet.deps) as url:
            ana = Dashboard(browser, fleet.deps, url, stack).person(color_scheme=scheme, **STILL).go("/")
            broker = ana.page.locator(".health li").filter(has_text="Broker")
            failures = ana.page.locator("#cards .card").filter(has_text="Failures")
            expect(broker).to_have_class(re.compile(r"\bold\b"))
            expect(broker.locator(".age")).to_have_text(re.compile(r"^4\d s ago$"))
            expect(failures).to_have_class(re.compile(r"\bold\b"))
            expect(failures.locator(".age")).to_have_text("1 min ago")
            expect(ana.page.locator(".old")).to_have_count(2)
            assert axe.grave_findings(ana.page) == []
            ages.update(failures=1.0, broker=1.0)
            expect(ana.page.locator(".old")).to_have_count(0)
        expect(ana.page.locator("#state")).to_have_text("No connection")
        expect(ana.page.locator("#cards .old").first).to_be_visible()
        assert axe.grave_findings(ana.page) == []
