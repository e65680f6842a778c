"""The page of a setting: a form that sets and unsets, layers and history, and what was typed after an error."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fleet.features.settings import queries
from fleet.features.settings.queries import Target
from tests.web_client import Web

LEAD = "/settings/ai_comment_lead"


def value(web: Web, agent: str = "") -> object:
    return queries.detail(web.deps, "ai_comment_lead", Target(agent)).setting.value


def test_a_setting_is_set_for_the_fleet_and_an_agent_and_unset(web: Web) -> None:
    ana, username = web.browser("owner", "ana"), web.fleet.row(web.fleet.agent()).username
    assert f'href="{LEAD}"' in ana.get("/settings?q=comment_lead").text
    assert ana.post(LEAD, value="5", reason="a <b>quiet</b> week").headers["location"] == LEAD
    ana.post(LEAD, value="6", agent=username)
    assert (value(web), value(web, username)) == (5, 6)
    page = ana.get(f"{LEAD}?agent={username}").text
    assert "a &lt;b&gt;quiet&lt;/b&gt; week" in page
    assert f'<a href="{LEAD}?agent={username}">ai_comment_lead</a>' in ana.get(f"/agents/{username}").text
    refused = ana.post(LEAD, value="-7", agent=username, reason="why not")
    assert (refused.status_code, 'value="-7"' in refused.text, 'value="why not"' in refused.text) == (422, True, True)
    ana.post(f"{LEAD}/unset", agent=username)
    assert (value(web), value(web, username)) == (5, 5)
    ana.post(f"{LEAD}/unset")
    assert value(web) == 3


def test_the_form_of_a_page_that_is_old_does_not_overwrite_a_newer_value(web: Web) -> None:
    ana = web.browser("owner", "ana")
    ana.post(LEAD, value="5", version="0", seen="")
    assert ana.post(LEAD, value="9", version="0", seen="").status_code == 412
    assert value(web) == 5


def test_a_setting_that_caps_have_replaced_has_a_page_where_it_is_set(web: Web) -> None:
    """Symptom: the page of settings listed it, with a link that answered 404."""
    ana = web.browser("owner", "ana")
    assert ana.get("/settings/posts_per_day").status_code == 404
    given = web.deps.given.model_copy(update={"posts_per_day": 7})
    web.app.state.deps = replace(web.deps, given=given)
    assert 'href="/settings/posts_per_day"' in ana.get("/settings?q=posts_per_day").text
    assert "now in FLEET_CAPS: post.per_day" in ana.get("/settings/posts_per_day").text


@pytest.mark.parametrize(("name", "said"), [("tempo", "Read when a process starts"), ("openai_api_key", "key store")])
def test_a_setting_of_the_start_has_no_form(web: Web, name: str, said: str) -> None:
    page = web.browser("owner", "ana").get(f"/settings/{name}").text
    assert said in page
    assert f'action="/settings/{name}"' not in page
