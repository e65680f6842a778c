"""The dashboard over a database of the test's own, and people who are logged in to it."""

from __future__ import annotations

import atexit
import functools
import re

from anyio.from_thread import BlockingPortal, start_blocking_portal
from starlette.testclient import TestClient

from fleet.access import Permission, Principal, Role, tokens
from fleet.engine.deps import Deps
from fleet.features.users import service as accounts
from fleet.web.app import create_app
from tests.factories import Fleet

PASSWORD = "correct horse battery"


def by_token(deps: Deps, token: str) -> Principal | None:
    """Return whose token it is; None if it opens nothing."""
    with deps.db.transaction() as tx:
        return tokens.find(tx, token)


@functools.cache
def event_loop() -> BlockingPortal:
    """Return the loop in which all clients of a test process call the app: by itself, each request starts its own."""
    loop = start_blocking_portal()
    atexit.register(loop.__exit__, None, None, None)
    return loop.__enter__()


class Browser:
    """Somebody at the pages: a cookie jar, and the word that the pages' forms carry."""

    def __init__(self, client: TestClient) -> None:
        self.client = client
        self._csrf: dict[tuple[str, ...], str] = {}

    def get(self, path: str, **more: object):  # type: ignore[no-untyped-def]
        return self.client.get(path, **more)

    def post(self, path: str, csrf: str | None = None, **fields: object):  # type: ignore[no-untyped-def]
        """Send a form as a page of ours would; `csrf` in place of the right word."""
        return self.client.post(path, data={"csrf": self.csrf if csrf is None else csrf, **fields})

    @property
    def csrf(self) -> str:
        """The word that forms carry, read from a page once a session."""
        session = tuple(self.client.cookies.values())
        if session not in self._csrf:
            self._csrf[session] = self._csrf_of_a_page()
        return self._csrf[session]

    def _csrf_of_a_page(self) -> str:
        found = re.search(r'<meta name="csrf" content="([0-9a-f]+)"', self.client.get("/").text)
        return found[1] if found else ""


class Web:
    """The app, and ways to come in."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.deps = fleet.deps
        self.app = create_app(fleet.deps)

    def anonymous(self) -> TestClient:
        """Nobody in particular."""
        client = TestClient(self.app, base_url="http://127.0.0.1", follow_redirects=False)
        client.portal = event_loop()
        return client

    def user(self, role: Role | str, name: str | None = None) -> str:
        """Make a user with this role and return their name."""
        name = name or f"{role}-1"
        accounts.create_user(self.deps, name, Role(role), PASSWORD)
        return name

    def browser(self, role: Role | str = Role.OWNER, name: str | None = None) -> Browser:
        """Somebody with this role who has logged in with a password."""
        client = self.anonymous()
        answer = client.post("/login", data={"name": self.user(role, name), "password": PASSWORD})
        assert answer.status_code == 303, answer.text
        return Browser(client)

    def program(self, role: Role | str = Role.OWNER, scopes: tuple[Permission, ...] = tuple(Permission),
                name: str | None = None) -> TestClient:  # fmt: skip
        """A program with a token of a user with this role."""
        token = accounts.issue_token(self.deps, self.user(role, name or f"{role}-api"), "tests", scopes, None)
        client = self.anonymous()
        client.headers["authorization"] = f"Bearer {token}"
        return client
