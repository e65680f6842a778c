"""A surface that answers at once and remembers nothing, in the place of the gallery, and a doorbell that rings nowhere.

For benchmarks of the ledger: what a call costs is then the fleet's own doing.
"""

from __future__ import annotations

import functools
import itertools
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from fleet.adapters import registry
from fleet.adapters.base import Account, AnyAction, Receipt, Resolution, SurfaceObject
from fleet.adapters.manifest import AccountAccess
from fleet.adapters.pictures import PictureFile, PictureOrder
from fleet.adapters.social import ACTIONS, FeedItem, Offers, SaidComment
from fleet.core.queue import Message
from fleet.engine import deps, surface_pictures
from fleet.images.placeholder import render_jpeg

CAPTION = "A quiet harbour at dawn, boats asleep, the first gulls over grey water."
NO_CAPS = {
    "caps": {name: {"gap_s": 0, "per_day": 1_000_000} for name in ("post", "comment", "like")},
    "ai_comment_lead": 1_000_000, "surface_writes_per_minute": 0, "recent_texts": 0,
}  # fmt: skip
"""Settings under which no write waits, and none is skipped: who always sees the same caption repeats itself."""


class QuietSurface:
    """Takes every write; its posts are always ones that nobody has seen."""

    name = "floimg"
    scheme, host, port = "http", "127.0.0.1", 80
    third_party = False
    actions: Mapping[str, Resolution] = {one.name: Resolution.NATURAL for one in ACTIONS}

    def __init__(self) -> None:
        self._prefix, self._numbers = os.urandom(4).hex(), itertools.count()

    def _name(self) -> str:
        return f"{self._prefix}{next(self._numbers)}"

    def offers(self) -> Offers:
        return Offers()

    def comments(self, account: Account, item_id: str, *, limit: int) -> list[SaidComment]:
        return []

    def feed(self, account: Account, *, limit: int, audience: str = "public") -> list[FeedItem]:
        return [FeedItem(self._name(), f"guest_{n}", f"Guest {n}", CAPTION, None, n) for n in range(limit)]

    def item(self, account: Account, item_id: str) -> FeedItem:
        return FeedItem(item_id, "guest_1", "Guest 1", CAPTION, None, 1)

    def make(self, order: PictureOrder, *, timeout_s: float) -> str:
        return f"http://127.0.0.1/images/{order.key}.jpg"

    def write(self, action: AnyAction, *, timeout_s: float) -> Receipt:
        return Receipt(self._name())

    def probe(self, action: AnyAction, *, since: datetime, known: frozenset[str]) -> Receipt | None:
        return None

    def url_of(self, found: SurfaceObject) -> str | None:
        return None


@functools.cache
def a_picture() -> PictureFile:
    """Return a picture as a workflow makes them; a surface that answers at once always has the same one."""
    return PictureFile(render_jpeg("a quiet harbour at dawn", "ai_artist"), "image/jpeg")


class Bell:
    """Keeps the messages that it was given, for whoever answers them."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    def publish(self, messages: Sequence[Message]) -> None:
        self.messages += messages

    def depths(self) -> dict[str, int]:
        return {}

    def take(self) -> list[Message]:
        taken, self.messages = self.messages, []
        return taken


def register() -> None:
    """Put the quiet surface in the gallery's place, in this process."""

    def connect(_: AccountAccess) -> QuietSurface:
        return QuietSurface()

    put_in_place(connect)


def put_in_place(connect: Callable[[AccountAccess], Any]) -> None:
    """Have every account of this process lead to one surface, which makes pictures, too."""
    stub = replace(registry.get("floimg"), connect=connect, connect_pictures=connect)
    registry.get = lambda _: stub  # type: ignore[assignment]
    registry.names = lambda: [stub.name]
    deps.Outside.makes_pictures = lambda *_: True  # type: ignore[method-assign]
    surface_pictures.fetcher = lambda *_: lambda _url, _within_s: a_picture()
