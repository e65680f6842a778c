"""A sync of a store: what comes into the catalogue, and what goes to the shop."""

from __future__ import annotations

from tests.features.stores.world import StoreWorld


def test_a_first_sync_takes_products_and_stock_into_the_catalogue(stores: StoreWorld) -> None:
    stores.shop.add("cup", variants=2, on_hand=7, price=1250)
    stores.shop.add("pot", on_hand=3)
    run = stores.sync()
    assert (run.state, run.counts["created"], run.counts["failed"]) == ("done", 2, 0), run.problem
    assert sorted(stores.products()) == ["Cup", "Pot"]
    variant = stores.variant("cup-2")
    assert (variant.price_minor, variant.currency, stores.on_hand("cup-2")) == (1250, "EUR", 7)
    assert variant.origins["price"]["from"] == "store:shop"
    again = stores.sync()
    assert (again.counts["unchanged"], again.counts["created"], again.counts["sent"]) == (2, 0, 0)
    assert stores.on_hand("cup-2") == 7
