"""The calendar in a real browser: by mouse, by keyboard and on a phone, light and dark, and the form of an item."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from fleet.engine.jobs.states import JobState
from tests.browser import axe
from tests.browser.conftest import Dashboard
from tests.browser.person import Person, expect
from tests.factories import Fleet, make_fleet
from tests.features.campaigns.test_pipeline import Network, agent, rows, work
from tests.features.jobs.test_pages import add_job

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
STILL = {"reduced_motion": "reduce"}
PHONE = {"width": 390, "height": 844}
LONG = "Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichen " * 3


@pytest.fixture
def fleet(database_url: str) -> Iterator[Fleet]:
    made = make_fleet(database_url, systems={"x": Network("x")})
    made.account("x", adapter="x")
    yield made
    made.deps.close()


def planned(fleet: Fleet, at: datetime, words: str = "a brass lamp") -> Any:
    """Add a post that is due at a time."""
    where: Any = SimpleNamespace(fleet=fleet)
    return fleet.job(add_job(where, JobState.READY, next_attempt_at=at, checkpoint={"words": {"caption": words}}))


def next_month() -> datetime:
    """The tenth of the next month: its week and its neighbours are within one grid."""
    first = (datetime.now(UTC).replace(day=1) + timedelta(days=32)).replace(day=1)
    return first.replace(day=10, hour=9, minute=15, second=0, microsecond=0)


def due(fleet: Fleet, job: Any) -> datetime:
    return fleet.job(job.id).next_attempt_at


def quiet(person: Person) -> None:
    """See that no script failed, and that the page's policy stopped nothing."""
    assert person.script_errors == person.policy_errors == person.alerts == []


def test_an_entry_is_dragged_to_another_day_and_hour_with_the_mouse(dashboard: Dashboard, fleet: Fleet) -> None:
    at = next_month()
    job = planned(fleet, at)
    ana = dashboard.person(**STILL).go(f"/calendar?day={at:%Y-%m-%d}")
    entry = ana.page.locator("[data-entry]").first
    entry.drag_to(ana.page.locator(f'td[data-day="{at + timedelta(days=2):%Y-%m-%d}"]'))
    ana.said("Moved to")
    assert due(fleet, job) == at + timedelta(days=2)
    ana.go(f"/calendar?view=week&day={at + timedelta(days=2):%Y-%m-%d}")
    target = ana.page.locator(f'td[data-day="{at + timedelta(days=1):%Y-%m-%d}"][data-hour="11"]')
    ana.page.locator("[data-entry]").first.drag_to(target)
    ana.said("Moved to")
    assert due(fleet, job) == (at + timedelta(days=1)).replace(hour=11)
    expect(target).to_contain_text("a brass lamp")
    quiet(ana)


def test_an_entry_is_moved_and_cancelled_with_the_keyboard_alone(dashboard: Dashboard, fleet: Fleet) -> None:
    at = next_month()
    job = planned(fleet, at)
    ana = dashboard.person(**STILL).go(f"/calendar?day={at:%Y-%m-%d}")
    ana.tab_to("09:15")
    ana.type("Enter")
    ana.page.get_by_role("heading", name="Post in the calendar").wait_for()
    expect(ana.page.get_by_label("New time")).to_have_value(f"{at:%Y-%m-%dT%H:%M}")
    ana.tab_to("New time")
    for key in ("Tab", "ArrowUp", "ArrowUp"):  # month, day, two days later
        ana.page.keyboard.press(key)
    expect(ana.page.get_by_label("New time")).to_have_value(f"{at + timedelta(days=2):%Y-%m-%dT%H:%M}")
    ana.tab_to("Zone")
    ana.page.keyboard.press("Control+a")
    ana.type("Europe/Berlin")
    ana.tab_to("Move")
    ana.type("Enter")
    ana.said("Moved to")
    assert due(fleet, job) == datetime.combine(at + timedelta(days=2), at.time(), ZoneInfo("Europe/Berlin"))
    ana.go(f"/calendar/entries/jobs/{job.id}")
    ana.tab_to("Cancel this post")
    ana.type("Enter")
    ana.page.get_by_role("dialog").get_by_role("button", name="Cancel this post").press("Enter")
    ana.said("It is cancelled")
    assert fleet.job(job.id).state == JobState.CANCELLED
    quiet(ana)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_view_fits_every_width_and_passes_axe(dashboard: Dashboard, fleet: Fleet, scheme: str) -> None:
    at = next_month()
    jobs = [planned(fleet, at + timedelta(minutes=number), LONG) for number in range(6)]
    paths = [
        f"/calendar?day={at:%Y-%m-%d}", f"/calendar?view=week&day={at:%Y-%m-%d}",
        f"/calendar?view=list&day={at:%Y-%m-%d}", f"/calendar/entries/jobs/{jobs[0].id}", "/content-items/new",
        "/campaigns/new",
    ]  # fmt: skip
    ana = dashboard.person(color_scheme=scheme, **STILL)
    found: dict[tuple[str, int], list[Any]] = {}
    for path in paths:
        ana.go(path)
        for width in (390, 1280, 1920):
            ana.page.set_viewport_size({"width": width, "height": 900})
            found[path, width] = [max(0, ana.overflow_px()), *axe.grave_findings(ana.page)]
    assert found == {key: [0] for key in found}
    quiet(ana)


