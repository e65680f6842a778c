"""One round of the stream: the events that were read together, rendered once for all listeners.

Called by `hub`. Pure except for the templates. Ids are positions (`txid-id`), so a page continues where its stream was
cut off.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from dataclasses import dataclass

from fleet.core.events import Event, Position
from fleet.core.subjects import matches
from fleet.engine.events import positions
from fleet.web.live.ports import Feed, FeedLine

MOST_LINES = 250
_MOST_AGENTS = 100


@dataclass(frozen=True, slots=True)
class Wants:
    """The optional parts of a stream that a listener requested."""

    feed: bool = False
    cards: bool = False
    but: tuple[str, ...] = ()
    """The subjects that this listener may not hear of."""

    def hears_of(self, subject: str) -> bool:
        """Return whether this listener gets events of a subject."""
        return not any(matches(subject, one) for one in self.but)


@dataclass(frozen=True)
class Round:
    """The events after one position up to another, and their lines as `feed` made them; `feed` is None where no feature
    brings one. `frame` and `cards` are HTML if they have changed, else empty."""

    end: Position
    events: Sequence[Event] = ()
    lines: Sequence[tuple[Position, FeedLine]] = ()
    frame: str = ""
    cards: str = ""
    feed: Feed | None = None

    @functools.cached_property
    def _told(self) -> dict[Wants, bytes]:
        return {}

    def told(self, wants: Wants, floor: Position) -> bytes:
        """Return the messages for a listener that has everything up to `floor`; empty if that is everything."""
        if floor >= self.end:
            return self._parts(wants)
        if self.events and floor >= self.events[0].position:
            return self._write(wants, floor) + self._parts(wants)
        if wants not in self._told:
            self._told[wants] = self._write(wants, floor) + self._parts(wants)
        return self._told[wants]

    def _parts(self, wants: Wants) -> bytes:
        return parts_of(wants, self.frame, self.cards)

    def _write(self, wants: Wants, floor: Position) -> bytes:
        fresh = [event for event in self.events if event.position > floor and wants.hears_of(event.subject)]
        if not fresh:
            return b""
        told = self._lines_for(wants, floor) if wants.feed else b""
        return told + said("changed", _changed(fresh), self.end)

    def _lines_for(self, wants: Wants, floor: Position) -> bytes:
        """Return the lines as messages; of a flood only the newest, and how many older ones there were."""
        told = [part for at, subject, part in self._written if at > floor and wants.hears_of(subject)]
        before = [at for at, one in self.lines[:-MOST_LINES] if at > floor and wants.hears_of(one.subject)]
        if before and self.feed is not None:
            told.insert(0, said("activity", self.feed.more(len(before)), before[-1]))
        return b"".join(told)

    @functools.cached_property
    def _written(self) -> list[tuple[Position, str, bytes]]:
        """The newest lines as events."""
        if self.feed is None:
            return []
        return [(at, one.subject, said("activity", self.feed.html(one), at)) for at, one in self.lines[-MOST_LINES:]]


def parts_of(wants: Wants, frame: str, cards: str) -> bytes:
    """Return the HTML parts as messages; without a position, as they belong to no event."""
    told = said("frame", frame) if frame else b""
    return told + said("cards", cards) if wants.cards and cards else told


def said(name: str, data: str, at: Position | None = None) -> bytes:
    """Return one server-sent event."""
    where = f"id: {positions.written(at)}\n" if at is not None else ""
    lines = "\n".join(f"data: {line}" for line in data.splitlines()) or "data:"
    return f"{where}event: {name}\n{lines}\n\n".encode()


def _changed(events: Sequence[Event]) -> str:
    """Return the agents, jobs and so on that the events concern; `agents` null for too many to look for."""
    agents = sorted({str(event.agent_id) for event in events if event.agent_id is not None})
    return json.dumps(
        {
            "subjects": sorted({event.subject for event in events}),
            "kinds": sorted({str(kind) for event in events if isinstance(kind := event.payload.get("kind"), str)})[:50],
            "agents": agents if len(agents) <= _MOST_AGENTS else None,
        }
    )
