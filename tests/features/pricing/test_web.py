"""Prices and forecasts on pages, in the API and on the command line: the same rows, and who may do what."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleet.accounts.sealing import new_key
from tests.factories import Fleet, make_fleet
from tests.features.agents.test_cli import Cli, cli
from tests.features.pricing.shop import SellingShop
from tests.web_client import Web

__all__ = ["cli"]  # the fixture

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def fleet(database_url: str) -> Iterator[Fleet]:
    made = make_fleet(database_url, secret_keys=new_key())
    yield made
    made.deps.close()


@pytest.fixture
def web(fleet: Fleet) -> Web:
    return Web(fleet)


def test_pages_and_api_show_the_same_proposals_and_who_may_decide(web: Web) -> None:
    owner, viewer, api = web.browser("owner"), web.browser("viewer"), web.program("owner")
    stranger = web.program("viewer", name="vic")
    for page, words in (("/pricing", "There are no products to price."), ("/forecast", "There is no forecast yet.")):
        assert words in owner.get(page).text
    shop = SellingShop(web.fleet)
    lamp = shop.variant(HOSTILE, on_hand=300)
    shop.sells(lamp, 90, 0.4)
    assert "No price was looked at yet." in owner.get("/pricing").text
    for address, body, kind in (
        ("/api/v1/price-proposals", {}, "pricing_run"), ("/api/v1/forecasts", {}, "forecast_run")
    ):  # fmt: skip
        assert stranger.post(address, json=body).status_code == 403
        assert api.post(address, json=body).status_code == 202
        assert shop.work(kind) == "done"
    (one,) = api.get("/api/v1/price-proposals?state=open").json()["items"]
    assert (one["before"], one["after"], one["change_percent"], one["basis"]) == ("29.99", "28.50", -4.97, "overstock")
    shown = owner.get("/pricing").text
    assert f"/price-proposals/{one['id']}/accept" in shown and "28.50 EUR" in shown and HOSTILE not in shown
    assert f"/price-proposals/{one['id']}/accept" not in viewer.get("/pricing").text
    assert viewer.post(f"/price-proposals/{one['id']}/accept").status_code == 403
    assert owner.post(f"/price-proposals/{one['id']}/accept").status_code == 303
    assert shop.price(lamp) == 2850
    found = api.get("/api/v1/pricing/results").json()
    assert (found["items"][0]["state"], found["items"][0]["earned"], found["totals"]) == ("applied", None, [])
    undone = api.post(f"/api/v1/price-proposals/{one['id']}/undo")
    assert (undone.json()["state"], shop.price(lamp)) == ("undone", 2999)
    assert api.post(f"/api/v1/price-proposals/{one['id']}/undo").status_code == 409
    newest = api.get("/api/v1/forecasts/newest").json()
    assert (newest["series"], newest["items"][0]["sku"], newest["items"][0]["method"]) == (1, HOSTILE, "tsb")
    for page in ("/forecast", f"/forecast/{newest['id']}"):
        text = owner.get(page).text
        assert "Lamp &lt;script&gt;" in text and HOSTILE not in text
    file = {"content": f"sku,competitor,price\n{HOSTILE},Shop B,28.90\n"}
    assert api.post("/api/v1/pricing/competitors", json=file).json() == {"imported": 1}
    assert api.post("/api/v1/pricing/competitors", json={"content": "sku\n"}).status_code == 422


def test_commands_show_accept_and_dismiss(cli: Cli, fleet: Fleet, tmp_path: Path) -> None:
    shop = SellingShop(fleet)
    lamp, other = shop.variant("LAMP-1", on_hand=3), shop.variant("LAMP-2", on_hand=50)
    shop.sells(lamp, 90, 3)
    cli("pricing", "propose")
    assert shop.work("pricing_run") == "done"
    listed = {one["sku"]: one for one in cli.json("pricing", "list")["items"]}
    assert {sku: one["basis"] for sku, one in listed.items()} == {"LAMP-1": "scarce", "LAMP-2": "unsold"}
    assert "LAMP-1" in cli("pricing").stdout
    assert cli.json("pricing", "accept", listed["LAMP-1"]["id"])["state"] == "applied"
    assert cli.json("pricing", "dismiss", listed["LAMP-2"]["id"], "--reason", "on show")["why"] == "on show"
    assert (shop.price(lamp), shop.price(other)) == (3148, 2999)
    assert "LAMP-1" in cli("pricing", "results").stdout
    assert "LAMP-1" in cli("pricing", "undo", listed["LAMP-1"]["id"]).stdout
    file = tmp_path / "prices.csv"
    file.write_text("sku,competitor,price\nLAMP-1,Shop B,28.90\n")
    assert "1 prices" in cli("pricing", "import-competitors", str(file)).stdout
    cli("forecast", "run")
    assert shop.work("forecast_run") == "done"
    assert "LAMP-1" in cli("forecast", "show").stdout
    (one,) = json.loads(cli("forecast", "proposals", "--json").stdout)["items"]
    assert cli.json("forecast", "accept", one["id"], "--note", "called them")["state"] == "accepted"
    assert "accepted" in cli("forecast", "proposals", "--state", "accepted").stdout
    cli("forecast", "dismiss", one["id"], code=4)
