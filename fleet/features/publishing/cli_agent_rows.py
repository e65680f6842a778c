"""Rows of `fleet agents show` about the latest posts of an agent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.text import Text

from fleet.cli.frame import render

_CHARS = 60


def rows(agent: Mapping[str, Any]) -> list[tuple[str, object]]:
    """Return the latest posts, one a row, each a link to its page."""
    found = (agent.get("publishing") or {}).get("latest", [])
    return [("Latest posts" if not number else "", _post(one)) for number, one in enumerate(found)]


def _post(one: Mapping[str, Any]) -> Text:
    counts = f" ({one['likes']} likes, {one['comments']} comments)" if one["likes"] is not None else ""
    said = render.linked(render.clip(one["text"], _CHARS) or "(no words)", one["url"])
    return said.append(f" {render.when(one['published_at'])}{counts}", style="dim")
