"""Words of the feed for requests for approval."""

from __future__ import annotations

from fleet.core.events import Event
from fleet.engine.events.event_text import Payload, actor, clip, quoted, reason

_VERBS = {
    "requested": "asks for approval",
    "voted": "was judged",
    "amended": "request edited",
    "escalated": "request escalated",
    "reminder": "request expires soon",
    "approved": "request approved",
    "rejected": "request rejected",
    "expired": "request expired undecided",
    "withdrawn": "request withdrawn",
}


def describe(payload: Payload, event: Event) -> str:
    """Describe an event of a request."""
    verb = _VERBS[event.subject.rpartition(".")[2]]
    by = f" by {actor(payload)}" if payload.get("by") else ""
    what = f"{clip(payload.get('action'), 30)} {clip(payload.get('resource'), 30)}"
    summary = f" {quoted(payload['summary'])}" if payload.get("summary") else ""
    return f"{verb}{by}: {what}{summary}{reason(payload, 'reason')}"
