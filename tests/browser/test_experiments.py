"""Experiments in a real browser: one is added, started and stopped on its page, on every width, light and dark."""

from __future__ import annotations

import pytest

from fleet.features.experiments.service import experiments_of
from tests.browser import axe
from tests.browser.conftest import Dashboard
from tests.browser.person import expect
from tests.factories import Fleet

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
STILL = {"reduced_motion": "reduce"}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_an_experiment_is_added_refused_started_and_stopped(dashboard: Dashboard, fleet: Fleet, scheme: str) -> None:
    ana = dashboard.person(color_scheme=scheme, **STILL).go("/experiments/new")
    text = ana.page.get_by_role("textbox", name="The experiment’s file")
    good = text.input_value().replace("a_name_of_its_own", "mine")
    text.fill(good.replace("caption_style", "mood"))
    ana.press("Add")
    expect(ana.page.get_by_role("alert")).to_contain_text("'mood' is none")
    expect(text).to_have_value(good.replace("caption_style", "mood"))
    found = {}
    for width in (390, 1280, 1440, 1920):
        ana.page.set_viewport_size({"width": width, "height": 900})
        found[width] = [ana.overflow_px(), *axe.grave_findings(ana.page)]
    assert found == {width: [0] for width in found}
    text.fill(good)
    ana.press("Add")
    ana.said("It is added, and off")
    ana.press("Start")
    ana.said("It runs")
    assert [one.name for one in experiments_of(fleet.deps)] == ["mine"]
    assert axe.grave_findings(ana.page) == []
    ana.press("Stop")
    ana.say_yes()
    ana.said("It is stopped")
    assert experiments_of(fleet.deps) == ()
    assert ana.script_errors == ana.policy_errors == []
