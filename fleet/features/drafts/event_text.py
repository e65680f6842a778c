"""Words of the feed for drafts and scans of a feed."""

from __future__ import annotations

from fleet.core.events import Event
from fleet.engine.events.event_text import Payload, actor, clip, quoted, reason

_DECISIONS = {
    "approved": "approved",
    "rejected": "rejected",
    "expired": "left to expire",
    "withdrawn": "taken back",
    "sent_back": "sent back",
}


def proposed(payload: Payload, event: Event) -> str:
    """Describe a new draft."""
    words = payload.get("content") or payload.get("message") or payload.get("type") or ""
    return f"proposes a {event.subject.split('.')[2]}: {quoted(words)}"


def decided(payload: Payload, event: Event) -> str:
    """Describe the decision about a draft."""
    word = _DECISIONS[event.subject.rpartition(".")[2]]
    by = f" by {actor(payload)}" if payload.get("by") else ""
    return f"its {clip(payload.get('kind'), 12)} was {word}{by}{reason(payload, 'reason', 'instructions')}"


def scanned(payload: Payload, _: Event) -> str:
    """Describe a scan by the number of posts: its payload holds the whole feed."""
    return f"found {len(payload.get('feedData', {}).get('posts', []))} new posts"


def answered(payload: Payload, _: Event) -> str:
    """Describe the answer of a model."""
    return f"has an answer from {clip(payload.get('metadata', {}).get('modelName'), 40)}"


def digested(payload: Payload, _: Event) -> str | None:
    """Describe the end of a scan; hide its beginning, which `agent.feed.scanned` describes."""
    status = clip(payload.get("status"), 12)
    return None if status == "processing" else f"{status}{reason(payload, 'error')}"
