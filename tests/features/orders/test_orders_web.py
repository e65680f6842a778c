"""Orders on pages and in the API: filters, what a role sees of customers, release, erase, and actions of stores."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping

import pytest

from fleet.access import Principal, organisations
from fleet.accounts.sealing import new_key
from fleet.adapters.shops import OrderState
from fleet.core.db import visibility
from fleet.core.errors import NotFound
from fleet.engine import registry
from fleet.engine.deps import Deps
from fleet.engine.registry import Feature, Registry
from fleet.features.orders import queries, service
from fleet.features.orders.points import ACTIONS, OrderAction, OrderField
from fleet.features.orders.queries import OrderFilter
from tests.factories import make_fleet
from tests.features.orders.test_orders import Shop, later
from tests.web_client import Web

HOSTILE = "<script>alert(1)</script>\"'>{{ 7*7 }}"


@pytest.fixture
def web(database_url: str) -> Iterator[Web]:
    fleet = make_fleet(database_url, secret_keys=new_key())
    yield Web(fleet)
    fleet.deps.close()


@pytest.fixture
def shop(web: Web) -> Shop:
    return Shop(web.fleet)


def test_orders_are_filtered_paged_and_shown_the_same_everywhere(web: Web, shop: Shop) -> None:
    for number in range(3):
        state = OrderState.SHIPPED if number == 1 else OrderState.CONFIRMED
        shop.record(shop.order(state, id=f"o{number}", number=f"A-{number}", placed_at=later(number)))
    held = shop.record(shop.order(id="h", number="H-1", placed_at=later(-9))).id
    with web.deps.db.transaction() as tx:
        service.hold(tx, held, HOSTILE, by="fraud")
    api, ana = web.program(), web.browser("viewer")

    def numbers(query: str) -> list[str]:
        found = api.get(f"/api/v1/orders?{query}").json()
        page = ana.get(f"/orders?{query}").text
        assert all(f">{one['number']}</a>" in page for one in found["items"]), query
        return [one["number"] for one in found["items"]]

    assert numbers("") == ["A-2", "A-1", "A-0", "H-1"]
    assert numbers("state=shipped") == ["A-1"]
    assert numbers("held=true") == ["H-1"]
    assert numbers("store=shop&number=a-") == ["A-2", "A-1", "A-0"]
    assert numbers("store=other") == []
    first = api.get("/api/v1/orders?limit=2").json()
    assert [one["number"] for one in api.get(f"/api/v1/orders?limit=2&cursor={first['next']}").json()["items"]] == [
        "A-0", "H-1",
    ]  # fmt: skip
    assert api.get("/api/v1/orders?cursor=abc").status_code == 422
    assert HOSTILE not in ana.get(f"/orders/{held}").text


def test_customers_are_shown_to_people_who_may_edit_orders_and_erased_by_them(web: Web, shop: Shop) -> None:
    order = shop.record(shop.order()).id
    operator, viewer = web.browser("operator"), web.browser("viewer")
    assert "Ann Example" in operator.get(f"/orders/{order}").text
    assert "Ann Example" not in viewer.get(f"/orders/{order}").text
    assert web.program("viewer").get(f"/api/v1/orders/{order}").json()["customer"]["email"] == ""
    assert viewer.post(f"/orders/{order}/erase-customer").status_code == 403
    assert 'data-confirm="Erase this customer?' in operator.get(f"/orders/{order}").text
    assert operator.post(f"/orders/{order}/erase-customer").status_code == 303
    assert "was erased" in operator.get(f"/orders/{order}").text
    assert web.program("operator").get(f"/api/v1/orders/{order}").json()["customer"]["name"] == ""


def test_a_held_order_is_released_by_people(web: Web, shop: Shop) -> None:
    order = shop.record(shop.order()).id
    with web.deps.db.transaction() as tx:
        service.hold(tx, order, "five orders in an hour", by="fraud", points=80, reasons=["velocity"])
    ana = web.browser("operator")
    page = ana.get(f"/orders/{order}").text
    assert "five orders in an hour" in page
    assert page.count("80 of 100 points") == 1 and "80 points" not in page
    assert ana.post(f"/orders/{order}/release").status_code == 303
    assert ana.get("/orders?held=true").text.count("No orders match.") == 1
    assert web.program().post(f"/api/v1/orders/{uuid.uuid4()}/release").status_code == 404


def test_actions_of_stores_are_offered_checked_and_run(web: Web, shop: Shop) -> None:
    sent: list[tuple[uuid.UUID, Mapping[str, str], str]] = []

    def ship(_: Deps, order_id: uuid.UUID, values: Mapping[str, str], who: Principal) -> str:
        sent.append((order_id, values, who.name))
        return "The shop will be told."

    action = OrderAction(
        name="pack", label="Pack", is_offered=lambda _deps, _tx, order: order.state == "confirmed", run=ship,
        fields=(OrderField(name="tracking", label="Tracking number", is_needed=True),),
    )  # fmt: skip
    order = shop.record(shop.order()).id
    before = registry.current()
    registry.use(Registry([*before, Feature(name="tests_of_orders", extends={ACTIONS: (action,)})]))
    try:
        ana, api = web.browser("operator"), web.program("operator")
        assert "Tracking number" in ana.get(f"/orders/{order}").text
        refused = ana.post(f"/orders/{order}/actions/pack", tracking="")
        assert refused.status_code == 303 and "write 1 to 200" in ana.get(f"/orders/{order}").text
        assert ana.post(f"/orders/{order}/actions/pack", tracking="AB 1").status_code == 303
        done = api.post(f"/api/v1/orders/{order}/actions/pack", json={"values": {"tracking": "AB 2"}})
        assert done.json()["message"] == "The shop will be told."
        assert [(one, values["tracking"]) for one, values, _ in sent] == [(order, "AB 1"), (order, "AB 2")]
        with web.deps.db.transaction() as tx:
            service.hold(tx, order, "look at it", by="fraud")
        held = api.post(f"/api/v1/orders/{order}/actions/pack", json={"values": {"tracking": "AB 3"}})
        assert held.status_code == 409 and "is held" in held.text and len(sent) == 2
        assert api.post(f"/api/v1/orders/{order}/actions/fly", json={}).status_code == 404
    finally:
        registry.use(before)


def test_orders_of_another_organisation_are_not_seen(web: Web, shop: Shop) -> None:
    order = shop.record(shop.order()).id
    with web.deps.db.transaction() as tx:
        other = organisations.create(tx, "Two")
    with visibility.restricted(frozenset({other.id})), web.deps.db.transaction() as tx:
        assert queries.listed(tx, OrderFilter(), limit=10) == []
        with pytest.raises(NotFound):
            service.release(tx, order, by="ben")
