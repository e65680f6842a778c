"""One line of the live feed for one event: when, who, what. Used by `up` and `activity`."""

from __future__ import annotations

from rich.text import Text

from fleet.cli.frame import render
from fleet.core.events import Event
from fleet.features.activity import event_text
from fleet.features.activity.agent_names import Cast


def line(event: Event, cast: Cast, *, verbose: bool) -> Text | None:
    """Return an event as one line; None for what is told only to those who want to know more."""
    told = None if event.subject in event_text.QUIET and not verbose else cast.tell(event)
    if told is None:
        return None
    text = Text(f"{event.occurred_at.astimezone():%H:%M:%S} ", style="bright_black")
    if name := cast.name(event):
        emoji = cast.emoji(event)
        text.append(f"{render.safe(emoji)} " if emoji else "")
        text.append(f"{render.clip(name, 60)} ", style="bold" if not told.tone.startswith("dim") else "dim")
    return text.append(f"{told.sign} {told.words}".lstrip(), style=told.tone)
