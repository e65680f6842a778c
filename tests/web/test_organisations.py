"""Route x role x organisation: a member of one organisation meets nothing of another, whatever is asked or sent.

The world of `tests/browser/inhabited.py` belongs to the default organisation, with a saying in every place that holds
words; the routes are walked, so this holds for those that are added later too.
"""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from fleet.access import Permission, Principal, Role, Via, organisations
from fleet.core import events
from fleet.core.db import Base
from fleet.core.settings import Settings
from fleet.engine.agents import commands
from fleet.engine.agents.commands import NewAgent
from fleet.web import auth
from fleet.web.live.rounds import Wants
from tests.browser import rounds
from tests.browser.inhabited import PASSWORD, Inhabited, lived, say_everywhere
from tests.factories import Fleet, make_fleet
from tests.web.test_access_matrix import filled, permission_of, routes
from tests.web_client import Web

SAYING = "zebracrossing"
OTHERS = ("Ada Bright", "ada_1", "Ben Still", "ben_2", "Cleo Late", "cleo_3", "too eager", "Wet slate", "x0_", SAYING)
"""Names and words of the other organisation."""
OWN_TABLES = frozenset({"audit", "sessions", "tokens", "idempotency_keys", "login_failures", "heartbeats"})
"""Tables that any request may write to in its user's own name."""
_IDS = {"agents", "jobs", "drafts", "approval_requests"}


@pytest.fixture
def world(database_url: str) -> Iterator[tuple[Web, Inhabited]]:
    """The inhabited fleet, and a second organisation with an agent and a member of each role."""
    limits = [name for name in Settings.model_fields if name.startswith("web_") and name.endswith("_per_minute")]
    fleet = make_fleet(database_url, **dict.fromkeys(limits, 1_000_000))
    found = lived(fleet)
    say_everywhere(found, [SAYING])
    with fleet.deps.db.transaction() as tx:
        client = organisations.create(tx, "Client Two")
        weights = {"post": 1.0, "comment": 1.0, "like": 1.0, "browse": 1.0}
        new = NewAgent("Own Agent", "own_agent", weights, kind="gallery", organisation_id=client.id)
        commands.create(tx, new)
    web = Web(fleet)
    for role in Role:
        web.user(role, f"{role}-two")
        with fleet.deps.db.transaction() as tx:
            organisations.set_member(tx, f"{role}-two", [client])
    yield web, found
    fleet.deps.close()


def member(web: Web, role: Role) -> TestClient:
    """Return somebody with this role in the second organisation, logged in."""
    client = web.anonymous()
    assert client.post("/login", data={"name": f"{role}-two", "password": PASSWORD}).status_code == 303
    return client


def secrets_of(fleet: Fleet) -> set[str]:
    """Return everything that would betray the other organisation: names, words and ids."""
    found = set(OTHERS)
    with fleet.deps.db.transaction() as tx:
        for name in _IDS:
            table = Base.metadata.tables[name]
            query = sa.select(table.c.id)
            if name == "agents":
                query = query.where(table.c.username != "own_agent")
            found |= {str(one) for one in tx.session.scalars(query)}
    return found


def betrayed(text: str, path: str, secrets: set[str]) -> list[str]:
    """Return which of the secrets a response holds, beside those that the request named itself."""
    return sorted(one for one in secrets if one in text and one not in path)


def dump(fleet: Fleet) -> Mapping[str, list[Any]]:
    """Return all rows of all tables but those of the users themselves."""
    with fleet.deps.db.transaction() as tx:
        return {
            name: sorted(map(repr, tx.execute(sa.select(table)).all()))
            for name, table in Base.metadata.tables.items()
            if name not in OWN_TABLES
        }


@pytest.mark.parametrize("role", [Role.OWNER, Role.VIEWER])
def test_a_member_sees_nothing_of_another_organisation_on_any_page_or_in_any_response(
    world: tuple[Web, Inhabited], role: Role
) -> None:
    web, found = world
    client, secrets, wrong = member(web, role), secrets_of(web.fleet), []
    owner = web.anonymous()
    owner.post("/login", data={"name": "owner", "password": PASSWORD})
    assert "Ada Bright" in owner.get("/agents").text  # shared values are read for somebody else first
    owner.get("/")
    for known in (found.names, found.echoes[0]):
        names = {**known, "shelf": "ab", "file": "cd.png"}
        for stop in [*rounds.stops(web.app, names), *rounds.answers(web.app, names)]:
            answer = client.get(stop.path)
            if answer.status_code >= 500:
                wrong.append(f"{stop.path}: {answer.status_code}")
            if leaks := betrayed(answer.text, stop.path, secrets):
                wrong.append(f"{stop.path}: {leaks}")
    assert wrong == []
    assert "own_agent" in client.get("/agents").text
    assert "own_agent" not in owner.get("/api/v1/personas").text


