"""Prices in the loop: proposed from orders, approved, written within bounds, undone, and measured."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fleet.access.models import DEFAULT_ORGANISATION
from fleet.accounts.sealing import new_key
from fleet.adapters.shops import Money
from fleet.core.errors import Conflict, FleetError, InvalidInput
from fleet.engine.jobs.ticks import TickKey
from fleet.engine.tick import tick
from fleet.features.approvals.rules import Person
from fleet.features.pricing import agent, competitors, handlers, queries, service
from fleet.features.pricing.models import PriceProposalRow
from fleet.features.products import service as catalogue
from tests.factories import Fleet, make_fleet
from tests.features.pricing.shop import DAY, SellingShop

OWNER = Person("web:ann", frozenset({"owner"}))


@pytest.fixture
def fleet(database_url: str) -> Iterator[Fleet]:
    made = make_fleet(database_url, secret_keys=new_key())
    yield made
    made.deps.close()


@pytest.fixture
def shop(fleet: Fleet) -> SellingShop:
    return SellingShop(fleet)


def proposed(shop: SellingShop) -> dict[str, PriceProposalRow]:
    """Look at all prices; return the open proposals by SKU."""
    service.request(shop.fleet.deps, DEFAULT_ORGANISATION, by="web:ann")
    assert shop.work("pricing_run") == "done"
    with shop.fleet.deps.db.transaction() as tx:
        found = {one.sku: one.row for one in queries.listed(tx) if one.row.state == "open"}
        tx.session.expunge_all()
        return found


def one(shop: SellingShop, proposal_id: uuid.UUID) -> PriceProposalRow:
    with shop.fleet.deps.db.transaction() as tx:
        row = queries.one(tx, proposal_id).row
        tx.session.expunge_all()
        return row


def change(shop: SellingShop, variant: uuid.UUID, **amounts: int) -> None:
    with shop.fleet.deps.db.transaction() as tx:
        values = {name: Money(value, "EUR") for name, value in amounts.items()}
        catalogue.change_variant(tx, variant, values, origin="user:ann")


def test_a_price_is_proposed_from_orders_approved_written_and_undone(shop: SellingShop) -> None:
    lamp = shop.variant("LAMP-1", on_hand=5000, cost=2400)
    shop.sells(lamp, 7 * 40, 4, elasticity=-2.0)
    idle = shop.variant("IDLE-1", on_hand=50)
    found = proposed(shop)
    assert (found["LAMP-1"].basis, found["IDLE-1"].basis) == ("elasticity", "unsold")
    price = found["LAMP-1"]
    assert price.before_minor == 2999 and 2999 < price.after_minor <= 2999 * 1.05
    assert not price.evidence["is_assumed"] and price.evidence["weeks"] == 40
    assert price.expected["low"] <= price.expected["profit"] <= price.expected["high"]
    assert proposed(shop).keys() == found.keys()  # an open proposal is not made again
    assert service.accept(shop.fleet.deps, price.id, OWNER)
    assert shop.price(lamp) == price.after_minor and one(shop, price.id).state == "applied"
    with shop.fleet.deps.db.transaction() as tx:
        assert catalogue.get(tx, queries.one(tx, price.id).product_id).version == 2
    service.dismiss(shop.fleet.deps, found["IDLE-1"].id, OWNER, "it is on show")
    assert shop.price(idle) == 2999 and one(shop, found["IDLE-1"].id).why == "it is on show"
    with shop.fleet.deps.db.transaction() as tx:
        service.undo(tx, price.id, by="web:ann")
    assert shop.price(lamp) == 2999
    with pytest.raises(Conflict), shop.fleet.deps.db.transaction() as tx:
        service.undo(tx, price.id, by="web:ann")
    assert not proposed(shop)  # both are left alone for a week


def test_floor_cost_and_price_are_checked_again_before_a_price_is_written(shop: SellingShop) -> None:
    low, moved, dear = (shop.variant(sku, on_hand=50) for sku in ("LOW", "MOVED", "DEAR"))
    found = proposed(shop)
    change(shop, low, floor=2900)
    change(shop, moved, price=2800)
    change(shop, dear, cost=2990)
    for sku, variant, price in (("LOW", low, 2999), ("MOVED", moved, 2800), ("DEAR", dear, 2999)):
        with pytest.raises(FleetError):
            service.accept(shop.fleet.deps, found[sku].id, OWNER)
        assert shop.price(variant) == price
        assert one(shop, found[sku].id).state == "overtaken"


def test_an_undo_does_not_go_below_the_floor_of_now(shop: SellingShop) -> None:
    lamp = shop.variant("LAMP-1", on_hand=4)
    shop.sells(lamp, 28, 2)
    price = proposed(shop)["LAMP-1"]
    assert price.basis == "scarce"
    service.accept(shop.fleet.deps, price.id, OWNER)
    change(shop, lamp, floor=3050)
    with pytest.raises(Conflict, match="below the floor"), shop.fleet.deps.db.transaction() as tx:
        service.undo(tx, price.id, by="web:ann")


def test_a_rule_of_people_lets_small_changes_pass_up_to_those_of_a_day_and_a_week(
    database_url: str, tmp_path: Path
) -> None:
    rules = tmp_path / "approvals.toml"
    rules.write_text("""
