"""Every page as the server sends it: there, with one heading, and nothing in it is called by the same id twice."""

from __future__ import annotations

import re
from collections import Counter
from html import unescape

import pytest

from bench import bench_web
from tests.browser import rounds
from tests.browser.inhabited import lived
from tests.factories import Fleet
from tests.web.test_hostile_words import MAY_MISS
from tests.web_client import PASSWORD, Web


def test_every_page_is_there_with_one_heading_and_ids_of_its_own(web: Web, fleet: Fleet) -> None:
    world = lived(fleet)
    client = web.anonymous()
    assert client.post("/login", data={"name": "owner", "password": PASSWORD}).status_code == 303
    wrong = []
    for stop in rounds.stops(web.app, world.names):
        answer = client.get(stop.path)
        if answer.status_code >= 400 and not MAY_MISS.search(stop.path):
            wrong.append(f"{stop.path}: {answer.status_code}")
        if not answer.headers.get("content-type", "").startswith("text/html"):
            continue
        headings = len(re.findall(r"<h1\b", answer.text))
        # A part that is put in place anew is found by its id: of two it would be the wrong one.
        twice = [name for name, number in Counter(re.findall(r'\sid="([^"]+)"', answer.text)).items() if number > 1]
        if headings != 1 or twice:
            wrong.append(f"{stop.path}: {headings} headings, ids used twice: {twice}")
    assert not wrong


@pytest.mark.parametrize("path", ["/activity?agent=%00", "/activity?subject=%00", "/review?agent=%00", "/agents/%00",
                                  "/activity?before=9223372036854775808", "/audit?before=9223372036854775808",
                                  "/agents/ada_1?tab=activity&before=9223372036854775808"])  # fmt: skip
def test_what_no_database_takes_is_no_failure_of_ours(web: Web, fleet: Fleet, path: str) -> None:
    fleet.agent(name="Ada", username="ada_1")
    assert web.browser("owner").get(path).status_code in (200, 404, 422)


@pytest.mark.parametrize(("path", "title", "words"), [
    ("/no-such-page", "Not found", "There is no page at this address."), ("/agents/nobody", "Not found", "nobody"),
    ("/jobs?state=half", "Invalid value", "“state”: "), ("/activity?before=abc", "Invalid value", "“before”: "),
    ("/jobs/zz", "Invalid value", "is not a job id"), ("/logout", "Not possible here", "nothing to send it"),
])  # fmt: skip
def test_refusals_are_explained_without_words_of_the_protocol(web: Web, path: str, title: str, words: str) -> None:
    page = web.browser("owner").get(path).text
    assert f"<h1>{title}</h1>" in page and words in page
    assert "Unprocessable" not in page and "query." not in page


@pytest.mark.parametrize(("path", "code", "words"), [
    ("/agents?persona=ai_artits", 404, "no persona "),
    ("/agents?persona=ai_artits&q=ada&status=idle", 404, "no persona "),
    ("/agents?kind=pirate", 422, "gallery, "), ("/agents?autonomy=free", 422, "“autonomy”: "),
    ("/activity?subject=job.dome", 422, "Did you mean "), ("/activity?agent=adda", 404, "no agent called"),
    ("/activity?only=jokes", 422, "“only”: "), ("/?only=jokes", 422, "“only”: "),
    ("/review?order=odd", 422, "“order”: "), ("/review?agent=adda", 404, "no agent called"),
    ("/review?resource=dratf", 404, "There is no resource "),
    ("/jobs?agent=adda", 404, "no agent called"), ("/dead?agent=adda", 404, "no agent called"),
])  # fmt: skip
def test_a_filter_with_an_unknown_value_is_an_error_and_not_an_empty_list(
    web: Web, fleet: Fleet, path: str, code: int, words: str
) -> None:
    fleet.agent(name="Ada", username="ada_1")
    answer = web.browser("owner").get(path)
    assert (answer.status_code, words in unescape(answer.text)) == (code, True)


def test_a_valid_filter_without_matches_returns_an_empty_list(web: Web, fleet: Fleet) -> None:
    owner = web.browser("owner")
    assert "No agent matches." in owner.get("/agents?persona=ai_artist").text  # one with a file and no agent
    fleet.agent(name="Ada", username="ada_1", persona_id="long_gone")
    assert "ada_1" in owner.get("/agents?persona=long_gone").text  # one with an agent and no file
    for path in ("/agents?persona=long_gone&status=error", "/activity?subject=job.dead", "/activity?subject=sweep.*",
                 "/activity?only=&subject=&agent=", "/review?state=&resource=&kind=&agent=&q=&order="):  # fmt: skip
        answer = owner.get(path)
        assert (answer.status_code, 'class="said wrong"' in answer.text) == (200, False), path


def test_an_experiment_of_which_nothing_was_read_says_nothing_of_the_surface(web: Web) -> None:
    page = web.browser("owner").get("/experiments/prompt_light").text
    assert "hold together" in page and "does not tell agents" not in page


def test_the_benchmark_has_a_name_for_whatever_a_page_or_an_answer_asks_for(web: Web) -> None:
    names = dict.fromkeys((*bench_web.BUSIEST, *bench_web.RARE, "persona", "user", "setting"), "x")
    assert len(rounds.stops(web.app, names)) > 30
    assert len(rounds.answers(web.app, names)) > 30
