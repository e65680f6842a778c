"""Refusals on pages: the navigation stays, the words are ours, and a page that may work soon says so."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from dataclasses import replace

import pytest
import sqlalchemy as sa

from fleet.core.db import Database
from tests.web_client import Web

LIBRARIES = re.compile(
    r"Input should|String should|Field required|unable to parse|psycopg|connection to server|FATAL", re.I
)


def navigates(page: str) -> bool:
    return 'aria-label="Pages"' in page and 'href="/agents"' in page


@pytest.mark.parametrize(
    ("path", "code"),
    [("/no-such-page", 404), ("/static/none.css", 404), ("/agents/nobody", 404), ("/users", 403), ("/logout", 405),
     ("/jobs?state=half", 422), ("/audit?before=x", 403), ("/agents?q=" + "x" * 200, 422)],
)  # fmt: skip
def test_a_refusal_keeps_the_navigation_and_speaks_plainly(web: Web, path: str, code: int) -> None:
    answer = web.browser("viewer").get(path)
    assert (answer.status_code, navigates(answer.text)) == (code, True)
    assert not LIBRARIES.search(answer.text)
    assert not navigates(web.anonymous().get("/no-such-page").text)


@pytest.mark.parametrize(
    "fields",
    [{"hours": "x", "role": "viewer"}, {"hours": "9999", "role": "viewer"}, {"role": "emperor"}, {"hours": "1.5"}],
)
def test_a_form_that_was_forged_is_refused_in_our_words(web: Web, fields: dict[str, str]) -> None:
    answer = web.browser("owner").post("/users/invite", **fields)
    assert answer.status_code == 422 and not LIBRARIES.search(answer.text)
    assert "“role”: is" in answer.text or "“hours”: is" in answer.text


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port at which nobody listens for as long as the test runs."""
    with socket.socket() as ours:
        ours.bind(("127.0.0.1", 0))
        yield ours.getsockname()[1]


def test_without_a_database_the_navigation_stays_and_a_retry_is_offered(
    web: Web, database_url: str, closed_port: int
) -> None:
    ana = web.browser("viewer", "ana")
    assert ana.get("/agents").status_code == 200
    nowhere = sa.make_url(database_url).set(port=closed_port).render_as_string(hide_password=False)
    web.app.state.deps = replace(web.deps, db=Database(nowhere))
    try:
        page = ana.get("/agents?q=ada")
        assert (page.status_code, page.headers["retry-after"]) == (503, "5")
        assert navigates(page.text) and ">ana<" in page.text
        assert '<a class="button main" href="/agents?q=ada">Try again</a>' in page.text
        assert "The database cannot be reached." in page.text and not LIBRARIES.search(page.text)
        sent = ana.post("/account/tokens", csrf="x", name="n")
        assert sent.status_code == 503 and "Send it again in a moment" in sent.text
        assert "connection" in ana.get("/api/v1/agents").json()["detail"], "programs and the terminal get the cause"
        assert not navigates(web.anonymous().get("/agents").text)
    finally:
        web.app.state.deps = web.deps
    assert ana.get("/agents").status_code == 200


def test_pages_and_answers_are_compressed_unless_another_site_asks(web: Web) -> None:
    ana = web.browser("viewer", "ana")
    for path in ("/agents", "/static/app.css", "/api/v1/openapi.json"):
        plain = ana.get(path, headers={"accept-encoding": "identity"})
        packed = ana.get(path, headers={"accept-encoding": "gzip"})
        assert packed.headers.get("content-encoding") == "gzip" and "content-encoding" not in plain.headers, path
        assert int(packed.headers.get("content-length") or 0) < len(plain.content) / 2
        assert "accept-encoding" in packed.headers["vary"].lower()
    for site, is_packed in (("cross-site", False), ("same-site", False), ("same-origin", True), ("none", True)):
        answer = ana.get("/agents", headers={"sec-fetch-site": site})
        assert ("content-encoding" in answer.headers) == is_packed, site
    first = ana.get("/api/v1/openapi.json")
    tag = first.headers["etag"]
    assert tag.startswith('W/"')
    assert ana.get("/api/v1/openapi.json", headers={"if-none-match": tag}).status_code == 304


def test_a_secret_that_is_shown_once_is_not_compressed(web: Web) -> None:
    ada = web.browser("owner", "ada")
    answer = ada.post("/users/invite", role="viewer")
    assert "/join/" in answer.text and "content-encoding" not in answer.headers
