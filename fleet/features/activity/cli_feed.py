"""One line of the live feed for one event: time, agent, words. Used by `up` and `activity`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from rich.text import Text

from fleet.cli.frame import render
from fleet.engine import registry


def line(event: Mapping[str, Any], *, verbose: bool) -> Text | None:
    """Return an event of the API as one line; None for a hidden event, and for a quiet one unless `verbose`."""
    found = registry.current().event(event["subject"], str(event["payload"].get("kind") or ""))
    if event["words"] is None or (found is not None and found.is_quiet and not verbose):
        return None
    sign, tone = (found.sign, found.tone) if found else ("", "dim")
    occurred_at = datetime.fromisoformat(str(event["occurred_at"]))
    text = Text(f"{occurred_at.astimezone():%H:%M:%S} ", style="bright_black")
    if name := event["name"]:
        emoji = event["emoji"]
        text.append(f"{render.safe(emoji)} " if emoji else "")
        text.append(f"{render.clip(name, 60)} ", style="bold" if not tone.startswith("dim") else "dim")
    return text.append_text(render.linked(f"{sign} {render.safe(event['words'])}".lstrip(), event.get("url"), tone))
