"""Listings in the API and on pages, with a rule that asks, and titles that try to break out."""

from __future__ import annotations

from typing import Any

import pytest

from tests.features.approvals.test_verbs import requests, use_rules
from tests.features.drafts.test_pages import said
from tests.features.listings.world import SHOP, ListingWorld
from tests.web_client import Web

HOSTILE = "<script>alert(1)</script> {{7*7}} \u202eMug & 'quotes' \"x\""
RULES = """
[[rule]]
name = "listings"
resource = "listing"
action = "*"
approvers = ["role:owner"]
"""


@pytest.fixture
def web(listed: ListingWorld) -> Web:
    return Web(listed.stores.fleet)


def test_a_program_stages_previews_publishes_and_takes_back(listed: ListingWorld, web: Web) -> None:
    api, mug = web.program(), str(listed.mug)
    body = {"products": [mug], "stores": [SHOP]}
    counted = api.post("/api/v1/listings/stage", json={**body, "dry_run": True}).json()
    assert (counted["done"], counted["create"], counted["listing_ids"]) == (1, 1, [])
    assert api.get("/api/v1/listings").json()["items"] == []
    assert api.post("/api/v1/listings/stage", json={**body, "expected": 2}).status_code == 409
    (listing_id,) = api.post("/api/v1/listings/stage", json=body).json()["listing_ids"]
    shown = api.get(f"/api/v1/listings/{listing_id}").json()
    values = {one["label"]: one["value"] for one in shown["preview"]["fields"]}
    assert shown["preview"]["mode"] == "create" and values["title"] == "Mug"
    assert values["price of mug"] == {"minor": 1200, "currency": "EUR"} and values["stock of mug"] == 7
    assert api.post("/api/v1/listings/delist", json={"listings": [listing_id]}).status_code == 409
    chosen = {"products": [mug], "stores": [SHOP]}
    assert api.post("/api/v1/listings/publish", json={**chosen, "dry_run": True}).json()["problems"] == ["shop: 1"]
    assert api.post("/api/v1/listings/publish", json=chosen).json()["done"] == 1
    listed.finish()
    (row,) = api.get("/api/v1/listings", params={"state": "published", "store": SHOP}).json()["items"]
    assert row["id"] == listing_id and row["can_rollback"]
    assert api.post("/api/v1/listings/rollback", json={"listings": [listing_id]}).json()["done"] == 1
    listed.finish()
    assert api.get(f"/api/v1/listings/{listing_id}").json()["state"] == "delisted"
    viewer = web.program("viewer")
    assert viewer.post("/api/v1/listings/stage", json=body).status_code == 403


def test_publishing_waits_for_another_person_where_a_rule_asks(
    listed: ListingWorld, web: Web, tmp_path: Any
) -> None:  # fmt: skip
    use_rules(web.fleet, RULES, tmp_path)
    ann, ben = web.program("operator", name="ann"), web.browser("owner", "ben")
    web.user("owner", "cat")
    listing_id = listed.stage(title="Mug for the north")
    asked = ann.post("/api/v1/listings/publish", json={"listings": [str(listing_id)]})
    assert asked.status_code == 202 and listed.get(listing_id).state == "staged"
    (request,) = requests(web.fleet)
    assert request.summary == "Publish Mug at shop" and "Mug for the north" in str(request.payload)
    assert "Approved" in said(ben, ben.post(f"/review/{request.id}/approve", revision=1))
    listed.finish()
    assert listed.get(listing_id).state == "published" and list(listed.there()) == ["Mug for the north"]


def test_pages_stage_publish_and_show_hostile_titles_as_text(listed: ListingWorld, web: Web) -> None:
    ann = web.browser("owner", "ann")
    listed.stores.change_product("Mug", title=HOSTILE)
    bulk = {"one": [str(listed.mug)], "store": [SHOP]}
    asked = ann.post("/listings/bulk/check", verb="stage", **bulk).text
    assert "Stage 1 listing" in asked
    assert "1 of 1 listings are staged" in said(ann, ann.post("/listings/bulk", verb="stage", expected="1", **bulk))
    assert "are meant by now" in said(ann, ann.post("/listings/bulk", verb="publish", expected="2", **bulk))
    assert "1 of 1 listings are being published" in said(
        ann, ann.post("/listings/bulk", verb="publish", expected="1", **bulk)
    )
    listed.finish()
    row = listed.at(SHOP)
    assert row.state == "published", row.problem
    for path in ("/listings", f"/listings/{row.id}", f"/products/{listed.mug}", "/listings?state=published"):
        page = ann.get(path).text
        assert "<script>alert(1)" not in page and "&lt;script&gt;alert(1)" in page and "{{7*7}}" in page, path
    filled = {"title": "Cup", "variant": [str(listed.stores.variant("mug").id)], "price": ["13.00"]}
    assert "It is staged" in said(ann, ann.post(f"/listings/{row.id}/stage", **filled))
    assert listed.at(SHOP).overrides == {"title": "Cup", "prices": {filled["variant"][0]: 1300}}
    wrong = said(ann, ann.post(f"/listings/{row.id}/stage", **{**filled, "price": ["dear"]}))
    assert "no amount in EUR" in wrong
    assert "no time" in said(ann, ann.post(f"/listings/{row.id}/publish", at="soon"))
    ann.post("/listings/budgets", store=SHOP, kind="actions", period="day", most="0")
    assert "frozen" in ann.get("/listings/budgets").text
