"""The kinds of job of this feature and the types of event, as they are registered in feature.py."""

from __future__ import annotations

from datetime import timedelta

from fleet.engine.registry import EventType, FollowUp, JobHandler

_PREPARE = "fleet.features.stores.writes.prepare"
_FOLLOW = "fleet.features.stores.writes.follow_ups"
WRITES = ("create_product", "update_product", "add_variants", "update_variants", "set_stock", "remove_product",
          "update_order")  # fmt: skip
"""The kinds of job that write to a shop, named as their types of action (`fleet.adapters.shops.SHOP_ACTIONS`)."""
SYNC_STORE = JobHandler(
    kind="sync_store",
    noun="a sync",
    plural="syncs",
    prepare="fleet.features.stores.sync.run:prepare",
    expires_after=timedelta(hours=6),
)


def _write(kind: str, noun: str, plural: str, obstacle: str | None = None) -> JobHandler:
    return JobHandler(kind=kind, noun=noun, plural=plural, prepare=f"{_PREPARE}:{kind}", obstacle=obstacle,
                      expires_after=timedelta(hours=24), is_public=True)  # fmt: skip


JOBS = (
    SYNC_STORE,
    _write("create_product", "a new product", "new products"),
    _write("update_product", "a change of a product", "changes of products"),
    _write("add_variants", "new variants", "additions of variants"),
    _write("update_variants", "a change of prices", "changes of prices"),
    _write("set_stock", "a change of stock", "changes of stock"),
    _write("remove_product", "a removal of a product", "removals of products"),
    JobHandler(
        kind="subscribe_hooks",
        noun="a subscription of webhooks",
        plural="subscriptions of webhooks",
        prepare="fleet.features.stores.writes.subscription:prepare",
        is_act=False,
        expires_after=timedelta(hours=24),
    ),
    _write("update_order", "a change of an order", "changes of orders", obstacle=f"{_PREPARE}:held_order"),
)
FOLLOW_UPS = (
    FollowUp(kind="sync_store", run="fleet.features.stores.writes.subscription:renew"),
    FollowUp(kind="create_product", run=f"{_FOLLOW}:created"),
    FollowUp(kind="update_product", run=f"{_FOLLOW}:updated_product"),
    FollowUp(kind="add_variants", run=f"{_FOLLOW}:added_variants"),
    FollowUp(kind="update_variants", run=f"{_FOLLOW}:updated_variants"),
    FollowUp(kind="set_stock", run=f"{_FOLLOW}:stocked"),
    FollowUp(kind="remove_product", run=f"{_FOLLOW}:removed"),
    FollowUp(kind="update_order", run=f"{_FOLLOW}:updated_order"),
)
EVENTS = (
    EventType(subject="store.added", words="has the store {store} now, added by {by}", sign="🏪", tone="green",
              icon="link", family="people"),
    EventType(subject="store.removed", words="store {store} was removed by {by}", sign="–", icon="hand",
              family="people"),
    EventType(subject="sync.done", words="synced {store}: {created} new, {updated} changed, {sent} to write",
              sign="⇄", icon="again", is_quiet=True),
    EventType(subject="sync.moved", words="syncs {store}: {step}, {read} products read", sign="⇄", icon="again",
              is_quiet=True),
    EventType(subject="sync.failed", words="could not sync {store}", reason=("why",), sign="✖", tone="yellow",
              icon="stop", family="trouble"),
    EventType(subject="sync.conflict", words="{about:160} differs at {store}: {field}", sign="≠", tone="yellow",
              icon="unknown", family="trouble"),
    EventType(subject="sync.decided", words="decided {about:160} at {store}: {decision}, by {by}", sign="✔",
              icon="hand", family="people"),
    EventType(subject="sync.distrusted", words="{store} lacks {missing} of {known} products at once: not believed",
              sign="!", tone="yellow", icon="unknown", family="trouble"),
    EventType(subject="product.gone", words="{title:160} is gone at {store}", sign="✖", tone="yellow", icon="stop",
              family="trouble"),
    EventType(subject="product.listed", words="{title:160} is at {store} now", sign="🏷", tone="green", icon="link"),
    EventType(subject="product.delisted", words="removed a product from {store}", sign="–", icon="hand"),
    EventType(subject="store.reached", words="the shop {store} reaches its webhook", sign="✔", tone="green",
              icon="link", family="people"),
)  # fmt: skip
