"""Words of the feed for pauses."""

from __future__ import annotations

from fleet.core.events import Event
from fleet.engine.events.event_text import Payload, actor, duration, reason, scope


def paused(payload: Payload, event: Event) -> str:
    """Describe a pause. The feed puts the name of a paused agent before these words."""
    ending = f"{duration(payload, event)} by {actor(payload)}{reason(payload, 'reason')}"
    return f"is paused{ending}" if payload.get("agent") else f"{scope(payload)} is paused{ending}"


def resumed(payload: Payload, _: Event) -> str:
    """Describe the end of a pause."""
    subject = "" if payload.get("agent") else f"{scope(payload)} "
    return f"{subject}is resumed, by {actor(payload)}"
