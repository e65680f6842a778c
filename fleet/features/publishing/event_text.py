"""Words of the feed for posts and other actions on a surface."""

from __future__ import annotations

from fleet.core.events import Event
from fleet.engine.events.event_text import Payload, author, clip, noun, quote


def posted(payload: Payload, _: Event) -> str:
    """Describe a post."""
    return f"posted{quote(payload).removeprefix(':')}"


def browsed(payload: Payload, _: Event) -> str:
    """Describe browsing of a user's posts, or of the newest posts."""
    return f"looked at what {author(payload)} made" if payload.get("to") else "looked around"


def refused(payload: Payload, _: Event) -> str:
    """Describe a text that the review refused."""
    return f"was kept from publishing a draft of {noun(payload)} ({_rules(payload)})"


def doubtful(payload: Payload, _: Event) -> str:
    """Describe a text that the review sends to a person."""
    return f"needs approval for {noun(payload)} ({_rules(payload)})"


def _rules(payload: Payload) -> str:
    rules = payload.get("rules")
    return clip(", ".join(map(str, rules)) if isinstance(rules, list) else "a rule", 80)
