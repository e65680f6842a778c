"""A listing at a real shop: staged, previewed, approved, published, read back, changed, delisted, rolled back."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from fleet.adapters.shops import Money, ProductImage, ProductStatus, ShopProduct
from fleet.features.listings import service
from fleet.features.listings.models import ListingRow
from fleet.features.products import service as catalogue
from fleet.features.products import stock
from fleet.features.products.service import NewProduct, NewVariant
from fleet.images.placeholder import render_jpeg
from tests.features.approvals.test_verbs import requests, use_rules
from tests.features.drafts.test_pages import said
from tests.features.listings.test_web import RULES
from tests.features.listings.world import ListingWorld
from tests.features.stores.world import StoreWorld
from tests.stores.conftest import world_of
from tests.stores.picture_server import serving
from tests.stores.servers import Shop
from tests.web_client import Web

pytestmark = pytest.mark.shops
SIZES = ("S", "M", "L")


@pytest.fixture
def listed(database_url: str, shop: Shop, tmp_path: Any) -> Iterator[ListingWorld]:
    """A fleet with a store at each real shop in turn, and a shirt with three variants and two pictures."""
    files = {name: render_jpeg(name, 1) for name in ("front.jpg", "back.jpg")}
    with serving(files) as address:
        settings = {"home": tmp_path / "home", "media_allow": address.removeprefix("http://")}
        with world_of(database_url, shop, **settings) as stores:
            stores.sync()
            yield ListingWorld(stores, {}, shirt(stores, [f"{address}/{name}" for name in files]))


def shirt(stores: StoreWorld, pictures: list[str]) -> uuid.UUID:
    """Create a product as a person does."""
    variants = tuple(
        NewVariant(sku=f"SHIRT-{size}", options={"Size": size}, price=Money(2000 + place, "EUR"), currency="EUR")
        for place, size in enumerate(SIZES)
    )
    new = NewProduct(
        title="Linen shirt", description="<p>Of linen.</p>", categories=("Clothes", "Summer"), variants=variants,
        images=tuple(ProductImage(one, alt_text="a shirt") for one in pictures),
    )  # fmt: skip
    with stores.fleet.deps.db.transaction() as tx:
        organisation_id = stores.store().organisation_id
        product_id = catalogue.create(tx, organisation_id, new, origin="user:tests").id
        place = stock.default_location(tx, organisation_id)
        for number, one in enumerate(catalogue.variants_of(tx, [product_id])[product_id], start=4):
            stock.set_level(tx, one.id, place, number, reason="count", by="user:tests")
    return product_id


def there(listed: ListingWorld) -> ShopProduct:
    """Return the shirt as the shop has it."""
    (found,) = listed.stores.adapter().find_products(sku="SHIRT-M")
    return found  # type: ignore[no-any-return]


def state(listed: ListingWorld, listing_id: uuid.UUID) -> tuple[str, str]:
    row: ListingRow = listed.get(listing_id)
    return row.state, row.problem


def test_a_listing_of_a_real_shop_from_approval_to_roll_back(listed: ListingWorld, tmp_path: Any) -> None:
    stores = listed.stores
    web = Web(stores.fleet)
    use_rules(web.fleet, RULES, tmp_path)
    ann, ben = web.program("operator", name="ann"), web.browser("owner", "ben")
    web.user("owner", "cat")
    listing_id = listed.stage()
    seen = service.previewed(stores.fleet.deps, listing_id)
    assert (seen.mode, seen.problems, state(listed, listing_id)) == ("create", [], ("staged", ""))
    asked = ann.post("/api/v1/listings/publish", json={"listings": [str(listing_id)]})
    assert asked.status_code == 202 and not list(stores.adapter().find_products(sku="SHIRT-M"))
    (request,) = requests(web.fleet)
    assert "Approved" in said(ben, ben.post(f"/review/{request.id}/approve", revision=1))
    listed.work()
    assert state(listed, listing_id)[0] == "publishing", "it is read back after 60 s"
    listed.finish()
    assert state(listed, listing_id) == ("published", ""), listed.get(listing_id).problem
    made = there(listed)
    assert (made.title, made.description, made.status) == ("Linen shirt", "<p>Of linen.</p>", ProductStatus.ACTIVE)
    assert sorted(made.categories) == ["Clothes", "Summer"] and len(made.images) == 2
    assert {one.sku: (one.options["Size"], one.price, one.on_hand) for one in made.variants} == {
        f"SHIRT-{size}": (size, Money(2000 + place, "EUR"), 4 + place) for place, size in enumerate(SIZES)
    }
    # An edit: a text, a picture less, a price, units, and a variant more.
    with stores.fleet.deps.db.transaction() as tx:
        images = catalogue.images_of(catalogue.get(tx, listed.mug))
        more = NewVariant(sku="SHIRT-XL", options={"Size": "XL"}, price=Money(3000, "EUR"), currency="EUR")
        catalogue.add_variant(tx, listed.mug, more, origin="user:tests")
    stores.change_product("Linen shirt", title="Linen shirt, washed", images=images[1:])
    stores.change("SHIRT-M", price=Money(2500, "EUR"))
    stores.count("SHIRT-L", 9)
    stores.setting("listing_stock", True)
    assert listed.stage() == listing_id and service.previewed(stores.fleet.deps, listing_id).mode == "update"
    listed.publish(listing_id)
    listed.finish()
    assert state(listed, listing_id) == ("published", ""), listed.get(listing_id).problem
    edited = there(listed)
    assert (edited.id, edited.title, len(edited.images)) == (made.id, "Linen shirt, washed", 1)
    assert edited.images[0].digest == made.images[1].digest != ""
    assert {one.sku: (one.price and one.price.minor, one.on_hand) for one in edited.variants} == {
        "SHIRT-S": (2000, 4), "SHIRT-M": (2500, 5), "SHIRT-L": (2002, 9), "SHIRT-XL": (3000, 0)
    }  # fmt: skip
    # Delisted, and published again.
    service.delist(stores.fleet.deps, [listing_id], by="tests")
    listed.finish()
    assert state(listed, listing_id) == ("delisted", "")
    assert there(listed).status is ProductStatus.DRAFT, "neither shop archives products: it is hidden"
    listed.stage()
    listed.publish(listing_id)
    listed.finish()
    assert (state(listed, listing_id)[0], there(listed).status) == ("published", ProductStatus.ACTIVE)
    # A roll back gives the values back that the shop had before the newest publication.
    stores.change_product("Linen shirt, washed", title="Linen trousers")
    listed.stage()
    listed.publish(listing_id)
    listed.finish()
    assert there(listed).title == "Linen trousers"
    service.rollback(stores.fleet.deps, [listing_id], by="tests")
    listed.finish()
    assert (state(listed, listing_id)[0], there(listed).title) == ("published", "Linen shirt, washed")
    stores.setting("store_direction", "both")
    stores.sync()
    assert there(listed).title == "Linen shirt, washed", "a sync leaves alone what was rolled back"


def test_a_sku_that_the_shop_has_already_ends_with_a_clear_error(listed: ListingWorld, shop: Shop) -> None:
    listing_id = listed.stage()
    shop.add_product("SHIRT-M", "Somebody else's shirt", 900, 1)
    listed.publish(listing_id)
    listed.finish()
    row = listed.get(listing_id)
    assert row.state == "failed" and row.problem.startswith("not written: the shop has it already: ")
    assert [one.title for one in listed.stores.adapter().find_products(sku="SHIRT-M")] == ["Somebody else's shirt"]
    assert list(listed.stores.adapter().find_products(sku="SHIRT-S")) == [], "nothing is left of it at the shop"
