"""Describe events as text, the same for terminals and pages. Features register the templates as `EventType`s.

Every value of a payload comes from outside: `clip` cleans it. The subject and the kind choose the template, never a
text in the payload. The functions below `describe` are for the `describe` functions of features.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from fleet.core import text
from fleet.core.events import Event
from fleet.engine import registry
from fleet.engine.registry import EventType

Payload = Mapping[str, Any]

_QUOTE_CHARS = 160
_REASON_CHARS = 140
_VALUE_CHARS = 60
_READ_TIMES = 20


@dataclass(frozen=True, slots=True)
class Description:
    """An event as text. `sign` may be empty; `tone` is a Rich style."""

    sign: str
    words: str
    tone: str


def describe(event: Event) -> Description | None:
    """Describe an event without the agent that it is about; None for an event that feeds leave out."""
    found = type_of(event)
    if found is None or not (found.words or found.describe):
        return _generic(event)
    try:
        words = _words(found, event)
    except (AttributeError, TypeError, ValueError):  # written by another version; one odd event must not break a feed
        return _generic(event)
    return None if words is None else Description(found.sign, words, found.tone)


def type_of(event: Event) -> EventType | None:
    """Return the registered type of an event; None for a subject that no feature of this process registers."""
    return registry.current().event(event.subject, str(event.payload.get("kind") or ""))


def is_quiet(event: Event) -> bool:
    """Return whether feeds show an event only to readers who ask for all events."""
    found = type_of(event)
    return found is not None and found.is_quiet


def _words(found: EventType, event: Event) -> str | None:
    if found.describe is not None:
        words: str | None = registry.load(found.describe)(event.payload, event)
        return words
    return found.words.format_map(_Values(event)) + reason(event.payload, *found.reason)


def _generic(event: Event) -> Description:
    values = ", ".join(f"{key} {value}" for key, value in event.payload.items() if key not in ("agent", "persona"))
    return Description("", f"{clip(event.subject, 60)} {clip(values, _REASON_CHARS)}".rstrip(), "dim")


def clip(value: object, limit: int) -> str:
    """Return the first `limit` characters of a value, cleaned. Only a multiple of that is read, so it stays quick."""
    return "" if value is None else text.cut(text.clean(str(value)[: _READ_TIMES * limit]), limit)


def quoted(value: object) -> str:
    """Return the beginning of a text in quotation marks."""
    return f"“{clip(value, _QUOTE_CHARS)}”"


def quote(payload: Payload) -> str:
    """Return the payload's `text` in quotation marks after a colon; empty without one."""
    return f": {quoted(payload['text'])}" if payload.get("text") else ""


def noun(payload: Payload) -> str:
    """Return the kind of job with its article: "a post"."""
    handler = registry.current().jobs.get(str(payload.get("kind")))
    return handler.noun if handler else f"a {clip(payload.get('kind') or 'job', 20)}"


def reason(payload: Payload, *names: str) -> str:
    """Return the first of these values that is not empty, after a colon; empty if all are."""
    found = next((payload[name] for name in names if payload.get(name)), None)
    return f": {clip(found, _REASON_CHARS)}" if found else ""


def scope(payload: Payload) -> str:
    """Return the scope of a pause or a budget: "the fleet", "persona data_viz"."""
    name = clip(payload.get("scope"), 20)
    # The key of an account or an organisation is its id.
    key = payload.get("account") or payload.get("organisation_name") or payload.get("key")
    return "the fleet" if name == "fleet" else f"{name} {clip(key, 60)}"


def actor(payload: Payload) -> str:
    """Return the user or program that did it."""
    return clip(payload.get("by") or "somebody", 60)


def author(payload: Payload) -> str:
    """Return the author of the post that a job was about."""
    return clip(payload.get("to") or "somebody", 60)


def duration(payload: Payload, event: Event) -> str:
    """Return how long something lasts, " for 3 h", by the payload's `until`; empty without an end."""
    try:
        ends = datetime.fromisoformat(str(payload["until"]))
    except (KeyError, ValueError):
        return ""
    left = max(ends - event.occurred_at, timedelta())
    return f" for {text.span(round(left.total_seconds()))}"


_NAMES: Mapping[str, Callable[[Payload, Event], str]] = {
    "by": lambda payload, _: actor(payload),
    "to": lambda payload, _: author(payload),
    "noun": lambda payload, _: noun(payload),
    "quote": lambda payload, _: quote(payload),
    "scope": lambda payload, _: scope(payload),
    "duration": duration,
    "number": lambda payload, _: clip(payload.get("number", "some"), 12),
}
"""The names that templates use besides the values of the payload."""


class _Values:
    """The values of a template: those of `_NAMES`, and the payload's."""

    def __init__(self, event: Event) -> None:
        self._event = event

    def __getitem__(self, name: str) -> object:
        found = _NAMES.get(name)
        return _Value(self._event.payload.get(name)) if found is None else found(self._event.payload, self._event)


@dataclass(frozen=True, slots=True)
class _Value:
    """A value of a payload; its format is the number of characters after which it is cut."""

    value: object

    def __format__(self, limit: str) -> str:
        return clip(self.value, int(limit or _VALUE_CHARS))
