"""Products: what they take, how changes are counted, and where values came from."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from fleet.access.models import DEFAULT_ORGANISATION
from fleet.adapters.shops import Money, ProductImage, ProductStatus
from fleet.core import events
from fleet.core.errors import Conflict, FleetError, InvalidInput
from fleet.features.products import service
from fleet.features.products.service import NewProduct, NewVariant
from tests.factories import Fleet, make_fleet

WITHIN_S = 30.0


@pytest.fixture
def fleet(database_url: str) -> Iterator[Fleet]:
    made = make_fleet(database_url)
    yield made
    made.deps.close()


def a_lamp(sku: str = "LAMP-1", **more: Any) -> NewProduct:
    variant = NewVariant(sku=sku, price=Money(1999, "EUR"), currency="EUR", options={"Colour": "black"})
    return NewProduct(**{"title": "Desk lamp", "categories": ("Lamps",), "variants": (variant,), **more})


def created(fleet: Fleet, new: NewProduct) -> uuid.UUID:
    with fleet.deps.db.transaction() as tx:
        return service.create(tx, DEFAULT_ORGANISATION, new, origin="store:shop").id


def test_a_change_says_where_each_value_came_from_and_counts_once(fleet: Fleet) -> None:
    product_id = created(fleet, a_lamp(images=(ProductImage("https://img.example/a.png", "A lamp"),)))
    with fleet.deps.db.transaction() as tx:
        new = {"title": "Oak lamp", "status": ProductStatus.DRAFT, "categories": ("Lamps", "Oak")}
        assert service.change(tx, product_id, new, origin="user:ann", version=1)
        assert not service.change(tx, product_id, new, origin="user:bob")
        product = service.get(tx, product_id)
        assert (product.title, product.status, product.categories, product.version) == (
            "Oak lamp", "draft", ["Lamps", "Oak"], 2,
        )  # fmt: skip
        assert {name: one["from"] for name, one in product.origins.items() if name in ("title", "images")} == {
            "title": "user:ann", "images": "store:shop",
        }  # fmt: skip
        with pytest.raises(Conflict, match="changed"):
            service.change(tx, product_id, {"title": "Older"}, origin="user:cy", version=1)
        (variant,) = service.variants_of(tx, [product_id])[product_id]
        assert service.change_variant(
            tx, variant.id, {"price": Money(2100, "EUR"), "floor": None}, origin="agent:price"
        )
        assert not service.change_variant(tx, variant.id, {"price": Money(2100, "EUR")}, origin="agent:price")
    with fleet.deps.db.transaction() as tx:
        product = service.get(tx, product_id)
        (variant,) = service.variants_of(tx, [product_id])[product_id]
        assert (product.version, variant.price_minor, variant.origins["price"]["from"]) == (3, 2100, "agent:price")
        seen = [
            (one.payload["fields"], one.payload["origin"])
            for one in events.read_after(tx, events.Position(), only=["product.changed"])
        ]
        assert seen == [(["categories", "status", "title"], "user:ann"), (["variant.price"], "agent:price")]
        value = service.product_values(product, [variant])
        assert (value.key, value.categories, value.images[0].alt_text) == ("oak-lamp", ("Lamps", "Oak"), "A lamp")
        assert (value.variants[0].price, value.variants[0].options) == (Money(2100, "EUR"), {"Colour": "black"})


def test_a_sku_is_unique_in_an_organisation_also_between_transactions(fleet: Fleet) -> None:
    created(fleet, a_lamp())
    with pytest.raises(Conflict, match="LAMP-1"):
        created(fleet, a_lamp())
    with pytest.raises(Conflict, match="TWICE"):
        created(fleet, a_lamp(variants=(NewVariant(sku="TWICE", currency="EUR"),) * 2))
    created(fleet, a_lamp(sku=""))
    created(fleet, a_lamp(sku=""))
    start, ends = threading.Barrier(2), []

    def work() -> None:
        start.wait(WITHIN_S)
        try:
            created(fleet, a_lamp(sku="RACE"))
            ends.append("made")
        except FleetError as error:
            ends.append(type(error).__name__)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(WITHIN_S)
    assert sorted(ends) == ["Conflict", "made"]


def test_changes_of_the_same_product_at_the_same_time_are_all_counted(fleet: Fleet) -> None:
    product_id = created(fleet, a_lamp())
    start = threading.Barrier(3)

    def work(number: int) -> None:
        start.wait(WITHIN_S)
        for round_ in range(5):
            with fleet.deps.db.transaction() as tx:
                service.change(tx, product_id, {"brand": f"Brand {number} {round_}"}, origin="user:ann")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(WITHIN_S)
    with fleet.deps.db.transaction() as tx:
        assert service.get(tx, product_id).version == 16


def test_variants_are_added_and_removed_but_for_the_last(fleet: Fleet) -> None:
    product_id = created(fleet, a_lamp())
    with fleet.deps.db.transaction() as tx:
        second = service.add_variant(tx, product_id, NewVariant(sku="LAMP-2", currency="EUR"), origin="user:ann")
        assert [one.sku for one in service.variants_of(tx, [product_id])[product_id]] == ["LAMP-1", "LAMP-2"]
        service.remove_variant(tx, second.id, origin="user:ann")
        (first,) = service.variants_of(tx, [product_id])[product_id]
        with pytest.raises(Conflict, match="at least one"):
            service.remove_variant(tx, first.id, origin="user:ann")
        service.add_variant(tx, product_id, NewVariant(sku="LAMP-2", currency="EUR"), origin="user:ann")
        assert service.get(tx, product_id).version == 4


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"title": " "}, "title is empty"),
        ({"title": "x" * 301}, "301 characters"),
        ({"status": "gone"}, "no status"),
        ({"images": (ProductImage("javascript:alert(1)"),)}, "no address"),
        ({"attributes": {"a": 1}}, "text"),
        ({"colour": "red"}, "no field"),
        ({"categories": tuple(f"c{n}" for n in range(51))}, "51 entries"),
    ],
)
def test_wrong_values_are_refused_by_name(fleet: Fleet, changes: dict[str, Any], words: str) -> None:
    product_id = created(fleet, a_lamp())
    with fleet.deps.db.transaction() as tx, pytest.raises(InvalidInput, match=words):
        service.change(tx, product_id, changes, origin="user:ann")


def test_amounts_are_in_the_currency_of_the_variant_and_hostile_text_is_data(fleet: Fleet) -> None:
    product_id = created(fleet, a_lamp(title="<script>\0</script>"))
    with fleet.deps.db.transaction() as tx:
        assert service.get(tx, product_id).title == "<script>\ufffd</script>"
        (variant,) = service.variants_of(tx, [product_id])[product_id]
        for price, words in ((Money(1, "USD"), "currency is EUR"), (Money(-1, "EUR"), "0 or more")):
            with pytest.raises(InvalidInput, match=words):
                service.change_variant(tx, variant.id, {"price": price}, origin="user:ann")
