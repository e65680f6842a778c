"""Verify a delivery of a shop, store its events once, and wake the store's agent.

An event is a hint what to read: its content is neither trusted nor stored. Refusals reveal nothing: an unknown store,
one without a secret and a wrong signature get the same response, after the same work.
"""

from __future__ import annotations

import re
import secrets
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from fleet.accounts import service as accounts
from fleet.adapters import registry as adapters
from fleet.adapters.shops import ShopEvent, ShopHookRules
from fleet.adapters.webhook_signatures import SHOP_PLUGIN
from fleet.core import events
from fleet.core.db import Tx
from fleet.core.errors import FleetError, NotFound
from fleet.core.text import storable
from fleet.engine.agents import loop
from fleet.engine.deps import Deps
from fleet.engine.points.account_hooks import AccountHook
from fleet.features.stores import service
from fleet.features.stores.models import ShopEventRow, StoreRow
from fleet.features.stores.writes import subscription

MOST_EVENTS = 1000
"""Events of one delivery that are stored."""
MOST_OPEN = 50_000
"""Events of a store that wait; more are dropped, since the next sweep reads all."""
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}", re.A)
_NOBODY = secrets.token_urlsafe(32)
_LONGEST_ID = 200


class NotOfTheShop(FleetError):
    """The request does not prove that the shop of the store sent it."""

    def __init__(self) -> None:
        super().__init__("The signature does not fit.")


@dataclass(frozen=True, slots=True)
class _Hooked:
    account_id: uuid.UUID
    agent_id: uuid.UUID
    name: str
    rules: ShopHookRules
    secret: str


def receive(deps: Deps, name: str, headers: Mapping[str, str], body: bytes) -> int:
    """Store the events of a genuine delivery; return how many are new. Each wakes the store's agent.

    `headers` have names in lower case. Raises NotOfTheShop, also for a body that the shop's rules do not understand.
    """
    found = _hooked(deps, name)
    rules, secret = (SHOP_PLUGIN, _NOBODY) if found is None else (found.rules, found.secret)
    is_genuine = rules.is_genuine(secret, headers, body, deps.now().timestamp())
    if found is None or not is_genuine:
        raise NotOfTheShop
    try:
        read = [one for one in rules.read(headers, body) if _fits(one)][:MOST_EVENTS]
    except (ValueError, RecursionError):
        raise NotOfTheShop from None
    with deps.db.transaction() as tx:
        return _store(tx, found, read)


def hook_of(deps: Deps, account_id: uuid.UUID, adapter: str) -> AccountHook | None:
    """Return what people need to know about a store's webhook; None for an account without one.

    The extension of "accounts.hooks".
    """
    kind = adapters.get(adapter).shop if adapter in adapters.names() else None
    if kind is None or kind.webhooks is None:
        return None
    is_signed = bool(subscription.secret(deps, account_id))
    missing = "" if is_signed else "Its credentials have no webhook_secret: deliveries are refused."
    row = ShopEventRow
    is_delivered = (
        row.account_id == account_id,
        ~row.event_id.startswith("job:"),
        ~row.event_id.startswith("decision:"),
    )
    counted = sa.select(sa.func.count(), sa.func.max(row.received_at)).where(*is_delivered)
    own = sa.select(StoreRow.account_id).where(StoreRow.account_id == account_id, StoreRow.removed_at.is_(None))
    with deps.db.transaction() as tx:
        name, (count, latest) = accounts.get(tx, account_id).name, tx.execute(counted).one()
        is_store = tx.scalar(own)
    unused = "" if is_store else f"It is no store: deliveries are refused. `fleet stores add {name}` makes it one."
    return AccountHook(
        url=subscription.url_of(deps, name), verify_token="", attention=missing or unused,
        deliveries=count, delivered_at=latest,
    )  # fmt: skip


def _fits(event: ShopEvent) -> bool:
    named = (event.id, event.product_id, event.variant_id, event.order_id)
    return bool(event.id) and all(len(one) <= _LONGEST_ID and storable(one) == one for one in named)


def _store(tx: Tx, found: _Hooked, read: Sequence[ShopEvent]) -> int:
    row = ShopEventRow
    waiting = (
        sa.select(row.event_id).where(row.account_id == found.account_id, row.handled_at.is_(None)).limit(MOST_OPEN)
    )
    if not read or (tx.scalar(sa.select(sa.func.count()).select_from(waiting.subquery())) or 0) >= MOST_OPEN:
        return 0
    own = (row.account_id == found.account_id, ~row.event_id.startswith("job:"))
    is_first = not tx.scalar(sa.select(sa.exists(sa.select(row.event_id).where(*own))))
    new = insert(row).values([
        {"account_id": found.account_id, "event_id": one.id, "kind": one.kind.value, "priority": one.kind.priority,
         "product_id": one.product_id, "variant_id": one.variant_id, "order_id": one.order_id}
        for one in {one.id: one for one in read}.values()
    ])  # fmt: skip
    added = len(tx.execute(new.on_conflict_do_nothing().returning(row.event_id)).all())
    if added:
        loop.wake(tx, found.agent_id)
        if is_first:
            events.emit(tx, "store.reached", agent_id=found.agent_id, store=found.name, page=f"/stores/{found.name}")
    return added


def _hooked(deps: Deps, name: str) -> _Hooked | None:
    """Return a store with a secret, by its name, at a shop with webhooks."""
    if not _NAME.fullmatch(name):
        return None
    with deps.db.transaction() as tx:
        try:
            row, account = service.named(tx, name)
        except NotFound:
            return None
        account_id, agent_id, adapter = row.account_id, row.agent_id, account.adapter
    kind = adapters.get(adapter).shop if adapter in adapters.names() else None
    secret = subscription.secret(deps, account_id)
    if kind is None or kind.webhooks is None or not secret:
        return None
    return _Hooked(account_id, agent_id, name, kind.webhooks, secret)
