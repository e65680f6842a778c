"""Stock: movements, reservations and their locks, with transactions at the same time and in any order."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fleet.access.models import DEFAULT_ORGANISATION
from fleet.accounts.sealing import new_key
from fleet.core import events
from fleet.core.errors import Conflict, InvalidInput, NotFound
from fleet.features.products import service, stock
from fleet.features.products.models import MovementRow, StockReservationRow, StockRow
from fleet.features.products.service import NewProduct, NewVariant
from fleet.features.products.stock import StockEntry
from tests.factories import Fleet, make_fleet

WITHIN_S = 30.0


@pytest.fixture
def fleet(database_url: str) -> Iterator[Fleet]:
    made = make_fleet(database_url, secret_keys=new_key())
    yield made
    made.deps.close()


def a_place(fleet: Fleet, *, variants: int = 1) -> tuple[list[uuid.UUID], uuid.UUID]:
    """Create a product; return its variants and the default location."""
    new = NewProduct(
        title="Lamp",
        variants=tuple(NewVariant(sku=f"{uuid.uuid4().hex[:8]}-{n}", currency="EUR") for n in range(variants)),
    )
    with fleet.deps.db.transaction() as tx:
        product = service.create(tx, DEFAULT_ORGANISATION, new, origin="user:ann")
        found = service.variants_of(tx, [product.id])[product.id]
        return [one.id for one in found], stock.default_location(tx, DEFAULT_ORGANISATION)


def total(fleet: Fleet, variant_id: uuid.UUID) -> tuple[int, int]:
    """Return the units on hand of a variant, and the sum of its movements."""
    with fleet.deps.db.transaction() as tx:
        on_hand = tx.scalar(sa.select(sa.func.sum(StockRow.on_hand)).where(StockRow.variant_id == variant_id))
        moved = tx.scalar(sa.select(sa.func.sum(MovementRow.delta)).where(MovementRow.variant_id == variant_id))
        return int(on_hand or 0), int(moved or 0)


def test_transactions_at_the_same_time_end_at_the_sum_and_never_wait_for_each_other(fleet: Fleet) -> None:
    variants, place = a_place(fleet, variants=4)
    start, problems = threading.Barrier(4), []

    def work(number: int) -> None:
        order = variants if number % 2 else variants[::-1]
        start.wait(WITHIN_S)
        try:
            for _ in range(10):
                with fleet.deps.db.transaction() as tx:
                    stock.post(tx, [
                        StockEntry(variant_id=one, location_id=place, delta=1 + number, reason="test", by="tests")
                        for one in order
                    ])  # fmt: skip
        except Exception as error:
            problems.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(WITHIN_S)
    assert not problems
    assert {total(fleet, one) for one in variants} == {(100, 100)}


def test_an_event_of_an_account_counts_once(fleet: Fleet) -> None:
    (variant,), place = a_place(fleet)
    account, other = fleet.account("shop"), fleet.account("shop_two")
    start, counted = threading.Barrier(3), []

    def take() -> None:
        start.wait(WITHIN_S)
        with fleet.deps.db.transaction() as tx:
            counted.append(stock.move(tx, variant, place, -2, reason="order", by="shop", account_id=account,
                                      external_event="order:7:1"))  # fmt: skip

    threads = [threading.Thread(target=take) for _ in range(3)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(WITHIN_S)
    assert sorted(counted) == [False, False, True]
    with fleet.deps.db.transaction() as tx:
        event: dict[str, Any] = {"reason": "order", "by": "shop", "external_event": "order:7:1"}
        assert stock.set_level(tx, variant, place, 90, account_id=account, **event) is None
        assert stock.move(tx, variant, place, -1, account_id=other, **event)
        with pytest.raises(InvalidInput, match="needs its account"):
            stock.move(tx, variant, place, -1, **event)
    assert total(fleet, variant) == (-3, -3)


def test_a_level_is_absolute_and_its_difference_is_a_movement(fleet: Fleet) -> None:
    (variant,), place = a_place(fleet)
    with fleet.deps.db.transaction() as tx:
        assert stock.set_level(tx, variant, place, 12, reason="count", by="ann") == 12
        assert stock.set_level(tx, variant, place, 12, reason="count", by="ann") == 0
        assert stock.set_level(tx, variant, place, 5, reason="count", by="ann") == -7
    with fleet.deps.db.transaction() as tx:
        rows = tx.execute(sa.select(MovementRow.delta, MovementRow.on_hand).order_by(MovementRow.at)).all()
        assert [tuple(one) for one in rows] == [(12, 12), (-7, 5)]
        seen = [one.payload["delta"] for one in events.read_after(tx, events.Position(), only=["stock.changed"])]
    assert seen == [12, -7]


def test_reservations_are_absolute_for_what_they_are_for_expire_and_are_released(fleet: Fleet) -> None:
    (variant,), place = a_place(fleet)
    with fleet.deps.db.transaction() as tx:
        stock.set_level(tx, variant, place, 10, reason="count", by="ann")
        stock.reserve(tx, variant, place, 4, ref="order:a:1", reason="order")
        stock.reserve(tx, variant, place, 3, ref="order:a:1", reason="order")
        soon = tx.now() + timedelta(hours=1)
        stock.reserve(tx, variant, place, 2, ref="cart:9", reason="cart", expires_at=soon)
        found = stock.levels(tx, [variant])[variant, place]
        assert (found.on_hand, dict(found.reserved), found.available) == (10, {"order:a:1": 3, "cart:9": 2}, 5)
        with pytest.raises(Conflict, match="5 units available"):
            stock.reserve(tx, variant, place, 6, ref="cart:10", reason="cart", must_fit=True)
        with pytest.raises(Conflict, match="5 units available"):
            stock.move(tx, variant, place, -6, reason="damaged", by="ann", must_fit=True)
        stock.reserve(tx, variant, place, 7, ref="cart:9", reason="cart", expires_at=soon, must_fit=True)
    with fleet.deps.db.transaction() as tx:
        past = tx.now() - timedelta(seconds=1)
        tx.execute(sa.update(StockReservationRow).where(StockReservationRow.ref == "cart:9").values(expires_at=past))
        assert stock.levels(tx, [variant])[variant, place].available == 7
    stock.sweep(fleet.deps)
    with fleet.deps.db.transaction() as tx:
        assert set(stock.reserved_for(tx, "order:a:1")) == {(variant, place)}
        assert not stock.reserved_for(tx, "cart:9")
        stock.release(tx, "order:a:1")
        assert stock.levels(tx, [variant])[variant, place].available == 10
    with fleet.deps.db.transaction() as tx:
        seen = [one.payload["ref"] for one in events.read_after(tx, events.Position(), only=["stock.released"])]
        assert seen == ["cart:9", "order:a:1"]
        long_ago = tx.now() - timedelta(days=40)
        tx.execute(sa.update(StockReservationRow).values(released_at=long_ago))
        assert stock.prune(tx, days=30, limit=10) == 2


def test_stock_of_unknown_variants_and_of_other_locations_is_refused(fleet: Fleet) -> None:
    (variant,), place = a_place(fleet)
    with fleet.deps.db.transaction() as tx:
        for one, where in ((uuid.uuid4(), place), (variant, uuid.uuid4())):
            with pytest.raises(NotFound):
                stock.move(tx, one, where, 1, reason="test", by="tests")
            with pytest.raises(NotFound):
                stock.reserve(tx, one, where, 1, ref="a", reason="test")


_STEP = st.tuples(
    st.sampled_from(["move", "take", "count", "reserve", "release", "event"]),
    st.integers(0, 1),
    st.integers(0, 9),
    st.sampled_from(["order:1", "order:2", "cart:3"]),
)


@given(st.lists(_STEP, max_size=15))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_stock_is_the_sum_of_its_movements_and_is_never_promised_beyond_what_there_is(
    fleet: Fleet, steps: list[tuple[str, int, int, str]]
) -> None:
    variants, place = a_place(fleet, variants=2)
    account = fleet.accounts.get("shop") or fleet.account("shop")
    counted: set[tuple[int, str]] = set()
    on_hand, promised = [0, 0], [dict[str, int](), dict[str, int]()]
    for number, (step, which, units, ref) in enumerate(steps):
        variant = variants[which]
        available = on_hand[which] - sum(promised[which].values())
        with fleet.deps.db.transaction() as tx:
            match step:
                case "move":
                    assert stock.move(tx, variant, place, units, reason="delivery", by="ann")
                    on_hand[which] += units
                case "take":
                    if units <= available:
                        stock.move(tx, variant, place, -units, reason="damaged", by="ann", must_fit=True)
                        on_hand[which] -= units
                    else:
                        with pytest.raises(Conflict):
                            stock.move(tx, variant, place, -units, reason="damaged", by="ann", must_fit=True)
                case "count":
                    # A count is what a person saw; only one below the reservations may make less available than none.
                    on_hand[which] = units + sum(promised[which].values())
                    stock.set_level(tx, variant, place, on_hand[which], reason="count", by="ann")
                case "reserve":
                    if units <= max(available + promised[which].get(ref, 0), 0):
                        stock.reserve(tx, variant, place, units, ref=ref, reason="cart", must_fit=True)
                        promised[which][ref] = units
                    else:
                        with pytest.raises(Conflict):
                            stock.reserve(tx, variant, place, units, ref=ref, reason="cart", must_fit=True)
                case "release":
                    stock.release(tx, ref)
                    for one in promised:
                        one.pop(ref, None)
                case "event":
                    done = stock.move(tx, variant, place, units, reason="delivery", by="shop", account_id=account,
                                      external_event=f"{variant}:{units % 3}")  # fmt: skip
                    assert done == ((which, f"{units % 3}") not in counted), number
                    counted.add((which, f"{units % 3}"))
                    on_hand[which] += units if done else 0
            for index, one in enumerate(variants):
                found = stock.levels(tx, [one]).get((one, place), stock.Stock(0))
                wanted = {ref: units for ref, units in promised[index].items() if units}
                assert (found.on_hand, dict(found.reserved)) == (on_hand[index], wanted)
                assert found.available >= 0
    assert [total(fleet, one) for one in variants] == [(units, units) for units in on_hand]
