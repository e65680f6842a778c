"""Subjects of events and patterns of subjects: `job.done`, `job.*`, `*`. Pure.

Which subjects exist is registered by features: `fleet.engine.registry.Registry.subjects`.
"""

from __future__ import annotations

import re

LONGEST = 80
_PATTERN = re.compile(r"\*|[a-z0-9_]+(?:\.[a-z0-9_]+)*(?:\.\*)?", re.A)


def matches(subject: str, pattern: str) -> bool:
    """Say whether a subject matches a pattern; `job.*` matches all subjects that begin with `job.`."""
    return subject.startswith(pattern[:-1]) if pattern.endswith("*") else subject == pattern


def is_pattern(text: str) -> bool:
    """Say whether a text is a valid pattern: words joined by dots, with a star alone or as the last word."""
    return len(text) <= LONGEST and _PATTERN.fullmatch(text) is not None
