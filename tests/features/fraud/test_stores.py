"""Scores of orders of stores: what is held, what a person's release means, and what waits meanwhile."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.access import Principal, Role
from fleet.access.principal import Via
from fleet.adapters.shops import Money, OrderCustomer, OrderState
from fleet.core import events
from fleet.engine.points import verbs
from fleet.features.fraud import decisions, service
from fleet.features.fraud.decisions import FraudCase, FraudDecision, FraudMode
from fleet.features.orders import points
from fleet.features.orders import service as orders
from fleet.features.orders.models import StoreOrderRow
from fleet.features.stores.extensions import move_order
from fleet.features.stores.rules import Strategy
from tests.features.orders.test_orders import NOON, Shop
from tests.features.stores.world import StoreWorld

WHO = Principal(uuid.uuid4(), "ana", Role.OWNER, Via.TERMINAL, uuid.uuid4())


def place(at_shop: Shop, number: int, minutes: float, *, email: str = "x@example.com", minor: int = 3000,
          state: OrderState = OrderState.CONFIRMED) -> StoreOrderRow:  # fmt: skip
    """Record an order as a sync does."""
    at = NOON + timedelta(minutes=minutes)
    order = at_shop.order(state, id=str(number), number=f"A-{number}", placed_at=at, updated_at=at, quantity=1,
                       total=Money(minor, "EUR"), customer=OrderCustomer(id="", email=email))  # fmt: skip
    done = at_shop.record(order, now=at)
    with at_shop.fleet.deps.db.transaction() as tx:
        points.recorded(at_shop.fleet.deps, tx, done)
        return orders.get(tx, done.id)


def test_a_score_holds_an_order_once_and_a_release_stays_until_the_score_rises(shop: Shop) -> None:
    for number in range(3):  # a customer with habits
        assert place(shop, number, number).held_at is None
    many = place(shop, 3, 3, minor=50_000)
    assert (many.fraud_points, many.held_at is not None) == (50, True)
    assert "4 orders of the same customer in an hour" in many.held_why
    assert verbs.perform(shop.fleet.deps, WHO, "order", "release", order=many.id) is True
    again = place(shop, 3, 3.5, minor=50_000, state=OrderState.PROCESSING)
    assert (again.fraud_points, again.held_at) == (50, None)  # the same score that a person has seen
    for number in range(4, 7):
        place(shop, number, -120 + number, state=OrderState.REFUNDED)  # read late
    risen = place(shop, 3, 4, minor=50_001, state=OrderState.PROCESSING)
    assert risen.held_at is not None
    assert (risen.fraud_points or 0) > 50
    with shop.fleet.deps.db.transaction() as tx:
        section = service.section(shop.fleet.deps, tx, risen)
        assert section is not None
        assert "device" in dict(section.facts)["Not known here"]
        (counted,) = service.by_store(shop.fleet.deps, tx)
        assert (counted.held, counted.above_bar, counted.scored) == (1, 1, 4)  # refunded ones are not scored


def test_orders_of_other_customers_are_no_velocity(shop: Shop) -> None:
    found = [place(shop, number, number, email=f"{number}@example.com") for number in range(8)]
    assert {one.fraud_points for one in found} == {0}


def test_no_more_orders_are_held_than_may_be(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    own = service.settings_of
    monkeypatch.setattr(
        service, "settings_of", lambda *of: own(*of).model_copy(update={"fraud_most_held": 1, "fraud_bar": 30})
    )
    found = [place(shop, number, number) for number in range(4)]
    assert [one.held_at is not None for one in found] == [False, False, True, False]
    assert [one.fraud_points for one in found] == [0, 0, 30, 30]
    with shop.fleet.deps.db.transaction() as tx:
        said = [one.subject for one in events.read_after(tx, events.Position(), only=["fraud.*"])]
    assert said == ["fraud.full"]


def test_a_held_order_is_not_shipped_until_a_person_releases_it(stores: StoreWorld) -> None:
    cup = stores.shop.add("cup", on_hand=10)["variants"][0]["id"]
    stores.sync()
    stores.shop.sell(cup, 3)
    stores.sync(Strategy.INCREMENTAL)
    order = stores.order()
    assert order.fraud_points == 0  # a sync scores
    job_id = move_order(stores.fleet.deps, order.id, OrderState.SHIPPED, WHO)
    with stores.fleet.deps.db.transaction() as tx:
        orders.hold(tx, order.id, "five orders in an hour", by="fraud")
    stores.work()
    waiting = stores.fleet.job(job_id)
    assert (waiting.state, "is held" in (waiting.held or ""), stores.shop.on_hand(cup)) == ("ready", True, 10)
    verbs.perform(stores.fleet.deps, WHO, "order", "release", order=order.id)
    stores.work()
    assert (stores.fleet.job(job_id).state, stores.shop.on_hand(cup)) == ("done", 7)


def test_a_held_order_can_be_cancelled(stores: StoreWorld) -> None:
    cup = stores.shop.add("cup", on_hand=10)["variants"][0]["id"]
    stores.sync()
    stores.shop.sell(cup, 3)
    stores.sync(Strategy.INCREMENTAL)
    order = stores.order()
    with stores.fleet.deps.db.transaction() as tx:
        orders.hold(tx, order.id, "five orders in an hour", by="fraud")
    verbs.perform(stores.fleet.deps, WHO, "order", "act", order=order.id, name="cancel")
    stores.work()
    stores.wake()
    stores.work()
    assert stores.order().state == "cancelled"


_CASES = st.builds(
    FraudCase, state=st.sampled_from([str(one) for one in OrderState]), points=st.integers(0, 4),
    points_before=st.none() | st.integers(0, 4), is_held=st.booleans(), held_at_store=st.integers(0, 2),
)  # fmt: skip


@settings(max_examples=1000)
@given(_CASES, st.sampled_from(FraudMode), st.integers(1, 4), st.integers(0, 2))
def test_holds_stay_within_their_bounds(case: FraudCase, mode: FraudMode, bar: int, most: int) -> None:
    found = decisions.decide(case, mode=mode, bar=bar, most_held=most)
    if found is FraudDecision.HOLD:
        assert mode is FraudMode.HOLD
        assert case.points >= bar
        assert case.held_at_store < most
        assert not case.is_held
        assert case.state in decisions.OPEN_STATES
        assert case.points_before is None or case.points > case.points_before
    if mode is FraudMode.OFF:
        assert found is FraudDecision.NOTHING
