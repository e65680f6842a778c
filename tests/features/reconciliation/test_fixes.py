"""Fixes never overwrite what changed since it was compared; people decide, and every fix can be undone."""

from __future__ import annotations

import uuid

import pytest

from fleet.adapters.shops import Money
from fleet.core.failpoints import Point
from fleet.engine.attempts import perform
from fleet.features.approvals import service as approvals
from fleet.features.approvals.rules import Person
from fleet.features.reconciliation import queries, service
from fleet.features.reconciliation.fixes.jobs import settle_ended
from fleet.features.reconciliation.queries import DiscrepancyFilter
from fleet.features.reconciliation.rules import Remedy
from tests.features.reconciliation.planting import age
from tests.features.reconciliation.shown import compare, ids, price, rows, run_of, states
from tests.features.stores.test_kills import dies_at, disarmed, go_on
from tests.features.stores.world import EmptyShop, StoreWorld
from tests.web_client import Web

__all__ = ["disarmed"]


@pytest.fixture
def apart(stores: StoreWorld) -> StoreWorld:
    """A price that changed here and did not reach the shop: 1100 here, 1000 there."""
    stores.setting("store_direction", "both")
    stores.setting("reconcile_fixes", "inventory_drift")  # people fix prices
    stores.shop.add("cup", price=1000, on_hand=100)
    stores.sync()
    stores.change("cup-1", price=Money(1100, "EUR"))
    age(stores)
    return stores


def settle(stores: StoreWorld) -> int:
    with stores.fleet.deps.db.transaction() as tx:
        return settle_ended(tx)


@pytest.mark.parametrize(("action", "fixed"), [(None, 1100), (Remedy.PULL, 1000)])
def test_a_person_fixes_and_undoes(apart: StoreWorld, action: Remedy | None, fixed: int) -> None:
    run = compare(apart)
    assert (run.counts["found"], run.counts["fixed"], states(apart)) == (1, 0, ["open"])
    done = service.fix(apart.fleet.deps, ids(apart), by="web:ana", action=action)
    assert (done.changed, done.problems) == (1, [])
    apart.work()
    assert (price(apart), states(apart)) == ((fixed, fixed), ["fixed"])
    service.undo(apart.fleet.deps, ids(apart), by="web:ana")
    apart.work()
    assert (price(apart), states(apart)) == ((1100, 1000), ["undone"])
    assert compare(apart).counts["new"] == 0
    apart.shop.set_price(apart.shop.products()["cup"]["variants"][0]["id"], 1300)
    assert compare(apart).counts["new"] == 1  # another value is another difference


def test_a_write_never_overwrites_what_the_shop_changed_since(apart: StoreWorld) -> None:
    compare(apart)
    service.fix(apart.fleet.deps, ids(apart), by="web:ana")
    apart.shop.set_price(apart.shop.products()["cup"]["variants"][0]["id"], 1500)
    apart.work()
    assert (price(apart), states(apart), settle(apart)) == ((1100, 1500), ["fixing"], 1)
    (row,) = rows(apart)
    assert row.state == "open"
    assert "newer value" in row.problem


def test_a_fix_never_overwrites_what_changed_here_since(apart: StoreWorld) -> None:
    compare(apart)
    apart.change("cup-1", price=Money(1700, "EUR"))
    for action in (Remedy.PUSH, Remedy.PULL):
        done = service.fix(apart.fleet.deps, ids(apart), by="web:ana", action=action)
        assert (done.changed, price(apart)) == (0, (1700, 1000))
        assert "was changed here" in done.problems[0]


def test_an_undo_never_overwrites_what_changed_since_the_fix(apart: StoreWorld) -> None:
    compare(apart)
    service.fix(apart.fleet.deps, ids(apart), by="web:ana", action=Remedy.PULL)
    apart.change("cup-1", price=Money(1700, "EUR"))
    assert service.undo(apart.fleet.deps, ids(apart), by="web:ana").changed == 0
    assert price(apart) == (1700, 1000)


def test_what_a_job_is_about_to_write_is_no_discrepancy_yet(apart: StoreWorld) -> None:
    apart.wake()
    job = next(one for one in apart.ready() if one.kind == "sync_store")
    perform.perform(apart.fleet.deps, job.id)
    run = compare(apart)
    assert (run.counts["found"], run.counts["waiting"]) == (0, 1)
    apart.work()
    assert compare(apart).counts["found"] == 0


def test_what_agrees_again_is_settled(apart: StoreWorld) -> None:
    compare(apart)
    apart.change("cup-1", price=Money(1000, "EUR"))
    assert (compare(apart).counts["settled"], states(apart)) == (1, ["settled"])


def test_a_dismissed_one_stays_until_a_value_changes(apart: StoreWorld) -> None:
    compare(apart)
    service.dismiss(apart.fleet.deps, ids(apart), by="web:ana")
    compare(apart)
    assert states(apart) == ["dismissed"]
    apart.change("cup-1", price=Money(1900, "EUR"))
    compare(apart)
    assert states(apart) == ["dismissed", "open"]


