"""Addresses to which several features link: pages of the dashboard, and what agents published on their surfaces."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from fleet.adapters.base import SurfaceObject
from fleet.adapters.social import PROVISION
from fleet.core.events import Event
from fleet.engine import registry
from fleet.engine.agents.models import AgentRow
from fleet.engine.deps import Deps
from fleet.engine.jobs.lists import ListedJob
from fleet.engine.jobs.models import JobRow
from fleet.engine.jobs.states import JobState

_KEY = re.compile("[0-9a-f]{2}/[0-9a-f]{64}[.](png|jpg|webp|gif)")

PUBLISHED = "job.done"
"""The subject of events about published things."""
_PAGES_OF_AGENTS = frozenset({"new", "bulk", "assign"})


def agent_address(agent: AgentRow) -> str:
    """Return the address of an agent's page: by username, or by id where a page has the same name."""
    return f"/agents/{agent.id if agent.username in _PAGES_OF_AGENTS else agent.username}"


def url_of_job(deps: Deps, job: JobRow | ListedJob, username: str | None) -> str | None:
    """Return the address of what a job published, at its surface; None for a job that published nothing."""
    if job.state != JobState.DONE or job.remote_id is None or username is None:
        return None
    action = registry.current().action_of(job.kind)
    return deps.links.of(
        job.account_id, SurfaceObject(action=action, id=job.remote_id, username=username, target=job.target)
    )


def url_of_event(deps: Deps, event: Event, username: str | None) -> str | None:
    """Return the address of what a job published, by its event; None for other events."""
    return url_of_payload(deps, event.payload, username) if event.subject == PUBLISHED else None


def url_of_payload(deps: Deps, said: Mapping[str, Any], username: str | None) -> str | None:
    """Return the address of what a job published, by the payload of its event; None if it published nothing."""
    if username is None or not said.get("remote_id"):
        return None
    try:
        account_id = uuid.UUID(str(said.get("account_id")))
    except ValueError:
        return None
    action, target = registry.current().action_of(str(said.get("kind"))), said.get("target")
    thing = SurfaceObject(
        action=action, id=str(said["remote_id"]), username=username, target=None if target is None else str(target)
    )
    return deps.links.of(account_id, thing)


def url_of_agent(deps: Deps, agent: AgentRow) -> str | None:
    """Return the address of an agent's profile at the system of its main account; None until it is known there."""
    if agent.remote_account is None or agent.deleted_at is not None:
        return None
    thing = SurfaceObject(action=PROVISION.name, id=agent.remote_account, username=agent.username)
    return deps.links.of(agent.account_id, thing)


def picture_of(result: Mapping[str, Any] | None) -> str | None:
    """Return the key of our copy of a published picture, from a job's result or its event; None for none."""
    key = str((result or {}).get("picture") or "")
    return key if _KEY.fullmatch(key) else None


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
