"""Tuning on pages, in the API and on the command line: the same rows, and who may do what."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from fleet.accounts.sealing import new_key
from tests.factories import Fleet, make_fleet
from tests.features.agents.test_cli import Cli, cli
from tests.features.tuning.load import LoadedFleet
from tests.web_client import Web

__all__ = ["cli"]  # the fixture

API = "/api/v1/tuning"


@pytest.fixture
def fleet(database_url: str) -> Iterator[Fleet]:
    made = make_fleet(database_url, secret_keys=new_key(), surface_writes_per_minute=100)
    yield made
    made.deps.close()


@pytest.fixture
def web(fleet: Fleet) -> Web:
    return Web(fleet)


def test_pages_and_api_show_the_same_proposals_and_who_may_decide(web: Web) -> None:
    owner, viewer, api = web.browser("owner"), web.browser("operator"), web.program("owner")
    assert "The load was not looked at yet." in owner.get("/tuning").text
    assert api.get(f"{API}/runs/newest").status_code == 404
    loaded = LoadedFleet(web.fleet)
    loaded.jobs(200, every=timedelta(seconds=2), held=40)
    assert web.program("operator", name="oz").post(f"{API}/runs").status_code == 403
    assert api.post(f"{API}/runs").status_code == 202
    assert loaded.works() == "done"
    (one,) = api.get(f"{API}/proposals?state=open").json()["items"]
    assert (one["setting"], one["before"], one["after"]) == ("surface_writes_per_minute", 100, 24)
    assert one["expected"]["before"] == 0.2 and one["metric_words"] == "writes that the network answered with 429"
    shown, accept = owner.get("/tuning").text, f"/tuning/proposals/{one['id']}/accept"
    assert accept in shown and "20.0 %" in shown and "40 of 200 writes" in shown
    assert viewer.post(accept).headers["location"].endswith("/tuning")  # the rules ask owners and admins
    assert api.get(f"{API}/proposals/{one['id']}").json()["state"] == "open"
    assert owner.post(accept).status_code == 303
    assert web.fleet.deps.live.refresh(wait=True) or web.fleet.deps.settings.surface_writes_per_minute == 24
    assert "Undo" in owner.get("/tuning").text
    undone = api.post(f"{API}/proposals/{one['id']}/undo")
    assert (undone.status_code, undone.json()["state"]) == (200, "undone")
    assert api.post(f"{API}/proposals/{one['id']}/undo").status_code == 409
    assert api.get(f"{API}/runs/newest").json()["proposals"] == 1


def test_commands_run_show_accept_and_undo(cli: Cli, fleet: Fleet) -> None:
    loaded = LoadedFleet(fleet)
    loaded.syncs(loaded.store(), 60)
    cli("tuning", "run")
    assert loaded.works() == "done"
    (one,) = cli.json("tuning", "list")["items"]
    assert "store_interval" in cli("tuning").stdout
    assert "0 of 60 runs found a change" in cli("tuning", "show", one["id"]).stdout
    assert "store_batch: fewer than 30 runs" in cli("tuning", "last").stdout
    assert cli.json("tuning", "accept", one["id"])["state"] == "applied"
    assert cli.json("settings", "get", "store_interval", "--account", "shop")["value"] == "30m"
    assert "undone" in cli("tuning", "undo", one["id"]).stdout
    assert cli.json("settings", "get", "store_interval", "--account", "shop")["value"] == "15m"
    cli("tuning", "dismiss", one["id"], code=4)
    rows = cli.json("tuning", "workers", "--per-hour", "9000", "--seconds", "12", "--variation", "4")["items"]
    assert [(row["workers"], row["wait_p95_s"]) for row in rows[:3]] == [(1, None), (2, 38.011), (3, 0)]
