"""A Chromium for all tests of a process, a context for each person, and dashboards over fleets of the test's own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from fleet.access import Role
from fleet.access.sessions import Visit
from fleet.engine.deps import Deps
from fleet.features.users import service as accounts
from fleet.web import server
from fleet.web.auth import plain_cookie_name
from tests.browser import chromium
from tests.browser.person import Person
from tests.factories import Fleet, make_fleet

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PASSWORD = "correct horse battery"


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """A headless Chromium. Without one tests are skipped; in CI they fail, unless it said that it can have none.

    It ends with this folder's tests: as long as Playwright is started, its event loop counts as the one that runs in
    this thread, and no other test of the same process could run its own.
    """
    if lacking := chromium.lacking():
        if "CI" in os.environ and not os.environ.get(chromium.GIVEN_UP):
            pytest.fail(f"{lacking}. {chromium.CALL}")
        pytest.skip(f"{lacking}. {chromium.CALL}")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = chromium.find()
        started = playwright.chromium.launch(
            executable_path=path, args=["--disable-quic", "--disable-dev-shm-usage"], timeout=90_000
        )
        yield started
        started.close()


class Dashboard:
    """A served dashboard, and people in front of it."""

    def __init__(self, browser: Browser, deps: Deps, url: str, stack: ExitStack) -> None:
        self.deps, self.url = deps, url
        self._browser, self._stack = browser, stack

    def stranger(self, **context: Any) -> Person:
        """Somebody who has not logged in. `context` are options of a browser's context: viewport, color_scheme ..."""
        opened = self._browser.new_context(**context)
        self._stack.callback(opened.close)
        return Person(opened, self.url)

    def person(self, role: Role = Role.OWNER, **context: Any) -> Person:
        """Somebody with this role who has logged in already."""
        name = f"{role}-{len(accounts.list_users(self.deps))}"
        accounts.create_user(self.deps, name, role, PASSWORD)
        key, _ = accounts.log_in(self.deps, name, PASSWORD, Visit("127.0.0.1", "a test"))
        made = self.stranger(**context)
        made.context.add_cookies([{"name": plain_cookie_name(urlsplit(self.url).port), "value": key, "url": self.url}])
        return made


@pytest.fixture
def serve(browser: Browser) -> Iterator[Callable[[Deps], Dashboard]]:
    """Serve a fleet's dashboard until the end of the test."""
    with ExitStack() as stack:
        yield lambda deps: Dashboard(browser, deps, stack.enter_context(server.running(deps)), stack)


@pytest.fixture
def fleet(database_url: str) -> Iterator[Fleet]:
    """The loop with an in-memory surface."""
    made = make_fleet(database_url)
    yield made
    made.deps.close()


@pytest.fixture
def dashboard(serve: Callable[[Deps], Dashboard], fleet: Fleet) -> Dashboard:
    """The dashboard of a fleet in this process."""
    return serve(fleet.deps)
