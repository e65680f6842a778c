"""The routes of the shop's pages. Plain HTML without scripts; texts are escaped by the templates.

Whoever reaches the shop may edit it: it listens on loopback, and it is there to be changed by hand.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from fleet.core import clock
from fleet.sandbox.gallery.errors import ApiError, not_found
from fleet.sandbox.shop.api import bodies, catalogue
from fleet.sandbox.shop.api import orders as order_api
from fleet.sandbox.shop.api.bodies import OrderStateBody, ProductBody
from fleet.sandbox.shop.pages import art, forms
from fleet.sandbox.shop.pages.templating import render
from fleet.sandbox.shop.state import Shop, ShopDep
from fleet.sandbox.shop.store import orders, products, stock

_MOST_SHOWN, _MOST_ORDERS = 200, 50
_ART = re.compile(r"[a-z0-9-]{1,80}")
_VISITOR = {"name": "Visitor of the page", "email": "", "country": ""}

router = APIRouter(include_in_schema=False)

FormDep = Annotated[dict[str, str], Depends(forms.fields)]
Word = Annotated[str, Query(max_length=100)]


@router.get("/health")
def health(shop: ShopDep) -> dict[str, str]:
    """Tell that the shop and its database answer."""
    with shop.storage.transaction() as tx:
        products.total(tx)
    return {"status": "ok"}


@router.get("/")
def store(shop: ShopDep, category: Word = "", q: Word = "", said: Word = "") -> Response:
    """Show the storefront: products for sale, of one category or with a word in the title."""
    with shop.storage.transaction() as tx:
        found = products.page(tx, after=0, limit=_MOST_SHOWN)
        total = products.total(tx)
    categories = sorted({name for one in found for name in one["categories"]})
    shown = [one for one in found if (not category or category in one["categories"])
             and q.strip().lower() in f"{one['title']} {one['key']}".lower()]  # fmt: skip
    values = {"products": shown, "categories": categories, "category": category, "q": q, "total": total, "said": said}
    return _page(shop, "store.html", values)


@router.get("/p/{key}")
def show_product(key: str, shop: ShopDep, said: Word = "") -> Response:
    """Show a product, and the form to edit it by hand."""
    with shop.storage.transaction() as tx:
        product = _by_key(tx, key)
        levels = stock.of_variants(tx, [int(one["id"]) for one in product["variants"]])
        places = stock.all_locations(tx)
    by_place = {(one["variantId"], one["locationId"]): one for one in levels}
    return _page(shop, "product.html", {"product": product, "places": places, "levels": by_place, "said": said})


@router.get("/products/{product_id}")
def product_by_id(product_id: str, shop: ShopDep) -> Response:
    """Redirect to the page of a product that is named by its id."""
    with shop.storage.transaction() as tx:
        product = products.get(tx, bodies.row_id(product_id, "Product"))
    return RedirectResponse(f"/p/{product['key']}", 303)


@router.post("/p/{key}/edit")
def edit(key: str, shop: ShopDep, form: FormDep) -> Response:
    """Change title, prices and stock by hand.

    Only fields that differ from what the form showed are written: an order may have moved the stock meanwhile.
    """
    edited = {name: value for name, value in form.items() if form.get(f"was-{name}") != value}
    with shop.change() as tx:
        product = _by_key(tx, key)
        if "title" in edited:
            products.update(tx, int(product["id"]), {"title": forms.title(edited)}, {})
        prices = [
            {"id": one["id"], "price_minor": forms.minor(edited[f"price-{one['id']}"])}
            for one in product["variants"]
            if f"price-{one['id']}" in edited
        ]
        if prices:
            products.update_variants(tx, prices)
        if prices or "title" in edited:
            shop.events.add(tx, "product", product_id=product["id"])
        changes = _levels(edited, {one["id"] for one in product["variants"]})
        for variant_id, product_id in stock.set_levels(tx, changes) if changes else ():
            shop.events.add(tx, "stock", product_id=product_id, variant_id=variant_id)
    return RedirectResponse(f"/p/{key}?said=saved", 303)


@router.post("/p/{key}/delete")
def delete(key: str, shop: ShopDep, _form: FormDep) -> Response:
    """Delete a product by hand."""
    with shop.change() as tx:
        product = _by_key(tx, key)
        products.delete(tx, int(product["id"]))
        shop.events.add(tx, "product_deleted", product_id=product["id"])
    return RedirectResponse("/?said=deleted", 303)


@router.post("/p/{key}/buy")
def buy(key: str, shop: ShopDep, form: FormDep) -> Response:
    """Order one unit of a variant, as a customer."""
    with shop.change() as tx:
        product = _by_key(tx, key)
        if form.get("variant") not in {one["id"] for one in product["variants"]}:
            raise not_found("Variant")
        order = order_api.place(tx, shop, [(int(form["variant"]), 1)], _VISITOR, is_paid=True)
    return RedirectResponse(f"/orders?said={order['number']}", 303)


@router.post("/new")
def add(shop: ShopDep, form: FormDep) -> Response:
    """Add a product by hand."""
    title = forms.title(form)
    price, on_hand = forms.minor(form.get("price", "")), forms.units(form.get("stock", ""))
    key = catalogue.key_of(title)
    body = ProductBody.model_validate(
        {
            "key": key, "title": title,
            "variants": [{"sku": f"HAND-{key[-4:].upper()}", "priceMinor": price, "onHand": on_hand}],
        }
    )  # fmt: skip
    with shop.change() as tx:
        made = catalogue.create(tx, shop, body)
    return RedirectResponse(f"/p/{made['key']}?said=added", 303)


@router.get("/orders")
def list_orders(shop: ShopDep, said: Word = "") -> Response:
    """Show the newest orders."""
    with shop.storage.transaction() as tx:
        values: dict[str, Any] = {"orders": orders.newest(tx, limit=_MOST_ORDERS), "moves": orders.MOVES, "said": said}
    return _page(shop, "orders.html", values)


@router.get("/orders/{order_id}")
def order_by_id(order_id: str, shop: ShopDep) -> Response:
    """Show one order."""
    with shop.storage.transaction() as tx:
        found = [orders.get(tx, bodies.row_id(order_id, "Order"))]
    return _page(shop, "orders.html", {"orders": found, "moves": orders.MOVES, "said": ""})


@router.post("/orders/{order_id}/move")
def move(order_id: str, shop: ShopDep, form: FormDep) -> Response:
    """Give an order another state, as the staff does."""
    found = bodies.row_id(order_id, "Order")
    state = form.get("state", "")
    if state not in orders.MOVES or state == "pending":
        raise ApiError(422, "VALIDATION_ERROR", f"{state[:40]!r} is no state that an order can get.")
    with shop.change() as tx:
        order_api.move(tx, shop, found, OrderStateBody.model_validate({"state": state}))
    return RedirectResponse("/orders", 303)


@router.get("/art/{name}.webp")
def picture(name: str) -> Response:
    """Draw the picture of a product's name. The same name has the same picture for ever."""
    if not _ART.fullmatch(name):
        raise not_found("Picture")
    headers = {
        "cache-control": "public, max-age=31536000, immutable",
        "content-security-policy": "default-src 'none'; sandbox",
        "cross-origin-resource-policy": "cross-origin",
    }
    return Response(art.picture(name), media_type="image/webp", headers=headers)


def error_page(request: Request, error: ApiError) -> Response:
    """Return the page of an error."""
    shop: Shop = request.app.state.shop
    response = _page(shop, "error.html", {"error": error})
    response.status_code = error.status
    return response


def _page(shop: Shop, template: str, values: dict[str, Any]) -> Response:
    now: datetime = clock.now()
    frame = {"shop_title": shop.config.title, "currency": shop.config.currency, "now": now}
    response = HTMLResponse(render(template, frame | values))
    response.headers["cache-control"] = "no-store"
    return response


def _by_key(tx: sa.Connection, key: str) -> dict[str, Any]:
    found = products.find(tx, key=key)
    if not found:
        raise not_found("Product")
    return found[0]


def _levels(form: dict[str, str], variant_ids: set[str]) -> list[dict[str, Any]]:
    """Return the stock that a form sets: fields are called stock-VARIANT-LOCATION."""
    changes = []
    for name, value in form.items():
        kind, _, place = name.partition("-")
        variant_id, _, location_id = place.partition("-")
        if kind == "stock" and variant_id in variant_ids:
            location = bodies.row_id(location_id, "Location")
            changes.append({"variant_id": variant_id, "location_id": location, "on_hand": forms.units(value)})
    return changes