def test_on_a_phone_the_zone_is_switched_and_an_entry_is_moved(dashboard: Dashboard, fleet: Fleet) -> None:
    at = next_month().replace(hour=23, minute=30)
    job = planned(fleet, at)
    ana = dashboard.person(viewport=PHONE, has_touch=True, **STILL).go(f"/calendar?day={at:%Y-%m-%d}")
    expect(ana.page.locator(f'td[data-day="{at:%Y-%m-%d}"]')).to_contain_text("23:30")
    ana.page.get_by_label("Zone").last.fill("Asia/Tokyo")
    ana.press("Show")
    expect(ana.page.locator(f'td[data-day="{at + timedelta(days=1):%Y-%m-%d}"]')).to_contain_text("08:30")
    ana.page.get_by_role("link", name=re.compile("08:30")).tap()
    ana.page.get_by_label("New time").fill(f"{at:%Y-%m}-20T12:00")
    ana.page.get_by_role("button", name="Move").tap()
    ana.said("Moved to")
    assert due(fleet, job) == at.replace(day=20, hour=3, minute=0)
    assert "zone=Asia%2FTokyo" in ana.path, "the view that was left is shown again"
    quiet(ana)


def test_an_item_is_composed_with_a_preview_and_duplicated_from_the_calendar(
    dashboard: Dashboard, fleet: Fleet
) -> None:
    poster, at = agent(fleet, "x"), next_month()
    ana = dashboard.person(**STILL).go(f"/calendar?view=list&day={at:%Y-%m-%d}&zone=Asia/Tokyo")
    ana.link("Compose").click()
    expect(ana.page.get_by_label("Publish at")).to_have_value(f"{at:%Y-%m-%d}T09:00")
    ana.page.get_by_label("Agent").fill(poster)
    ana.page.get_by_label("Message").press_sequentially("Brass lamps and wet slate. " * 12, delay=0)
    expect(ana.page.get_by_role("heading", name="x thread of 2")).to_be_visible()
    ana.page.get_by_label(re.compile("^Link")).fill("https://[")
    ana.page.locator("form[data-preview]").evaluate("form => form.noValidate = true")
    ana.press("Compose")
    expect(ana.page.get_by_role("alert")).to_contain_text("beside its field")
    expect(ana.page.get_by_label("Message")).to_have_value("Brass lamps and wet slate. " * 12)
    ana.page.get_by_label(re.compile("^Link")).fill("https://lamps.test/")
    ana.press("Compose")
    ana.said("The item is composed")
    work(fleet)
    (row,) = rows(fleet)
    assert row.scheduled_at == datetime.fromisoformat(f"{at:%Y-%m-%d}T09:00+09:00")
    ana.go(f"/calendar?day={at:%Y-%m-%d}&zone=Asia/Tokyo")
    ana.link(re.compile("09:00")).first.click()
    ana.page.get_by_label("Time of the copy").fill(f"{at + timedelta(days=3):%Y-%m-%d}T10:00")
    ana.press("Duplicate")
    ana.said("This is the copy")
    assert len(rows(fleet)) == 2
    quiet(ana)
