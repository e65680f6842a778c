"""One search over agents, jobs, accounts and pages: what it finds, and for whom."""

from __future__ import annotations

import httpx
import pytest

from fleet.features.search.service import rank
from tests.features.jobs.test_pages import HOSTILE, add_job
from tests.web_client import Web


def found(api: httpx.Client, q: str) -> dict[str, list[str]]:
    answer = api.get("/api/v1/search", params={"q": q})
    assert answer.status_code == 200
    return {group["name"]: [hit["href"] for hit in group["hits"]] for group in answer.json()["groups"]}


def test_each_kind_of_thing_is_found_by_what_people_type(web: Web) -> None:
    agent = web.fleet.agent(name="Ada Bright", username="ada_1")
    job = add_job(web, agent=agent, checkpoint={"words": {"caption": "A quiet harbour"}})
    api = web.program()
    assert found(api, "bright")["Agents"] == ["/agents/ada_1"]
    assert found(api, "QUIET")["Jobs"] == [f"/jobs/{job}"]
    assert found(api, str(job)[:8])["Jobs"] == [f"/jobs/{job}"]
    assert found(api, "dead")["Pages"] == ["/dead"]
    assert found(api, "create an")["Actions"] == ["/agents/new"]
    assert found(api, "data")["Personas"]
    assert found(api, "zzzz") == {}


def test_a_user_finds_only_what_they_may_see(web: Web) -> None:
    """A viewer may not see settings, users and accounts, and may not create agents."""
    viewer = web.program("viewer")
    names = {name for q in ("se", "us", "ac", "cr") for name in found(viewer, q)}
    assert not names & {"Accounts", "Actions"}
    assert "/settings" in found(web.program(), "settings")["Pages"] and found(viewer, "settings") == {}


@pytest.mark.parametrize("q", [HOSTILE, "%", "\\", "'; --", "a" * 100])
def test_hostile_words_are_data(web: Web, q: str) -> None:
    web.fleet.agent(name=HOSTILE[:90], username="mallory_1")
    page = web.browser().client.get("/search", params={"q": q})
    assert page.status_code == 200 and "<script>alert" not in page.text
    assert "Jobs" not in found(web.program(), q), "signs of LIKE are ordinary characters"


@pytest.mark.parametrize(
    ("words", "label", "expected"),
    [("dead", "Dead letters", 0), ("let", "Dead letters", 1), ("ters", "Dead letters", 2), ("x", "Jobs", None)],
)
def test_the_beginning_of_a_name_counts_most(words: str, label: str, expected: int | None) -> None:
    assert rank(words, label) == expected
