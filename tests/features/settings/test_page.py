"""The page of settings: groups with headings, and a filter."""

from __future__ import annotations

from tests.web_client import Web


def test_settings_stand_in_groups_that_a_filter_narrows(web: Web) -> None:
    owner = web.browser("owner")
    page = owner.get("/settings").text
    for heading in ("Servers and folders", "Language models", "Publishing", "Webhooks"):
        assert f">{heading} <span" in page, heading
    assert ">Other <span" not in page, "each setting has a heading"
    one = owner.get("/settings", params={"group": "Webhooks", "q": "hooks_limit"}).text
    assert '<h1>Settings <span class="count">1</span>' in one and ">Language models <span" not in one
