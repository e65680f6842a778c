"""Words of the feed for agents."""

from __future__ import annotations

from fleet.core.events import Event
from fleet.engine.events.event_text import Payload, actor, clip


def triggered(payload: Payload, _: Event) -> str:
    """Describe a request for a tick, with the action if it names one."""
    action = f" to {clip(payload['action'], 20)}" if payload.get("action") else ""
    return f"was asked{action} by {actor(payload)}"
