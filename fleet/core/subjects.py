"""Subjects of events and patterns of subjects: `job.done`, `job.*`, `*`. Pure.

Which subjects exist is registered by features: `fleet.engine.registry.Registry.subjects`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from difflib import get_close_matches

from fleet.core.errors import InvalidInput

LONGEST = 80
_PATTERN = re.compile(r"\*|[a-z0-9_]+(?:\.[a-z0-9_]+)*(?:\.\*)?", re.A)


def matches(subject: str, pattern: str) -> bool:
    """Say whether a subject matches a pattern; `job.*` matches all subjects that begin with `job.`."""
    return subject.startswith(pattern[:-1]) if pattern.endswith("*") else subject == pattern


def is_pattern(text: str) -> bool:
    """Return whether a text is a valid pattern: words joined by dots, with a star alone or as the last word."""
    return len(text) <= LONGEST and _PATTERN.fullmatch(text) is not None


def refuse_unknown(patterns: Iterable[str], subjects: Collection[str]) -> None:
    """Raise InvalidInput for a pattern that none of the subjects matches: its reader would wait forever."""
    for pattern in patterns:
        if not any(matches(subject, pattern) for subject in subjects):
            near = get_close_matches(pattern, sorted(subjects))
            families = sorted({f"{subject.partition('.')[0]}.*" for subject in subjects})
            other = f"Write one such as job.done, or a family: {', '.join(families)}."
            fix = f"Did you mean {' or '.join(near)}?" if near else other
            raise InvalidInput(f"No event has the subject {pattern!r}.", fix=fix)
