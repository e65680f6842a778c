"""The page of settings: groups with headings, and a filter."""

from __future__ import annotations

import pytest

from fleet.core.errors import InvalidInput
from fleet.features.agents import commands as agents
from tests.web_client import Web


def test_settings_stand_in_groups_that_a_filter_narrows(web: Web) -> None:
    owner = web.browser("owner")
    page = owner.get("/settings").text
    for heading in ("Servers and folders", "Language models", "Publishing", "Webhooks"):
        assert f">{heading} <span" in page, heading
    assert ">Other <span" not in page, "each setting has a heading"
    one = owner.get("/settings", params={"group": "Webhooks", "q": "hooks_limit"}).text
    assert '<h1>Settings <span class="count">1</span>' in one and ">Language models <span" not in one


def test_hours_that_never_spend_an_agent_s_interval_are_refused_when_they_are_set(web: Web) -> None:
    agent_id = web.fleet.agent(username="ana_1")
    agents.update(web.deps, "ana_1", {"min_interval_s": 600, "max_interval_s": 86_400})
    oda, program = web.browser("owner"), web.program("admin")
    words = "ana_1 would never wake in these hours (3-4)"
    refused = program.put("/api/v1/settings/agent_hours", json={"value": "3-4", "agent": "ana_1"})
    assert refused.status_code == 422 and words in refused.json()["detail"], refused.text
    assert "shorter interval" in refused.json()["fix"]
    page = oda.post("/settings/agent_hours", value="3-4", agent="ana_1")
    assert page.status_code == 422 and words in page.text and 'value="3-4"' in page.text
    assert '<option value="ana_1">' in page.text and 'list="agent-choices"' in page.text

    agents.update(web.deps, "ana_1", {"max_interval_s": 600})
    assert program.put("/api/v1/settings/agent_hours", json={"value": "3-4", "agent": "ana_1"}).status_code == 200
    for longer in ({"max_interval_s": 86_400}, {"min_interval_s": 80_000, "max_interval_s": 86_400}):
        with pytest.raises(InvalidInput, match="would never wake"):
            agents.update(web.deps, "ana_1", longer)
    assert web.fleet.row(agent_id).max_interval_s == 600


def test_an_account_is_chosen_from_a_list(web: Web) -> None:
    page = web.browser("owner").get("/settings/dry_run").text
    assert '<select id="account" name="account"><option value="">all accounts</option><option>gallery</option>' in page
