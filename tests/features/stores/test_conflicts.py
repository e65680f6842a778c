"""Conflicts: both sides changed a field; a rule or a person decides."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from fleet.adapters.shops import Money
from fleet.core.errors import InvalidInput
from fleet.features.stores import decisions, service
from fleet.features.stores.rules import Strategy
from fleet.features.stores.state import refs
from fleet.features.stores.state.context import context_for
from fleet.features.stores.sync import conflicts
from fleet.features.stores.sync.conflicts import MatchConflict
from tests.features.stores.world import StoreWorld


@pytest.fixture
def apart(stores: StoreWorld) -> StoreWorld:
    """A price that both sides have changed."""
    stores.setting("store_direction", "both")
    cup = stores.shop.add("cup", price=1000)
    stores.sync()
    stores.change("cup-1", price=Money(1100, "EUR"))
    stores.shop.set_price(cup["variants"][0]["id"], 1200)
    return stores


def prices(stores: StoreWorld) -> tuple[int | None, int]:
    return stores.variant("cup-1").price_minor, stores.shop.products()["cup"]["variants"][0]["priceMinor"]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [("source", (1200, 1200)), ("target", (1100, 1100)), ("newest", (1200, 1200)), ("manual", (1100, 1200))],
)
def test_the_rule_of_the_store_names_the_winner(apart: StoreWorld, rule: str, expected: tuple[int, int]) -> None:
    apart.setting("store_conflicts", rule)
    apart.sync()
    assert prices(apart) == expected
    assert len(apart.conflicts()) == (rule == "manual")


def test_a_field_has_a_rule_of_its_own(apart: StoreWorld) -> None:
    apart.setting("store_conflicts_by_field", "price:target,title:source")
    apart.sync()
    assert prices(apart) == (1100, 1100)


@pytest.mark.parametrize(("decision", "expected"), [("push", (1100, 1100)), ("pull", (1200, 1200))])
def test_a_person_decides(apart: StoreWorld, decision: str, expected: tuple[int, int]) -> None:
    apart.sync()
    apart.sync()
    (conflict,) = apart.conflicts()
    done = decisions.decide(apart.fleet.deps, [conflict.id, conflict.id], decision, by="web:ana")
    assert (done.decided, len(done.problems)) == (1, 1)
    apart.work()
    assert prices(apart) == expected
    run = apart.sync()
    assert (run.counts["sent"], run.counts["updated"], apart.conflicts()) == (0, 0, [])


def test_a_decision_does_not_overwrite_what_changed_since(apart: StoreWorld) -> None:
    apart.sync()
    (conflict,) = apart.conflicts()
    apart.change("cup-1", price=Money(1300, "EUR"))
    done = decisions.decide(apart.fleet.deps, [conflict.id], "push", by="web:ana")
    assert (done.decided, prices(apart)) == (0, (1300, 1200))
    apart.sync()
    (again,) = apart.conflicts()
    assert (again.id, again.local) == (conflict.id, {"minor": 1300, "currency": "EUR"})


def test_a_conflict_that_both_sides_solved_is_settled(apart: StoreWorld) -> None:
    apart.sync()
    apart.change("cup-1", price=Money(1200, "EUR"))
    apart.sync()
    assert apart.conflicts() == []


def test_an_object_with_several_candidates_is_mapped_by_a_person(stores: StoreWorld) -> None:
    one, _ = stores.create("set-1"), stores.create("set-2")
    stores.setting("store_conflicts", "source")
    stores.shop.add("set", variants=2)
    stores.sync()
    (conflict,) = stores.conflicts()
    with pytest.raises(InvalidInput):
        decisions.decide(stores.fleet.deps, [], "ignore", by="web:ana")
    assert decisions.decide(stores.fleet.deps, [conflict.id], str(one), by="web:ana").decided == 1
    stores.sync(None)
    assert stores.conflicts() == [] or {row.kind for row in stores.conflicts()} == {"sku"}
    assert stores.variant("set-1").product_id == one
    assert stores.products()["Set"].id == one


def test_an_ignored_object_is_left_alone(stores: StoreWorld) -> None:
    stores.create("set-1")
    stores.create("set-2")
    stores.shop.add("set", variants=2)
    stores.sync()
    (conflict,) = stores.conflicts()
    decisions.decide(stores.fleet.deps, [conflict.id], "ignore", by="web:ana")
    stores.sync(Strategy.FULL)
    assert (stores.conflicts(), sorted(stores.products())) == ([], ["Set-1", "Set-2"])


def test_a_product_that_fleet_just_created_is_no_conflict_and_settles_an_old_one(
    stores: StoreWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    stores.setting("store_direction", "both")
    stores.setting("store_creates", True)
    stores.sync()
    stores.create("lamp")
    stores.sync()
    (there,) = stores.shop.products().values()
    old = MatchConflict("sku", there["id"], "Lamp", [], "from before it was matched")
    with stores.fleet.deps.db.transaction() as tx:
        row, _ = service.named(tx, "shop")
        conflicts.open_matches(tx, context_for(stores.fleet.deps, tx, row), [old])
    read = refs.by_external

    def before_the_creation_ended(tx: Any, account_id: uuid.UUID, kind: str, ids: Any) -> Any:
        return {} if kind == "variant" else read(tx, account_id, kind, ids)

    monkeypatch.setattr(refs, "by_external", before_the_creation_ended)
    stores.sync()
    assert stores.conflicts() == []
