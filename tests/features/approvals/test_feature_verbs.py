"""Verbs that wait for people where a rule names them: resuming agents, tokens, invitations; at page, API and CLI."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from fleet.features.agents import commands as agents
from tests.features.agents.test_cli import Cli
from tests.features.approvals.test_verbs import requests, use_rules
from tests.features.drafts.test_pages import said
from tests.web_client import Web

TOKEN = re.compile(r"flt_[\w-]{20,}")
RULES = """
[[rule]]
name = "wake"
resource = "*"
action = "*"
approvers = ["role:owner"]
"""


@pytest.fixture
def cli(database_url: str, broker_url: str) -> Cli:
    return Cli(database_url, broker_url)


def test_resuming_agents_waits_for_another_person_one_by_one_and_many_at_once(
    web: Web, cli: Cli, tmp_path: Any
) -> None:
    use_rules(web.fleet, RULES, tmp_path)
    rules = str(tmp_path / "rules.toml")
    ann, ben, eve = web.program("operator", name="ann"), web.browser("owner", "ben"), web.browser("operator", "eve")
    web.user("owner", "cat")  # ben alone might be the person at the terminal
    for name in ("ana_1", "ana_2", "ana_3"):
        web.fleet.agent(username=name)
        agents.pause(web.deps, name, by="test", reason="storm")

    asked = ann.post("/api/v1/agents/ana_1/resume")
    assert asked.status_code == 202 and asked.json()["arguments"] == {"agents": ["ana_1"]}
    again = cli("agents", "resume", "ana_1", FLEET_APPROVAL_RULES=rules)
    assert "Nothing is done yet" in again.stdout and asked.json()["id"][:8] in again.stdout
    assert "waits for an approval already" in said(eve, eve.post("/agents/ana_1/resume"))
    assert eve.post("/agents/bulk?all=true&do=resume").headers["location"].startswith("/review/")
    everyone = ann.post("/api/v1/agents/resume", json={})
    assert everyone.status_code == 202 and everyone.json()["arguments"]["agents"] == ["ana_1", "ana_2", "ana_3"]
    assert len(requests(web.fleet)) == 2 and _statuses(web) == ["paused"] * 3

    one, all_three = requests(web.fleet)
    assert "Approved: Resume the agent ana_1" in said(ben, ben.post(f"/review/{one.id}/approve", revision=1))
    assert _statuses(web) == ["running", "paused", "paused"]
    assert "has changed since" in said(ben, ben.post(f"/review/{all_three.id}/approve", revision=1))
    assert "Approved" in said(ben, ben.post(f"/review/{all_three.id}/approve", revision=2))
    assert _statuses(web) == ["running"] * 3
    assert ann.post("/api/v1/agents/ana_1/resume").json() == {"changed": False}  # nobody is asked about nothing
    assert ann.post("/api/v1/agents/resume", json={}).json() == {"count": 0}


def _statuses(web: Web) -> list[str]:
    return [row.status for row in web.fleet.sql("SELECT status FROM agents WHERE kind = 'gallery' ORDER BY username")]


def _reaching(web: Web, tmp_path: Any) -> None:
    use_rules(web.fleet, """
