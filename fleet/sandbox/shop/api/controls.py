"""Webhook addresses, and the sandbox's own controls: faults and keys, changed while the shop runs.

Faults never apply to the controls.
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends

from fleet.sandbox.gallery.api.controls import KeysBody, RuleBody
from fleet.sandbox.shop.api.bodies import HookBody
from fleet.sandbox.shop.state import ShopDep, authorised
from fleet.sandbox.shop.store import answers, hooks

router = APIRouter(prefix="/api", dependencies=[Depends(authorised)])


@router.get("/hooks")
def list_hooks(shop: ShopDep) -> dict[str, Any]:
    """Return the addresses of webhooks, and how many deliveries wait for each."""
    with shop.storage.transaction() as tx:
        return {"items": hooks.listed(tx)}


@router.put("/hooks")
def subscribe(body: HookBody, shop: ShopDep) -> dict[str, Any]:
    """Add an address, or give it another secret."""
    with shop.storage.transaction() as tx:
        hooks.subscribe(tx, body.url, body.secret)
        return {"items": hooks.listed(tx)}


@router.delete("/hooks")
def unsubscribe(shop: ShopDep, url: str | None = None) -> dict[str, Any]:
    """Remove an address, or all."""
    with shop.storage.transaction() as tx:
        return {"removed": hooks.unsubscribe(tx, url)}


@router.put("/sandbox/faults")
async def set_faults(body: RuleBody | list[RuleBody], shop: ShopDep) -> dict[str, Any]:
    """Replace the fault rules: one rule or a list; an empty list removes all."""
    rules = body if isinstance(body, list) else [body]
    shop.faults.set(tuple(rule.rule() for rule in rules))
    return {"rules": shop.faults.status()}


@router.get("/sandbox/faults")
async def get_faults(shop: ShopDep) -> dict[str, Any]:
    """Return the rules, each with its number of faults."""
    return {"rules": shop.faults.status()}


@router.put("/sandbox/keys")
def set_keys(body: KeysBody, shop: ShopDep) -> dict[str, Any]:
    """Set whether idempotency keys of creations are honoured; null restores the configured value."""
    with shop.storage.transaction() as tx:
        answers.set_honour_keys(tx, body.honour_keys)
    return {"honourKeys": body.honour_keys}
