"""Orders: readings in any order, stock that leaves once, and customers that stay erased."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise, product
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fleet.access.models import DEFAULT_ORGANISATION
from fleet.accounts.keys import ring, rotate
from fleet.accounts.sealing import Keyring, new_key
from fleet.adapters.shops import Fulfilment, Money, OrderCustomer, OrderLine, OrderState, ShopOrder
from fleet.core import events
from fleet.core.errors import InvalidInput
from fleet.features.orders import customers, service, states
from fleet.features.orders.models import CustomerRow, FulfilmentRow, OrderLineRow, StoreOrderRow
from fleet.features.products import service as catalogue
from fleet.features.products import stock
from fleet.features.products.models import MovementRow
from fleet.features.products.service import NewProduct, NewVariant
from tests.factories import Fleet, make_fleet

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
ANN = OrderCustomer(id="c7", name="Ann Example", email="Ann@Example.com", country="ch")


class Shop:
    """A store with one variant of 20 units, and its orders."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.account = fleet.accounts.get("shop") or fleet.account("shop")
        variant = NewVariant(sku=f"LAMP-{uuid.uuid4().hex[:6]}", currency="EUR")
        with fleet.deps.db.transaction() as tx:
            made = catalogue.create(
                tx, DEFAULT_ORGANISATION, NewProduct(title="Lamp", variants=(variant,)), origin="user:ann"
            )
            self.variant = catalogue.variants_of(tx, [made.id])[made.id][0].id
            self.place = stock.default_location(tx, DEFAULT_ORGANISATION)
            stock.set_level(tx, self.variant, self.place, 20, reason="count", by="ann")

    @property
    def keys(self) -> Keyring:
        return ring(self.fleet.deps.settings)

    def order(self, state: OrderState = OrderState.CONFIRMED, **more: Any) -> ShopOrder:
        line = OrderLine(id="1", variant_id="v1", sku="LAMP", title="Lamp", quantity=more.pop("quantity", 3),
                         unit_price=Money(1000, "EUR"), fulfilled=more.pop("fulfilled", 0))  # fmt: skip
        values = {"id": "77", "number": "A-77", "placed_at": NOON, "total": Money(3000, "EUR"), "lines": (line,)}
        return ShopOrder(**{**values, "state": state, "customer": ANN, "updated_at": NOON, **more})

    def record(self, order: ShopOrder, *, now: datetime = NOON, **more: Any) -> service.RecordedOrder:
        with self.fleet.deps.db.transaction() as tx:
            service.lock(tx, self.account, [order], variant_of=self.variant_of)
            return service.record(
                tx, self.keys, self.account, DEFAULT_ORGANISATION, order, now=now, variant_of=self.variant_of, **more
            )

    def variant_of(self, line: OrderLine) -> uuid.UUID | None:
        return self.variant if line.variant_id == "v1" else None

    def stock(self) -> tuple[int, int]:
        """Return the units on hand, and those that are reserved."""
        with self.fleet.deps.db.transaction() as tx:
            found = stock.levels(tx, [self.variant])[self.variant, self.place]
            return found.on_hand, sum(found.reserved.values())

    def customer(self) -> CustomerRow:
        with self.fleet.deps.db.transaction() as tx:
            return tx.session.scalars(sa.select(CustomerRow)).one()


@pytest.fixture
def fleet(database_url: str) -> Iterator[Fleet]:
    made = make_fleet(database_url, secret_keys=new_key())
    yield made
    made.deps.close()


@pytest.fixture
def shop(fleet: Fleet) -> Shop:
    return Shop(fleet)


def later(minutes: int) -> datetime:
    return NOON + timedelta(minutes=minutes)


def test_units_are_reserved_while_an_order_is_open_and_leave_stock_once(shop: Shop) -> None:
    first = shop.record(shop.order())
    assert (first.is_new, first.is_changed, first.before, first.variant_ids) == (True, True, None, {shop.variant})
    assert shop.stock() == (20, 3)
    again = shop.record(shop.order())
    assert (again.is_new, again.is_changed, again.variant_ids, shop.stock()) == (False, False, frozenset(), (20, 3))
    part = shop.order(OrderState.PROCESSING, fulfilled=1, updated_at=later(1),
                      fulfilments=(Fulfilment(id="p1", quantities={"1": 1}, tracking="T 1"),))  # fmt: skip
    for _ in range(2):
        shop.record(part, now=later(1))
        assert shop.stock() == (19, 2)
    with shop.fleet.deps.db.transaction() as tx:
        assert tx.scalar(sa.select(StoreOrderRow.fulfilment)) == "partial"
        assert tx.scalar(sa.select(FulfilmentRow.tracking)) == "T 1"
    for _ in range(2):
        shop.record(shop.order(OrderState.SHIPPED, updated_at=later(2)), now=later(2))
    assert shop.stock() == (17, 0)
    shop.record(shop.order(OrderState.DELIVERED, updated_at=later(3)), now=later(3))
    shop.record(shop.order(OrderState.REFUNDED, updated_at=later(4)), now=later(4))
    assert shop.stock() == (17, 0)
    with shop.fleet.deps.db.transaction() as tx:
        assert tx.scalar(sa.select(StoreOrderRow.fulfilment)) == "fulfilled"
        seen = [one.subject for one in events.read_after(tx, events.Position(), only=["order.*"])]
    assert seen == ["order.placed", *["order.changed"] * 4]


