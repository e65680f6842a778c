"""The topic of a text among an agent's interests: the coarse names under which preferences are learned.

Called by `fleet.llm.offline.scanning` and by `fleet.engine` when it describes a batch or a draft. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable

OTHER = "other"
LONGEST_TOPIC_CHARS = 60
_LEAST_LETTERS = 4


def topic_of(words: str, interests: Iterable[str]) -> str:
    """Return the interest that shares most words with a text, the first of equals; `other` when none shares any."""
    said = words.casefold()
    best, most = OTHER, 0
    for interest in interests:
        shared = sum(word in said for word in interest.casefold().split() if len(word) >= _LEAST_LETTERS)
        if shared > most:
            best, most = interest.casefold()[:LONGEST_TOPIC_CHARS], shared
    return best