@pytest.mark.parametrize("role", [Role.OWNER, Role.REVIEWER])
def test_a_write_to_another_organisation_is_refused_and_changes_nothing(
    world: tuple[Web, Inhabited], role: Role
) -> None:
    web, found = world
    client, wrong, sent = member(web, role), [], 0
    word = re.search(r'<meta name="csrf" content="([0-9a-f]+)"', client.get("/").text)
    assert word is not None
    client.headers["x-csrf-token"] = word[1]
    before = dump(web.fleet)
    for method, route in routes(web):
        path = named(str(route.path), found.names)
        if method in auth.SAFE or permission_of(route) in (None, Permission.OWN_ACCOUNT) or path == filled(route):
            continue
        for body in BODIES:
            sent += 1
            answer = client.request(method, path, **({} if method == "DELETE" else {body[0]: body[1]}))
            if answer.status_code >= 500:
                wrong.append(f"{method} {path}: {answer.status_code}")
    after = dump(web.fleet)
    assert {name: set(after[name]) ^ set(before[name]) for name in after if after[name] != before[name]} == {}
    assert wrong == []
    assert sent > 50


BODIES: tuple[tuple[str, Any], ...] = (
    ("json", {}),
    ("json", {"name": "Taken Over", "reason": "mine now", "text": "mine now", "value": 3, "comment": "mine now"}),
    ("json", {"scope": "agent", "name": "ada_1", "period": "day", "usd": 1, "limit": 1, "reason": "mine now"}),
    ("data", {"name": "Taken Over", "reason": "mine now", "text": "mine now", "usd": "1", "period": "day"}),
)


def named(route: str, names: Mapping[str, str]) -> str:
    """Return a route with things of the other organisation in its parameters."""
    try:
        return rounds.filled(route, {**names, "shelf": "ab", "file": "cd.png"}).partition("?")[0]
    except AssertionError:
        return route


def test_a_search_a_filter_and_the_stream_find_nothing_of_another_organisation(world: tuple[Web, Inhabited]) -> None:
    web, _ = world
    client, secrets, wrong = member(web, Role.OWNER), secrets_of(web.fleet), []
    for path in (
        "/api/v1/search?q=zebra", "/search?q=Ada", "/jobs?q=zebra", "/api/v1/jobs?state=dead", "/review?state=&q=zebra",
        "/api/v1/activity", "/activity?subject=job.*", "/api/v1/activity/after?position=0-0", "/agents?q=Ada",
        "/api/v1/approvals?state=", "/api/v1/drafts?status=", "/costs", "/api/v1/costs/calls", "/api/v1/budgets",
        "/api/v1/status", "/api/v1/health", "/api/v1/accounts",
    ):  # fmt: skip
        answer = client.get(path)
        if leaks := betrayed(answer.text, path, secrets):
            wrong.append(f"{path}: {leaks}")
    assert wrong == []


def test_a_members_stream_has_no_event_of_another_organisation(world: tuple[Web, Inhabited]) -> None:
    web, _ = world
    own, everywhere = asyncio.run(heard(web))
    assert "Own Agent" in own and "Own Agent" in everywhere
    assert "Ada Bright" in everywhere
    assert betrayed(own, "", secrets_of(web.fleet)) == []


async def heard(web: Web) -> list[str]:
    """Return what a member and an owner of the whole fleet hear until an event of the member's agent."""
    hubs, found = web.app.state.hubs, []
    member_of = frozenset({_own(web)[1]})
    for organisations_of in (member_of, None):
        who = Principal(uuid.uuid4(), "ana", Role.OWNER, Via.SESSION, uuid.uuid4(), organisations=organisations_of)
        stream = hubs.of(organisations_of)
        listener = await stream.join(who, None, Wants(feed=True, cards=True))
        await asyncio.to_thread(_happen, web)
        said = ""
        while "Own Agent" not in said:
            said += ((await asyncio.wait_for(listener.next(), 60)) or b"").decode()
        found.append(said)
    hubs.close()
    return found


def _own(web: Web) -> tuple[uuid.UUID, uuid.UUID]:
    with web.deps.db.transaction() as tx:
        row = tx.execute(sa.text("SELECT id, organisation_id FROM agents WHERE username = 'own_agent'")).one()
        return row.id, row.organisation_id


def _happen(web: Web) -> None:
    """Let something happen to an agent of the other organisation, then to the member's."""
    with web.deps.db.transaction() as tx:
        ada = tx.scalar(sa.text("SELECT id FROM agents WHERE username = 'ada_1'"))
        events.emit(tx, "agent.started", agent_id=ada, agent="Ada Bright")
    with web.deps.db.transaction() as tx:
        events.emit(tx, "agent.started", agent_id=_own(web)[0], agent="Own Agent")
