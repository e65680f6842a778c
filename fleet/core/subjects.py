"""Subjects of events, and patterns of them: `job.done`, `job.*`, `*`. Pure; used by whoever listens to events."""

from __future__ import annotations

import re

LONGEST = 80
_PATTERN = re.compile(r"\*|[a-z0-9_]+(?:\.[a-z0-9_]+)*(?:\.\*)?", re.A)


def matches(subject: str, wanted: str) -> bool:
    """Say whether a subject is the wanted one; `job.*` stands for all that begin with `job.`."""
    return subject.startswith(wanted[:-1]) if wanted.endswith("*") else subject == wanted


def is_pattern(text: str) -> bool:
    """Say whether a text is a pattern that could match: words joined by dots, with a star alone or as the last."""
    return len(text) <= LONGEST and _PATTERN.fullmatch(text) is not None
