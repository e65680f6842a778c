"""What people do at the dashboard, in a real browser."""

from __future__ import annotations

import pytest

from fleet.agents.commands import NewAgent
from fleet.runtime import accounts, people
from tests.browser.conftest import PASSWORD, Dashboard
from tests.browser.inhabited import WEIGHTS
from tests.browser.person import expect
from tests.factories import Fleet

pytestmark = pytest.mark.browser


def test_a_person_logs_in_and_out(dashboard: Dashboard) -> None:
    accounts.create_user(dashboard.deps, "ana", "operator", PASSWORD)
    ana = dashboard.stranger().go("/agents")
    expect(ana.page.get_by_role("heading", level=1)).to_be_visible()
    ana.log_in("ana", "a wrong password")
    expect(ana.page.get_by_role("alert")).to_contain_text("wrong")
    ana.log_in("ana", PASSWORD)
    expect(ana.page.get_by_role("heading", level=1)).to_contain_text("Agents")
    assert ana.path == "/agents"
    assert [one for one in ana.context.cookies() if one["httpOnly"]]
    assert ana.page.evaluate("document.cookie") == ""
    ana.press("Log out")
    expect(ana.page.get_by_label("Password")).to_be_visible()
    assert ana.go("/agents").path.startswith("/login")
    assert not ana.script_errors
    assert not ana.policy_errors


def test_without_javascript_an_agent_is_paused(dashboard: Dashboard, fleet: Fleet) -> None:
    people.create(fleet.deps, NewAgent("Ada", "ada_1", WEIGHTS))
    people.start(fleet.deps, "ada_1")
    accounts.create_user(dashboard.deps, "ana", "operator", PASSWORD)
    ana = dashboard.stranger(java_script_enabled=False).go("/agents")
    ana.log_in("ana", PASSWORD)
    row = ana.page.get_by_role("row").filter(has_text="Ada")
    row.get_by_role("button", name="Pause").click()
    expect(ana.page.get_by_role("status")).to_contain_text("paused")
    assert people.get_agent(fleet.deps, "ada_1").status == "paused"
