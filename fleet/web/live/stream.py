"""GET /live: changes of the fleet as server-sent events, for every open page.

One poller a process reads the events while any page is open, renders each round once, and sends the same bytes to all.
A stream always ends with its session, with a page that cannot keep up, and when the server stops.
"""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import Response
from starlette.types import Receive, Scope, Send

from fleet.access import Permission, Principal
from fleet.engine.events import positions
from fleet.web.auth import needs, withheld
from fleet.web.live.hub import Hub, Hubs, StreamListener
from fleet.web.live.rounds import Wants

router = APIRouter()
_HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}  # a proxy that collects would break the stream


@router.get("/live")
async def live(request: Request, who: Annotated[Principal, needs(Permission.FLEET_VIEW)], *,
               after: Annotated[str, Query(max_length=45)] = "", feed: bool = False, cards: bool = False,
               last_event_id: Annotated[str, Header(max_length=45)] = "") -> Response:  # fmt: skip
    """Stream changes; with `feed` also each event as a line, with `cards` the overview's figures.

    Continues after `Last-Event-ID` or `after`; without either, from now. Raises InvalidInput, Unavailable when full.
    """
    hubs: Hubs = request.app.state.hubs
    hub = hubs.of(who.organisations)
    since = last_event_id or after
    position = positions.read(since) if since else None
    listener = await hub.join(who, position, Wants(feed, cards, withheld(who)))
    return EventStream(hub, listener)


class EventStream(Response):
    """A response that continues until its listener ends, or the page is gone."""

    media_type = "text/event-stream"

    def __init__(self, hub: Hub, listener: StreamListener) -> None:
        super().__init__(headers=_HEADERS)
        del self.headers["content-length"]
        self._hub, self._listener = hub, listener

    async def __call__(self, _: Scope, receive: Receive, send: Send) -> None:
        """Send until one side ends."""
        speaking = asyncio.ensure_future(self._speak(send))
        leaving = asyncio.ensure_future(_left(receive))
        self._listener.on_drop = speaking.cancel  # a listener that hangs in a send does not get the end
        try:
            await asyncio.wait({speaking, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if speaking.done() and not speaking.cancelled():
                speaking.result()
        finally:
            self._hub.leave(self._listener)
            speaking.cancel()
            leaving.cancel()

    async def _speak(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        while (chunk := await self._listener.next()) is not None:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