def test_an_older_reading_never_turns_an_order_back_and_a_newer_one_may(shop: Shop) -> None:
    shop.record(shop.order(OrderState.PROCESSING, updated_at=later(5)), now=later(5))
    # A reading that began earlier, one that the shop dates earlier, and one of the same time that goes back.
    for state, updated_at, now in (
        (OrderState.CANCELLED, later(6), later(4)),
        (OrderState.CANCELLED, later(4), later(6)),
        (OrderState.PENDING, later(5), later(6)),
        (OrderState.CONFIRMED, None, later(6)),
    ):
        found = shop.record(shop.order(state, updated_at=updated_at), now=now)
        assert (found.is_changed, found.state) == (False, OrderState.PROCESSING), (state, now)
    assert shop.record(shop.order(OrderState.CANCELLED, updated_at=later(7)), now=later(7)).is_changed
    assert shop.stock() == (20, 0)
    assert shop.record(shop.order(OrderState.CONFIRMED, updated_at=later(8)), now=later(8)).is_changed
    assert shop.stock() == (20, 3)


def test_an_order_that_left_before_the_catalogue_knew_the_stock_takes_none(shop: Shop) -> None:
    for _ in range(2):
        shop.record(shop.order(OrderState.SHIPPED), takes_stock=False)
    assert shop.stock() == (20, 0)
    shop.record(shop.order(OrderState.DELIVERED, updated_at=later(1)), now=later(1))
    assert shop.stock() == (20, 0)


def test_a_shop_that_sold_more_than_there_is_is_told_as_it_is(shop: Shop) -> None:
    shop.record(shop.order(quantity=25))
    assert shop.stock() == (20, 25)
    shop.record(shop.order(OrderState.SHIPPED, quantity=25, updated_at=later(1)), now=later(1))
    assert shop.stock() == (-5, 0)


def test_lines_that_change_move_reservations_and_unknown_ones_move_nothing(shop: Shop) -> None:
    shop.record(shop.order())
    line = shop.order().lines[0]
    more = (replace(line, quantity=5), replace(line, id="2", variant_id="x", quantity=9))
    shop.record(shop.order(lines=more, updated_at=later(1)), now=later(1))
    assert shop.stock() == (20, 5)
    shop.record(shop.order(lines=more[1:], updated_at=later(2)), now=later(2))
    assert shop.stock() == (20, 0)
    with shop.fleet.deps.db.transaction() as tx:
        assert tx.session.scalars(sa.select(OrderLineRow.external_id)).all() == ["2"]


def test_customers_are_sealed_found_by_address_resealed_and_stay_erased(shop: Shop) -> None:
    shop.record(shop.order())
    shop.record(shop.order(id="78", number="A-78"))
    row = shop.customer()
    assert b"Ann" not in (row.ciphertext or b"") and row.country == "CH"
    assert customers.opened(shop.keys, row) == customers.OpenCustomer("Ann Example", "Ann@Example.com")
    assert row.email_hash == customers.email_hash(shop.keys, " ann@example.COM")
    assert customers.email_hash(shop.keys, "bob@example.com") != row.email_hash
    old = shop.fleet.deps.settings.secret_keys.get_secret_value()
    both = make_fleet(shop.fleet.deps.settings.database_url, secret_keys=f"{new_key()},{old}")
    try:
        done = rotate(both.deps.db, both.deps.settings, by="ann", resealers=[customers.reseal])
        assert f"customer {row.id}" in done
        keys = ring(both.deps.settings)
        fresh = shop.customer()
        assert fresh.key_id == keys.key_ids[0] and customers.opened(keys, fresh).name == "Ann Example"  # type: ignore[union-attr]
        assert fresh.email_hash == customers.email_hash(keys, "ann@example.com") != row.email_hash
        with both.deps.db.transaction() as tx:
            assert customers.erase(tx, row.id, by="ann")
            assert not customers.erase(tx, row.id, by="ann")
            order = shop.order(updated_at=later(9))
            service.record(
                tx, keys, shop.account, DEFAULT_ORGANISATION, order, now=later(9), variant_of=shop.variant_of
            )
    finally:
        both.deps.close()
    gone = shop.customer()
    assert (gone.ciphertext, gone.email_hash, gone.external_id, gone.country) == (None, None, None, "")
    with shop.fleet.deps.db.transaction() as tx:
        told = str([one.payload for one in events.read_after(tx, events.Position())])
    assert "Ann" not in told and "customer" in told


