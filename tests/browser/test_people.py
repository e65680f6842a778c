"""What people do at the dashboard, in a real browser."""

from __future__ import annotations

import io
import uuid

import pytest
from PIL import Image

from fleet.adapters import base
from fleet.core import events, ids
from fleet.core.queue import Message
from fleet.engine.agents import lookup
from fleet.engine.agents.commands import NewAgent
from fleet.engine.attempts.perform import perform
from fleet.features.agents import commands as agent_commands
from fleet.features.controls import commands as fleetwide
from fleet.features.drafts import commands as drafting
from fleet.features.users import service as accounts
from tests.browser import axe
from tests.browser.conftest import PASSWORD, Dashboard
from tests.browser.inhabited import WEIGHTS, act, decided
from tests.browser.person import Person, expect
from tests.browser.wire import wire
from tests.factories import Fleet, raises
from tests.features.drafts.test_drafts import proposed
from tests.features.drafts.test_scan import COMMENT

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


@pytest.fixture
def ada(fleet: Fleet) -> str:
    """A running agent with an account, by its username."""
    agent_commands.create(fleet.deps, NewAgent("Ada Bright", "ada_1", WEIGHTS, kind="gallery"))
    agent_commands.start(fleet.deps, "ada_1")
    fleet.sql("UPDATE agents SET remote_account = 'u-1'")
    return "ada_1"


def listening(who: Person) -> Person:
    """Wait until the page says that it hears what happens."""
    expect(who.page.get_by_text("Live", exact=True)).to_be_visible()
    return who


def test_a_person_logs_in_and_out(dashboard: Dashboard) -> None:
    accounts.create_user(dashboard.deps, "ana", "operator", PASSWORD)
    ana = dashboard.stranger().go("/agents")
    expect(ana.page.get_by_role("heading", level=1)).to_be_visible()
    ana.log_in("ana", "a wrong password")
    expect(ana.page.get_by_role("alert").or_(ana.page.get_by_role("status")).filter(has_text="wrong")).to_be_visible()
    ana.log_in("ana", PASSWORD)
    expect(ana.page.get_by_role("heading", level=1)).to_contain_text("Agents")
    assert ana.path == "/agents"
    assert [one for one in ana.context.cookies() if one["httpOnly"]]
    assert ana.page.evaluate("document.cookie") == ""
    ana.press("Log out")
    expect(ana.page.get_by_label("Password")).to_be_visible()
    assert ana.go("/agents").path.startswith("/login")
    assert ana.script_errors == ana.policy_errors == []


def test_an_agents_post_appears_without_a_reload(dashboard: Dashboard, fleet: Fleet, ada: str) -> None:
    ana = listening(dashboard.person().go("/"))
    ana.mark()
    act(fleet, ada, "post")
    ana.see("Ada Bright")
    ana.see("A harbour, take 1.")
    assert ana.is_same_page
    assert ana.script_errors == ana.policy_errors == []


def test_a_person_walks_through_the_pages_without_a_reload_and_back_again(dashboard: Dashboard, ada: str) -> None:
    ana = listening(dashboard.person().go("/"))
    ana.mark()
    heading = ana.page.get_by_role("heading", level=1)
    for name in ("Agents", "Jobs", "Dead letters", "Controls"):
        ana.open_menu(name)
        expect(heading).to_contain_text(name)
        expect(ana.page.get_by_role("main")).to_be_focused()  # whoever hears the page hears that it is another
    ana.page.go_back()
    expect(heading).to_contain_text("Dead letters")
    assert ana.path == "/dead"
    expect(ana.page.get_by_role("status").filter(has_text="cannot")).to_have_count(0)
    assert ana.is_same_page
    assert ana.script_errors == ana.policy_errors == []


def test_a_person_pauses_the_fleet_and_lets_it_go_on(dashboard: Dashboard, fleet: Fleet, ada: str) -> None:
    ana = dashboard.person().go("/controls")
    form = ana.page.locator("form").filter(has=ana.button("Pause"))
    form.get_by_label("What").select_option(label="the whole fleet")
    form.get_by_label("Reason").fill("quiet evening")
    ana.press("Pause", within=form)
    ana.page.get_by_role("button", name="Pause the fleet").click()
    held = ana.page.get_by_role("row").filter(has_text="quiet evening")
    expect(held).to_be_visible()
    assert [(hold.scope, hold.reason) for hold in fleetwide.holds(fleet.deps)] == [("fleet", "quiet evening")]
    ana.press("Resume", within=held)
    expect(held).to_have_count(0)
    assert fleetwide.holds(fleet.deps) == []


