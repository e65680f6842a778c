"""Who is let through: routes name permissions, forms come from our own pages, tokens do what their scopes say."""

from __future__ import annotations

from fastapi.routing import APIRoute, RouteContext, iter_route_contexts

from fleet.access import Permission
from fleet.engine.agents import lookup
from fleet.engine.agents.commands import NewAgent
from fleet.features.agents import commands as agent_commands
from fleet.web.auth import Needs, anybody
from tests.web_client import PASSWORD, Web

WEIGHTS = {"post": 1.0, "comment": 1.0, "like": 1.0, "browse": 1.0}


def guards(route: RouteContext) -> list[object]:
    """Return what decides who may use a route."""
    return [one.call for one in route.dependant.dependencies if isinstance(one.call, Needs) or one.call is anybody]


def routes(web: Web) -> list[RouteContext]:
    """Return every route of ours."""
    return [one for one in iter_route_contexts(web.app.routes) if isinstance(one.original_route, APIRoute)]


def test_every_route_names_one_permission_or_is_open_to_anybody(web: Web) -> None:
    found = routes(web)
    assert len(found) > 5
    assert [one.path for one in found if len(guards(one)) != 1] == []


def test_a_page_leads_to_the_login_and_from_there_back(web: Web) -> None:
    asked = web.anonymous().get("/agents?status=running")
    assert (asked.status_code, asked.headers["location"]) == (303, "/login?next=/agents%3Fstatus%3Drunning")
    web.user("viewer", "ana")
    entered = web.anonymous().post("/login", data={"name": "ana", "password": PASSWORD, "next": "/agents"})
    assert (entered.status_code, entered.headers["location"]) == (303, "/agents")


def test_a_form_of_another_session_or_site_is_refused(web: Web) -> None:
    agent_commands.create(web.deps, NewAgent("Ada", "ada_1", WEIGHTS, kind="gallery"))
    agent_commands.start(web.deps, "ada_1")
    ana = web.browser("operator", "ana")
    assert ana.post("/agents/ada_1/pause", csrf="0" * 40).status_code == 403
    ana.client.headers["sec-fetch-site"] = "cross-site"
    assert ana.post("/agents/ada_1/pause").status_code == 403
    del ana.client.headers["sec-fetch-site"]
    ana.client.headers["origin"] = "https://evil.example"
    assert ana.post("/agents/ada_1/pause").status_code == 403
    assert lookup.agent(web.deps.db, "ada_1").status == "running"
    del ana.client.headers["origin"]
    assert ana.post("/agents/ada_1/pause").status_code == 303
    assert lookup.agent(web.deps.db, "ada_1").status == "paused"


def test_a_token_does_what_its_role_and_its_scopes_allow(web: Web) -> None:
    agent_commands.create(web.deps, NewAgent("Ada", "ada_1", WEIGHTS, kind="gallery"))
    looker = web.program("owner", (Permission.AGENTS_VIEW,), "looker")
    assert looker.get("/api/v1/agents/ada_1").json()["username"] == "ada_1"
    refused = looker.post("/api/v1/agents/ada_1/pause", json={})
    assert (refused.status_code, refused.headers["content-type"]) == (403, "application/problem+json")
    viewer = web.program("viewer")
    assert viewer.post("/api/v1/agents/ada_1/pause", json={}).status_code == 403
    assert web.anonymous().get("/api/v1/agents/ada_1").status_code == 401
