"""A surface without latency: it keeps each effect as one line of a file, and can lose replies or take its time.

One `write` of about 80 bytes to a file opened for appending is all that an effect costs here (about 2 us), from
however many processes. It honours no idempotency keys: whoever sends twice is shown twice, as on most surfaces.
"""

from __future__ import annotations

import functools
import hashlib
import os
import random
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path

from bench.quiet_surface import put_in_place
from fleet.adapters.base import Account, AnyAction, Receipt, Resolution, SurfaceObject, Uncertain
from fleet.adapters.manifest import AccountAccess
from fleet.adapters.pictures import PictureOrder
from fleet.adapters.social import ACTIONS, FeedItem, Offers, SaidComment

NAME = "floimg"
"""The adapter that it stands in for: agents act through the account of the settings, which is at that one."""
EFFECTS = "BENCH_EFFECTS"
REPLIES_LOST = "BENCH_REPLIES_LOST"
WAIT_S = "BENCH_WAIT_S"
CAPTION = "A quiet harbour at dawn, boats asleep, the first gulls over grey water."


class StubSurface:
    """Shows every effect it is sent, however often it is sent."""

    name = NAME
    scheme, host, port = "http", "127.0.0.1", 80
    third_party = False
    actions: Mapping[str, Resolution] = {one.name: Resolution.PROBE for one in ACTIONS}

    def __init__(self, effects: Path, *, replies_lost: float = 0.0, wait_s: float = 0.0) -> None:
        self._path = effects
        self._file = os.open(effects, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._replies_lost = replies_lost
        self._wait_s = wait_s
        self._dice = random.Random(os.urandom(8))

    def offers(self) -> Offers:
        return Offers()

    def comments(self, account: Account, item_id: str, *, limit: int) -> list[SaidComment]:
        return []

    def feed(self, account: Account, *, limit: int, audience: str = "public") -> list[FeedItem]:
        """Return posts that nobody has seen before, as on a surface where much happens."""
        return [
            FeedItem(f"p{self._dice.getrandbits(56):014x}", f"guest_{number}", f"Guest {number}", CAPTION, None, number)
            for number in range(limit)
        ]

    def item(self, account: Account, item_id: str) -> FeedItem:
        self._show("browse", account.username, item_id, "")
        return FeedItem(item_id, "guest_1", "Guest 1", CAPTION, None, 1)

    def make(self, order: PictureOrder, *, timeout_s: float) -> str:
        return f"http://127.0.0.1/images/{order.key}.jpg"

    def write(self, action: AnyAction, *, timeout_s: float) -> Receipt:
        if self._wait_s:
            time.sleep(self._wait_s)
        remote_id = self._show(action.type.name, action.account.username, _target(action), action.payload.words)
        if self._replies_lost and self._dice.random() < self._replies_lost:
            raise Uncertain("no answer")
        return Receipt(remote_id)

    def _show(self, verb: str, username: str, target: str, text: str) -> str:
        remote_id = f"{self._dice.getrandbits(56):014x}"
        os.write(self._file, f"{username}\t{verb}\t{target}\t{_digest(text)}\t{remote_id}\n".encode())
        return remote_id

    def probe(self, action: AnyAction, *, since: datetime, known: frozenset[str]) -> Receipt | None:
        """Look for the effect as one would on a profile page: by who, what, where and the words."""
        wanted = [action.account.username, action.type.name, _target(action), _digest(action.payload.words)]
        for line in self._path.read_text().splitlines():
            *told, remote_id = line.split("\t")
            if told == wanted and remote_id not in known:
                return Receipt(remote_id)
        return None

    def url_of(self, found: SurfaceObject) -> str | None:
        return None


def _target(action: AnyAction) -> str:
    return str(getattr(action.payload, "target", ""))


def _digest(text: str) -> str:
    return hashlib.blake2s(text.encode(), digest_size=6).hexdigest() if text else ""


def register() -> None:
    """Make the surface known to this process, as the environment describes it."""

    def connect(_: AccountAccess) -> StubSurface:
        return StubSurface(
            Path(os.environ[EFFECTS]), replies_lost=float(os.environ.get(REPLIES_LOST, "0")),
            wait_s=float(os.environ.get(WAIT_S, "0")),
        )  # fmt: skip

    put_in_place(connect)


@functools.cache
def _marks() -> int:
    return os.open(os.environ[EFFECTS], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)


def mark() -> None:
    """Count one task that did nothing else."""
    os.write(_marks(), b"\n")


class Effects:
    """What the surface shows, as the benchmark reads it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen = 0
        self._count = 0

    def clear(self) -> None:
        """Forget everything; only while nobody writes."""
        os.truncate(self.path, 0)
        self._seen = self._count = 0

    def count(self) -> int:
        """Return how many effects there are; reads only what is new."""
        if not self.path.exists():
            return 0
        with self.path.open("rb") as file:
            file.seek(self._seen)
            new = file.read()
        self._seen += len(new)
        self._count += new.count(b"\n")
        return self._count

    def by_agent(self) -> Counter[str]:
        """Return how many effects each agent has had."""
        return Counter(self._usernames())

    def _usernames(self) -> Iterator[str]:
        for line in self.path.read_text().splitlines():
            yield line.split("\t", 1)[0]
