"""Subjects of events, and patterns of them: `job.done`, `job.*`, `*`. Pure; used by whoever listens to events.

`KNOWN` are those that the fleet emits, so that a misspelt one can be told; a test compares it with the source.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches

from fleet.core.errors import InvalidInput

LONGEST = 80
_PATTERN = re.compile(r"\*|[a-z0-9_]+(?:\.[a-z0-9_]+)*(?:\.\*)?", re.A)
_WORDS = """
agent: created updated deleted started paused resumed stopped failed triggered thought tick.skipped
agent.feed: scanned answer.received digested
agent.draft: post.created comment.created reaction.created connection.request.created approved rejected expired
    withdrawn revised sent_back
agent.lesson: learned undone
approval: requested voted amended escalated reminder approved rejected expired withdrawn
budget: set allowed removed spent
content: refused doubtful
control: kill_switch.thrown kill_switch.lifted paused resumed
event: parked replayed
hook: created changed enabled disabled rotated removed received
hook.source: created rotated enabled disabled removed
job: done dead skipped cancelled retried retrying held unknown recovered replayed discarded fenced duplicate
media: kept refused failed
picture: replaced
secret: set removed resealed
sweep: ticks_released ticks_skipped jobs_released jobs_ended ticks_rung jobs_rung
tick: duplicate
"""
KNOWN = frozenset(
    f"{family}.{word}"
    for line in _WORDS.replace("\n    ", " ").strip().splitlines()
    for family, _, words in [line.partition(": ")]
    for word in words.split()
)


def matches(subject: str, wanted: str) -> bool:
    """Say whether a subject is the wanted one; `job.*` stands for all that begin with `job.`."""
    return subject.startswith(wanted[:-1]) if wanted.endswith("*") else subject == wanted


def refuse_unknown(wanted: Iterable[str]) -> None:
    """Raise InvalidInput for a subject that no event ever has: who waits for a misspelt one would wait for ever."""
    for name in wanted:
        if not any(matches(known, name) for known in KNOWN):
            near = get_close_matches(name, sorted(KNOWN))
            families = sorted({f"{one.partition('.')[0]}.*" for one in KNOWN})
            other = f"Write one such as job.done, or a family: {', '.join(families)}."
            fix = f"Did you mean {' or '.join(near)}?" if near else other
            raise InvalidInput(f"No event has the subject {name!r}.", fix=fix)


def is_pattern(text: str) -> bool:
    """Say whether a text is a pattern that could match: words joined by dots, with a star alone or as the last."""
    return len(text) <= LONGEST and _PATTERN.fullmatch(text) is not None
