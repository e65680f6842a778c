"""Forms that stop things and show secrets, in a browser: nothing is chosen by default, nothing typed is lost."""

from __future__ import annotations

from fleet.features.controls import commands as fleetwide
from tests.browser.conftest import Dashboard
from tests.browser.person import expect
from tests.factories import Fleet


def test_a_pause_is_chosen_counted_and_confirmed_and_what_was_typed_stays(dashboard: Dashboard, fleet: Fleet) -> None:
    fleet.agent(username="ada_1")
    oda = dashboard.person()
    oda.page.goto(f"{dashboard.url}/controls")
    form = oda.page.locator("form[action='/controls/pause']")
    expect(form.get_by_label("What")).to_have_value("")
    form.get_by_label("What").select_option("agent")
    form.get_by_label("Name").fill("nobody_1")
    form.get_by_label("Reason").fill("a look at it")
    form.get_by_role("button", name="Pause").click()
    expect(oda.page.locator("#said")).to_contain_text("nobody_1")
    expect(form.get_by_label("Reason")).to_have_value("a look at it")
    form.get_by_label("Name").fill("ada_1")
    form.get_by_role("button", name="Pause").click()
    expect(oda.page.get_by_role("heading", name="Pause agent ada_1?")).to_be_visible()
    assert fleetwide.holds(dashboard.deps) == []
    oda.page.get_by_role("button", name="Pause agent ada_1").click()
    expect(oda.page.locator("#said")).to_contain_text("Agent ada_1 is paused")
    assert [hold.reason for hold in fleetwide.holds(dashboard.deps)] == ["a look at it"]


def test_presets_tick_scopes_a_token_is_copied_and_weights_show_their_share(dashboard: Dashboard) -> None:
    ada = dashboard.person()
    page = ada.page
    page.goto(f"{dashboard.url}/account")
    page.get_by_label("Preset").select_option("emergency-stop")
    expect(page.locator("input[name=scopes]:checked")).to_have_count(4)
    page.get_by_label("Name", exact=True).fill("siren")
    page.get_by_role("button", name="Create token").click()
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    page.goto(f"{dashboard.url}/agents/new")
    page.locator("input[name=post]").fill("0")
    expect(page.locator("[data-share=post]")).to_have_text("0 % of its actions")