def test_a_person_approves_a_draft_and_sees_what_becomes_of_it(dashboard: Dashboard, fleet: Fleet) -> None:
    (draft,) = proposed(fleet, COMMENT)
    ana = listening(dashboard.person("reviewer").go(f"/drafts/{draft.id}"))
    ana.see(COMMENT.text)
    ana.see("brass lamp")  # what it answers stands beside it
    ana.page.get_by_role("button", name="Approve", exact=True).click()
    ana.said("pproved")
    assert drafting.show(fleet.deps, str(draft.id))[0].row.status == "approved"
    listening(ana.go(f"/drafts/{draft.id}"))
    ana.mark()
    perform(fleet.deps, ids.derived("publish", draft.id))
    ana.see("published")
    assert ana.is_same_page
    assert [effect.text for effect in fleet.surface.effects] == [COMMENT.text]


def test_a_person_replays_a_dead_letter(dashboard: Dashboard, fleet: Fleet, ada: str) -> None:
    fleet.surface.faults = [raises(base.Refused("The surface said no."))]
    job = act(fleet, ada, "post")
    fleet.bell.take()
    ana = dashboard.person().go("/dead")
    row = ana.page.get_by_role("row").filter(has_text="The surface said no.")
    row.get_by_role("link", name="Replay").or_(row.get_by_role("button", name="Replay")).first.click()
    ana.say_yes()
    sure = ana.page.get_by_role("button", name="Replay 1 dead letter")
    expect(sure).to_be_visible()
    sure.click()
    ana.said("eplay")
    assert fleet.job(job).state == "ready"
    assert _rung(fleet.bell.take()) == [str(job)]
    perform(fleet.deps, job)
    assert fleet.job(job).state == "done"


def _rung(messages: list[Message]) -> list[str]:
    return [str(message.args[0]) for message in messages]


def test_a_person_throws_the_kill_switch_and_lifts_it(dashboard: Dashboard, fleet: Fleet, ada: str) -> None:
    job = decided(fleet, ada, "post")
    ana, ben = dashboard.person(), listening(dashboard.person("viewer").go("/"))
    ben.mark()
    ana.go("/controls")
    ana.page.get_by_label("Reason").first.fill("they all say the same")
    ana.button("Turn on the kill switch").click()
    dialog = ana.page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    assert axe.grave_findings(ana.page) == []
    dialog.get_by_role("button", name="Cancel").click()
    assert fleetwide.holds(fleet.deps) == []
    ana.press("Turn on the kill switch")
    ana.see("they all say the same")
    assert [(hold.scope, hold.hold) for hold in fleetwide.holds(fleet.deps)] == [("fleet", "kill")]
    ben.see("they all say the same")  # and everybody else is told at once
    assert ben.is_same_page
    perform(fleet.deps, job)
    assert (fleet.job(job).state, fleet.surface.effects) == ("ready", [])
    ana.press("Lift the kill switch")
    expect(ana.button("Turn on the kill switch")).to_be_visible()
    assert fleetwide.holds(fleet.deps) == []


def test_ticked_rows_stay_ticked_when_the_list_is_reloaded(dashboard: Dashboard, fleet: Fleet, ada: str) -> None:
    agent_commands.create(fleet.deps, NewAgent("Ben Low", "ben_2", WEIGHTS, kind="gallery"))
    ana = listening(dashboard.person().go("/agents"))
    box = ana.page.get_by_role("checkbox", name="Select Ada Bright")
    box.check()
    agent_commands.start(fleet.deps, "ben_2")
    expect(ana.page.get_by_role("row").filter(has_text="Ben Low")).to_contain_text("running")
    expect(box).to_be_checked()
    expect(ana.page.get_by_role("checkbox", name="Select Ben Low")).not_to_be_checked()
    expect(ana.page.get_by_text("1 selected", exact=True)).to_be_visible()
    ana.press("Pause…")
    ana.see("1 agent")
    assert ana.script_errors == []


def test_a_page_that_answers_a_form_can_be_reloaded(dashboard: Dashboard) -> None:
    ana = dashboard.person().go("/account")
    ana.mark()
    ana.page.get_by_label("Name", exact=True).fill("a program")
    ana.page.get_by_label("fleet.view").check()
    ana.press("Create token")
    ana.see("Copy it now")
    assert ana.is_same_page
    assert ana.page.evaluate("scrollY") == 0  # the token stands at the top, the form at the bottom
    ana.page.reload()
    expect(ana.page.get_by_role("heading", level=1)).to_have_text("Your account")
    ana.see("a program")
    expect(ana.page.get_by_text("Copy it now")).to_have_count(0)


