"""Addresses of users and what they are told, by the API and the command line."""

from __future__ import annotations

from typing import Any

import pytest

from fleet.access import Role
from fleet.accounts.sealing import new_key
from fleet.engine.system_agents import staff
from fleet.features.notices.kinds import NOTIFY_USER
from fleet.features.users import service as accounts
from tests.factories import Fleet, make_fleet
from tests.features.agents.test_cli import Cli
from tests.web_client import PASSWORD, Web

SECRET = "hunter2tokenvalue"
ADDRESS = f"json://127.0.0.1:9/in?+X-Key={SECRET}"
ALLOWED = "127.0.0.1:9"


@pytest.fixture
def web(database_url: str) -> Web:
    fleet = make_fleet(database_url, secret_keys=new_key(), notify_allow=(ALLOWED,))
    staff(fleet.deps.db)
    return Web(fleet)


@pytest.fixture
def cli(database_url: str, broker_url: str, fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> Cli:
    monkeypatch.setenv("FLEET_SECRET_KEYS", new_key())
    monkeypatch.setenv("FLEET_NOTIFY_ALLOW", ALLOWED)
    staff(fleet.deps.db)
    accounts.create_user(fleet.deps, "ann", Role.REVIEWER, PASSWORD)
    return Cli(database_url, broker_url)


def test_a_program_adds_tests_chooses_and_removes_for_its_user_alone(web: Web) -> None:
    ann, bob = web.program("reviewer"), web.program("viewer")
    made = ann.post("/api/v1/notify/addresses", json={"address": ADDRESS})
    assert made.status_code == 201 and SECRET not in made.text
    address = made.json()["id"]
    assert bob.delete(f"/api/v1/notify/addresses/{address}").status_code == 404
    tested = ann.post(f"/api/v1/notify/addresses/{address}/test").json()
    (job,) = web.fleet.jobs(kind=NOTIFY_USER)
    assert tested["job_id"] == str(job.id)
    chosen = ann.patch(
        "/api/v1/notify", json={"topics": [], "zone": "Europe/Zurich", "quiet_from": 22, "quiet_until": 7}
    )
    assert chosen.json()["zone"] == "Europe/Zurich"
    seen = ann.get("/api/v1/notify").json()
    assert (seen["topics"], seen["quiet_from"], [one["id"] for one in seen["addresses"]]) == ([], 22, [address])
    assert bob.get("/api/v1/notify").json()["addresses"] == []
    for body in ({"zone": "Mars/Base"}, {"topics": ["gossip"]}, {"quiet_from": 24}):
        assert ann.patch("/api/v1/notify", json=body).status_code == 422
    assert ann.get("/api/v1/notify?user=viewer-api").status_code == 403
    assert ann.delete(f"/api/v1/notify/addresses/{address}").status_code == 204
    assert ann.get("/api/v1/notify").json()["addresses"] == []


def test_the_command_line_does_the_same_for_a_named_user(cli: Cli) -> None:
    ann: Any = ("--user", "ann")
    assert "No address" in cli("notify", "list", *ann).stderr
    assert SECRET not in cli("notify", "add", *ann, stdin=f"{ADDRESS}\n").output
    (one,) = cli.json("notify", "list", *ann)["addresses"]
    assert "on its way" in cli("notify", "test", one["id"], *ann).stdout
    assert "saved" in cli("notify", "choose", *ann, "--zone", "Europe/Zurich", "--quiet-hours", "22", "7").stdout
    assert "22:00 to 7:00" in cli("notify", "list", *ann).stdout
    cli("notify", "choose", *ann, "--no-quiet-hours", "--no-topics")
    assert cli.json("notify", "list", *ann)["topics"] == []
    assert {"user": "ann", "addresses": 1} in cli.json("notify", "users")["items"]
    cli("notify", "choose", *ann, code=2)
    cli("notify", "add", *ann, stdin="javascript:alert(1)\n", code=2)
    assert "--yes" in cli("notify", "remove", one["id"], *ann, code=2).stderr
    assert "removed" in cli("notify", "remove", one["id"], *ann, "-y").stdout
    assert "No address" in cli("notify", "list", *ann).stderr