[[rule]]
name = "prices"
resource = "price"
action = "change"
approvers = ["role:owner"]
auto_approve = [{ field = "size_percent", op = "le", value = 6 }]
""")
    fleet = make_fleet(database_url, approval_rules=rules, pricing_changes_per_day=1, secret_keys=new_key())
    try:
        shop = SellingShop(fleet)
        variants = {sku: shop.variant(sku, on_hand=50) for sku in ("A", "B")}
        ((waiting, other),) = proposed(shop).items()  # the other one is applied at once
        (done,) = variants.keys() - {waiting}
        assert (shop.price(variants[done]), shop.price(variants[waiting])) == (2850, 2999)
        with pytest.raises(Conflict, match="within a day"):
            service.accept(fleet.deps, other.id, OWNER)
        for price in (2708, 2708):  # 5 % within a day again, then 10 % within the week are spent
            fleet.sql("UPDATE price_proposals SET applied_at = applied_at - interval '2 days'")
            proposed(shop)
            assert shop.price(variants[done]) == price
    finally:
        fleet.deps.close()


def test_a_price_stays_near_that_of_a_store_that_keeps_its_own(shop: SellingShop) -> None:
    lamp = shop.variant("LAMP-1", on_hand=50)
    other = shop.variant("LAMP-2", on_hand=50)
    keeper = shop.fleet.agent()
    shop.fleet.sql(
        "INSERT INTO stores (account_id, organisation_id, agent_id, title, currency, created_by)"
        " VALUES (:account, :org, :agent, 'Shop', 'EUR', 'ann')",
        account=shop.account, org=DEFAULT_ORGANISATION, agent=keeper,
    )  # fmt: skip
    for variant, price in ((lamp, 3290), (other, 2900)):
        shop.fleet.sql(
            "INSERT INTO field_states (account_id, local_id, field, remote)"
            " VALUES (:account, :variant, 'variant.price', jsonb_build_object('minor', :price, 'currency', 'EUR'))",
            account=shop.account, variant=variant, price=price,
        )  # fmt: skip
    found = proposed(shop)
    assert "LAMP-1" not in found  # 32.90 less 10 % are 29.91, a step of less than 1 %
    assert found["LAMP-2"].after_minor == 2850
    assert found["LAMP-2"].evidence["stores"] == {"shop": 2900}


def test_what_a_price_earned_is_measured_from_orders(shop: SellingShop) -> None:
    lamp, other = shop.variant("LAMP-1", on_hand=5000), shop.variant("OTHER", on_hand=5000)
    shop.sells(lamp, 60, 4)
    shop.sells(other, 60, 6)
    with shop.fleet.deps.db.transaction() as tx:
        tx.session.add(PriceProposalRow(
            id=uuid.uuid4(), organisation_id=DEFAULT_ORGANISATION, variant_id=lamp, run_id=uuid.uuid4(), currency="EUR",
            before_minor=2999, after_minor=3149, basis="elasticity", words="x", evidence={}, state="applied",
            expected={"profit": 500, "low": 100, "high": 900}, applied_at=shop.now - 20 * DAY,
        ))  # fmt: skip
    with shop.fleet.deps.db.transaction() as tx:
        assert handlers.measure(tx, DEFAULT_ORGANISATION) == 1
        (row,) = [found.row for found in queries.listed(tx, is_applied=True)]
        assert row.result is not None and row.result["is_controlled"]
        assert (row.result["days_before"], row.result["days_after"]) == (27, 19)
        assert row.result["low"] < 4 * 150 < row.result["high"]  # the same units, each 1.50 dearer
        (total,) = queries.totals(tx)
        assert (total.measured, total.expected, total.inside) == (1, 500, 1)


def test_a_file_of_competitors_is_taken_whole_or_not_at_all(shop: SellingShop) -> None:
    shop.variant("LAMP-1", on_hand=100)

    def imported(content: str) -> int:
        with shop.fleet.deps.db.transaction() as tx:
            return competitors.import_file(tx, DEFAULT_ORGANISATION, content, by="web:ann")

    assert imported("\ufeffsku;competitor;price\nLAMP-1;Shop B;28,90\nLAMP-1;<b>;29.50\n") == 2
    assert imported("sku,competitor,price,seen_at\nLAMP-1,Shop B,1.00,2020-01-01\n") == 1  # older: changes nothing
    for content, why in (
        ("sku,price\n", "no column competitor"), ("sku,competitor,price\n", "no line"),
        ("sku,competitor,price\nLAMP-1,C,2\nNONE,C,2\nLAMP-1,C,dear\n", r"line 3: no variant .* line 4"),
        ("sku,competitor,price\nLAMP-1,C,0\n", "more than 0"),
        ("sku,competitor,price,seen_at\nLAMP-1,C,1,2999-01-01\n", "in the future"),
        ("sku,competitor,price\nLAMP-1,C,1,2,3\n", "more cells"), ("\0", "no text"),
    ):  # fmt: skip
        with pytest.raises(InvalidInput, match=why):
            imported(content)
    price = proposed(shop)["LAMP-1"]
    assert price.evidence["competitors"] == {"<b>": 2950, "Shop B": 2890}


def wake(fleet: Fleet, agent_id: uuid.UUID) -> dict[str, Any]:
    """Open the next tick of an agent and decide it; return the outcome."""
    fleet.sql("UPDATE agents SET tick_no = tick_no + 1 WHERE id = :id", id=agent_id)
    number = fleet.row(agent_id).tick_no
    fleet.sql(
        "INSERT INTO ticks (agent_id, tick_no, due_at) VALUES (:id, :no, clock_timestamp())", id=agent_id, no=number
    )
    tick(fleet.deps, TickKey(agent_id, number))
    row = fleet.sql(
        "SELECT inputs, outcome, error FROM ticks WHERE agent_id = :id AND tick_no = :no", id=agent_id, no=number
    ).one()
    assert row.error is None
    assert json.loads(json.dumps(agent.to_data(agent.from_data(row.inputs)))) == row.inputs
    found: dict[str, Any] = row.outcome
    return found


def test_the_agent_looks_once_a_day_unless_it_is_switched_off(fleet: Fleet, shop: SellingShop) -> None:
    pricer = fleet.sql("SELECT id FROM agents WHERE kind = 'pricing'").scalar_one()
    shop.variant("LAMP-1", on_hand=50)
    fleet.set_setting("pricing_enabled", False)
    assert wake(fleet, pricer)["run"] == []
    fleet.set_setting("pricing_enabled", True)
    assert wake(fleet, pricer)["run"] == [str(DEFAULT_ORGANISATION)]
    assert wake(fleet, pricer)["run"] == []  # it runs
    assert shop.work("pricing_run") == "done"
    assert wake(fleet, pricer)["run"] == []  # it ran today
    fleet.sql("UPDATE jobs SET created_at = created_at - interval '25 h' WHERE kind = 'pricing_run'")
    assert wake(fleet, pricer)["run"] == [str(DEFAULT_ORGANISATION)]
