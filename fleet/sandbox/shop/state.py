"""The parts of one running shop. Built by `app`, passed to every endpoint."""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated

import sqlalchemy as sa
from fastapi import Depends, Request

from fleet.sandbox.gallery.errors import ApiError
from fleet.sandbox.gallery.faults import Faults
from fleet.sandbox.gallery.store.database import Storage
from fleet.sandbox.shop.config import ShopConfig
from fleet.sandbox.shop.deliveries import HookSender
from fleet.sandbox.shop.store.hooks import HookEvents

_CHANGE_LOCK = 0x73686F70


@dataclass(frozen=True, slots=True)
class Shop:
    """The parts of one shop."""

    config: ShopConfig
    storage: Storage
    faults: Faults
    events: HookEvents
    sender: HookSender

    @contextmanager
    def change(self) -> Iterator[sa.Connection]:
        """Open a transaction; its events are delivered once it has committed.

        One at a time: no two changes deadlock, and the order of `updated_at` is that in which changes become visible.
        """
        with self.storage.transaction() as tx:
            tx.execute(sa.select(sa.func.pg_advisory_xact_lock(_CHANGE_LOCK)))
            yield tx
        self.sender.wake()


def of_request(request: Request) -> Shop:
    """Return the shop that serves a request."""
    shop: Shop = request.app.state.shop
    return shop


def authorised(request: Request) -> None:
    """Raise ApiError 401 for a request without the shop's token."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    known = of_request(request).config.token
    if scheme.lower() != "bearer" or not hmac.compare_digest(token.strip().encode(), known.encode()):
        raise ApiError(401, "UNAUTHORIZED", "The shop's token is needed: Authorization: Bearer shp_...")


ShopDep = Annotated[Shop, Depends(of_request)]
