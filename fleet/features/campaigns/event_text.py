"""Texts of events of this feature, for feeds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_WORDS = {
    "created": "has a new item for {network}", "moved": "has an item for {network} at another time",
    "scheduled": "has an item for {network} scheduled for {at}", "published": "has published an item on {network}",
    "part": "has published {why} of an item on {network}", "failed": "could not finish an item for {network}: {why}",
    "resumed": "goes on with an item for {network}",
    "refused": "has an item for {network} that must not be published: {why}",
    "doubted": "has an item for {network} that people decide about: {why}",
    "accepted": "has an item for {network} approved by {by}", "declined": "has an item for {network} rejected: {why}",
    "cancelled": "has an item for {network} cancelled by {by}", "edited": "has an item for {network} edited by {by}",
}  # fmt: skip


def changed(payload: Mapping[str, Any], event: Any) -> str | None:
    """Return what happened to an item; None for a stage that nobody waits for."""
    words = _WORDS.get(str(event.subject).rpartition(".")[2])
    if words is None:
        return None
    values = {name: str(payload.get(name) or "") for name in ("network", "by", "why", "at")}
    return words.format(**{**values, "at": values["at"][:16].replace("T", " ") + " UTC"})
