"""A log of effects for the fault harness: what took effect, under which key, and when its request arrived.

Written in the transaction of the effect, so that it is neither more nor less than what happened. The API never shows
it; the fault harness compares it with Fleet's ledger.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

import sqlalchemy as sa
from fastapi import Depends, Header, Request

from fleet.core import clock
from fleet.sandbox.gallery.faults import ARRIVED
from fleet.sandbox.gallery.store.accounts import GalleryUser
from fleet.sandbox.gallery.store.tables import witnessed

Kind = Literal["post", "comment", "like", "unlike", "image", "invite", "remove", "repeat", "react", "connect"]
"""An `image` is a workflow that was paid. A `repeat` changed nothing: its key was known and honoured."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A request's Idempotency-Key and its arrival time, before any fault delayed it."""

    key: str | None
    at: datetime

    def took_effect(self, tx: sa.Connection, kind: Kind, user: GalleryUser, subject: object, content: str = "") -> None:
        """Record an effect. `subject` is the id of the post, comment, execution or account; for a like the post's."""
        tx.execute(
            sa.insert(witnessed).values(
                kind=kind, key=self.key, user_id=user.id, username=user.username, subject=str(subject),
                content=content, arrived_at=self.at,
            )
        )  # fmt: skip


_Key = Annotated[str | None, Header(alias="Idempotency-Key", max_length=255)]


def _of_request(request: Request, key: _Key = None) -> Arrival:
    at: datetime | None = request.scope.get("state", {}).get(ARRIVED)
    return Arrival(key, at or clock.now())


ArrivalDep = Annotated[Arrival, Depends(_of_request)]