[[rule]]
name = "keys"
resource = "token"
action = "create"
when = [{ field = "reach", op = "in", value = ["operator", "admin", "owner"] }]
approvers = ["role:owner"]
[[rule]]
name = "invitations"
resource = "user"
action = "invite"
when = [{ field = "new_role", op = "ne", value = "viewer" }]
approvers = ["role:owner"]
""", tmp_path)  # fmt: skip


def test_an_approved_token_is_created_once_by_the_one_who_asked_and_is_in_no_request(web: Web, tmp_path: Any) -> None:
    _reaching(web, tmp_path)
    ann, ben, cat = web.browser("operator", "ann"), web.browser("owner", "ben"), web.browser("operator", "cat")
    wanted = {"name": "deploy", "scopes": ["agents.view", "agents.control"], "days": 30}
    assert TOKEN.search(ann.post("/account/tokens", name="look", scopes=["agents.view"]).text)  # no rule covers it
    asked = ann.post("/account/tokens", **wanted)
    (request,) = requests(web.fleet)
    assert asked.headers["location"] == f"/review/{request.id}" and "needs an approval" in said(ann, asked)
    assert "Approved:" not in ann.get("/account").text
    ben.post(f"/review/{request.id}/approve", revision=1)
    assert _tokens(web) == ["look"]  # the approval makes none
    assert 'href="/account"' in ann.get(f"/review/{request.id}").text
    assert 'id="collect"' not in ben.get(f"/review/{request.id}").text

    cat.post("/account/tokens", **wanted)  # another person's question
    ann.post("/account/tokens", **{**wanted, "days": 90})  # another question
    ann.post("/account/tokens", **{**wanted, "scopes": ["agents.view", "agents.edit"]})  # which she may not have
    assert _tokens(web) == ["look"] and "Create it now" in ann.get("/account").text

    shown = TOKEN.search(ann.post("/account/tokens", **wanted).text)
    assert shown is not None and _tokens(web) == ["deploy", "look"]
    assert "Create it now" not in ann.get("/account").text
    assert ann.post("/account/tokens", **wanted).status_code == 409  # another question about it is open
    assert _tokens(web) == ["deploy", "look"] and len(requests(web.fleet)) == 3
    stored = web.fleet.sql("SELECT array_agg(r::text) FROM approval_requests r").scalar_one()
    assert not any(TOKEN.search(row) for row in stored)
    who = [(row.actor, row.action) for row in web.fleet.sql("SELECT actor, action FROM audit ORDER BY id")]
    assert ("ann", "approval.used") in who and ("ann", "token.issued") in who


def test_an_approved_token_of_a_program_is_its_own_and_lapses(web: Web, cli: Cli, tmp_path: Any) -> None:
    _reaching(web, tmp_path)
    ann, ben = web.program("operator", name="ann"), web.program("owner", name="ben")
    web.user("owner", "dan")
    body = {"name": "deploy", "scopes": ["jobs.control"]}
    asked = ann.post("/api/v1/tokens", json=body)
    assert (asked.status_code, asked.json()["collect_at"], asked.json()["used_at"]) == (202, "/account", None)
    assert ben.post(f"/api/v1/approvals/{asked.json()['id']}/approve").json()["state"] == "approved"
    web.fleet.sql("UPDATE approval_requests SET settled_at = settled_at - interval '25 hours' WHERE state = 'approved'")
    late = ann.post("/api/v1/tokens", json=body)
    assert late.status_code in {202, 409} and _tokens(web, "deploy") == []

    rules, terminal = str(tmp_path / "rules.toml"), ("tokens", "create", "ci", "--user", "ben")
    said_first = cli(*terminal, FLEET_APPROVAL_RULES=rules).stdout
    assert "run the same command within a day" in said_first
    (asked_there,) = [one for one in requests(web.fleet) if one.requested_by.startswith("cli:")]
    ben.post(f"/api/v1/approvals/{asked_there.id}/approve")
    assert TOKEN.fullmatch(cli(*terminal, FLEET_APPROVAL_RULES=rules).stdout.strip())
    assert "Nothing is done yet" in cli(*terminal, FLEET_APPROVAL_RULES=rules).stdout


def test_an_approved_invitation_is_created_by_the_one_who_asked(web: Web, tmp_path: Any) -> None:
    _reaching(web, tmp_path)
    ann, ben = web.browser("admin", "ann"), web.browser("owner", "ben")
    assert "/join/" in ann.post("/users/invite", role="viewer", hours=24).text
    asked = ann.post("/users/invite", role="operator", hours=72)
    (request,) = requests(web.fleet)
    assert asked.headers["location"] == f"/review/{request.id}"
    ben.post(f"/review/{request.id}/approve", revision=1)
    assert "Create the link now" in ann.get("/users").text and "Create the link now" not in ben.get("/users").text
    assert "/join/" in ann.post("/users/invite", role="operator", hours=72).text
    assert "/join/" not in ann.post("/users/invite", role="operator", hours=72).text
    assert web.fleet.sql("SELECT count(*) FROM invitations WHERE role = 'operator'").scalar_one() == 1


def test_an_approval_is_used_by_one_of_two_requests_at_once(web: Web, tmp_path: Any) -> None:
    _reaching(web, tmp_path)
    ann, ben = web.program("operator", name="ann"), web.program("owner", name="ben")
    body = {"name": "deploy", "scopes": ["jobs.control"]}
    asked = ann.post("/api/v1/tokens", json=body).json()
    ben.post(f"/api/v1/approvals/{asked['id']}/approve")
    with ThreadPoolExecutor(6) as pool:
        codes = [one.status_code for one in pool.map(lambda _: ann.post("/api/v1/tokens", json=body), range(6))]
    assert codes.count(201) == 1 and set(codes) <= {201, 202, 409} and _tokens(web, "deploy") == ["deploy"]


def _tokens(web: Web, *names: str) -> list[str]:
    found = [row.name for row in web.fleet.sql("SELECT name FROM tokens WHERE name <> 'tests' ORDER BY name")]
    return [one for one in found if not names or one in names]
