"""A system that is no social platform goes through the same gateway and ledger: a shop whose stock levels are set."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from fleet.adapters import base
from fleet.adapters.base import ActionType, AnyAction, Cap, Payload, Receipt, Resolution, SurfaceObject
from fleet.adapters.social import LIKE, LikePayload
from fleet.core import ids
from fleet.engine import registry
from fleet.engine.attempts.perform import perform
from fleet.engine.attempts.work import Work
from fleet.engine.jobs import ledger
from fleet.engine.jobs.ledger import NewJob
from fleet.engine.registry import Feature, JobHandler, Registry
from fleet.features.controls import commands as controls
from tests.factories import Fleet, make_fleet


@dataclass(frozen=True, slots=True)
class StockLevel(Payload):
    sku: str
    quantity: int


STOCK_LEVEL = ActionType(
    name="stock_level", noun="stock level", payload=StockLevel, cap=Cap(gap=timedelta(seconds=30), per_day=100)
)


def prepare(work: Work) -> AnyAction:
    return work.action(STOCK_LEVEL, StockLevel(work.target, int(work.claim.payload["quantity"])))


def prepare_like(work: Work) -> AnyAction:
    return work.action(LIKE, LikePayload(work.target))


FEATURE = Feature(
    name="shop",
    actions=(STOCK_LEVEL,),
    jobs=(
        JobHandler(kind="restock", noun="a stock level", prepare=prepare, action="stock_level", is_act=False),
        JobHandler(kind="correct", noun="a correction", prepare=prepare, action="stock_level", is_act=False),
        JobHandler(kind="stray", noun="a stray", prepare=prepare_like, is_act=False),
    ),
)


class Shop:
    """Stock by SKU. A fault is called with the action before the write; it may return what happens after it."""

    name, scheme, host, port, third_party = "shop", "http", "127.0.0.1", 8099, False

    def __init__(self) -> None:
        self.stock: dict[str, int] = {}
        self.written: list[str] = []
        self.faults: list[Callable[[], None]] = []
        self.probed_since: datetime | None = None
        self.actions: Mapping[str, Resolution] = {"stock_level": Resolution.NATURAL}

    def write(self, action: AnyAction, *, timeout_s: float) -> Receipt:
        match action.payload:
            case StockLevel(sku, quantity):
                self.stock[sku] = quantity
                self.written.append(action.key)
                for fault in self.faults:
                    self.faults = []
                    fault()
                return Receipt(sku, {"quantity": quantity})
        raise AssertionError(action)

    def probe(self, action: AnyAction, *, since: datetime, known: frozenset[str]) -> Receipt | None:
        self.probed_since = since
        match action.payload:
            case StockLevel(sku, quantity) if self.stock.get(sku) == quantity:
                return Receipt(sku, {"adopted": True})
        return None

    def url_of(self, found: SurfaceObject) -> str | None:
        return None


def timeout() -> None:
    raise base.Uncertain("no answer in time")


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture
def opened(database_url: str, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Fleet]]:
    """Builds a fleet that acts at the shop, too."""
    monkeypatch.setattr(registry, "_active", Registry([*registry.current(), FEATURE]))
    fleets: list[Fleet] = []

    def make(**settings: object) -> Fleet:
        fleet = make_fleet(database_url, systems={"our-shop": shop}, **settings)
        fleet.account("our-shop", adapter="shop")
        fleets.append(fleet)
        return fleet

    yield make
    for fleet in fleets:
        fleet.deps.close()


def restock(fleet: Fleet, agent: uuid.UUID, quantity: int, *, kind: str = "restock", sku: str = "LAMP-1") -> uuid.UUID:
    account_id = fleet.accounts["our-shop"]
    job = NewJob(ids.new(), agent, kind, "shop", target=sku, payload={"quantity": quantity}, account_id=account_id)
    with fleet.deps.db.transaction() as tx:
        ledger.add(tx, [job])
    return job.id


def until_it_ends(fleet: Fleet, job: uuid.UUID) -> str:
    for _ in range(3):
        fleet.time_passes()
        perform(fleet.deps, job)
    return fleet.job(job).state


@pytest.mark.parametrize(
    ("resolution", "state", "writes", "result"),
    [
        (Resolution.NATURAL, "done", 2, {"quantity": 7}),
        (Resolution.RESEND, "done", 2, {"quantity": 7}),
        (Resolution.RESEND_THEN_PROBE, "done", 2, {"quantity": 7}),
        (Resolution.PROBE, "done", 1, {"adopted": True}),
        (Resolution.ASK, "dead", 1, None),
    ],
)
def test_a_write_without_an_answer_is_resolved_as_the_adapter_says(
    opened: Callable[..., Fleet], shop: Shop, resolution: Resolution, state: str, writes: int, result: object
) -> None:
    fleet = opened()
    shop.actions = {"stock_level": resolution}
    shop.faults = [timeout]
    job = restock(fleet, fleet.agent(), 7)
    perform(fleet.deps, job)
    assert fleet.job(job).state == "unknown"
    assert until_it_ends(fleet, job) == state
    assert (shop.stock, shop.written) == ({"LAMP-1": 7}, [str(job)] * writes)
    assert fleet.job(job).result == result
    assert fleet.job(job).dead_reason == ("unknown_outcome" if state == "dead" else None)


def test_a_write_whose_key_may_be_forgotten_is_looked_for_since_the_birth_of_its_job(
    opened: Callable[..., Fleet], shop: Shop
) -> None:
    fleet = opened()
    shop.actions = {"stock_level": Resolution.RESEND_THEN_PROBE}
    job = restock(fleet, fleet.agent(), 7)
    shop.faults = [timeout]
    with fleet.deps.db.transaction() as tx:
        tx.execute(
            sa.text("UPDATE jobs SET created_at = created_at - interval '51 minutes' WHERE id = :id"), {"id": job}
        )
    perform(fleet.deps, job)
    assert (until_it_ends(fleet, job), shop.written) == ("done", [str(job)])
    assert shop.probed_since == fleet.job(job).created_at


def test_a_write_that_waited_until_its_key_was_forgotten_is_looked_for_before_it_is_sent_again(
    opened: Callable[..., Fleet], shop: Shop
) -> None:
    fleet = opened()
    shop.actions = {"stock_level": Resolution.RESEND_THEN_PROBE}
    job = restock(fleet, fleet.agent(), 7)
    shop.faults = [timeout]
    perform(fleet.deps, job)
    fleet.time_passes()
    perform(fleet.deps, job)  # it may be sent again: its key is known
    assert fleet.job(job).state == "ready"
    fleet.sql("UPDATE jobs SET created_at = created_at - interval '2 hours' WHERE id = :id", id=job)
    assert (until_it_ends(fleet, job), shop.written) == ("done", [str(job)])
    assert fleet.job(job).result == {"adopted": True}


def test_the_kill_switch_stops_it(opened: Callable[..., Fleet], shop: Shop) -> None:
    fleet = opened()
    job = restock(fleet, fleet.agent(), 7)
    controls.throw_kill_switch(fleet.deps, by="ada", reason="enough")
    perform(fleet.deps, job)
    assert (fleet.job(job).state, shop.written) == ("ready", [])
    controls.lift_kill_switch(fleet.deps, by="ada")
    assert (until_it_ends(fleet, job), shop.written) == ("done", [str(job)])


def test_its_host_has_to_be_allowed(opened: Callable[..., Fleet], shop: Shop) -> None:
    fleet = opened(allowed_hosts=("gallery.example",))
    job = restock(fleet, fleet.agent(), 7)
    perform(fleet.deps, job)
    assert (fleet.job(job).dead_reason, shop.written) == ("policy", [])


def test_a_dry_run_tells_what_would_be_sent_zero_included(opened: Callable[..., Fleet], shop: Shop) -> None:
    fleet = opened(dry_run=True)
    agent = fleet.agent()
    job = restock(fleet, agent, 0)
    perform(fleet.deps, job)
    draft = {"verb": "stock_level", "as": fleet.row(agent).username, "sku": "LAMP-1", "quantity": 0}
    assert (fleet.job(job).state, fleet.job(job).result, shop.written) == ("skipped", {"draft": draft}, [])


def test_its_cap_holds_whichever_kind_of_job_writes_it(opened: Callable[..., Fleet], shop: Shop) -> None:
    fleet = opened(caps={"stock_level": {"gap_s": 3600}})
    agent = fleet.agent()
    first, second = restock(fleet, agent, 7), restock(fleet, agent, 8, kind="correct")
    for job in (first, second):
        perform(fleet.deps, job)
    assert (fleet.job(second).state, fleet.job(second).held) == ("ready", "cap: one stock level in 60 min")
    assert shop.written == [str(first)]


def test_a_job_cannot_write_an_action_that_its_kind_does_not_declare(opened: Callable[..., Fleet], shop: Shop) -> None:
    """Its caps would count nothing."""
    fleet = opened()
    job = restock(fleet, fleet.agent(), 7, kind="stray")
    perform(fleet.deps, job)
    assert (fleet.job(job).state, fleet.job(job).dead_reason) == ("dead", "permanent")
    assert "prepared the action like; it declares stray" in (fleet.job(job).error or "")
    assert (shop.written, fleet.surface.liked) == ([], set())


def test_a_gallery_is_not_asked_for_stock_levels_nor_a_shop_for_a_feed(opened: Callable[..., Fleet]) -> None:
    fleet = opened()
    with fleet.deps.db.transaction() as tx:
        job = NewJob(ids.new(), fleet.agent(), "restock", "floimg", target="x", payload={"quantity": 1})
        ledger.add(tx, [job])
    perform(fleet.deps, job.id)
    assert (fleet.job(job.id).dead_reason, fleet.surface.writes_begun) == ("policy", 0)
    browse = NewJob(ids.new(), fleet.agent(), "browse", "shop", account_id=fleet.accounts["our-shop"])
    with fleet.deps.db.transaction() as tx:
        ledger.add(tx, [browse])
    perform(fleet.deps, browse.id)
    assert "no social platform" in (fleet.job(browse.id).error or "")


def test_a_job_for_the_shop_without_an_account_there_is_not_sent_to_the_gallery(
    opened: Callable[..., Fleet], shop: Shop
) -> None:
    fleet = opened()
    job = NewJob(ids.new(), fleet.agent(), "restock", "shop", target="LAMP-1", payload={"quantity": 1})
    with fleet.deps.db.transaction() as tx:
        ledger.add(tx, [job])
    perform(fleet.deps, job.id)
    assert (fleet.job(job.id).dead_reason, fleet.surface.writes_begun, shop.written) == ("policy", 0, [])


class ShopWithPhotos(Shop):
    """A shop whose stock levels need a photo, which it processes for a while and forgets at times."""

    def __init__(self) -> None:
        super().__init__()
        self.photos: dict[str, bool] = {}
        self.shown: list[str] = []

    def upload(self, action: AnyAction, *, timeout_s: float) -> Mapping[str, Any] | None:
        photo = action.uploads.get("photo")
        if photo is None:
            photo = f"photo-{len(self.photos) + 1}"
            self.photos[photo] = False
            raise base.UploadPending("the photo is processed", uploads={"photo": photo}, retry_after_s=5)
        self.photos[photo] = True
        return {"photo": photo}

    def write(self, action: AnyAction, *, timeout_s: float) -> Receipt:
        photo = str(action.uploads["photo"])
        if not self.photos.get(photo):
            raise base.UploadsLost(f"{photo} is gone")
        receipt = super().write(action, timeout_s=timeout_s)
        self.shown.append(photo)
        return receipt


def test_uploads_are_made_once_waited_for_and_made_again_when_the_system_loses_them(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "_active", Registry([*registry.current(), FEATURE]))
    shop = ShopWithPhotos()
    fleet = make_fleet(database_url, systems={"our-shop": shop})
    fleet.account("our-shop", adapter="shop")
    job = restock(fleet, fleet.agent(), 7)
    perform(fleet.deps, job)
    held = fleet.job(job)
    assert (held.state, held.attempts, shop.written, shop.photos) == ("ready", 0, [], {"photo-1": False})
    fleet.time_passes()
    shop.faults = [timeout]
    perform(fleet.deps, job)
    assert (fleet.job(job).state, shop.photos) == ("unknown", {"photo-1": True})
    shop.photos["photo-1"] = False
    for _ in range(5):
        fleet.time_passes()
        perform(fleet.deps, job)
    assert (fleet.job(job).state, shop.shown) == ("done", ["photo-2"])
    assert shop.written == [str(job)] * 2
    fleet.deps.close()
