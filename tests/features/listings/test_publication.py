"""The way of a listing: staged, published, verified, taken back, at sandbox shops over HTTP."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import timedelta

import pytest

from fleet.adapters.shops import Money
from fleet.core import failpoints
from fleet.core.errors import Conflict, InvalidInput
from fleet.core.failpoints import Point
from fleet.engine.attempts import perform
from fleet.engine.sweep import sweep
from fleet.features.listings import service
from fleet.features.listings.service import ListingOverrides
from fleet.sandbox.gallery import FaultRule
from tests.features.listings.world import OTHER, SHOP, ListingWorld
from tests.features.stores.test_kills import Killed, dies_at
from tests.shops import ShopWorld


@pytest.fixture(autouse=True)
def disarmed() -> Iterator[None]:
    yield
    failpoints.arm(None)


def test_a_listing_is_published_and_read_back(listed: ListingWorld) -> None:
    listing_id = listed.stage()
    assert listed.get(listing_id).state == "staged"
    assert not listed.there()
    listed.publish(listing_id)
    listed.work()
    assert listed.get(listing_id).state == "publishing", "it is not verified before its time"
    listed.finish()
    row = listed.get(listing_id)
    assert (row.state, row.problem, row.differences) == ("published", "", [])
    (variant,) = listed.there()["Mug"]["variants"]
    assert (variant["priceMinor"], listed.shop.on_hand(variant["id"])) == (1200, 7)
    assert [one.event for one in listed.history(listing_id)] == ["staged", "began", "published"]


def test_two_shops_get_their_own_values_and_a_lost_reply_doubles_nothing(
    listed: ListingWorld, second: ShopWorld
) -> None:  # fmt: skip
    variant = listed.stores.variant("mug")
    listed.stage(SHOP, title="Mug for the north", prices={variant.id: 1500})
    both = [listed.stage(SHOP), listed.stage(OTHER)]
    listed.shop.play(FaultRule(methods=("POST",), drop_rate=1.0, limit=1))
    listed.publish(*both)
    listed.finish()
    assert [listed.get(one).state for one in both] == ["published"] * 2
    assert list(listed.there(SHOP)) == ["Mug for the north"] and list(listed.there(OTHER)) == ["Mug"]
    assert listed.there(SHOP)["Mug for the north"]["variants"][0]["priceMinor"] == 1500
    assert listed.there(OTHER)["Mug"]["variants"][0]["priceMinor"] == 1200
    # A sync in both directions leaves the store's own values alone, and follows the catalogue in all others.
    listed.stores.setting("store_direction", "both")
    listed.stores.sync()
    listed.stores.change_product("Mug", title="Cup", description="Of clay.")
    listed.stores.sync()
    listed.stores.sync()
    assert list(listed.there(SHOP)) == ["Mug for the north"]
    assert listed.there(SHOP)["Mug for the north"]["description"] == "Of clay."
    assert listed.stores.variant("mug").price_minor == 1200 and list(listed.stores.products()) == ["Cup"]


@pytest.mark.parametrize("point", [Point.JOB_STEP_SAVED, Point.JOB_RECORDING])
def test_a_kill_between_publication_and_verification_loses_and_doubles_nothing(
    listed: ListingWorld, point: Point
) -> None:  # fmt: skip
    listing_id = listed.stage()
    listed.publish(listing_id)
    dies_at(point, 3)
    killed = 0
    for _ in range(30):
        waiting = [*listed.stores.ready(), *listed.stores.fleet.jobs(state="unknown")]
        if not waiting:
            break
        try:
            perform.perform(listed.stores.fleet.deps, waiting[0].id)
        except Killed:
            killed += 1
            listed.stores.fleet.lease_runs_out()
            sweep(listed.stores.fleet.deps)
        listed.later()
    assert killed
    assert listed.get(listing_id).state == "published"
    assert len(listed.there()) == 1
    assert [one.event for one in listed.history(listing_id)] == ["staged", "began", "published"]


def test_a_text_that_the_store_cannot_hold_stays_a_draft_with_the_reason(listed: ListingWorld) -> None:
    listing_id = listed.stage(title="Mug " * 60)
    row = listed.get(listing_id)
    assert row.state == "draft" and "200 allowed" in row.problem
    with pytest.raises(Conflict, match="draft"):
        listed.publish(listing_id)
    assert listed.get(listed.stage(title="Mug")).state == "staged"


def test_what_only_the_shop_knows_to_refuse_fails_with_its_words(listed: ListingWorld) -> None:
    listed.stores.change_product("Mug", categories=tuple(f"c{number}" for number in range(30)))
    listing_id = listed.published()
    row = listed.get(listing_id)
    assert row.state == "failed" and row.problem.startswith("not written: ") and "categories" in row.problem
    assert not listed.there()
    listed.stores.change_product("Mug", categories=("c1",))
    assert listed.get(listed.published()).state == "published" and len(listed.there()) == 1


def test_a_creation_of_unknown_outcome_is_not_made_again_before_a_sync_has_looked(listed: ListingWorld) -> None:
    listed.stores.sync()
    listing_id = listed.stage()
    listed.publish(listing_id)
    listed.perform("publish_listing")
    (job,) = listed.stores.fleet.jobs(kind="create_product")
    listed.stores.fleet.sql("UPDATE jobs SET state = 'dead', dead_reason = 'unknown_outcome', error = 'no reply', "
                            "finished_at = clock_timestamp() WHERE id = :id", id=job.id)  # fmt: skip
    listed.finish()
    assert listed.get(listing_id).problem == "not written: no reply"
    row = listed.get(listed.stage())
    assert "an earlier creation" in row.problem and row.state == "failed"
    listed.stores.fleet.sql("UPDATE external_refs SET created_at = created_at - interval '2 hours'")
    listed.stores.fleet.sql("UPDATE jobs SET finished_at = finished_at - interval '2 hours' WHERE state = 'dead'")
    listed.stores.wake()  # its agent looks for the SKU, and finds nothing
    listed.finish()
    assert listed.get(listed.published()).state == "published" and len(listed.there()) == 1


def test_an_edit_by_hand_before_the_verification_is_shown_as_one(listed: ListingWorld) -> None:
    listing_id = listed.stage()
    listed.publish(listing_id)
    listed.work()
    listed.shop.change(listed.there()["Mug"]["id"], title="Mug by hand")
    listed.finish()
    row = listed.get(listing_id)
    assert row.state == "failed" and row.problem == "title was changed at the store after it was published"
    ((difference),) = row.differences
    assert (difference["sent"], difference["found"], difference["cause"]) == ("Mug", "Mug by hand", "after")
    service.accept(listed.stores.fleet.deps, listing_id, by="tests")
    assert listed.get(listing_id).state == "published"
    assert list(listed.there()) == ["Mug by hand"], "nobody overwrote it"


def test_a_publication_over_a_change_that_was_not_read_writes_nothing(listed: ListingWorld) -> None:
    listing_id = listed.published()
    listed.stores.sync()
    listed.shop.set_price(listed.there()["Mug"]["variants"][0]["id"], 999)
    listed.stores.change("mug", price=Money(1300, "EUR"))
    listed.published()
    row = listed.get(listing_id)
    assert row.state == "failed" and "changed price of mug since it was last read" in row.problem
    assert listed.there()["Mug"]["variants"][0]["priceMinor"] == 999


def test_a_roll_back_writes_the_earlier_values_and_syncs_keep_them(listed: ListingWorld) -> None:
    listing_id = listed.published()
    listed.stores.sync()
    listed.stores.change_product("Mug", title="Mug, new")
    listed.stores.change("mug", price=Money(1300, "EUR"))
    listed.published()
    assert listed.there()["Mug, new"]["variants"][0]["priceMinor"] == 1300
    service.rollback(listed.stores.fleet.deps, [listing_id], by="tests")
    listed.finish()
    assert listed.get(listing_id).state == "published"
    assert listed.there()["Mug"]["variants"][0]["priceMinor"] == 1200
    listed.stores.setting("store_direction", "both")
    listed.stores.sync()
    assert listed.there()["Mug"]["variants"][0]["priceMinor"] == 1200
    assert list(listed.stores.products()) == ["Mug, new"], "the catalogue keeps its values"
    with pytest.raises(Conflict, match="nothing is kept"):
        service.rollback(listed.stores.fleet.deps, [listing_id], by="tests")


def test_a_roll_back_overwrites_nothing_that_somebody_changed_since(listed: ListingWorld) -> None:
    listing_id = listed.published()
    listed.stores.sync()
    listed.stores.change_product("Mug", title="Mug, new")
    listed.published()
    listed.shop.change(listed.there()["Mug, new"]["id"], title="By hand")
    service.rollback(listed.stores.fleet.deps, [listing_id], by="tests")
    listed.finish()
    row = listed.get(listing_id)
    assert row.state == "failed" and row.problem == "title changed at the store since: nothing is taken back"
    assert list(listed.there()) == ["By hand"]


def test_a_roll_back_of_a_creation_removes_it(listed: ListingWorld) -> None:
    listing_id = listed.published()
    service.rollback(listed.stores.fleet.deps, [listing_id], by="tests")
    listed.finish()
    assert listed.get(listing_id).state == "delisted" and not listed.there()


@pytest.mark.parametrize("way", ["archive", "remove"])
def test_delisting_hides_or_removes_and_can_be_published_again(listed: ListingWorld, way: str) -> None:
    listed.stores.setting("listing_delist", way)
    listing_id = listed.published()
    listed.stores.sync()
    service.delist(listed.stores.fleet.deps, [listing_id], by="tests")
    listed.finish()
    assert listed.get(listing_id).state == "delisted"
    listed.stores.setting("store_direction", "both")
    listed.stores.sync()
    there = listed.there()
    assert ([one["status"] for one in there.values()]) == (["archived"] if way == "archive" else [])
    assert listed.stores.products()["Mug"].status == "active"
    listed.published()
    assert listed.get(listing_id).state == "published", listed.get(listing_id).problem
    assert listed.there()["Mug"]["status"] == "active"


def test_a_scheduled_listing_waits_for_its_time_and_can_be_withdrawn(listed: ListingWorld) -> None:
    listing_id = listed.stage()
    at = listed.stores.fleet.deps.now() + timedelta(hours=3)
    listed.publish(listing_id, at=at)
    listed.work()
    row = listed.get(listing_id)
    assert (row.state, row.publish_at) == ("staged", at) and not listed.there()
    (job,) = listed.stores.fleet.jobs(kind="publish_listing")
    assert job.next_attempt_at is not None and job.next_attempt_at >= at
    service.unstage(listed.stores.fleet.deps, listing_id, by="tests")
    listed.finish()
    assert not listed.there() and listed.get(listing_id).state == "draft"
    listed.stage()
    listed.publish(listing_id, at=at)
    listed.finish()  # its time comes
    assert listed.get(listing_id).state == "published"


def test_bounds_of_the_values_of_a_store(listed: ListingWorld) -> None:
    variant = listed.stores.variant("mug")
    listed.stores.change("mug", floor=Money(1100, "EUR"))
    for price, why in ((1099, "below the floor"), (9000, "more than 50 %")):
        row = listed.get(listed.stage(prices={variant.id: price}))
        assert row.state == "draft" and why in row.problem
    with pytest.raises(InvalidInput, match="no such variant"):
        listed.stage(prices={uuid.uuid4(): 1200})
    with pytest.raises(InvalidInput, match="title"):
        listed.stage(title="two\nlines")
    listed.stage(title="Cup", prices={variant.id: None})
    assert listed.at(SHOP).overrides == {"title": "Cup"}
    service.stage(listed.stores.fleet.deps, [listed.mug], [SHOP], by="tests", overrides=ListingOverrides(title=""))
    assert listed.at(SHOP).overrides == {}


def test_a_publication_whose_job_is_lost_fails_with_the_reason(listed: ListingWorld) -> None:
    listing_id = listed.stage()
    listed.publish(listing_id)
    listed.stores.fleet.sql("UPDATE jobs SET state = 'cancelled', finished_at = clock_timestamp() "
                            "WHERE kind = 'publish_listing'")  # fmt: skip
    listed.stores.fleet.sql("UPDATE listings SET updated_at = updated_at - interval '1 hour'")
    listed.sweep()
    assert listed.get(listing_id).state == "failed" and "its job ended" in listed.get(listing_id).problem
