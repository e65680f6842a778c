"""Topics of notices to users. Imports nothing: the command line lists them, too."""

from __future__ import annotations

from enum import StrEnum


class Topic(StrEnum):
    """What a user can choose to be told."""

    REQUESTS = "requests"
    FAILURES = "failures"
    ALARMS = "alarms"
    DIGEST = "digest"
    REPORTS = "reports"
