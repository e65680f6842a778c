"""Webhooks of shops: verified, stored once, read by urgency; anybody else learns nothing."""

from __future__ import annotations

import json
import random
import time
from typing import Any

import pytest

from fleet.adapters.shopify.adapter import TOPICS
from fleet.engine.points.account_hooks import AccountHook
from fleet.features.stores.extensions import SANDBOX_SHOP
from fleet.features.stores.hooks import service as hooks
from fleet.features.stores.rules import Strategy
from fleet.sandbox.shop.deliveries import signature
from fleet.web.requests.bodies import MOST_HOOK_BYTES
from tests.adapters.shops import connect
from tests.contracts.shopify import TOKEN, ShopifyContract
from tests.features.stores.world import StoreWorld, world_at
from tests.web_client import Web


@pytest.fixture
def web(stores: StoreWorld) -> Web:
    return Web(stores.fleet)


def delivery(stores: StoreWorld, web: Web, *, secret: str = "", store: str = "shop", **event: Any) -> Any:
    body = json.dumps(event).encode()
    stamp = str(int(time.time()))
    signed = {"x-shop-timestamp": stamp, "x-shop-signature": signature(secret or stores.shop.secret, stamp, body)}
    return web.anonymous().post(f"/hooks/in/store/{store}", content=body, headers=signed)


def test_a_shop_that_takes_subscriptions_is_subscribed_with_its_store_and_after_full_syncs(database_url: str) -> None:
    keys = {"access_token": TOKEN, "client_secret": "shpss"}
    with ShopifyContract().serve() as server:
        adapter = connect("shopify", server.url, keys).adapter
        credentials, url = json.dumps(keys), "https://fleet.test"
        with world_at(database_url, adapter, "shopify", credentials, web_url=url) as stores:
            (job,) = stores.work()
            assert (job.kind, job.state, len(server.subscriptions)) == ("subscribe_hooks", "done", len(TOPICS))
            assert {one["uri"] for one in server.subscriptions} == {"https://fleet.test/hooks/in/store/shop"}
            server.subscriptions.clear()  # as Shopify does after deliveries that failed
            assert stores.sync(Strategy.FULL).state == "done"
            assert len(server.subscriptions) == len(TOPICS)
        adapter.close()


def test_a_delivery_wakes_the_agent_and_only_what_it_names_is_read(stores: StoreWorld, web: Web) -> None:
    cup, pot = stores.shop.add("cup"), stores.shop.add("pot")
    stores.sync()
    stores.shop.change(cup["id"], title="Mug")
    stores.shop.change(pot["id"], title="Kettle")
    stores.fleet.sql("UPDATE agents SET next_tick_at = clock_timestamp() + interval '1 hour' WHERE kind = 'store_sync'")
    answers = [delivery(stores, web, id="e1", kind="product", productId=cup["id"]).status_code for _ in range(3)]
    assert answers == [202, 200, 200]
    due = stores.fleet.sql(
        "SELECT next_tick_at <= clock_timestamp() FROM agents WHERE kind = 'store_sync'"
    ).scalar_one()
    assert due
    stores.wake()
    stores.work()
    run = stores.runs()[-1]
    assert (run.strategy, run.only, run.counts["read"]) == ("selective", [f"product:{cup['id']}"], 1)
    assert sorted(stores.products()) == ["Mug", "Pot"]
    stores.wake()
    assert len(stores.runs()) == 2, "a handled event causes no second run"


def test_doubled_and_reordered_deliveries_end_in_the_same_state(stores: StoreWorld, web: Web) -> None:
    cup = stores.shop.add("cup", on_hand=20)
    variant = cup["variants"][0]["id"]
    stores.sync()
    events = []
    for number in range(4):
        order = stores.shop.sell(variant, 2)["id"]
        stores.shop.move(order, "shipped")
        events += [{"id": f"o{number}", "kind": "order", "orderId": order},
                   {"id": f"s{number}", "kind": "stock", "productId": cup["id"], "variantId": variant}]  # fmt: skip
    events += random.Random(1).sample(events, 5)
    random.Random(2).shuffle(events)
    for event in events:
        delivery(stores, web, **event)
        stores.wake()
        stores.work()
    stores.sync()
    assert (stores.on_hand("cup-1"), stores.shop.on_hand(variant)) == (12, 12)


def test_the_most_urgent_events_are_named_first(stores: StoreWorld, web: Web) -> None:
    stores.sync()
    delivery(stores, web, id="a", kind="product", productId="1")
    delivery(stores, web, id="b", kind="product_deleted", productId="2")
    delivery(stores, web, id="c", kind="stock", productId="3", variantId="3")
    delivery(stores, web, id="d", kind="order", orderId="4")
    stores.wake()
    run = stores.runs()[-1]
    assert (run.only, run.priority) == (["order:4", "variant:3", "product:2", "product:1"], 10)


def test_a_caller_without_proof_learns_nothing_and_changes_nothing(stores: StoreWorld, web: Web) -> None:
    event = {"id": "e1", "kind": "product", "productId": "1"}
    stores.fleet.account("bare", adapter="sandbox_shop", credentials=stores.shop.credentials)  # no store
    answers = [
        delivery(stores, web, secret="another", **event),
        delivery(stores, web, store="bare", **event),
        delivery(stores, web, store="nobody", **event),
        web.anonymous().post("/hooks/in/store/shop", content=b"{}"),
        delivery(stores, web, id="e1", kind="coffee"),
    ]
    assert {(one.status_code, one.json()["title"], one.json().get("detail")) for one in answers} == {
        (401, answers[0].json()["title"], answers[0].json().get("detail"))
    }
    assert delivery(stores, web, id="x" * MOST_HOOK_BYTES, kind="product").status_code == 413
    assert stores.fleet.sql("SELECT count(*) FROM shop_events").scalar_one() == 0


def test_the_page_of_an_account_shows_the_address(stores: StoreWorld, web: Web) -> None:
    delivery(stores, web, id="e1", kind="order", orderId="4")
    hook = hooks.hook_of(stores.fleet.deps, stores.account_id, "sandbox_shop")
    assert isinstance(hook, AccountHook)
    assert (hook.url, hook.deliveries, hook.attention) == ("/hooks/in/store/shop", 1, "")
    assert "/hooks/in/store/shop" in web.browser().get("/accounts/shop").text


def test_a_start_with_the_sandbox_shop_makes_one_store_however_often_it_is_repeated(stores: StoreWorld) -> None:
    SANDBOX_SHOP.prepare(stores.fleet.deps, stores.account_id)
    assert stores.fleet.sql("SELECT count(*) FROM stores").scalar_one() == 1
