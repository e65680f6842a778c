"""Products on pages and in the API: filters, forms that keep what was typed, bulk changes, and whose they are."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from fleet.access import audit, organisations
from fleet.access.audit import AuditFilter
from fleet.accounts.sealing import new_key
from fleet.core import events
from fleet.engine import registry
from fleet.engine.registry import Feature, Registry
from fleet.features.products import points
from fleet.features.products.models import ProductRow
from tests.factories import make_fleet
from tests.web_client import Browser, Web

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)> {{ 7*7 }}"
PRODUCTS = "/api/v1/products"


@pytest.fixture
def web(database_url: str) -> Iterator[Web]:
    fleet = make_fleet(database_url, secret_keys=new_key())
    yield Web(fleet)
    fleet.deps.close()


def a_product(api: Any, title: str, sku: str, **more: Any) -> dict[str, Any]:
    variant = {"sku": sku, "currency": "EUR", "price": "19.90", "on_hand": more.pop("on_hand", None)}
    made = api.post(PRODUCTS, json={"title": title, "variants": [variant], **more})
    assert made.status_code == 201, made.text
    found: dict[str, Any] = made.json()
    return found


def typed(browser: Browser, path: str, **fields: str) -> Any:
    """Post a form that is refused, and return the page that shows it again."""
    answer = browser.post(path, **fields)
    assert answer.status_code in (409, 422), answer.text
    return answer.text


def test_products_are_found_by_words_sku_and_filters_the_same_everywhere(web: Web) -> None:
    api, ana = web.program(), web.browser("viewer")
    a_product(api, "Desk lamp of oak", "L-1", categories=["Lamps"], on_hand=4, brand="Lumen")
    a_product(api, "Wall lamp", "L_%2", categories=["Lamps", "Walls"], status="draft", on_hand=0)
    a_product(api, "Chair", "C-3")

    def skus(**query: str) -> set[str]:
        found = api.get(PRODUCTS, params=query).json()["items"]
        page = ana.get("/products", params=query).text
        assert all(one["title"] in page for one in found), query
        return {one["skus"][0] for one in found}

    assert skus() == {"L-1", "L_%2", "C-3"}
    assert skus(q="lamp oa") == {"L-1"} and skus(q="lumen") == {"L-1"}
    assert skus(q="_%") == {"L_%2"} and skus(q="l-1") == {"L-1"}
    assert skus(q="lamp & !oak | :*") == {"L-1"} or skus(q="lamp & !oak | :*") == set()
    assert skus(status="draft") == {"L_%2"} and skus(category="Walls") == {"L_%2"}
    assert skus(stock="available") == {"L-1"} and skus(stock="none") == {"L_%2", "C-3"}
    assert skus(sku="C-3") == {"C-3"} and skus(store="nowhere") == set()
    first = api.get(f"{PRODUCTS}?limit=2").json()
    rest = api.get(f"{PRODUCTS}?limit=2&cursor={first['next']}").json()
    assert (len(first["items"]), len(rest["items"]), rest["next"]) == (2, 1, None)


def test_a_product_is_created_edited_and_its_stock_counted_by_forms(web: Web) -> None:
    ana, api = web.browser("operator"), web.program()
    assert "Create one, import a CSV file" in ana.get("/products").text
    filled = {"title": HOSTILE, "description": "Two\nlines", "status": "active", "sku": "L-1", "currency": "eur"}
    again = typed(ana, "/products/new", **filled, price="19.999")
    assert "19.999" in again and 'value="L-1"' in again and "aria-invalid" in again and "<script>alert" not in again
    typed(ana, "/products/new", **filled, attributes="no colon")
    made = ana.post("/products/new", **filled, price="19.90", categories="Lamps\nDesk", options="Colour: black",
                    images="https://img.example/a.png A lamp", attributes="Material: oak", on_hand="7")  # fmt: skip
    assert made.status_code == 303, made.text
    own = made.headers["location"]
    page = ana.get(own).text
    assert "<script>alert" not in page and "Colour: black" in page and "Material" in page and "user operator-1" in page
    edited = {"title": "Desk lamp", "status": "draft", "version": "1"}
    assert ana.post(f"{own}/edit", **edited).status_code == 303
    stale = typed(ana, f"{own}/edit", **(edited | {"title": "Older"}))
    assert 'value="Older"' in stale and "changed meanwhile" in stale
    found = api.get(f"/api/v1{own}").json()
    variant = f"{own}/variants/{found['variants'][0]['id']}"
    assert (found["title"], found["status"], found["categories"], found["available"]) == ("Desk lamp", "draft", [], 7)
    for way, units, after in (("count", "10", 10), ("add", "5", 15), ("take", "6", 9)):
        assert ana.post(f"{variant}/stock", way=way, units=units, reason="test").status_code == 303
        assert api.get(f"/api/v1{own}").json()["available"] == after
    ana.post(f"{variant}/stock", way="take", units="90", reason="too many")
    kept = ana.get(variant).text
    assert "9 units available" in kept and 'value="90"' in kept
    assert ana.post(variant, sku="L-9", price="25", floor="20").status_code == 303
    assert ana.post(f"{own}/variants/new", sku="L-2", currency="EUR", price="3").status_code == 303
    typed(ana, f"{own}/variants/new", sku="L-2", currency="EUR")
    changed = api.get(f"/api/v1{own}").json()
    assert [(one["sku"], one["price"], one["floor"]) for one in changed["variants"]] == [
        ("L-9", "25.00", "20.00"), ("L-2", "3.00", None),
    ]  # fmt: skip
    assert ana.post(f"{variant}/remove").status_code == 303
    moved = api.get(f"/api/v1{own}/movements?limit=2").json()
    assert [one["delta"] for one in moved["items"]] == [-6, 5] and moved["next"]
    with web.deps.db.transaction() as tx:
        lines = [one.action for one in audit.page(tx, AuditFilter(target=f"product:{found['id']}"))]
    assert lines == ["variant.removed", "variant.created", "variant.changed", "stock.changed", "stock.changed",
                     "stock.changed", "product.changed", "product.created"]  # fmt: skip


def test_many_products_are_changed_after_a_page_that_counts_them(web: Web) -> None:
    ana, api = web.browser("operator"), web.program()
    ids = [a_product(api, f"Lamp {n}", f"L-{n}", categories=["Lamps"] if n else [])["id"] for n in range(3)]
    checked = ana.post("/products/bulk/check", all="1", q="lamp", add_category="Lamps", price_percent="10")
    assert "Change 3 products?" in checked.text and "Are so already" in checked.text
    some = ana.post("/products/bulk/check", one=ids[:2], status="archived")
    assert "Change 2 products?" in some.text and ids[0] in some.text
    fields = {"all": "1", "q": "lamp", "add_category": "Lamps", "price_percent": "10", "status": "", "expected": "2"}
    assert ana.post("/products/bulk", **fields).status_code == 303
    assert "match by now, not 2" in ana.get("/products").text
    assert ana.post("/products/bulk", **(fields | {"expected": "3"})).status_code == 303
    found = api.get(PRODUCTS).json()["items"]
    assert {one["prices"][0]["low"] for one in found} == {"21.89"} and all(one["categories"] for one in found)
    assert "Nothing to change" in ana.get(ana.post("/products/bulk/check", one=ids).headers["location"]).text
    assert ana.post("/products/bulk/check", status="draft").status_code == 303
    done = api.post(f"{PRODUCTS}/bulk", json={"ids": ids[:1], "status": "draft", "dry_run": True}).json()
    assert (done["matched"], done["changed"], done["is_done"]) == (1, 1, False)
    with web.deps.db.transaction() as tx:
        numbers = [one.payload["number"] for one in events.read_after(tx, events.Position(), only=["products.changed"])]
    assert numbers == [3]


def test_a_file_is_uploaded_looked_at_and_applied_by_pages_and_the_api(web: Web) -> None:
    ana, api = web.browser("operator"), web.program("operator")
    content = b"sku;title;currency;price\nL-1;Lamp;EUR;5,50\n"
    sent = ana.client.post("/products/import", data={"csrf": ana.csrf}, files={"file": ("lamps.csv", content)})
    assert sent.status_code == 303, sent.text
    page = ana.get(sent.headers["location"]).text
    assert "lamps.csv" in page and "5.50 EUR" in page and "semicolon" in page
    assert api.get(PRODUCTS).json()["items"] == []
    assert ana.post(f"{sent.headers['location']}/apply").status_code == 303
    assert [one["title"] for one in api.get(PRODUCTS).json()["items"]] == ["Lamp"]
    exported = ana.get("/products/export?q=lamp")
    assert exported.headers["content-type"].startswith("text/csv") and "L-1" in exported.text
    body = {"name": "again.csv", "content": base64.b64encode(exported.content).decode()}
    assert api.post("/api/v1/product-imports", json=body).json()["state"] == "empty"
    assert api.post("/api/v1/product-imports", json=body | {"content": "%"}).status_code == 422
    wide = b"sku,title,currency\n" + b"x" * 1_500_000
    large = ana.client.post("/products/import", data={"csrf": ana.csrf}, files={"file": ("large.csv", wide)})
    assert large.status_code in (303, 422)
    assert ana.client.post("/products/new", content=b"x" * 1_500_000).status_code == 413
    assert ana.client.post("/products/import", data={"csrf": ana.csrf}).status_code == 422
    assert web.browser("viewer").get("/products/import").status_code == 403


def test_members_see_and_change_products_of_their_organisation_alone(web: Web) -> None:
    api = web.program()
    ours = a_product(api, "Ours", "L-1")
    with web.deps.db.transaction() as tx:
        two = organisations.create(tx, "Two")
    theirs = a_product(api, "Theirs", "L-1", organisation="Two")
    assert theirs["organisation_id"] == str(two.id)
    member = web.program("operator", name="ben")
    with web.deps.db.transaction() as tx:
        organisations.set_member(tx, "ben", [two])
    assert [one["title"] for one in member.get(PRODUCTS).json()["items"]] == ["Theirs"]
    assert member.get(f"{PRODUCTS}/{ours['id']}").status_code == 404
    assert member.patch(f"{PRODUCTS}/{ours['id']}", json={"title": "Mine"}).status_code == 404
    assert member.patch(f"{PRODUCTS}/{theirs['id']}", json={"title": "Changed"}).status_code == 200
    assert a_product(member, "New", "N-1")["organisation_id"] == str(two.id)
    variant = theirs["variants"][0]["id"]
    counted = member.post(f"{PRODUCTS}/{theirs['id']}/variants/{variant}/stock", json={"on_hand": 3})
    assert counted.status_code == 200 and counted.json()["available"] == 3
    file = {"content": base64.b64encode(b"sku,title\nL-1,By a file\n").decode()}
    made = member.post("/api/v1/product-imports", json=file).json()
    assert member.post(f"/api/v1/product-imports/{made['id']}/apply").status_code == 200
    titles = {one["title"] for one in api.get(PRODUCTS).json()["items"]}
    assert titles == {"Ours", "By a file", "New"}


def test_other_features_add_stores_and_sections(web: Web) -> None:
    made = a_product(web.program(), "Lamp", "L-1")
    brought = points.ProductStores(
        names=lambda _tx: ["shop"],
        is_at=lambda name: ProductRow.title == "Lamp" if name == "shop" else ProductRow.title == "",
        states=lambda _tx, ids: {one: [points.StoreState("shop", "mapped", "/stores/shop")] for one in ids},
    )
    section = points.ProductSection(
        title="Listings", template="links/list.html", build=lambda _deps, _tx, _who, _product, _variants: None
    )
    before = registry.current()
    feature = Feature(name="tests_of_products", extends={points.STORES: (brought,), points.SECTIONS: (section,)})
    registry.use(Registry([feature, *before]))
    try:
        ana = web.browser("viewer")
        assert 'href="/stores/shop"' in ana.get("/products?store=shop").text
        assert "No products match." in ana.get("/products?store=other").text
        assert "Listings" not in ana.get(f"/products/{made['id']}").text
    finally:
        registry.use(before)


def test_what_is_not_there_is_not_found(web: Web) -> None:
    ana, nobody = web.browser("operator"), uuid.uuid4()
    for path in (f"/products/{nobody}", f"/products/{nobody}/edit", f"/products/{nobody}/variants/new",
                 f"/products/{nobody}/variants/{nobody}", f"/products/import/{nobody}",
                 f"/product-pictures/{nobody}"):  # fmt: skip
        assert ana.get(path).status_code == 404, path
