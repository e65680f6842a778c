"""Words of the feed for jobs."""

from __future__ import annotations

from fleet.core.events import Event
from fleet.engine.events.event_text import Payload, clip, noun, reason


def dead(payload: Payload, _: Event) -> str:
    """Describe a job that became a dead letter."""
    code = f" ({clip(payload['reason'], 30)})" if payload.get("reason") else ""
    return f"gave up {noun(payload)}{code}{reason(payload, 'why')}"
