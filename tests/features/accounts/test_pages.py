"""The pages of accounts: forms that do what they say, and credentials that never come back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fleet.features.accounts import queries
from tests.factories import Fleet, Surface, make_fleet
from tests.web_client import Web

SECRET = "fst_a_token_that_nobody_may_read_again"
NEW = {"name": "second", "adapter": "floimg", "address": "http://127.0.0.1:8641", "credentials": SECRET}


@pytest.fixture
def fleet(database_url: str) -> Iterator[Fleet]:
    """A fleet with a key for its key store."""
    made = make_fleet(database_url, systems={"second": Surface()})
    yield made
    made.deps.close()


def test_an_account_from_its_making_to_its_end(web: Web) -> None:
    ana = web.browser("owner", "ana")
    username = web.fleet.row(web.fleet.agent()).username
    assert ana.post("/accounts", **NEW).headers["location"].startswith("/accounts/second")
    assert "http://127.0.0.1:8641" in ana.get("/accounts").text
    ana.post("/accounts/second/assign", agent=username)
    assert f'href="/agents/{username}"' in ana.get("/accounts/second").text
    ana.post("/accounts/second/stop")
    assert queries.get(web.deps, "second").state == "stopped"
    ana.post("/accounts/second/resume")
    assert queries.get(web.deps, "second").state == "active"
    ana.post("/accounts/second/credentials", credentials=SECRET + "2")
    ana.post("/accounts/second/remove")
    assert len(queries.listed(web.deps)) == 2, "an agent acts through it"
    ana.post("/accounts/second/unassign", agent=username)
    ana.post("/accounts/second/remove")
    assert [one.name for one in queries.listed(web.deps)] == ["gallery"]


@pytest.mark.parametrize("change", [{"name": "A B"}, {"address": "gallery"}, {"credentials": " "}, {"adapter": "bird"}])
def test_wrong_input_comes_back_with_a_reason_and_without_the_credentials(web: Web, change: dict[str, str]) -> None:
    answer = web.browser("owner", "ana").post("/accounts", **{**NEW, **change})
    assert answer.status_code in (404, 422)
    assert 'role="alert"' in answer.text
    assert SECRET not in answer.text
    assert len(queries.listed(web.deps)) == 1


def test_an_unknown_agent_is_named_as_a_problem(web: Web) -> None:
    ana = web.browser("owner", "ana")
    ana.post("/accounts", **NEW)
    answer = ana.post("/accounts/second/assign", agent="nobody")
    assert answer.status_code == 303
    assert "nobody" in ana.get(answer.headers["location"]).text


def test_people_without_the_right_see_no_forms(web: Web) -> None:
    page = web.browser("operator", "oli").get("/accounts")
    assert page.status_code == 200
    assert 'name="credentials"' not in page.text
