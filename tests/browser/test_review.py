"""The review queue in a real browser: by keyboard, live, on four widths, light and dark, and without JavaScript."""

from __future__ import annotations

import dataclasses
import uuid
from typing import Any

import pytest

from fleet.features.approvals import service as approving
from fleet.features.approvals.queries import RequestFilter
from fleet.features.approvals.request import Request
from fleet.features.approvals.rules import Person as Voter
from fleet.features.approvals.states import RequestState
from fleet.features.users import service as accounts
from fleet.images.placeholder import render_jpeg
from tests.browser import axe
from tests.browser.conftest import PASSWORD, Dashboard
from tests.browser.person import Person, expect
from tests.factories import Fleet
from tests.features.drafts.test_scan import ASK, COMMENT, LOVE, POST, post, proposing, scan, supervised

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
BEN = Voter("ben", frozenset({"owner"}))
TWO_SCREENS_PX = 1800
STILL = {"reduced_motion": "reduce"}


def wait_for_people(fleet: Fleet, number: int = 1) -> list[Request]:
    """Have agents propose about posts with pictures; return what waits, in the order of the queue."""
    fleet.surface.picture, fleet.surface.picture_type = render_jpeg("a brass lamp", "ai_artist"), "image/jpeg"
    for _ in range(number):
        name = f"o{uuid.uuid4().hex[:6]}"  # "fb1234" would be refused, as an address on another network
        shown = dataclasses.replace(post(name), image_url=f"http://127.0.0.1:8640/images/{name}.jpg")
        fleet.surface.posts = [shown]
        fleet.words.proposals = proposing(COMMENT, dataclasses.replace(POST, text=f"Lamp {name}"), LOVE, ASK)
        scan(fleet, supervised(fleet, username=f"a_{name}", name=f"Ann {name}"))
    found = approving.page(fleet.deps, RequestFilter((RequestState.PENDING,)), limit=100)
    return sorted(found, key=lambda one: (one.expires_at, one.id))


def state(fleet: Fleet, one: Request) -> RequestState:
    return approving.show(fleet.deps, str(one.id))[0].state


def is_open(who: Person, one: Request) -> None:
    """Wait until a request is shown on the right, chosen on the left, and its heading has the focus."""
    expect(who.page.locator(f'[data-shown="{one.id}"]')).to_be_visible()
    expect(who.page.locator('[data-row][aria-current="true"]')).to_have_attribute("data-row", str(one.id))
    expect(who.page.locator("#about")).to_be_focused()


def test_a_key_does_not_decide_about_the_request_that_is_being_left(dashboard: Dashboard, fleet: Fleet) -> None:
    one, two, *_ = wait_for_people(fleet, 2)
    ana = dashboard.person("reviewer", viewport={"width": 1440, "height": 900}, **STILL).go("/review")
    held: list[Any] = []

    def hold(route: Any) -> None:
        held.append(route)

    ana.page.route(f"**/review/{two.id}*", hold)
    with ana.page.expect_request(f"**/review/{two.id}*"):
        ana.type("j")
    ana.type("a")  # the page still shows the first one
    held[0].continue_()
    is_open(ana, two)
    assert (state(fleet, one), state(fleet, two)) == ("pending", "pending")
    ana.type("?")
    expect(ana.page.get_by_role("dialog", name="Keys")).to_contain_text("Approve the request that is shown")


def test_the_queue_is_worked_through_by_keyboard_alone(dashboard: Dashboard, fleet: Fleet) -> None:
    _, two, three, four, *others = wait_for_people(fleet, 2)
    ana = dashboard.person("reviewer", viewport={"width": 1440, "height": 900}, **STILL).go("/review")
    expect(ana.page.get_by_text("Live", exact=True)).to_be_visible()
    ana.mark()
    ana.see("approve")  # the hint
    for key, to in (("j", two), ("j", three), ("k", two)):
        ana.type(key)
        is_open(ana, to)
    ana.type("a")
    is_open(ana, three)
    assert state(fleet, two) == "approved"
    ana.type("r")
    reason = ana.page.get_by_label("Reason")
    expect(reason).to_be_focused()
    ana.type("Enter")  # nothing is sent without a reason, and the page says what is missing
    missing = ana.page.locator("details.act[open]").get_by_text("A rejection needs a reason")
    expect(missing).to_have_css("font-weight", "600")
    assert state(fleet, three) == "pending"
    ana.type("too a and too j", "Enter")  # letters in a field are no keys of the desk
    is_open(ana, four)
    assert approving.show(fleet.deps, str(three.id))[0].reason == "too a and too j"
    ana.type("e")
    expect(ana.page.locator("details.act[open] :is(textarea, select, input):focus")).to_have_count(1)
    ana.type("Escape", "x", "j")
    is_open(ana, others[0])
    ana.type("x")
    expect(ana.page.get_by_text("2 selected", exact=True)).to_be_visible()
    ana.press("Approve selected")
    ana.say_yes()
    ana.said("2 of 2 went through")
    assert [state(fleet, each) for each in (four, others[0])] == ["approved", "approved"]
    expect(ana.page.locator("#states")).to_contain_text(f"Waiting {len(others)}")
    assert ana.is_same_page
    assert ana.script_errors == ana.policy_errors == []