@pytest.mark.parametrize(("verb", "units", "state"), [("approve", 20, "fixed"), ("reject", 100, "dismissed")])
def test_people_decide_about_critical_ones(apart: StoreWorld, verb: str, units: int, state: str) -> None:
    apart.change("cup-1", price=Money(1000, "EUR"))
    cup = apart.shop.products()["cup"]["variants"][0]["id"]
    apart.shop.set_stock(cup, 20)
    assert compare(apart).counts["proposed"] == 1
    (row,) = rows(apart)
    assert (row.state, row.severity, apart.on_hand("cup-1")) == ("proposed", "critical", 100)
    ana = Person("web:ana", roles=frozenset({"owner"}))
    if verb == "approve":
        (done,) = approvals.approve(apart.fleet.deps, [row.request_id], ana)
    else:
        (done,) = approvals.reject(apart.fleet.deps, [row.request_id], ana, "it was counted here")
    assert done.error is None
    assert (apart.on_hand("cup-1"), states(apart)) == (units, [state])


def test_a_product_is_created_there_and_here_and_mapped_anew(stores: StoreWorld) -> None:
    stores.setting("store_direction", "both")
    cup, pot = stores.shop.add("cup"), stores.shop.add("pot")
    stores.shop.add("calm")
    stores.sync()
    stores.shop.delete(cup["id"])
    stores.shop.delete(pot["id"])
    stores.shop.add("pot", title="Pot")  # another id, the same SKU
    stores.shop.add("new")
    compare(stores)
    found = {one.about: (one.type, one.action) for one in rows(stores)}
    assert found == {"Cup": ("missing_remote", "publish"), "Pot": ("missing_remote", "relink"),
                     "New": ("missing_local", "import")}  # fmt: skip
    assert service.fix(stores.fleet.deps, ids(stores), by="web:ana").problems == []
    stores.work()
    stores.wake()
    stores.work()
    settle(stores)
    assert set(states(stores)) == {"fixed"}
    assert sorted(stores.products()) == ["Calm", "Cup", "New", "Pot"]
    assert sorted(one["title"] for one in stores.shop.products().values()) == ["Calm", "Cup", "New", "Pot"]
    assert compare(stores).counts["found"] == 0
    made = [one.id for one in rows(stores) if one.action in ("publish", "import")]
    assert service.undo(stores.fleet.deps, made, by="web:ana").problems == []
    stores.work()
    assert sorted(one["title"] for one in stores.shop.products().values()) == ["Calm", "New", "Pot"]
    assert stores.products()["New"].status == "archived"


def test_a_shop_that_shows_nothing_is_not_believed(apart: StoreWorld) -> None:
    for number in range(5):
        apart.shop.add(f"pot-{number}")
    apart.sync()
    apart.connect(EmptyShop(apart.adapter()))
    run = compare(apart)
    assert (run.state, run.counts["found"], len(apart.events("reconciliation.failed"))) == ("done", 0, 1)


@pytest.mark.parametrize("point", [Point.JOB_STEP_PAID, Point.JOB_STEP_SAVED])
def test_a_comparison_goes_on_where_a_kill_ended_it(apart: StoreWorld, point: Point) -> None:
    for number in range(3):
        apart.shop.add(f"pot-{number}")
    apart.setting("store_direction", "pull")
    apart.sync()
    apart.setting("store_direction", "both")
    age(apart)
    apart.setting("store_batch", 2)
    run_id = service.request(apart.fleet.deps, "shop", by="web:ana")
    dies_at(point, 3)
    assert go_on(apart) == 3
    run = run_of(apart, run_id)
    assert (run.state, run.counts["read"], run.counts["new"]) == ("done", 4, 1)
    assert len(rows(apart)) == 1


def test_pages_ask_with_the_number_first(apart: StoreWorld) -> None:
    compare(apart)
    apart.shop.add("pot")
    compare(apart)
    browser = Web(apart.fleet).browser()
    page = browser.get("/reconciliation").text
    assert "11.00 EUR" in page
    assert "10.00 EUR" in page
    asked = browser.post("/reconciliation/decide", verb="dismiss", every="1", state="todo")
    assert (asked.status_code, set(states(apart))) == (200, {"open"})
    assert "Dismiss 2 discrepancies?" in asked.text
    stale = browser.post("/reconciliation/decide", verb="dismiss", every="1", state="todo", counted="5")
    assert (stale.status_code, set(states(apart))) == (303, {"open"})
    browser.post("/reconciliation/decide", verb="dismiss", every="1", state="todo", counted="2")
    assert set(states(apart)) == {"dismissed"}
    for path in ("/reconciliation?state=", "/reconciliation/runs", f"/reconciliation/{ids(apart)[0]}"):
        assert browser.get(path).status_code == 200
    viewer = Web(apart.fleet).browser("viewer")
    assert viewer.post("/reconciliation/decide", verb="fix", ids=str(ids(apart)[0])).status_code == 403


def test_lists_show_the_most_severe_first_page_by_page(apart: StoreWorld) -> None:
    apart.shop.set_stock(apart.shop.products()["cup"]["variants"][0]["id"], 97)
    apart.shop.change(apart.shop.products()["cup"]["id"], title="Mug")
    apart.setting("reconcile_fixes", "")
    compare(apart)
    found, below = [], None
    while page := queries.discrepancies(apart.fleet.deps, DiscrepancyFilter(), limit=1, below=below):
        found.append(page[0].severity)
        below = page[0].id
    assert found == ["high", "low", "low"]
    assert queries.find(apart.fleet.deps, uuid.uuid4()) is None