def test_guests_with_the_same_address_are_erased_together(shop: Shop) -> None:
    for number, email in enumerate(("ann@example.com", "Ann@example.com", "bob@example.com")):
        guest = OrderCustomer(name="Guest", email=email)
        shop.record(shop.order(id=f"g{number}", number=f"G-{number}", customer=guest))
    with shop.fleet.deps.db.transaction() as tx:
        hashed = customers.email_hash(shop.keys, "ann@example.com")
        first = tx.session.scalars(sa.select(CustomerRow.id).where(CustomerRow.email_hash == hashed)).first()
        assert first is not None and customers.erase(tx, first, by="ann")
        left = tx.session.scalars(sa.select(CustomerRow).where(CustomerRow.erased_at.is_(None))).all()
        assert [customers.opened(shop.keys, one).email for one in left] == ["bob@example.com"]  # type: ignore[union-attr]


def test_an_order_is_held_and_released(shop: Shop) -> None:
    order_id = shop.record(shop.order()).id
    with shop.fleet.deps.db.transaction() as tx:
        assert service.hold(tx, order_id, "five orders in an hour", by="fraud", points=80, reasons=["velocity"])
        assert not service.hold(tx, order_id, "again", by="fraud")
    shop.record(shop.order(OrderState.PROCESSING, updated_at=later(1)), now=later(1))
    with shop.fleet.deps.db.transaction() as tx:
        row = service.get(tx, order_id)
        assert (row.held_why, row.fraud_points, row.fraud_reasons) == ("five orders in an hour", 80, ["velocity"])
        assert service.release(tx, order_id, by="ann") and not service.release(tx, order_id, by="ann")


@pytest.mark.parametrize("changes", [{"id": "x" * 201}, {"id": ""}, {"quantity": -1}, {"quantity": 2_000_000_000}])
def test_an_order_that_cannot_be_stored_is_refused(shop: Shop, changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        shop.record(shop.order(**changes))


def test_the_table_of_moves_is_complete_and_goes_back_by_newer_readings_alone() -> None:
    for before, into in product(OrderState, OrderState):
        forward = before in states.sources(into, is_newer=False)
        anyhow = before in states.sources(into, is_newer=True)
        assert anyhow >= forward
        assert forward == (before == into or into in states.MOVES[before])
        assert not (into in states.MOVES[before] and into in states.SETBACKS[before])
    assert all(into in states.MOVES[before] for before, into in pairwise(list(OrderState)[:5]))


_READING = st.tuples(st.sampled_from(list(OrderState)), st.integers(0, 4), st.integers(0, 3), st.integers(0, 5))


@given(st.lists(_READING, min_size=1, max_size=12))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_readings_arrive_stock_is_that_of_what_left_and_open_orders_hold_the_rest(
    fleet: Fleet, readings: list[tuple[OrderState, int, int, int]]
) -> None:
    shop = Shop(fleet)
    for number, (state, at, fulfilled, now) in enumerate(readings):
        which = f"{shop.variant}-{number % 2}"
        shop.record(shop.order(state, id=which, fulfilled=fulfilled, updated_at=later(at)), now=later(now))
        with fleet.deps.db.transaction() as tx:
            lines = tx.execute(
                sa.select(StoreOrderRow.state, OrderLineRow.quantity, OrderLineRow.fulfilled)
                .join(StoreOrderRow, StoreOrderRow.id == OrderLineRow.order_id)
                .where(OrderLineRow.variant_id == shop.variant)
            ).all()
            moved = tx.scalar(sa.select(sa.func.sum(MovementRow.delta)).where(MovementRow.variant_id == shop.variant))
        left = sum(one.fulfilled for one in lines)
        held = sum(one.quantity - one.fulfilled for one in lines if one.state in states.OPEN)
        assert shop.stock() == (20 - left, held) and moved == 20 - left