def test_new_and_decided_requests_keep_the_selection_and_are_announced(dashboard: Dashboard, fleet: Fleet) -> None:
    one, two, *_ = wait_for_people(fleet)
    ana = dashboard.person("reviewer").go("/review")
    expect(ana.page.get_by_text("Live", exact=True)).to_be_visible()
    ana.mark()
    fleet.sql("UPDATE approval_requests SET expires_at = expires_at + interval '1 day'")
    first, *_ = wait_for_people(fleet)  # comes before all others
    expect(ana.page.locator("[data-row]").first).to_have_attribute("data-row", str(first.id))
    expect(ana.page.locator('[data-row][aria-current="true"]')).to_have_attribute("data-row", str(one.id))
    expect(ana.page.locator(f'[data-shown="{one.id}"]')).to_be_visible()
    ana.context.set_offline(True)  # the page does not hear of the next decision
    approving.reject(fleet.deps, [one.id], BEN, "no")
    ana.context.set_offline(False)
    ana.page.locator(f"form[action='/review/{one.id}/approve']").evaluate("form => form.requestSubmit()")
    ana.said("rejected already by ben")
    is_open(ana, two)
    assert ana.is_same_page


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("width", "height"), [(1280, 900), (1440, 900), (1920, 1080), (390, 844)])
def test_twenty_drafts_fit_two_screens_with_pictures_on_both_sides(
    dashboard: Dashboard, fleet: Fleet, width: int, height: int, scheme: str
) -> None:
    waiting = wait_for_people(fleet, 5)
    assert len(waiting) == 20
    ana = dashboard.person("reviewer", viewport={"width": width, "height": height}, color_scheme=scheme, **STILL)
    ana.go("/review")
    assert ana.page.evaluate("document.documentElement.scrollHeight") <= TWO_SCREENS_PX
    assert ana.overflow_px() <= 0
    lines = ana.page.locator(".queue > li").evaluate_all("rows => rows.map(row => row.offsetHeight)")
    assert len(lines) == 20 and max(lines) < 48  # one line each
    assert axe.grave_findings(ana.page) == []
    for words, picture in (("Lamp", "A lamp."), ("The slate holds", "The picture of the post that it answers")):
        ana.go("/review")
        ana.page.locator("[data-row]").filter(has_text=words).first.click()
        seen = ana.page.get_by_role("img", name=picture)
        expect(seen).to_be_visible()
        expect(seen).to_have_js_property("naturalWidth", 768)
        assert ana.overflow_px() <= 0
        assert axe.grave_findings(ana.page) == []
    if width < 1000:
        expect(ana.page.locator("[data-row]").first).not_to_be_visible()  # on a phone one of the two is shown
        ana.link("‹ List").click()
        expect(ana.page.locator("[data-row]").first).to_be_visible()


def test_without_javascript_the_queue_works_by_links_and_forms(dashboard: Dashboard, fleet: Fleet) -> None:
    one, two, *_ = wait_for_people(fleet)
    accounts.create_user(dashboard.deps, "ana", "reviewer", PASSWORD)
    ana = dashboard.stranger(java_script_enabled=False).go("/review")
    ana.log_in("ana", PASSWORD)
    ana.page.locator("[data-row]").first.click()
    ana.page.get_by_text("Reject", exact=True).click()
    ana.page.get_by_label("Reason").fill("no")
    ana.button("Reject it").click()
    ana.said("Rejected")
    assert (state(fleet, one), ana.path) == ("rejected", f"/review/{two.id}")
    ana.button("Approve").click()
    assert state(fleet, two) == "approved"
    expect(ana.page.locator(".keys")).not_to_be_visible()
