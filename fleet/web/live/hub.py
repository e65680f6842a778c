"""The streams of one process: one reader of events for every open page.

Made by `app`, one a process; lives on the event loop. Only a cache: all of it can be lost and read again. A page that
cannot keep up is disconnected, and reconnects with its position.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TypeVar

from fleet.access import Permission, Principal, authenticate
from fleet.core import clock, events, logs
from fleet.core.db import visibility
from fleet.core.db.visibility import Organisations
from fleet.core.errors import FleetError, Unavailable
from fleet.core.events import Event, Position
from fleet.engine.deps import Deps
from fleet.web.auth import withheld
from fleet.web.live.ports import Feed
from fleet.web.live.rounds import Round, Wants, parts_of, said

T = TypeVar("T")
POLL_S = 0.5
SESSIONS_S = 30.0
MOST_STREAMS = 2000
MOST_OF_ONE = 500
"""Maximum live streams per user."""
BACKLOG = 500
"""A page that missed more events than this is told to reload."""
ROUNDS = 64
"""How many rounds a page may lie behind: half a minute of them."""
_MADE_EVERY_S = 2.0
_PATIENCE_S = 5.0
_AWAY_S = 1.0
_SLOW_S = 4.0
_READ = 500

log = logs.get(__name__)


@dataclass(eq=False, slots=True)
class StreamListener:
    """A page with a stream. `floor` is the position that it has received, `greeting` the first message to it."""

    user_id: uuid.UUID
    key_id: uuid.UUID
    wants: Wants
    floor: Position
    organisations: Organisations | None = None
    greeting: bytes = b""
    on_drop: Callable[[], object] = lambda: None
    rounds: asyncio.Queue[bytes | None] = field(default_factory=lambda: asyncio.Queue(ROUNDS))

    async def next(self) -> bytes | None:
        """Return the next message; None when the stream ends."""
        if self.greeting:
            first, self.greeting = self.greeting, b""
            return first
        return await self.rounds.get()


def _may_go_on(listener: StreamListener, who: Principal | None) -> bool:
    own = listener.organisations
    if who is None or (who.organisations is not None and (own is None or not own <= who.organisations)):
        return False
    who = replace(who, organisations=own)  # the stream shows the organisation that they look at
    return who.may(Permission.FLEET_VIEW) and withheld(who) == listener.wants.but


def _too_many() -> Unavailable:
    return Unavailable("Too many pages listen.", fix="Pages work without it; reload them to see what is new.")


class _Changing:
    """HTML that is rendered every two seconds at most, and sent when it has changed."""

    def __init__(self, make: Callable[[], str]) -> None:
        self._make = make
        self._made_at_s = float("-inf")
        self.last = ""

    def forget(self) -> None:
        """Send it again, whether it has changed or not."""
        self._made_at_s, self.last = float("-inf"), ""

    def fresh(self) -> str:
        """Return it if it has changed, else nothing."""
        now_s = clock.monotonic_s()
        if now_s - self._made_at_s < _MADE_EVERY_S:
            return ""
        self._made_at_s = now_s
        before, self.last = self.last, self._make()
        return self.last if self.last != before else ""


class Hub:
    """The streams of one process.

    `frame` renders the parts that every page shows, `cards` those of the first page; both run every two seconds at
    most, while a page is open, and are sent when they have changed. `ages` returns how old the cards' parts are, which
    is sent every two seconds. `away` renders the frame of a process that cannot read. `feed` turns events into lines.
    What a hub reads is restricted as the context is in which it was made.
    """

    def __init__(
        self, deps: Deps, *, frame: Callable[[], str], cards: Callable[[], str],
        ages: Callable[[], Mapping[str, float]] = dict, away: Callable[[str], str] = str, feed: Feed | None = None,
    ) -> None:  # fmt: skip
        self._deps = deps
        self._organisations = visibility.current()
        self._frame, self._cards = _Changing(frame), _Changing(cards)
        self._ages, self._away = ages, away
        self._feed = feed
        self._reading: asyncio.Future[Round] | None = None
        # The last versions sent of both. A version that is rendered but not sent does not count: a page that connects
        # between the two would get it twice.
        self._shown = ("", "")
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="live")
        self._listeners: set[StreamListener] = set()
        self._joining = 0
        self._position: Position | None = None
        self._located = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._checked_at_s = self._fresh_at_s = 0.0
        self._closed = False

    @property
    def number(self) -> int:
        """How many pages listen."""
        return len(self._listeners)

    def close(self) -> None:
        """End all streams; a server cannot stop while a page listens. Call on the event loop."""
        self._closed = True
        self._end_all()
        if self._task is not None:
            self._task.cancel()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def join(self, who: Principal, after: Position | None, wants: Wants) -> StreamListener:
        """Have a page listen, from `after` on or from now. Raises Unavailable when no further one can."""
        if self._closed or len(self._listeners) + self._joining >= MOST_STREAMS:
            raise _too_many()
        self._joining += 1
        try:
            reached = await self._reached()
            if sum(one.user_id == who.user_id for one in self._listeners) >= MOST_OF_ONE:
                raise _too_many()
            listener = StreamListener(who.user_id, who.key_id, wants, after or reached, who.organisations)
            self._listeners.add(listener)  # at once, so that every round after `reached` waits for it
        finally:
            self._joining -= 1
        try:
            missed = b"" if after is None else await self._in_thread(lambda: self._missed(after, reached, wants))
        except BaseException:
            self.leave(listener)
            raise
        self._greet(listener, reached, missed)
        return listener

    def leave(self, listener: StreamListener) -> None:
        """Remove a page that is gone."""
        self._listeners.discard(listener)

    async def _reached(self) -> Position:
        """Return the position up to which events are read. Starts reading if no page was open so far."""
        if self._task is None or self._task.done():
            self._position = None
            self._located.clear()
            self._task = asyncio.create_task(self._poll())
        try:
            await asyncio.wait_for(self._located.wait(), _PATIENCE_S)
        except TimeoutError:
            raise Unavailable("Events cannot be read now.", fix="Is the database up? `fleet check` shows it.") from None
        assert self._position is not None  # located
        return self._position

    def _greet(self, listener: StreamListener, reached: Position, missed: bytes | None) -> None:
        if missed is None:
            missed = said("reset", "{}", reached)
        hello = said("hello", "{}", listener.floor if missed == b"" else None)
        listener.floor = max(listener.floor, reached) if missed == b"" else reached
        retry_ms = 1000 + self._deps.dice.randrange(3000)  # after a restart they do not all come back at once
        now = parts_of(listener.wants, *self._shown)
        listener.greeting = f"retry: {retry_ms}\n".encode() + hello + missed + now

    def _missed(self, after: Position, reached: Position, wants: Wants) -> bytes | None:
        """Return the events between two positions; None if there are too many, or for a position of another
        database.
        """
        if after > reached:
            return b"" if after <= self._tail() else None
        found = [event for event in self._events_after(after, limit=BACKLOG + 1) if event.position <= reached]
        if len(found) > BACKLOG:
            return None
        return self._round(reached, found).told(wants, after)

    async def _poll(self) -> None:
        """Read events as long as any page is open."""
        visibility.restrict(self._organisations)
        try:
            while self._listeners or self._joining:
                await asyncio.sleep(await self._turn())
        except Exception:
            log.exception("live_feed_broke")
            self._end_all()  # they come back, and it begins anew

    async def _turn(self) -> float:
        """Read a round and hand it out; return how long to wait until the next."""
        try:
            await self._check_sessions()
            found = await self._round_in_time()
        except FleetError as error:  # the database is away; pages say so
            log.warning("live_feed_waits", error=error.message)
            self._tell_away(error.message)
            return _AWAY_S
        self._position = found.end
        self._shown = (found.frame or self._shown[0], found.cards or self._shown[1])
        self._located.set()
        self._send(lambda listener: found.told(listener.wants, listener.floor))
        if clock.monotonic_s() - self._fresh_at_s >= _MADE_EVERY_S:
            self._tell_fresh(self._ages())
        return 0.0 if len(found.events) == _READ else POLL_S

    async def _round_in_time(self) -> Round:
        """Return the next round. Raises Unavailable when reading takes long; the next turn goes on waiting for it."""
        if self._reading is None:
            self._reading = asyncio.ensure_future(self._in_thread(self._read))
        await asyncio.wait({self._reading}, timeout=_SLOW_S)
        if not self._reading.done():
            raise Unavailable("The database does not answer.")
        reading, self._reading = self._reading, None
        return reading.result()

    def _tell_fresh(self, ages: Mapping[str, float], away: str = "") -> None:
        """Send how old the figures are, and why they cannot be read, if that is so."""
        told = {"ages": {name: round(age_s, 1) for name, age_s in ages.items()}, "away": away}
        message = said("fresh", json.dumps(told))
        self._send(lambda _: message)
        self._fresh_at_s = clock.monotonic_s()

    def _tell_away(self, why: str) -> None:
        frame = self._away(why)
        self._frame.forget()
        if frame != self._shown[0]:
            self._shown = (frame, self._shown[1])
            self._send(lambda listener: parts_of(listener.wants, frame, ""))
        self._tell_fresh({}, why)

    def _read(self) -> Round:
        """Read the events since the last round."""
        tail = self._tail()
        if self._position is None:
            return Round(tail)
        found = self._events_after(self._position, limit=_READ)
        # All settled events up to `tail` have been read, unless the batch was full: the position advances even without
        # events.
        reached = [found[-1].position] if found else []
        end = reached[0] if len(found) == _READ else max(tail, self._position, *reached)
        looked_at = any(listener.wants.cards for listener in list(self._listeners))
        cards = self._cards.fresh() if looked_at else ""
        return self._round(end, found, self._frame.fresh(), cards)

    def _round(self, end: Position, found: Sequence[Event], frame: str = "", cards: str = "") -> Round:
        lines = self._feed.lines(found) if self._feed is not None else ()
        return Round(end, found, lines, frame, cards, self._feed)

    def _tail(self) -> Position:
        """Return the position after which everything is yet to come."""
        with self._deps.db.transaction() as tx:
            return events.tail_position(tx)

    def _events_after(self, position: Position, *, limit: int) -> list[Event]:
        with self._deps.db.transaction() as tx:
            return events.read_after(tx, position, limit=limit)

    def _send(self, chunk_for: Callable[[StreamListener], bytes]) -> None:
        for listener in list(self._listeners):
            chunk = chunk_for(listener)
            if not chunk:
                continue
            try:
                listener.rounds.put_nowait(chunk)
            except asyncio.QueueFull:
                self._drop(listener)

    async def _check_sessions(self) -> None:
        """End the streams of sessions that ended, or whose permissions changed: a stream outlives the request that
        opened it, and a token outlives its user's role.
        """
        now_s = clock.monotonic_s()
        if now_s - self._checked_at_s < SESSIONS_S:
            return
        self._checked_at_s = now_s
        asked = {listener.key_id for listener in self._listeners}
        try:
            stand = await asyncio.wait_for(self._in_thread(lambda: self._standing(asked)), _SLOW_S)
        except TimeoutError:
            raise Unavailable("The database does not answer.") from None
        for listener in [one for one in self._listeners if one.key_id in asked]:
            if not _may_go_on(listener, stand.get(listener.key_id)):
                self._end(listener)

    def _standing(self, ids: Collection[uuid.UUID]) -> Mapping[uuid.UUID, Principal]:
        with visibility.restricted(None), self._deps.db.transaction() as tx:
            return authenticate.standing(tx, ids)

    def _end_all(self) -> None:
        for listener in list(self._listeners):
            self._end(listener)

    def _end(self, listener: StreamListener) -> None:
        self.leave(listener)
        try:
            listener.rounds.put_nowait(None)
        except asyncio.QueueFull:
            self._drop(listener)

    def _drop(self, listener: StreamListener) -> None:
        self.leave(listener)
        listener.on_drop()

    async def _in_thread(self, call: Callable[[], T]) -> T:
        def restricted() -> T:
            with visibility.restricted(self._organisations):  # a thread has no context of its own
                return call()

        return await asyncio.get_running_loop().run_in_executor(self._threads, restricted)


class Hubs:
    """The hubs of one process: one for all who see the whole fleet, one for each set of organisations of others.

    No hub reads what its listeners may not see. Lives on the event loop.
    """

    def __init__(self, make: Callable[[], Hub]) -> None:
        self._make = make
        self._hubs: dict[Organisations | None, Hub] = {}
        self._closed = False

    def of(self, organisations: Organisations | None) -> Hub:
        """Return the hub of those whose role holds in these organisations; None: everywhere."""
        if organisations not in self._hubs:
            with visibility.restricted(organisations):
                self._hubs[organisations] = self._make()
            if self._closed:
                self._hubs[organisations].close()
        return self._hubs[organisations]

    def close(self) -> None:
        """End all streams; a server cannot stop while a page listens. Call on the event loop."""
        self._closed = True
        for hub in self._hubs.values():
            hub.close()
