"""The command line as a client of the API: of the running fleet of its folder, and of the app in its own process."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from fleet.access import Permission, Role
from fleet.cli.frame.api import USER_HEADER, at
from fleet.cli.frame.context import Door
from fleet.core.errors import FleetError, InvalidInput
from fleet.engine.agents import lookup
from fleet.features.users import service as accounts
from fleet.sandbox.processes import proc
from fleet.sandbox.processes.runfile import RunFile, RunInfo, ourselves
from fleet.web import server
from tests.factories import Fleet
from tests.web_client import PASSWORD

TOKEN = "flt_" + "x" * 43
Doors = Callable[..., Door]


@pytest.fixture
def doors(fleet: Fleet, tmp_path: Path, broker_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Doors]:
    """Make the door of a command in a folder whose run file names this fleet and an address of its dashboard."""
    monkeypatch.delenv("FLEET_DATABASE_URL", raising=False)
    with ExitStack() as opened:

        def door(web: str = "", token: str = TOKEN) -> Door:
            urls = {"database": fleet.deps.settings.database_url, "broker": broker_url, "web": web}
            RunFile.write(tmp_path, RunInfo(ourselves(), proc.boot_id(), urls=urls, token=token))
            made = Door()
            opened.callback(made.close)
            made.home = tmp_path
            return made

        yield door


@pytest.fixture
def dashboard(fleet: Fleet) -> Iterator[str]:
    """The address of the dashboard as `fleet up` starts it."""
    settings = fleet.deps.settings.model_copy(update={"local_token": SecretStr(TOKEN)})
    with server.running(replace(fleet.deps, given=settings)) as url:
        yield url


def free_port() -> int:
    """Return a port at which nothing listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


def test_the_run_file_gives_its_system_user_alone_the_rights_of_an_owner_over_http(
    doors: Doors, dashboard: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Door, "deps", property(lambda _: pytest.fail("the command opened the database itself")))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    door = doors(dashboard)
    me = door.api.get("/me")
    assert (me["name"], me["role"], me["via"]) == (door.user, "owner", "cli")
    assert (tmp_path / "run.json").stat().st_mode & 0o777 == 0o600


def test_a_wrong_token_of_the_run_file_opens_nothing(doors: Doors, dashboard: str) -> None:
    with pytest.raises(FleetError, match="does not accept this token"):
        doors(dashboard, TOKEN[:-1] + "y").api.get("/me")


def test_a_dashboard_without_a_local_token_takes_no_empty_one(fleet: Fleet) -> None:
    with server.running(fleet.deps) as url:
        for token in ("Bearer", f"Bearer {TOKEN}"):
            assert httpx.get(f"{url}/api/v1/me", headers={"authorization": token}).status_code == 401


def test_an_ordinary_token_cannot_choose_the_name_of_its_user(fleet: Fleet, dashboard: str) -> None:
    accounts.create_user(fleet.deps, "ben", Role.VIEWER, PASSWORD)
    token = accounts.issue_token(fleet.deps, "ben", "t", tuple(Permission), None)
    headers = {"authorization": f"Bearer {token}", USER_HEADER: "root"}
    told = httpx.get(f"{dashboard}/api/v1/me", headers=headers).json()
    assert (told["name"], told["role"]) == ("ben", "viewer")


def test_a_command_works_in_its_own_process_where_the_dashboard_is_down_or_not_there(
    fleet: Fleet, doors: Doors
) -> None:
    fleet.agent(username="ada_1")
    for web in ("", f"http://127.0.0.1:{free_port()}"):
        door = doors(web)
        assert door.api.get("/me")["via"] == "cli"
        assert [one["username"] for one in door.api.list("/agents").items] == ["ada_1"]
        door.api.post("/agents/ada_1/pause", {"reason": "tea"})
    audit = [(row.actor, row.via) for row in fleet.sql("SELECT actor, via FROM audit WHERE via = 'cli'")]
    assert (door.user, "cli") in audit


def test_a_database_of_the_environment_is_not_that_of_the_running_fleet(
    doors: Doors, dashboard: str, fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLEET_DATABASE_URL", fleet.deps.settings.database_url + "_other")
    monkeypatch.setenv("FLEET_BROKER_URL", "")
    with pytest.raises(InvalidInput, match="No broker"):  # the running fleet would have answered
        doors(dashboard).api.get("/me")


def test_a_name_cannot_lead_to_another_path(fleet: Fleet, doors: Doors) -> None:
    fleet.agent(username="ada_1")
    for name in (".", "..", "../agents", "a/b", "?x", "%2e"):
        with pytest.raises(FleetError):
            doors().api.post(at("agents", name, "pause"), {"reason": "tea"})
    assert lookup.agent(fleet.deps.db, "ada_1").status == "running", "/agents/./pause would pause everybody"


def test_a_list_goes_over_pages_up_to_its_limit(fleet: Fleet, doors: Doors) -> None:
    names = [f"a_{number:03}" for number in range(205)]
    for name in names:
        fleet.agent(username=name)
    api = doors().api
    first = api.list("/agents", limit=203)
    assert [one["username"] for one in first.items] == names[:203] and first.next is not None
    rest = api.list("/agents", limit=203, cursor=first.next)
    assert [one["username"] for one in rest.items] == names[203:] and rest.next is None
