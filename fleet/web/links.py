"""Addresses of pages to which several features link."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from fleet.engine.agents.models import AgentRow

_PAGES_OF_AGENTS = frozenset({"new", "bulk"})


def agent_address(agent: AgentRow) -> str:
    """Return the address of an agent's page: by username, or by id where a page has the same name."""
    return f"/agents/{agent.id if agent.username in _PAGES_OF_AGENTS else agent.username}"


def jobs_between(start: datetime, end: datetime, *, state: str = "", time: str = "", kind: str = "") -> str:
    """Return the address of the jobs that ended in a span of time, or whose other `time` lies in it."""
    given = {"state": state, "kind": kind, "time": time, "start": _address(start), "end": _address(end)}
    return f"/jobs?{urlencode({name: value for name, value in given.items() if value}, safe=':')}"


def _address(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def span_words(start: datetime, end: datetime) -> str:
    """Return a span of time in words: a day of UTC, or from when until when."""
    if end - start == timedelta(days=1) and start.hour == start.minute == 0:
        return f"{start:%Y-%m-%d} UTC"
    until = f"{end:%H:%M}" if end - start < timedelta(days=1) else f"{end:%Y-%m-%d %H:%M}"
    return f"{start:%Y-%m-%d %H:%M} to {until} UTC"
