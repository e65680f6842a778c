"""Events as lines of the feed: the same HTML in a page and in the stream. Called by `hub` and by pages.

All text comes from outside: Jinja escapes it, and none of it becomes a link.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator

from fleet.core.events import Event, Position
from fleet.engine import registry
from fleet.engine.deps import Deps
from fleet.engine.events import event_text
from fleet.features.activity.agent_names import AgentNames
from fleet.web import links
from fleet.web.rendering import pages

_FIRST = ("posts", "comments", "likes", "drafts", "trouble", "people")


def families() -> tuple[str, ...]:
    """Return the filters of the feed: the families of the registered events."""
    found = {event.family for event in registry.current().events.values()} - {""}
    return (*(name for name in _FIRST if name in found), *sorted(found.difference(_FIRST)))


def _known(family: str) -> str:
    if family not in families():
        raise ValueError(f"no such family; choose one of {', '.join(families())}")
    return family


Family = Annotated[str, AfterValidator(_known)]
"""A filter of the feed, as pages receive it."""


@dataclass(frozen=True, slots=True)
class ActivityLine:
    """One line of the feed. `family` may be empty; quiet lines are shown only on the page of all activity."""

    id: int
    at: datetime
    subject: str
    kind: str
    family: str
    sign: str
    tone: str
    name: str
    username: str | None
    words: str
    agent_id: str
    job_id: str
    quiet: bool
    url: str | None = None
    """The address of what was published."""
    picture: str | None = None
    alt_text: str = ""


class Scribe:
    """Turns events into lines, with the names of their agents."""

    def __init__(self, deps: Deps) -> None:
        self._names = AgentNames(deps)
        self._lock = threading.Lock()

    def lines(self, events: Sequence[Event]) -> list[tuple[Position, ActivityLine]]:
        """Return events as lines with their positions, without hidden events. Raises Unavailable."""
        with self._lock:
            self._names.load(events)
            return [(event.position, line) for event in events if (line := self._line(event)) is not None]

    def html(self, line: ActivityLine) -> str:
        """Return a line as pages show it."""
        return str(_template().line(line))

    def more(self, number: int) -> str:
        """Return the line that stands for `number` older ones."""
        return str(_template().more(number))

    def _line(self, event: Event) -> ActivityLine | None:
        words = self._names.describe(event)
        if words is None:
            return None
        found = event_text.type_of(event)
        kind = found.kind if found else ""
        return ActivityLine(
            id=event.position.id, at=event.occurred_at, subject=event.subject, kind=kind, family=family(event),
            sign=found.icon if found else "dot", tone=_tone(words.tone, kind), name=self._names.name(event)[:60],
            username=self._names.username(event), words=words.words, agent_id=str(event.agent_id or ""),
            job_id=str(event.job_id or ""), quiet=event_text.is_quiet(event),
            url=self._names.url(event), picture=links.picture_of(event.payload),
            alt_text=event_text.clip(event.payload.get("alt_text"), 300),
        )  # fmt: skip


def _template() -> Any:
    return pages.get_template("_feed.html").module


def family(event: Event) -> str:
    """Return the family of an event; empty for none."""
    found = event_text.type_of(event)
    return found.family if found else ""


def subjects_of(family: str) -> tuple[str, ...]:
    """Return the subjects of the events of a family; none for no family, and for an unknown one."""
    found = registry.current().events.values()
    return tuple(sorted({event.subject for event in found if family and event.family == family}))


def _tone(style: str, kind: str) -> str:
    """Return the CSS class for a Rich style. A job that succeeded has the colour of its kind."""
    if kind:
        return f"k-{kind}"
    if "red" in style:
        return "bad"
    if "yellow" in style or "magenta" in style:
        return "warn"
    return "good" if "green" in style else ""
