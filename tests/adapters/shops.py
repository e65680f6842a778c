"""What the tests of shops share: an adapter at a contract server, and actions as the engine makes them."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pydantic import SecretStr

from fleet.adapters import base, registry, shops
from fleet.adapters.base import Account, Action, AnyAction
from fleet.adapters.limits import Observation
from fleet.adapters.manifest import AccountAccess
from fleet.adapters.shops import Money, ShopProduct, ShopVariant

NOBODY: frozenset[str] = frozenset()
AGENT = Account(str(uuid.uuid4()), "shopkeeper", "Shopkeeper", None)


@dataclass
class Connection:
    """An adapter, and what it reported about limits."""

    adapter: Any
    seen: list[Observation] = field(default_factory=list)


def connect(name: str, url: str, credentials: dict[str, Any], **options: Any) -> Connection:
    """Return the adapter of an account at a server."""
    seen: list[Observation] = []
    access = AccountAccess(url, SecretStr(json.dumps(credentials)), timeout_s=10, observe=seen.append, **options)
    return Connection(registry.get(name).connect(access), seen)


def act(kind: Any, *args: Any, key: str = "", **payload: Any) -> AnyAction:
    """Return an action of a job that was added now."""
    return Action(kind, AGENT, key or str(uuid.uuid4()), kind.payload(*args, **payload), datetime.now(UTC))


def do(adapter: Any, action: AnyAction) -> base.Receipt:
    """Make a write."""
    receipt: base.Receipt = adapter.write(action, timeout_s=10)
    return receipt


def probe(adapter: Any, action: AnyAction) -> base.Receipt | None:
    """Look for the effect of a write."""
    found: base.Receipt | None = adapter.probe(action, since=datetime.now(UTC), known=NOBODY)
    return found


def lamp(*skus: str, on_hand: int | None = 5, currency: str = "EUR", **fields: Any) -> ShopProduct:
    """Return a product to create, with a variant for each SKU."""
    variants = tuple(
        ShopVariant(sku=sku, price=Money(2799, currency), on_hand=on_hand,
                    options={"Size": f"S{at}"} if len(skus) > 1 else {})
        for at, sku in enumerate(skus)
    )  # fmt: skip
    return ShopProduct(
        **{"key": "lamp", "title": "Lamp", "description": "<p>It glows.</p>", "variants": variants, **fields}
    )


def price_change(product: ShopProduct, at: int = 0, **values: Any) -> shops.VariantChange:
    """Return a change of one variant of a product."""
    return shops.VariantChange(variant_id=product.variants[at].id, product_id=product.id, **values)


def stock_change(product: ShopProduct, quantity: int, at: int = 0, **values: Any) -> shops.StockChange:
    """Return a new stock of one variant of a product."""
    return shops.StockChange(variant_id=product.variants[at].id, product_id=product.id, quantity=quantity, **values)


def sweep(read: Any, **options: Any) -> list[Any]:
    """Return all items of a list, page by page."""
    items: list[Any] = []
    cursor: str | None = None
    while True:
        page = read(cursor=cursor, limit=100, **options)
        items += page.items
        cursor = page.cursor
        if cursor is None:
            return items
