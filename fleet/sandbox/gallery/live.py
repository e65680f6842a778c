"""The live feed: changes sent to open pages as server-sent events, without a gap over reconnects and restarts.

One poller per process reads the changes table while a page listens, so several galleries may share a database. A
stream that falls behind is closed; its page reconnects with its last position.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import sqlalchemy as sa
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from fleet.core import logs
from fleet.sandbox.gallery.errors import ApiError
from fleet.sandbox.gallery.store import changes
from fleet.sandbox.gallery.store.changes import ChangePosition, GalleryChange
from fleet.sandbox.gallery.store.database import Storage

_POLL_S = 0.4
_HEARTBEAT_S = 15.0
_QUEUE = 1000
_BACKLOG = 500
_PRUNE_EVERY = 9000  # polls, about an hour

log = logs.get(__name__)


@dataclass(eq=False, slots=True)
class ChangeListener:
    """A page that listens."""

    address: str
    queue: asyncio.Queue[GalleryChange | None] = field(default_factory=lambda: asyncio.Queue(_QUEUE))


class ChangeHub:
    """Streams of one process. Lives on the event loop."""

    def __init__(self, storage: Storage, most: int = 500, most_of_one: int = 100) -> None:
        self._storage = storage
        self._most, self._most_of_one = most, most_of_one
        self._listeners: set[ChangeListener] = set()
        self._position: ChangePosition | None = None
        self._closed = False
        self._somebody = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start to poll. Call it on the event loop."""
        self._task = asyncio.create_task(self._poll())

    def close(self) -> None:
        """End all streams and the polling; a server cannot stop while a page listens."""
        self._closed = True
        for listener in self._listeners:
            _offer(listener, None)
        if self._task is not None:
            self._task.cancel()

    def join(self, address: str) -> ChangeListener:
        """Register a page. Raises ApiError 503 at the limit of streams, per address or in all.

        It counts the page at once, since several pages may ask at the same moment. `leave` must follow.
        """
        of_one = sum(one.address == address for one in self._listeners)
        if len(self._listeners) >= self._most or of_one >= self._most_of_one:
            raise ApiError(503, "TOO_MANY_STREAMS", "Too many pages listen; try again later.", retry_after_s=30)
        listener = ChangeListener(address)
        self._listeners.add(listener)
        self._somebody.set()
        return listener

    def leave(self, listener: ChangeListener) -> None:
        """Forget a page that is gone."""
        self._listeners.discard(listener)

    async def stream(
        self, listener: ChangeListener, last: ChangePosition | None, post_id: str | None
    ) -> AsyncIterator[bytes]:
        """Yield events after `last` (from now on when None), of one post or of all, until the hub is closed."""
        try:
            # Take the poller's position first: later changes reach the queue, earlier ones are read here.
            if self._position is None:
                start = await run_in_threadpool(self._tail)
                self._position = self._position or start
            seen, backlog = await run_in_threadpool(self._catch_up, last)
            yield f"retry: 2000\nid: {seen}\nevent: hello\ndata: {{}}\n\n".encode()
            for change in backlog:
                if _concerns(change, post_id):
                    yield _event(change)
                seen = change.position
            if len(backlog) == _BACKLOG:
                return  # there are more changes; the page reconnects for them
            async for fresh in self._following(listener):
                if fresh is None:
                    yield b": still here\n\n"
                elif fresh.position > seen and _concerns(fresh, post_id):
                    yield _event(fresh)
        except sa.exc.SQLAlchemyError as error:
            log.warning("live_stream_ended", error=_first_line(error))

    async def _following(self, listener: ChangeListener) -> AsyncIterator[GalleryChange | None]:
        """Yield changes as they arrive, None after a while without one."""
        while not self._closed:
            try:
                change = await asyncio.wait_for(listener.queue.get(), _HEARTBEAT_S)
            except TimeoutError:
                yield None
                continue
            if change is None:
                return
            yield change

    def _tail(self) -> ChangePosition:
        with self._storage.transaction() as tx:
            return changes.tail(tx)

    def _catch_up(self, last: ChangePosition | None) -> tuple[ChangePosition, list[GalleryChange]]:
        with self._storage.transaction() as tx:
            if last is None:
                return changes.tail(tx), []
            return last, changes.after(tx, last, _BACKLOG)

    async def _poll(self) -> None:
        polls = 0
        while not self._closed:
            await self._somebody.wait()
            if not self._listeners:
                self._somebody.clear()
                self._position = None
                continue
            try:
                await self._tell()
                if polls % _PRUNE_EVERY == 0:
                    await run_in_threadpool(self._prune)
            except sa.exc.SQLAlchemyError as error:  # the database is down; pages wait
                log.warning("live_feed_waits", error=_first_line(error))
            polls += 1
            await asyncio.sleep(_POLL_S)

    async def _tell(self) -> None:
        if self._position is None:
            return  # the first listener is about to set it
        found = await run_in_threadpool(self._after, self._position)
        if found:
            self._position = found[-1].position
        self._send(found)

    def _after(self, position: ChangePosition) -> list[GalleryChange]:
        with self._storage.transaction() as tx:
            return changes.after(tx, position, _BACKLOG)

    def _prune(self) -> None:
        with self._storage.transaction() as tx:
            changes.prune(tx)

    def _send(self, found: list[GalleryChange]) -> None:
        for listener in list(self._listeners):
            for change in found:
                if not _offer(listener, change):
                    break


class LiveStream(StreamingResponse):
    """The response that streams events to one page until either side ends."""

    def __init__(
        self, hub: ChangeHub, listener: ChangeListener, last: ChangePosition | None, post_id: str | None
    ) -> None:
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        super().__init__(hub.stream(listener, last, post_id), media_type="text/event-stream", headers=headers)
        self._hub, self._listener = hub, listener

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Stream, and always leave: the generator never runs if the page disconnects before its first event."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._hub.leave(self._listener)


def _offer(listener: ChangeListener, change: GalleryChange | None) -> bool:
    try:
        listener.queue.put_nowait(change)
    except asyncio.QueueFull:
        while not listener.queue.empty():
            listener.queue.get_nowait()
        listener.queue.put_nowait(None)
        return False
    return True


def _concerns(change: GalleryChange, post_id: str | None) -> bool:
    if post_id is None:
        return change.kind != "comment"
    return change.payload.get("post", change.payload.get("id")) == post_id


def _event(change: GalleryChange) -> bytes:
    return f"id: {change.position}\nevent: {change.kind}\ndata: {json.dumps(change.payload)}\n\n".encode()


def _first_line(error: Exception) -> str:
    return logs.mask(str(error).split("\n", maxsplit=1)[0])