def test_after_a_lost_connection_what_was_missed_is_shown_once(dashboard: Dashboard, fleet: Fleet) -> None:
    with wire(dashboard.url) as line:
        dashboard.url = line.url
        ana = listening(dashboard.person().go("/"))
        ana.mark()
        _tell(fleet, "before")
        ana.see("word before.")
        line.cut()
        ana.context.set_offline(True)
        for name in ("first", "second", "third"):
            _tell(fleet, name)
        expect(ana.page.get_by_text("Live", exact=True)).to_have_count(0)
        expect(ana.page.get_by_role("main")).not_to_contain_text("word first.")
        line.mend()
        ana.context.set_offline(False)
        ana.see("word third.")
        _tell(fleet, "last")
        ana.see("word last.")
        for name in ("before", "first", "second", "third", "last"):
            expect(ana.page.get_by_role("listitem").filter(has_text=f"word {name}.")).to_have_count(1)
        assert ana.is_same_page
        assert ana.script_errors == []


def _tell(fleet: Fleet, name: str) -> None:
    with fleet.deps.db.transaction() as tx:
        events.emit(tx, "job.done", job_id=uuid.uuid4(), agent="Ada Bright", kind="comment", to="Zoe",
                    text=f"word {name}.")  # fmt: skip


def test_the_keyboard_is_enough_for_login_menu_form_and_dialog(dashboard: Dashboard, fleet: Fleet, ada: str) -> None:
    accounts.create_user(dashboard.deps, "ana", "owner", PASSWORD)
    ana = dashboard.stranger().go("/")
    expect(ana.page.get_by_label("Name")).to_be_focused()
    ana.type("ana", "Tab", PASSWORD, "Enter")
    heading = ana.page.get_by_role("heading", level=1)
    expect(heading).to_contain_text("Overview")
    ana.go("/")
    ana.tab_to("Skip to content")
    ana.tab_to("Agents")
    ana.type("Enter")
    expect(heading).to_contain_text("Agents")
    ana.tab_to("Name or username")
    ana.type("nobody-is-called-so", "Enter")
    ana.see("No agent matches")
    ana.go("/controls")
    ana.tab_to("Reason")
    ana.type("by keyboard")
    ana.tab_to("Turn on the kill switch")
    ana.type("Enter")
    expect(ana.page.get_by_role("dialog")).to_be_visible()
    ana.type("Escape")
    expect(ana.page.get_by_role("dialog")).to_have_count(0)
    assert fleetwide.holds(fleet.deps) == []
    ana.type("Enter")  # the focus is back on the button
    expect(ana.page.get_by_role("dialog")).to_be_visible()
    ana.tab_to("Turn on the kill switch")
    ana.type("Enter")
    ana.see("by keyboard")
    assert len(fleetwide.holds(fleet.deps)) == 1


def test_dark_and_light_are_as_the_system_is(dashboard: Dashboard) -> None:
    shades = {scheme: _shade(dashboard.person(color_scheme=scheme).go("/")) for scheme in ("light", "dark")}
    assert shades["light"] > 200
    assert shades["dark"] < 60


def _shade(who: Person) -> int:
    """Return how light the lower right corner of the page is, from 0 to 255."""
    with Image.open(io.BytesIO(who.page.screenshot())) as picture:
        grey = picture.convert("L")
        shade = grey.getpixel((grey.width - 5, grey.height - 5))
    assert isinstance(shade, int)
    return shade


def test_on_a_phone_the_menu_opens_and_leads_on(dashboard: Dashboard) -> None:
    ana = dashboard.person(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True).go("/")
    ana.open_menu("Jobs")
    expect(ana.page.get_by_role("heading", level=1)).to_contain_text("Jobs")
    assert ana.overflow_px() <= 0


def test_without_javascript_an_agent_is_paused(dashboard: Dashboard, fleet: Fleet, ada: str) -> None:
    accounts.create_user(dashboard.deps, "ana", "operator", PASSWORD)
    ana = dashboard.stranger(java_script_enabled=False).go("/agents")
    ana.log_in("ana", PASSWORD)
    row = ana.page.get_by_role("row").filter(has_text="Ada Bright")
    row.get_by_role("button", name="Pause").click()
    ana.said("paused")
    assert lookup.agent(fleet.deps.db, ada).status == "paused"
