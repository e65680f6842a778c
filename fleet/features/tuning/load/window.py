"""A window of time over which load is measured."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class LoadWindow:
    """From `since` until before `until`."""

    since: datetime
    until: datetime

    @property
    def length(self) -> timedelta:
        """Its length."""
        return self.until - self.since

    @property
    def values(self) -> dict[str, datetime]:
        """The parameters of a query."""
        return {"since": self.since, "until": self.until}
