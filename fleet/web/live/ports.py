"""Interfaces by which features add to the live stream: lines of the feed, and the cards of the first page.

Registered as `Feature.live_feed` and `Feature.live_cards`; `app` builds each once with the connections of its process.
The frame works without either.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from fleet.core.events import Event, Position


class FeedLine(Protocol):
    """One line of the feed. The stream sends it to users who may see its subject."""

    @property
    def subject(self) -> str:
        """The subject of its event."""


class Feed(Protocol):
    """Turns events into lines, and lines into HTML. Any thread may call it."""

    def lines(self, events: Sequence[Event]) -> Sequence[tuple[Position, FeedLine]]:
        """Return the events that have a line, with their positions. Raises Unavailable."""

    def html(self, line: Any) -> str:
        """Return one of these lines as HTML."""

    def more(self, number: int) -> str:
        """Return the line that stands for `number` older ones."""


class Cards(Protocol):
    """The cards of the first page. Any thread may call it."""

    def html(self) -> str:
        """Return the cards. Raises Unavailable."""

    def ages(self) -> Mapping[str, float]:
        """Return how old its parts are, in seconds, by the name that elements have in `data-age`."""

    def forget(self) -> None:
        """Read again at the next request, after a change."""
