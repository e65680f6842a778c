"""One line of the live feed for one event: time, agent, words. Used by `up` and `activity`."""

from __future__ import annotations

from rich.text import Text

from fleet.cli.frame import render
from fleet.core.events import Event
from fleet.engine.events import event_text
from fleet.features.activity.agent_names import AgentNames


def line(event: Event, names: AgentNames, *, verbose: bool) -> Text | None:
    """Return an event as one line; None for a hidden event, and for a quiet one unless `verbose`."""
    found = None if event_text.is_quiet(event) and not verbose else names.describe(event)
    if found is None:
        return None
    text = Text(f"{event.occurred_at.astimezone():%H:%M:%S} ", style="bright_black")
    if name := names.name(event):
        emoji = names.emoji(event)
        text.append(f"{render.safe(emoji)} " if emoji else "")
        text.append(f"{render.clip(name, 60)} ", style="bold" if not found.tone.startswith("dim") else "dim")
    return text.append(f"{found.sign} {found.words}".lstrip(), style=found.tone)
