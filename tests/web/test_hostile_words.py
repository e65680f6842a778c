"""Words with which strangers try to become part of a page stand on every page as they are; nothing is made of them."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
import yaml

from tests import TESTS
from tests.browser import foreign, rounds
from tests.browser.inhabited import Inhabited, lived, say_everywhere
from tests.browser.rounds import Stop
from tests.factories import Fleet
from tests.web_client import PASSWORD, Browser, Web

SAYINGS = [one["text"] for one in yaml.safe_load((TESTS / "data/xss.yaml").read_text("utf-8"))]
# Of these pages each is about one thing; what is said of it has to stand there as it is.
MAY_MISS = re.compile(r"/pictures/|/answered|/experiments/none|/hooks/none")  # what this fleet does not have
ABOUT = re.compile(r"/(agents|jobs|review)/\{\w+\}")


@pytest.fixture
def world(fleet: Fleet) -> Inhabited:
    made = lived(fleet)
    say_everywhere(made, SAYINGS)
    return made


@pytest.fixture
def owner(web: Web, world: Inhabited) -> Browser:
    client = web.anonymous()
    assert client.post("/login", data={"name": "owner", "password": PASSWORD}).status_code == 303
    return Browser(client)


def test_strangers_words_stand_on_every_page_as_they_are(web: Web, world: Inhabited, owner: Browser) -> None:
    found = []
    for stop in rounds.stops(web.app, world.names):
        answer = owner.get(stop.path)
        assert answer.status_code < 400 or MAY_MISS.search(stop.path), f"{stop.path}: {answer.status_code}"
        if answer.headers.get("content-type", "").startswith("text/html"):
            found += [f"{stop.path}: {tag}" for tag in foreign.in_html(answer.text)]
            found += _not_as_said(owner, world, stop)
    assert not found


def _not_as_said(owner: Browser, world: Inhabited, stop: Stop) -> Iterator[str]:
    """Look at the page of each saying's own thing, where the page is about one thing."""
    if not ABOUT.fullmatch(stop.route):
        return
    for echo in world.echoes:
        page = owner.get(rounds.filled(stop.route, {**echo, "job": echo["dead"]})).text
        yield from (f"{stop.route}: {tag}" for tag in foreign.in_html(page))
        if foreign.plain(echo["saying"])[:60] not in foreign.words_of(page):
            yield f"{stop.route} does not show {echo['saying']!r}"


def test_the_search_for_what_does_not_belong_finds_every_kind_that_makes_an_element() -> None:
    page = '<title>x</title><body><p class="{}">{}</p><input value="{}"></body>'
    making = [one for one in SAYINGS if "<" in one and "xss" in one and not one.startswith(("&", "+", "%", "<!["))]
    assert len(making) > 40
    missed = [one for one in making if not foreign.in_html(page.format(one, one, one))]
    assert not missed
    assert not foreign.in_html('<script src="/static/app.js" type="module"></script><a href="/jobs?a=1">x</a>')
