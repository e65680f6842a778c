"""The editor of personas in a real browser: it draws while one types, keeps what is typed, and saves what was shown."""

from __future__ import annotations

import re

import pytest

from fleet.features.personas.service import personas_of
from tests.browser import axe
from tests.browser.conftest import Dashboard
from tests.browser.person import expect
from tests.factories import Fleet

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
WIDTHS = (390, 1280, 1440, 1920)
STILL = {"reduced_motion": "reduce"}
HOSTILE = "<img src=x onerror=alert(1)> \u202ereversed"


def test_the_week_and_the_samples_follow_what_is_typed_and_a_diff_comes_before_the_save(
    dashboard: Dashboard, fleet: Fleet
) -> None:
    ana = dashboard.person(viewport={"width": 1440, "height": 900}, **STILL).go("/personas/ai_artist/edit")
    preview = ana.page.locator("#preview")
    expect(preview).to_contain_text("Week, UTC")
    ana.page.get_by_label("Time zone").fill("Asia/Tokyo")
    expect(preview).to_contain_text("Week, Asia/Tokyo")
    was = preview.locator("svg.strip").first.inner_html()
    ana.page.get_by_role("textbox", name="Peak hours").fill("3-5")
    expect(preview.locator("details li").first).to_contain_text("03–05")
    assert preview.locator("svg.strip").first.inner_html() != was
    posts = preview.locator("ol li")
    expect(posts).to_have_count(3)
    ana.page.get_by_text(re.compile("[0-9]+ rules")).click()
    caption = ana.page.get_by_role("textbox", name=re.compile("^caption"))
    lines = caption.input_value()
    caption.fill("A lamp, and nothing {otherwise}.")
    expect(preview).to_contain_text("To be put right")  # the rule has no such name
    ana.page.get_by_label("Hours asleep").fill("seldom")
    ana.page.get_by_role("button", name="Review changes").first.click()
    expect(ana.page.get_by_role("alert")).to_contain_text("Nothing was saved")
    expect(ana.page.get_by_label("Hours asleep")).to_have_value("seldom")
    expect(ana.page.get_by_label("Hours asleep")).to_have_attribute("aria-invalid", "true")
    ana.page.get_by_label("Hours asleep").fill("")
    caption.fill(f"{lines}\nA lamp, and nothing else.")
    ana.page.get_by_label("Personality").fill(HOSTILE)
    ana.page.get_by_role("button", name="Review changes").first.click()
    changes = ana.page.get_by_role("region", name="Changes")
    expect(changes).to_contain_text("+  timezone: Asia/Tokyo")
    changes.get_by_label("Reason").fill("a trial")
    changes.get_by_role("button", name="Save").click()
    ana.said(re.compile("It is saved"))
    found = personas_of(fleet.deps).get("ai_artist")
    assert (found.schedule.timezone, found.schedule.peak) == ("Asia/Tokyo", ((3, 5),))
    expect(ana.page.get_by_role("region", name="Changes at run time")).to_contain_text("a trial")
    assert ana.alerts == ana.script_errors == ana.policy_errors == []


def test_without_javascript_every_step_is_a_button(dashboard: Dashboard, fleet: Fleet) -> None:
    ana = dashboard.person(java_script_enabled=False, viewport={"width": 1280, "height": 900})
    ana.page.goto(f"{ana.url}/personas/new?from=data_viz")
    ana.page.get_by_label("Id", exact=False).first.fill("lighthouse")
    ana.page.get_by_label("Time zone").fill("Europe/Dublin")
    ana.page.get_by_role("button", name="Preview").first.click()
    expect(ana.page.locator("#preview")).to_contain_text("Week, Europe/Dublin")
    expect(ana.page.locator("#preview ol li")).to_have_count(3)
    ana.page.get_by_role("button", name="Review changes").first.click()
    ana.page.get_by_role("button", name="Save").click()
    expect(ana.page.get_by_role("heading", level=1)).to_contain_text("lighthouse")
    assert personas_of(fleet.deps).get("lighthouse").schedule.timezone == "Europe/Dublin"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_editor_fits_every_width_and_can_be_used_by_everybody(
    dashboard: Dashboard, fleet: Fleet, scheme: str
) -> None:
    ana = dashboard.person(color_scheme=scheme, **STILL)
    found = {}
    for width in WIDTHS:
        ana.page.set_viewport_size({"width": width, "height": 900})
        ana.go("/personas/ai_artist/edit")
        ana.page.get_by_label("Vibe").fill("")
        ana.page.get_by_role("button", name="Review changes").first.click()
        expect(ana.page.get_by_role("alert")).to_be_visible()
        found[width] = [ana.overflow_px(), *axe.grave_findings(ana.page)]
    assert found == {width: [0] for width in WIDTHS}
